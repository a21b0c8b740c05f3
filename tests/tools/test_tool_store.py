"""Tool files in Redis: checked like files of a directory, followed while programs run."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from py_code_mode import CodeExecutor, RedisToolStore, ToolRegistry, ToolStore
from py_code_mode.errors import ConfigError, ToolNotFoundError
from tests.redis_servers import REDIS, running
from tests.search.models import TopicEmbedder

ECHO = "name: {name}\ndescription: Say a word\ncommand: echo\nargs: '{word} {{word}}'\n"


def echo(name: str, word: str = "hi") -> str:
    return ECHO.format(name=name, word=word)


@pytest.fixture(params=REDIS)
def make_store(request, redis_servers):
    """Open the same store again and again, as several programs do."""
    prefix, server = uuid.uuid4().hex, redis_servers(request.param)
    return lambda: RedisToolStore(server.client(), prefix=prefix)


@pytest.fixture
def store(make_store) -> RedisToolStore:
    return make_store()


def test_files_are_put_read_listed_and_deleted(store):
    """A store keeps texts by name; the version changes with every change and only then."""
    assert isinstance(store, ToolStore)
    seen = [store.version()]
    assert (store.list(), store.get("a"), store.delete("a")) == ([], None, False)
    assert store.version() == seen[0]
    for change in (
        lambda: store.put("b", echo("b")),
        lambda: store.put("a", echo("a")),
        lambda: store.put("a", echo("a", "other")),
        lambda: store.delete("b"),
    ):
        assert change() is True
        seen.append(store.version())
        assert seen[-1] == store.version() != seen[-2]
    assert (store.list(), store.get("a")) == (["a"], echo("a", "other"))
    assert store.documents() == (store.version(), {"a": echo("a", "other")})
    assert store.put("a", echo("a"), replace=False) is False
    assert store.put("a", echo("a", "other")) is True
    assert store.version() == seen[-1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name: x\nargs: [", r"/tools/x\.yaml:3: no valid YAML"),
        ("name: x\nargz: 1\n", r"/tools/x\.yaml:2: key 'argz': is no known key"),
        ("name: x\ntype: gopher\n", r"x\.yaml:2: key 'type': this version has no tools of type"),
        ("name: x\ncommand: ./run.sh\nargs: ''\n", r"x\.yaml:2: key 'command': .*absolute"),
        ("name: x\ncommand: ls\nargs: ''\ncwd: here\n", r"x\.yaml:4: key 'cwd': .*absolute"),
        ("name: x\ntype: openapi\nspec: spec.yaml\n", r"x\.yaml:3: key 'spec': .*absolute"),
        ("", r"x\.yaml:1: is empty"),
        ("name: \ud800\n", "no UTF-8"),
    ],
    ids=ascii,
)
def test_what_a_directory_would_refuse_is_refused(store, text, reason):
    """A wrong file is not stored; the error names file, line and key."""
    with pytest.raises(ConfigError, match=reason):
        store.put("x", text)
    assert store.list() == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", ".x", "x" * 101, "\ud800"], ids=ascii)
def test_names_that_no_file_should_have_are_refused(store, name):
    """A name that would be none for a file in a directory is refused, and simply not there."""
    with pytest.raises(ConfigError, match="no name of a tool file"):
        store.put(name, echo("x"))


def test_secrets_are_not_needed_to_store_a_file(store):
    """A file may name secrets that this machine has not; the program that loads it needs them."""
    text = "name: x\ncommand: env\nargs: ''\nenv: {KEY: '${NOT_SET_HERE}', B: '${C:-d}$$'}\n"
    assert store.put("x", text)
    assert store.get("x") == text


async def test_a_registry_loads_a_store_like_a_directory(store):
    """Tools of stored files are listed, found and called, with secrets filled in and hidden."""
    await asyncio.to_thread(store.put, "a", echo("say"))
    env = "name: env\ncommand: env\nargs: ''\nenv: {API_KEY: '${KEY}'}\n"
    await asyncio.to_thread(store.put, "b", env)
    async with await ToolRegistry.from_store(store, secrets={"KEY": "s3same"}) as registry:
        assert [info.name for info in registry.list_tools()] == ["say", "env"]
        assert await registry.call_tool("say", {"word": "you"}) == "hi you\n"
        assert "API_KEY=***" in await registry.call_tool("env", {})
        assert [info.name for info in registry.search("say a word")] == ["say"]


async def test_wrong_files_are_reported_as_those_of_a_directory(store):
    """All wrong files are named in one error, or left out and reported when that is asked for."""
    for name, text in (
        ("a", echo("a")),
        ("b", "name: b\nargs: [\n"),
        ("c", "name: c\nargz: 1\n"),
        ("d", echo("a")),
    ):
        await asyncio.to_thread(store.put, name, text, check=False)
    with pytest.raises(ConfigError, match=r"b\.yaml.*c\.yaml.*d\.yaml"):
        await ToolRegistry.from_store(store)
    async with await ToolRegistry.from_store(store, lenient=True) as registry:
        assert [info.name for info in registry.list_tools()] == ["a"]
        assert [problem.file.name for problem in registry.problems] == [
            "b.yaml",
            "c.yaml",
            "d.yaml",
        ]
        assert "have the same name" in str(registry.problems[2])
        assert await registry.call_tool("a", {"word": "x"}) == "hi x\n"


async def test_what_other_programs_change_reaches_a_registry(make_store, eventually, caplog):
    """Tools that are put, changed or deleted elsewhere come, change and go in under a second."""
    store, other = make_store(), make_store()
    await asyncio.to_thread(store.put, "a", echo("a"))
    async with await ToolRegistry.from_store(store, follow=0.05) as registry:

        def names() -> list[str]:
            return [info.name for info in registry.list_tools()]

        await asyncio.to_thread(other.put, "b", echo("b"))
        await eventually(lambda: names() == ["a", "b"], 1)
        await asyncio.to_thread(other.put, "a", echo("a2", "changed"))
        await eventually(lambda: names() == ["a2", "b"], 1)
        assert await registry.call_tool("a2", {"word": "x"}) == "changed x\n"
        await asyncio.to_thread(other.put, "c", "name: c\nargz: 1\n", check=False)
        await eventually(lambda: "c.yaml:2: key 'argz'" in caplog.text, 1)
        await asyncio.to_thread(other.delete, "b")
        await eventually(lambda: names() == ["a2"], 1)
        with pytest.raises(ToolNotFoundError):
            await registry.call_tool("b", {"word": "x"})


async def test_a_call_ends_with_the_tool_it_began_with(make_store, eventually):
    """A tool that is replaced while it runs finishes its call; the next one gets the new tool."""
    store = make_store()
    slow = "name: a\ncommand: sleep\nargs: '{seconds}'\n"
    await asyncio.to_thread(store.put, "a", slow)
    async with await ToolRegistry.from_store(store, follow=0.05) as registry:
        call = asyncio.create_task(registry.call_tool("a", {"seconds": "0.5"}))
        await asyncio.sleep(0)
        await asyncio.to_thread(store.put, "a", echo("a"))
        await eventually(lambda: registry.get_tool("a").description == "Say a word", 1)
        assert not call.done()
        assert await registry.call_tool("a", {"word": "x"}) == "hi x\n"
        assert await call == ""


async def test_without_following_a_registry_stays(make_store):
    """With follow=None the tools are those of the moment it was made."""
    store = make_store()
    async with await ToolRegistry.from_store(store, follow=None) as registry:
        await asyncio.to_thread(store.put, "a", echo("a"))
        await asyncio.sleep(0.1)
        assert registry.list_tools() == []


@pytest.mark.needs("redis-server")
async def test_tools_outlast_their_server(tmp_path, eventually, caplog):
    """While the server is down tools stay and the log says so once; afterwards all goes on."""
    with running("redis-server", tmp_path, "--appendonly", "yes") as server:
        store = RedisToolStore.from_url(server.url, "p", retry=None, retry_on_error=[])
        await asyncio.to_thread(store.put, "a", echo("a"))
        async with await ToolRegistry.from_store(store, follow=0.02) as registry:
            server.stop()
            await eventually(
                lambda: "tools stay as they are: cannot read the version" in caplog.text
            )
            assert await registry.call_tool("a", {"word": "x"}) == "hi x\n"
            await asyncio.to_thread(server.start)
            await asyncio.to_thread(store.put, "b", echo("b"))
            await eventually(lambda: len(registry.list_tools()) == 2)
            assert caplog.text.count("tools stay as they are") == 1


async def test_a_running_session_sees_new_tools(make_store, eventually):
    """A tool that another program stored can be called by the next cell of a running kernel."""
    store, other = make_store(), make_store()
    registry = await ToolRegistry.from_store(store, follow=0.05)
    async with CodeExecutor(registry) as executor:
        assert (await executor.run("tools.list()")).value == []
        await asyncio.to_thread(other.put, "a", echo("greet"))
        await eventually(lambda: registry.get_tool("greet"), 1)
        result = await executor.run("tools.greet(word='you')")
        assert result.value == "hi you\n"


async def test_the_search_index_is_kept_in_the_store(make_store):
    """What one program embedded the next one does not embed again."""
    store = make_store()
    await asyncio.to_thread(store.put, "say", echo("say"))
    first, second = TopicEmbedder(), TopicEmbedder()
    for embedder in (first, second):
        tools = await ToolRegistry.from_store(make_store(), embedder=embedder, follow=None)
        async with tools as registry:
            found = await asyncio.to_thread(registry.search, "word")
            assert [tool.name for tool in found] == ["say"]
    assert (len(first.embedded) > 1, second.embedded) == (True, [])
