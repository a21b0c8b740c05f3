"""Many programs on one server, and one program on a cluster."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
import redis
from redis import asyncio as aio

from py_code_mode import RedisArtifactStore, RedisSkillStore, create_skill_library
from py_code_mode.errors import ArtifactError, ArtifactNotFoundError, SkillError
from py_code_mode.search import IndexKeeper
from py_code_mode.skills import SkillUsage
from tests.conftest import ROOT
from tests.redis_servers import REDIS, free_port, running
from tests.redisdb.conftest import Stores, skill

WORK = """
import sys
from py_code_mode import RedisArtifactStore, RedisSkillStore, RedisToolStore
from py_code_mode.skills import SkillUsage, parse_skill
url, prefix, me = sys.argv[1:]
skills = RedisSkillStore.from_url(url, prefix, max_versions=1000)
artifacts = RedisArtifactStore.from_url(url, prefix)
tools = RedisToolStore.from_url(url, prefix)
won = 0
for n in range(15):
    skills.save(parse_skill(f"own_{me}_{n}", f"def run(): return {n}"))
    skills.save(parse_skill("shared", f"def run(): return '{me} {n}'"), creator=me)
    won += skills.save(parse_skill(f"first_{n}", f"def run(): return '{me}'"), replace=False)
    skills.add_usage({"shared": SkillUsage(1, n % 2, 0.5, float(n))})
    artifacts.save(f"own/{me}/{n}", bytes([n]) * 1_500_000)
    artifacts.save("shared", f"{me} {n}" * 200_000)
    artifacts.delete(f"own/{me}/{n - 1}")
    tools.put(f"tool_{me}_{n}", f"name: t{n}\\ncommand: echo\\nargs: ''\\n")
print(won)
"""


def start(program: str, *args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("server", REDIS[:1], indirect=True)  # eight processes take a while
def test_eight_processes_that_write_at_once_lose_nothing(stores, server):
    """Every skill, version, use, artifact and tool of eight processes is there, and counted."""
    running = [start(WORK, server.url, stores.prefix, me) for me in range(8)]
    won = [int(process.communicate()[0]) for process in running]
    assert [process.returncode for process in running] == [0] * 8
    assert sum(won) == 15
    assert len(stores.skills.names()) == 8 * 15 + 15 + 1
    skills = RedisSkillStore(server.client(), stores.prefix, max_versions=1000)
    versions = skills.versions("shared")
    assert [version.number for version in versions] == list(range(120, 0, -1))
    sources = [skills.load("shared", version=version.number).source for version in versions]
    assert len(set(sources)) == 120
    assert all(f"'{v.creator} " in source for v, source in zip(versions, sources, strict=True))
    assert stores.skills.usage("shared") == {"shared": SkillUsage(120, 56, 60.0, 14.0)}
    infos = stores.artifacts.list()
    assert [info.name for info in infos] == [*(f"own/{me}/14" for me in range(8)), "shared"]
    assert all(stores.artifacts.load(f"own/{me}/14") == b"\x0e" * 1_500_000 for me in range(8))
    assert stores.artifacts.load("shared").endswith(" 14")
    assert len(stores.tools.list()) == 120
    with server.client() as client:
        kept = int(client.get(f"{{{stores.prefix}}}:artifacts:bytes"))
        assert kept == sum(info.size for info in infos)
        contents = list(client.scan_iter(f"{{{stores.prefix}}}:artifacts:content:*"))
    assert len(contents) == len(infos)


ADD = """
import sys, time
from py_code_mode import RedisSkillStore
from py_code_mode.skills import parse_skill
store = RedisSkillStore.from_url(sys.argv[1], sys.argv[2])
store.save(parse_skill("fresh", '\"\"\"Count sheep.\"\"\"\\ndef run(): return 1'))
print(time.time(), flush=True)
"""


def test_a_skill_of_another_process_is_seen_in_under_a_second(stores, server):
    """What another process saves is listed, found and searched here at the next call."""
    library = create_skill_library(stores.skills)
    for number in range(100):
        stores.skills.save(skill(f"s{number}"))
    assert len(library.list()) == 100
    assert library.search("sheep") == []
    with start(ADD, server.url, stores.prefix) as other:
        saved = float(other.stdout.readline())
        assert "fresh" in [each.name for each in library.list()]
        assert time.time() - saved < 1
    assert [each.name for each in library.search("sheep")] == ["fresh"]
    assert library.get("fresh").description == "Count sheep."


def test_only_what_changed_is_read_again(stores, server):
    """One new skill among a thousand is a small answer, not all of them again."""
    for number in range(300):
        stores.skills.save(skill(f"s{number}"))
    reader = RedisSkillStore(server.client(), stores.prefix)
    assert len(reader.load_all()) == 300

    def sent() -> int:
        return client.info("stats")["total_net_output_bytes"]

    with server.client() as client:
        stores.skills.save(skill("new"))
        sent()
        before = sent()
        own = sent() - before
        assert reader.load("new") == skill("new")
        assert sent() - before - 2 * own < 2_000


def test_a_program_that_was_away_for_long_reads_everything_again(stores, server):
    """More changes than the log of changes keeps are seen all the same."""
    reader = RedisSkillStore(server.client(), stores.prefix)
    stores.skills.save(skill("a"))
    assert reader.names() == ["a"]
    for number in range(1_100):
        stores.skills.save(skill("b", number))
    stores.skills.delete("a")
    assert reader.names() == ["b"]
    assert reader.load("b") == skill("b", 1_099)


def test_a_reader_may_take_its_time(stores, server):
    """Content that is being read outlives its replacement, for a while and no longer."""
    stores.artifacts.save("x", b"1" * 6_000_000)
    reading = stores.artifacts.read_chunks("x")
    first = next(reading)
    stores.artifacts.save("x", b"2")
    pattern = f"{{{stores.prefix}}}:artifacts:content:*"
    with server.client() as client:
        keys = list(client.scan_iter(pattern))
        assert sorted(client.ttl(key) > 0 for key in keys) == [False, True]
        assert first + next(reading) == b"1" * 2 * 1024 * 1024
        for key in keys:
            if client.ttl(key) > 0:
                client.delete(key)  # as if a minute had passed
    with pytest.raises(ArtifactError, match="replaced or deleted while it was read"):
        list(reading)
    assert stores.artifacts.load("x") == b"2"


def test_a_version_that_is_read_stretch_by_stretch_stays(stores, server):
    """Who says which version it wants reads that one to its end, also when another took its place."""
    size = 4 * 1024 * 1024
    info = stores.artifacts.save("x", b"1" * size)
    other = RedisArtifactStore(server.client(), stores.prefix)

    def stretch(number: int) -> bytes:
        offset = number * size // 4
        return b"".join(other.read_chunks("x", offset, size // 4, sha256=info.sha256))

    assert stretch(0) == b"1" * (size // 4)
    stores.artifacts.save("x", b"2")
    assert stretch(1) == stretch(2) == b"1" * (size // 4)
    stores.artifacts.delete("x")
    assert stretch(3) == b"1" * (size // 4)
    with server.client() as client:
        for key in client.scan_iter(f"{{{stores.prefix}}}:artifacts:content:*"):
            client.delete(key)  # as if a minute had passed
    with pytest.raises(ArtifactNotFoundError):
        stretch(3)


def test_a_gigabyte_would_not_be_held_in_memory(stores):
    """Writing and reading a large artifact piece by piece takes the memory of a few pieces."""
    program = """
import resource, sys
from py_code_mode import RedisArtifactStore
store = RedisArtifactStore.from_url(sys.argv[1], sys.argv[2])
store.save("warm", b"1" * 3_000_000)
sum(map(len, store.read_chunks("warm")))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
piece = bytes(700_000)
with store.open_write("large") as writer:
    for _ in range(300):
        writer.write(piece)
assert sum(map(len, store.read_chunks("large"))) == 210_000_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    url = f"unix://{stores.skills._db._client.connection_pool.connection_kwargs['path']}"
    with start(program, url, stores.prefix) as process:
        assert int(process.communicate()[0]) < 40_000  # KiB
    assert stores.artifacts.delete("large")


# A cluster.


@pytest.fixture(params=REDIS)
def cluster(request, tmp_path):
    """Ports of three servers that are one cluster."""
    with ExitStack() as stack:
        servers, bus = [], []
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            bus.append(free_port())
            options = ("--cluster-enabled", "yes", "--cluster-port", str(bus[-1]))
            servers.append(stack.enter_context(running(request.param, folder, *options)))
        bounds = itertools.pairwise((0, 5461, 10923, 16384))
        for server, (first, end) in zip(servers, bounds, strict=True):
            with server.client() as client:
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", servers[0].port, bus[0])
        deadline = time.monotonic() + 60
        for server in servers:
            with server.client() as client:
                while (
                    b"cluster_state:ok"
                    not in client.execute_command("CLUSTER", "INFO", NEVER_DECODE=True)
                    or len(client.execute_command("CLUSTER", "SLOTS")) < 3
                ):
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
        yield [server.port for server in servers]


async def test_a_cluster_of_three_keeps_each_prefix_in_one_slot(cluster):
    """On a cluster all stores work, with a blocking client and with an asyncio one."""
    with redis.RedisCluster(host="127.0.0.1", port=cluster[0]) as client:
        for prefix in ("a", "b", "c"):  # each in the part of another server
            stores = Stores(client, prefix)
            stores.fill()
            stores.check()
        assert "Redis cluster at 127.0.0.1:" in repr(stores.skills)
    async with aio.RedisCluster(host="127.0.0.1", port=cluster[1]) as client:
        other = Stores(client, "a")
        other.check()
        other.skills.save(skill("b"))
    assert other.skills.names() == ["a", "b"]


async def test_a_cluster_that_is_not_there_is_named():
    """An asyncio client of a cluster that cannot be reached fails in our words."""
    client = aio.RedisCluster(host="127.0.0.1", port=1)
    with pytest.raises(SkillError, match="cannot connect: Redis"):
        await asyncio.to_thread(RedisSkillStore, client, "p")
    await client.aclose()


def test_the_search_index_is_kept_beside_the_skills(stores, server):
    """What one program indexed another one reads; a damaged index counts as none."""
    for number in range(30):
        stores.skills.save(skill(f"s{number}"))
    keeper = stores.skills.index_keeper()
    assert isinstance(keeper, IndexKeeper)
    assert keeper.read() is None
    assert create_skill_library(stores.skills).search("s7")[0].name == "s7"
    kept = keeper.read()
    assert kept is not None
    other = RedisSkillStore(server.client(), stores.prefix)
    assert create_skill_library(other).search("s8")[0].name == "s8"
    assert other.index_keeper().read() == kept
    with server.client() as client:
        key = f"{{{stores.prefix}}}:skills:search"
        client.hset(key, "data", kept[:-1])
        assert keeper.read() is None
        client.hset(key, "data", b"\0" * 100)
        assert create_skill_library(other).search("s9")[0].name == "s9"
    assert keeper.read() == kept
