"""What the tests of stores in Redis share: real servers, each test's own keys."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from py_code_mode import RedisArtifactStore, RedisSkillStore, RedisToolStore
from py_code_mode.skills import Skill, parse_skill
from tests.redis_servers import REDIS, Server, running

TOOL = "name: hello\ncommand: echo\nargs: '{word}'\n"


class Stores:
    """The three stores of one prefix, all on one client.

    Attributes:
        prefix: The prefix of their keys.
    """

    def __init__(self, client, prefix: str) -> None:
        self.prefix = prefix
        self.skills = RedisSkillStore(client, prefix=prefix)
        self.artifacts = RedisArtifactStore(client, prefix=prefix)
        self.tools = RedisToolStore(client, prefix=prefix)

    def fill(self) -> None:
        """Use everything that writes."""
        self.skills.save(skill("a", 1))
        self.skills.save(skill("a", 2), creator="ann")
        self.skills.save(skill("gone"))
        self.skills.delete("gone")
        self.artifacts.save("deep/large", b"x" * 3_000_000, tags=["t"])
        self.artifacts.save("deep/small", {"n": 1})
        self.artifacts.save("deep/small", {"n": 2}, ttl=1_000)
        self.artifacts.save("gone", 1)
        self.artifacts.delete("gone")
        self.tools.put("hello", TOOL)
        self.tools.put("gone", TOOL)
        self.tools.delete("gone")
        for store in (self.skills, self.tools):
            store.index_keeper().write(b"an index")

    def check(self) -> None:
        """Read everything that ``fill`` wrote."""
        assert self.skills.names() == ["a"]
        assert self.skills.load("a").source.endswith("return 2\n")
        assert [version.number for version in self.skills.versions("a")] == [2, 1]
        assert self.skills.load("a", version=1) == skill("a", 1)
        assert [info.name for info in self.artifacts.list()] == ["deep/large", "deep/small"]
        assert self.artifacts.load("deep/large") == b"x" * 3_000_000
        assert b"".join(self.artifacts.read_chunks("deep/large", 10)) == b"x" * 2_999_990
        assert self.artifacts.load("deep/small") == {"n": 2}
        assert self.tools.list() == ["hello"]
        assert self.tools.get("hello") == TOOL


def skill(name: str, value: int = 1) -> Skill:
    return parse_skill(name, f"def run(): return {value}\n")


@pytest.fixture(params=REDIS)
def server(request, redis_servers) -> Server:
    """A running server that tests share: they leave it as it is."""
    return redis_servers(request.param)


@pytest.fixture
def stores(server) -> Iterator[Stores]:
    with server.client() as client:
        yield Stores(client, uuid.uuid4().hex)


@pytest.fixture(params=REDIS)
def own_server(request, tmp_path) -> Iterator[Callable[..., Server]]:
    """Start servers of a test's own, which it may stop and configure."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(*options: str, folder: Path = tmp_path) -> Server:
            return stack.enter_context(running(request.param, folder, *options))

        yield start
