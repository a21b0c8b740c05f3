"""Skills in real kernels: shared between sessions and processes, counted, tested, awaited."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from py_code_mode import FileSkillStore, ToolRegistry, create_skill_library
from tests.conftest import ROOT


@pytest.fixture
def library(tmp_path):
    """A library over a folder."""
    return create_skill_library(FileSkillStore(tmp_path / "skills"))


@pytest.fixture
async def executor(make_executor, library):
    """An executor with that library."""
    return await make_executor(skill_library=library)


async def test_a_skill_is_at_once_everywhere(executor, library, make_executor, tmp_path):
    """What one session makes, others of this and another executor list, find and run."""
    made = "_ = skills.create('double', 'def run(n): return 2 * n', 'Double a number')"
    (await executor.run(made)).unwrap()
    store = FileSkillStore(tmp_path / "skills")
    elsewhere = await make_executor(skill_library=create_skill_library(store))
    for session in (await executor.session("second"), elsewhere):
        result = await session.run(
            "[row['name'] for row in skills.list()], skills.search('double a number')[0]['name'],"
            "skills.double(n=4), skills.get('double').creator"
        )
        assert result.unwrap() == (["double"], "double", 8, "default")
    assert library.get("double").creator == "default"


async def test_the_creator_is_who_the_code_runs_for(make_executor, library):
    """A skill remembers its author, whom code cannot choose, and the session where nobody is said."""
    alice = await make_executor(skill_library=library, author="alice")
    (await alice.run("_ = skills.create('f', 'def run(): pass')")).unwrap()
    other = await make_executor(skill_library=library)
    (await other.run("_ = skills.update('f', 'def run(): return 1')")).unwrap()
    assert [version.creator for version in library.versions("f")] == ["default", "alice"]
    assert library.get("f").creator == "alice"


IN_ANOTHER_PROCESS = """
import sys
from py_code_mode import FileSkillStore, create_skill_library
library = create_skill_library(FileSkillStore(sys.argv[1]))
print(library.get("double").creator, [skill.name for skill in library.search("double a number")])
library.update("double", "def run(n): return 3 * n", creator="other")
"""


async def test_other_processes_see_it_and_are_seen(executor, tmp_path):
    """A skill made in a cell is there in another process, whose change the next call runs."""
    made = "_ = skills.create('double', 'def run(n): return 2 * n', 'Double a number')\nskills.double(1)"
    assert (await executor.run(made)).unwrap() == 2
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path / "skills")]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "default ['double']\n"
    result = await executor.run(
        "skills.double(1), [v['creator'] for v in skills.versions('double')]"
    )
    assert result.unwrap() == (3, ["other", "default"])


async def test_uses_are_counted_when_the_cell_has_ended(executor, library):
    """A cell's runs are on record soon after it, without a call of their own in its result."""
    await executor.run("_ = skills.create('inverse', 'def run(n): return 1 / n')")
    result = await executor.run("for n in (1, 2, 0): skills.inverse(n)")
    assert result.error.name == "ZeroDivisionError"
    assert result.tool_calls == []
    while not library.usage():
        await asyncio.sleep(0.01)
    usage = library.usage("inverse")["inverse"]
    assert (usage.uses, usage.failures) == (3, 1)
    seen = await executor.run(
        "skills.inverse(1); v = skills.get('inverse'); v.uses, v.success_rate"
    )
    assert seen.unwrap() == (4, 0.75)


async def test_awaiting_in_cells(executor):
    """In cells with top-level await a skill may be called, awaited, and gathered."""
    await executor.run(
        "_ = skills.create('later', 'import asyncio\\nasync def run(n):\\n"
        "    await asyncio.sleep(0)\\n    return n, id(asyncio.get_running_loop())')"
    )
    result = await executor.run(
        "import asyncio\nmine = id(asyncio.get_running_loop())\n"
        "[await skills.later(1) == (1, mine), skills.later(2)[0], skills.later(2)[1] == mine,\n"
        " [n for n, loop in await asyncio.gather(*[skills.later.acall(n) for n in range(3)])]]"
    )
    assert result.unwrap() == [True, 2, False, [0, 1, 2]]


async def test_errors_show_file_and_line_of_the_skill(executor):
    """A traceback through nested skills names each one's file and line, and none of ours."""
    await executor.run(
        "_ = skills.create('inner', '# one\\ndef run(n):\\n    return 1 / n')\n"
        "_ = skills.create('outer', 'async def run(n):\\n    return await skills.inner(n)')"
    )
    for call in ("skills.outer(0)", "await skills.outer(0)"):
        text = (await executor.run(call)).error.traceback
        assert "<skill outer.py " in text
        assert "return await skills.inner(n)" in text
        assert "<skill inner.py " in text
        assert "return 1 / n" in text
        assert "kernel_bootstrap" not in text


async def test_missing_tools_are_named_in_the_session(make_executor, library):
    """A skill that needs tools the session has not says which; with the tool it runs."""
    library.create("scan", '"""Scan.\n\nTools: ping\n"""\ndef run(): return tools.ping()')
    without = await make_executor(skill_library=library)
    result = await without.run("skills.scan()")
    assert result.error.name == "SkillError"
    assert "skill 'scan' needs the tool 'ping'" in result.error.message
    registry = ToolRegistry()

    def ping() -> str:
        """Answer."""
        return "pong"

    registry.add(ping)
    having = await make_executor(registry=registry, skill_library=library)
    assert (await having.run("skills.scan()")).unwrap() == "pong"


async def test_a_skill_is_tested_in_the_kernel(executor, library):
    """The report of skills.test shows as text and HTML, and crosses as plain data."""
    library.create(
        "double",
        '"""Double.\n\n>>> run(2)\n4\n>>> skills.double(n=3)\n7\n"""\ndef run(n): return 2 * n',
    )
    result = await executor.run("skills.test('double')")
    assert result.is_ok
    assert "1 passed, 1 failed" in result.outputs[-1].text
    assert "<table>" in result.outputs[-1].html
    assert (result.value["passed"], result.value["failed"]) == (1, 1)
    assert result.value["results"][1]["got"] == "6"
    assert library.usage() == {}
