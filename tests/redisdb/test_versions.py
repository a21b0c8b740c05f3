"""Every redis-py that is promised, and not only the one that is installed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.conftest import CI, ROOT
from tests.redis_servers import Server, free_port, running

VERSIONS = ("5.0", "6.4", "7.4")

PROGRAM = """
import asyncio, re, sys, uuid
import redis
from redis import asyncio as aio
from py_code_mode import create_skill_library
from py_code_mode.errors import SkillError
from py_code_mode.redisdb import client_from_url
from tests.redisdb.conftest import Stores, skill

url, cluster = sys.argv[1], int(sys.argv[2])
assert redis.__version__.startswith(sys.argv[3]), redis.__version__


def works(client):
    stores = Stores(client, uuid.uuid4().hex)
    stores.fill()
    stores.check()
    return stores


async def asyncio_works(client):
    stores = await asyncio.to_thread(works, client)
    assert await client.ping()
    await getattr(client, "aclose", client.close)()
    return stores


for options in ({}, {"decode_responses": True}, {"protocol": 3, "decode_responses": True}):
    works(redis.Redis.from_url(url, **options))
    asyncio.run(asyncio_works(aio.Redis.from_url(url, **options)))
for options in ({}, {"decode_responses": True}):
    works(redis.RedisCluster(host="127.0.0.1", port=cluster, **options))
    stores = asyncio.run(
        asyncio_works(aio.RedisCluster(host="127.0.0.1", port=cluster, **options))
    )
    assert "Redis cluster at" in repr(stores.skills)

# What one saves another one sees, finds by words, and reads from the kept index.
client = client_from_url(url, None)[0]
one = works(client)
other = Stores(redis.Redis.from_url(url), one.prefix)
assert other.skills.names() == ["a"]
one.skills.save(skill("zebra"))
assert create_skill_library(other.skills).search("zebra")[0].terms == ("zebra",)
assert create_skill_library(one.skills).search("zebra")[0].name == "zebra"
assert one.skills.index_keeper().read() is not None

# Lost connections, scripts the server no longer knows, refusals, and a server that is not there.
control = redis.Redis.from_url(url)
control.script_flush()
control.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
one.skills.save(skill("b"))
control.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
assert one.artifacts.load("deep/large") == b"x" * 3_000_000
control.execute_command("ACL", "SETUSER", "few", "on", ">word", "~{x}:*", "+@all")
few = url.replace("://", "://few:word@")
for where, said in ((few, "refused: .*permission"), (few.replace("word", "wrong"), "let this user"),
                    ("redis://127.0.0.1:1", "cannot be reached")):
    try:
        Stores(redis.Redis.from_url(where, retry=None), "mine").skills.save(skill("a"))
    except SkillError as error:
        assert re.search(said, str(error)), error
    else:
        raise AssertionError(where)
control.execute_command("ACL", "DELUSER", "few")
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Server]:
    """A server that is a cluster by itself."""
    folder = tmp_path_factory.mktemp("cluster")
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with running("redis-server", folder, *options) as server, server.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        deadline = time.monotonic() + 60
        while b"cluster_state:ok" not in client.execute_command(
            "CLUSTER", "INFO", NEVER_DECODE=True
        ):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield server


@pytest.mark.parametrize("version", VERSIONS)
def test_older_releases_of_redis_py_serve_as_well(version, redis_servers, cluster):
    """With each of them all stores work, however the client is made, and errors are told alike."""
    package = ROOT / ".venv-redis-py" / version
    if not (package / "redis").is_dir():
        if CI:
            pytest.fail(f"{package} is missing: make test makes it")
        pytest.skip(f"{package} is missing: make test makes it")
    arguments = [redis_servers("redis-server").url, str(cluster.port), version]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(package)},
    )
    assert done.returncode == 0, done.stderr
