"""What happens to stores when their server is down, full, slow, restarted or forgets."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import pytest

from py_code_mode import RedisArtifactStore, RedisSkillStore, RedisToolStore
from py_code_mode.errors import ArtifactError, ArtifactWriteError, SkillError, ToolError
from py_code_mode.skills import SkillUsage
from tests.redis_servers import Server
from tests.redisdb.conftest import TOOL, Stores, skill

CLIENT_KILL = ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

AOF = ("--appendonly", "yes", "--appendfsync", "always")


class OwnStores(Stores):
    """The three stores as ``from_url`` makes them, each with a client of its own."""

    def __init__(self, server: Server, prefix: str = "my-agent", **options) -> None:
        self.prefix = prefix
        self.skills = RedisSkillStore.from_url(server.url, prefix, **options)
        self.artifacts = RedisArtifactStore.from_url(server.url, prefix, **options)
        self.tools = RedisToolStore.from_url(server.url, prefix, **options)

    def operations(self) -> list[tuple[type[Exception], str, Callable[[], object]]]:
        """What can be asked of them: the error it gives, what it says, and the call."""
        return [
            (SkillError, "read the skills", self.skills.names),
            (SkillError, "read the skills", lambda: self.skills.load("a")),
            (SkillError, "ask for new skills", self.skills.version),
            (SkillError, "save skill 'a'", lambda: self.skills.save(skill("a", 3))),
            (SkillError, "delete skill 'a'", lambda: self.skills.delete("a")),
            (SkillError, "read skill 'a'", lambda: self.skills.versions("a")),
            (SkillError, "count uses", lambda: self.skills.add_usage({"a": SkillUsage(1)})),
            (SkillError, "read the uses", self.skills.usage),
            (ArtifactError, "list the artifacts", self.artifacts.list),
            (ArtifactError, "read artifact 'x'", lambda: self.artifacts.load("x")),
            (ArtifactError, "read artifact 'x'", lambda: self.artifacts.read_chunks("x")),
            (ArtifactError, "write artifact 'x'", lambda: self.artifacts.save("x", 1)),
            (ArtifactWriteError, "write artifact", lambda: self.artifacts.save("x", b"1" * 5**10)),
            (ArtifactError, "'x'", lambda: self.artifacts.delete("x")),
            (ToolError, "list the tool files", self.tools.list),
            (ToolError, "store the tool file 'a'", lambda: self.tools.put("a", TOOL)),
            (ToolError, "delete the tool file 'a'", lambda: self.tools.delete("a")),
            (ToolError, "read the tool files", self.tools.documents),
        ]


def test_a_server_that_is_down_is_named_and_when_it_is_back_all_goes_on(own_server):
    """Every call says what failed and where; the same stores work when the server is back."""
    server = own_server(*AOF)
    stores = OwnStores(server, retry=None, retry_on_error=[])
    stores.fill()
    server.stop()
    for error, what, call in stores.operations():
        with pytest.raises(error) as caught:
            call()
        assert f"cannot {what}" in str(caught.value) or what == "'x'"
        assert f"Redis at 127.0.0.1:{server.port} cannot be reached" in str(caught.value)
    server.start()
    stores.check()


def test_a_restart_keeps_everything(own_server):
    """After a power cut a server that logs to disk has every skill, version, count and artifact."""
    server = own_server(*AOF)
    stores = OwnStores(server)
    stores.fill()
    stores.skills.add_usage({"a": SkillUsage(2, 1, 0.5, 7.0)})
    server.stop()
    server.start()
    for each in (stores, OwnStores(server)):
        each.check()
        assert each.skills.usage() == {"a": SkillUsage(2, 1, 0.5, 7.0)}
    assert stores.skills.save(skill("b"))
    assert OwnStores(server).skills.names() == ["a", "b"]


def test_a_restart_is_waited_for(own_server):
    """A call that finds the server restarting tries again and succeeds."""
    server = own_server(*AOF)
    stores = OwnStores(server)
    stores.fill()
    server.stop()
    starting = threading.Timer(0.05, server.start)
    starting.start()
    stores.check()
    starting.join()


def lasting(client) -> list[bytes]:
    """All keys but the notes that something is being read."""
    return sorted(key for key in client.scan_iter() if b":reading:" not in key)


def test_a_full_server_keeps_what_was_there(own_server):
    """What a server's maxmemory refuses leaves the former value, and nothing half-written."""
    server = own_server("--maxmemory-policy", "noeviction")
    stores = OwnStores(server)
    stores.fill()
    with server.client() as client:
        keys = lasting(client)
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 8_000_000)
        with pytest.raises(ArtifactWriteError, match=r"'deep/large'.*out of memory.*stays"):
            stores.artifacts.save("deep/large", b"y" * 40_000_000)
        stores.check()
        assert lasting(client) == keys
        client.config_set("maxmemory", 1)
        refused = [
            lambda: stores.skills.save(skill("a", 3)),
            lambda: stores.artifacts.save("deep/small", {"n": 3}),
            lambda: stores.tools.put("hello", TOOL + "timeout: 3\n"),
        ]
        for write in refused:
            with pytest.raises((SkillError, ArtifactError, ToolError), match="out of memory"):
                write()
        stores.check()
        assert lasting(client) == keys
        assert stores.artifacts.delete("deep/large")
        client.config_set("maxmemory", 0)
    assert stores.artifacts.save("deep/large", b"x" * 3_000_000)
    stores.check()


def test_a_deletion_makes_room_on_a_full_server(own_server):
    """Where nothing can be written any more, everything can still be deleted."""
    server = own_server("--maxmemory-policy", "noeviction")
    stores = OwnStores(server)
    stores.fill()
    with server.client() as client:
        client.config_set("maxmemory", 1)
        assert stores.skills.delete("a")
        assert stores.artifacts.delete("deep/large")
        assert stores.artifacts.delete("deep/small")
        assert stores.tools.delete("hello")
        assert (stores.skills.names(), stores.artifacts.list(), stores.tools.list()) == ([], [], [])


def test_killed_connections_are_survived(own_server):
    """While an operator kills every connection again and again, no save fails and none is lost."""
    server = own_server()
    stores, stop = OwnStores(server), threading.Event()
    failures: list[Exception] = []
    killed: list[int] = []
    data = bytes(range(256)) * 8_192

    def kill() -> None:
        with server.client() as client:
            while not stop.wait(0.2):
                killed.append(client.execute_command(*CLIENT_KILL))

    def work(number: int) -> None:
        try:
            for turn in range(15):
                assert stores.skills.save(skill(f"s{number}_{turn}"), replace=False)
                stores.artifacts.save(f"{number}/{turn}", data)
                assert stores.artifacts.load(f"{number}/{turn}") == data
                stores.tools.put(f"t{number}_{turn}", TOOL)
        except Exception as error:  # noqa: BLE001 - any failure is one
            failures.append(error)

    killer = threading.Thread(target=kill)
    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in (killer, *workers):
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    killer.join()
    assert failures == []
    assert (
        len(stores.skills.names()) == len(stores.artifacts.list()) == len(stores.tools.list()) == 60
    )


def test_a_server_that_does_not_answer_is_given_up_on(own_server):
    """A server that hangs gives an error in time; when it wakes, the stores go on."""
    server = own_server()
    stores = OwnStores(server, socket_timeout=0.1, retry=None, retry_on_error=[])
    stores.fill()
    server.signal(signal.SIGSTOP)
    started = time.monotonic()
    try:
        with pytest.raises(SkillError, match=r"cannot read the skills: .*did not answer in time"):
            stores.skills.names()
        with pytest.raises(ArtifactWriteError, match="did not answer in time"):
            stores.artifacts.save("deep/small", 9)
        assert time.monotonic() - started < 5
    finally:
        server.signal(signal.SIGCONT)
    assert stores.skills.names() == ["a"]
    # A write that was not answered in time may have been done; it was done whole or not at all.
    assert stores.artifacts.load("deep/small") in ({"n": 2}, 9)


def test_a_writer_that_dies_leaves_nothing_for_good(own_server):
    """What was uploaded and never committed is no artifact, goes by itself, or at once by abort."""
    server = own_server()
    stores = OwnStores(server)
    writer = stores.artifacts.open_write("x")
    writer.write(b"x" * 3_000_000)
    assert stores.artifacts.list() == []
    with server.client() as client:
        (key,) = client.keys("*content*")
        assert 3_000 < client.ttl(key) <= 3_600
        writer.abort()
        assert client.keys("*content*") == []


def test_an_upload_that_the_server_forgot_is_no_artifact(own_server):
    """A server that lost its memory in the middle of an upload gets no artifact with a hole."""
    server = own_server()
    stores = OwnStores(server)
    writer = stores.artifacts.open_write("x")
    writer.write(b"x" * 3_000_000)
    server.stop()
    server.start()
    with pytest.raises(ArtifactWriteError, match="no longer there"):
        writer.write(b"x" * 3_000_000)
    assert stores.artifacts.list() == []
    with server.client() as client:
        assert client.keys() == []
        writer = stores.artifacts.open_write("x")
        writer.write(b"x" * 1_500_000)
        client.flushall()
        with pytest.raises(ArtifactWriteError, match="no longer there"):
            writer.commit()
        assert client.keys() == []


def test_what_was_lost_is_seen_by_those_who_knew_it(own_server):
    """After a server went back in time and on another way, a program that knew more sees that."""
    server = own_server()
    skills, other = OwnStores(server).skills, OwnStores(server).skills
    skills.save(skill("a", 1))
    with server.client() as client:
        kept = {key: client.dump(key) for key in client.scan_iter()}
        skills.save(skill("lost"))
        skills.save(skill("a", 2))
        assert other.names() == ["a", "lost"]
        client.flushall()
        assert other.names() == []
        for key, value in kept.items():
            client.restore(key, 0, value)
    for value in (5, 6, 7, 8):
        OwnStores(server).skills.save(skill("new", value))
    assert other.names() == skills.names() == ["a", "new"]
    assert other.load("a") == skill("a", 1)
    assert other.load("new") == skill("new", 8)


def test_a_replica_only_reads(own_server, tmp_path):
    """On a replica everything can be read, and what writes says to connect to the primary."""
    server = own_server("--repl-diskless-sync-delay", "0")
    OwnStores(server).fill()
    folder = tmp_path / "replica"
    folder.mkdir()
    replica = own_server("--replicaof", f"127.0.0.1 {server.port}", folder=folder)
    with replica.client() as client:
        deadline = time.monotonic() + 30
        while client.info("replication")["master_link_status"] != "up":
            assert time.monotonic() < deadline
            time.sleep(0.01)
    stores = OwnStores(replica)
    stores.check()
    with pytest.raises(SkillError, match="a replica that only reads"):
        stores.skills.save(skill("b"))
    with pytest.raises(ArtifactWriteError, match="a replica that only reads"):
        stores.artifacts.save("b", b"1" * 2_000_000)
