"""The system prompt and the stubs of an executor: what they say is so, and stays so."""

from __future__ import annotations

import ast
import re

import pytest

from py_code_mode import CodeExecutor, ToolInfo, ToolParam, ToolRegistry
from py_code_mode.errors import ToolNotFoundError


class Many:
    """A source of many tools."""

    def __init__(self, count: int) -> None:
        self.names = [f"srv{n % 3}.do_{n}" for n in range(count)]

    def tools(self):
        params = (ToolParam("key", "int", default=1),)
        return [ToolInfo(name, f"Do thing {name}.", params, returns="str") for name in self.names]

    async def call(self, name, arguments):
        return f"{name} {sorted(arguments.items())}"

    async def aclose(self):
        pass


def registry_of(count: int) -> ToolRegistry:
    registry = ToolRegistry()
    registry.register_adapter(Many(count))
    return registry


async def test_a_short_list_of_tools_is_in_the_prompt(make_executor):
    """Few tools are listed, a line each: the call and what it does."""
    executor = await make_executor(registry=registry_of(4))
    text = executor.system_prompt()
    line = "tools.srv0.do_0(key: int = 1) -> str  # Do thing srv0.do_0."
    assert line in text.splitlines()
    assert text.count("# Do thing") == 4
    assert "tools.search(" not in text
    assert "There are no tools" in (await make_executor()).system_prompt()


async def test_of_a_long_list_the_prompt_says_how_to_search(make_executor):
    """Many tools are counted by their groups, and the prompt stays short."""
    executor = await make_executor(registry=registry_of(1000))
    text = executor.system_prompt()
    assert "There are 1,000 tools" in text
    assert "`tools.srv0` (334)" in text
    assert "tools.search(" in text
    assert len(text) < 3_000
    assert "# Do thing" in (await make_executor(registry=registry_of(41))).system_prompt(
        max_tools=41
    )


async def test_prompts_and_stubs_stay_the_same(make_executor):
    """The same tools give the same bytes, in whatever order and executor; calls change no prompt."""
    one, other = registry_of(30), ToolRegistry()
    source = Many(30)
    source.names.reverse()
    other.register_adapter(source)
    first, second = await make_executor(registry=one), await make_executor(registry=other)
    before = first.system_prompt(), first.stubs()
    assert before == (second.system_prompt(), second.stubs())
    await first.run("tools.srv0.do_0()")
    assert before == (first.system_prompt(), first.stubs())


@pytest.mark.parametrize("count", [3, 1000])
async def test_what_the_prompt_says_works(make_executor, count):
    """Its example runs, and each name of ``tools``, ``skills`` and ``artifacts`` in it is there."""
    executor = await make_executor(registry=registry_of(count))
    text = executor.system_prompt()
    named = set(re.findall(r"[`(](?:await )?((?:tools|skills|artifacts)\.\w+)\b", text))
    named = {name for name in named if not name.endswith(".name")}
    assert {"tools.map", "tools.ToolError", "skills.create", "artifacts.load"} <= named
    result = await executor.run(f"[{', '.join(sorted(named))}] and None")
    assert result.is_ok, result.text
    cell = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    ast.parse(re.sub(r"\(.*\) -> str", "", cell) if count == 3 else cell)
    code = "print(tools.srv0.do_0(key=5))" if count == 3 else cell
    result = await executor.run(code.replace("what you need", "do thing 7"))
    assert result.is_ok
    assert "srv" in result.stdout


async def test_skills_and_artifacts_work_as_the_prompt_says(make_executor):
    """The calls it shows for skills and artifacts have these very signatures."""
    executor = await make_executor()
    result = await executor.run(
        'code = "def run(key): return key + 1"\n'
        'skills.create("name", code, "increments numbers")\n'
        'artifacts.save("name", [1], "what it is")\n'
        '[skills.invoke("name", key=1), bool(skills.search("increments numbers")),\n'
        ' skills.get("name").source, artifacts.load("name"), len(artifacts.list())]'
    )
    assert result.unwrap() == [2, True, "def run(key): return key + 1", [1], 1]


async def test_stubs_of_some_tools(make_executor):
    """Names, groups and queries choose tools; an unknown name among several is an error."""
    executor = await make_executor(registry=registry_of(30))

    def chosen(*args, **kwargs):
        return sorted(re.findall(r"def (do_\d+)", executor.stubs(*args, **kwargs)))

    assert len(chosen()) == 30
    assert chosen("srv1.do_7") == ["do_7"]
    assert len(chosen("srv1")) == 10
    assert chosen(["srv1.do_7", "srv0.do_0", "srv1.do_7"]) == ["do_0", "do_7"]
    assert len(chosen("thing", limit=4)) == 4
    assert chosen("completely unrelated words") == []
    with pytest.raises(ToolNotFoundError, match=r"srv1\.do_7"):
        executor.stubs(["srv1.do_77"])


async def test_prompts_know_scopes(tmp_path):
    """Tools out of scope are neither in the prompt nor in the stubs."""
    for name, tags in (("seen", "[ok]"), ("hidden", "[secret]")):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\ncommand: echo\ntags: {tags}\n")
    async with await CodeExecutor.create(tools=tmp_path, allowed_tags=["ok"]) as executor:
        for text in (executor.system_prompt(), executor.stubs()):
            assert "seen" in text
            assert "hidden" not in text
