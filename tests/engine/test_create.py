"""``CodeExecutor.create`` from directories: what is wrong is reported, what is right works."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from py_code_mode import CodeExecutor, ConfigError, ToolRegistry

TOOL = "name: {name}\ncommand: echo\nargs: '{{text}}'\ndescription: Echo a text\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one good and several broken files of each kind."""
    tools, skills = tmp_path / "tools", tmp_path / "skills"
    tools.mkdir()
    skills.mkdir()
    (tools / "good.yaml").write_text(TOOL.format(name="good"))
    (tools / "malformed.yaml").write_text("name: x\nargs: [unclosed\n")
    (tools / "unknown.yaml").write_text("name: unknown\ndescripton: typo\n")
    (tools / "missing.yaml").write_text("description: no name\n")
    (tools / "wrong.yaml").write_text("name: wrong\ntimeout: soon\n")
    (tools / "twice.yaml").write_text(TOOL.format(name="good"))
    (skills / "fine.py").write_text(
        '"""Say hello."""\n\ndef run(who: str = "you") -> str:\n    return tools.good(text=f"hello {who}")\n'
    )
    (skills / "broken.py").write_text('"""Broken."""\n\ndef run(:\n')
    return tmp_path


async def test_broken_files_are_reported_and_the_others_work(project, caplog):
    """Each broken file is one problem naming file, line and key; the good ones load."""
    caplog.set_level(logging.WARNING)
    async with await CodeExecutor.create(
        tools=project / "tools", skills=project / "skills", artifacts=project / "data"
    ) as executor:
        texts = [str(problem) for problem in executor.problems]
        for file, needle in {
            "malformed.yaml": ":",
            "unknown.yaml": "descripton",
            "missing.yaml": "name",
            "wrong.yaml": "timeout",
            "twice.yaml": "good",
            "broken.py": "3",
        }.items():
            (text,) = [text for text in texts if file in text and not text.startswith("[")]
            assert needle in text.replace(file, "")
            assert any(file in record.getMessage() for record in caplog.records)
        result = await executor.run("skills.fine(who='there'), [t['name'] for t in tools.list()]")
        assert result.unwrap() == ("hello there\n", ["good"])


async def test_strict_loading_raises_one_error_that_names_all(project):
    """``ToolRegistry.from_dir`` refuses a directory with broken files, naming each."""
    with pytest.raises(ConfigError) as caught:
        await ToolRegistry.from_dir(project / "tools")
    for file in ("malformed.yaml", "unknown.yaml", "missing.yaml", "wrong.yaml", "twice.yaml"):
        assert file in str(caught.value)


async def test_missing_directories(tmp_path, caplog):
    """A missing directory is made for skills and artifacts, gives no tools, and is in the log."""
    caplog.set_level(logging.INFO)
    paths = {name: tmp_path / name for name in ("tools", "skills", "artifacts")}
    async with await CodeExecutor.create(**paths) as executor:
        assert (await executor.run("tools.list(), skills.list(), artifacts.list()")).unwrap() == (
            [],
            [],
            [],
        )
    assert not paths["tools"].exists()
    assert paths["skills"].is_dir()
    assert paths["artifacts"].is_dir()
    logged = caplog.text
    assert all(str(path) in logged for path in paths.values())


async def test_a_file_where_a_directory_belongs(tmp_path):
    """A path that is a file is a ConfigError naming it."""
    (tmp_path / "tools").write_text("x")
    with pytest.raises(ConfigError, match="tools"):
        await CodeExecutor.create(tools=tmp_path / "tools")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", "a\x00b", "con", "x" * 300])
async def test_artifact_names_that_escape_are_refused(make_executor, tmp_path, name):
    """A bad artifact name is one clear error in the cell, and nothing is written."""
    async with await CodeExecutor.create(artifacts=tmp_path / "data") as executor:
        result = await executor.run(f"artifacts.save({name!r}, 1)")
        assert result.error is not None
        assert result.error.name in ("ArtifactWriteError", "ProtocolError")
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_artifacts_outlive_the_session(tmp_path):
    """What one session saved another loads as it was, and the host sees it too."""
    save = (
        "import pandas as pd\n"
        "values = {'j.json': {'a': [1, None]}, 't.txt': 'grüße', 'b.bin': bytes(range(256)),\n"
        "          'deep/s.set': {1, (2, 3)}, 'f.frame': pd.DataFrame({'x': [1.5, None]})}\n"
        "[artifacts.save(n, v, description='d ' + n)['size'] > 0 for n, v in values.items()]"
    )
    async with await CodeExecutor.create(artifacts=tmp_path) as executor:
        assert (await executor.run(save)).unwrap() == [True] * 5
    async with await CodeExecutor.create(artifacts=tmp_path) as executor:
        loaded = await executor.run(
            "[artifacts.load(n) for n in ('j.json', 't.txt', 'b.bin', 'deep/s.set')]"
        )
        assert loaded.unwrap() == [
            {"a": [1, None]}, "grüße", bytes(range(256)), {1, (2, 3)},
        ]  # fmt: skip
        assert (await executor.run("list(artifacts.load('f.frame').columns)")).unwrap() == ["x"]
        assert executor.artifact_store.load("t.txt") == "grüße"
        described = await executor.run(
            "artifacts.get('t.txt')['description'], artifacts.exists('no')"
        )
        assert described.unwrap() == ("d t.txt", False)
        gone = await executor.run("artifacts.delete('t.txt'), artifacts.load('t.txt')")
        assert gone.error.name == "ArtifactNotFoundError"


async def test_skills_are_made_found_and_run_in_cells(executor):
    """A skill made in a cell is found, explains itself, runs nested, sync and async."""
    await executor.run(
        "_ = skills.create('double', 'def run(n: int, by: int = 2) -> int:\\n    return n * by', 'Double a number')\n"
        "_ = skills.create('later', 'import asyncio\\nasync def run(n):\\n"
        "    await asyncio.sleep(0)\\n    return skills.double(n=n)', 'Double it later')"
    )
    result = await executor.run(
        "import inspect\n"
        "[skills.double(n=2), skills.double(3, by=5), skills.invoke('double', n=4),\n"
        " skills.later(n=5), await skills.ainvoke('later', n=6), skills.get('nope'),\n"
        " str(inspect.signature(skills.double)), skills.search('double a number')[0]['name'],\n"
        " 'return n * by' in skills.get('double').source, 'double' in dir(skills)]"
    )
    assert result.unwrap() == [
        4, 15, 8, 10, 12, None, "(n: int, by: int = 2) -> int", "double", True, True,
    ]  # fmt: skip
    other = await executor.session()
    assert (await other.run("skills.double(n=21)")).unwrap() == 42


async def test_a_skill_sees_nothing_of_the_session(executor):
    """A skill's globals hold the three names and none of the session's variables."""
    result = await executor.run(
        "secret = 1\n_ = skills.create('look', 'def run():\\n    return sorted(globals())')\n"
        "names = skills.look()\n'secret' in names, {'tools', 'skills', 'artifacts'} <= set(names)"
    )
    assert result.unwrap() == (False, True)


async def test_errors_in_skills_show_their_own_lines(executor):
    """A failing skill's traceback names the skill and shows its source line."""
    result = await executor.run(
        "_ = skills.create('bad', 'def run():\\n    x = 1\\n    return x / 0')\nskills.bad()"
    )
    assert result.error.name == "ZeroDivisionError"
    assert "<skill bad" in result.error.traceback
    assert "return x / 0" in result.error.traceback
    assert "kernel_bootstrap" not in result.error.traceback


async def test_bad_skills_are_refused_in_the_cell(executor):
    """A skill that does not parse, or has a bad name, is refused with the reason."""
    for call, needle in {
        "skills.create('x', 'def run(:')": "line 1",
        "skills.create('x', 'def go(): pass')": "run",
        "skills.create('not a name', 'def run(): pass')": "not a name",
        "skills.create('invoke', 'def run(): pass')": "invoke",
    }.items():
        result = await executor.run(call)
        assert result.error.name == "SkillValidationError", call
        assert needle in result.error.message


def test_importing_the_package_is_quick_and_light():
    """``import py_code_mode`` loads none of the heavy libraries."""
    code = (
        "import sys, py_code_mode\n"
        "heavy = {'sklearn', 'mcp', 'redis', 'httpx', 'starlette', 'zmq', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
