"""The command line, and ``CodeExecutor.create``, with a server in place of a folder."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from py_code_mode import CodeExecutor, RedisSkillStore
from py_code_mode.cli import main
from py_code_mode.errors import ConfigError, SkillError
from tests.redisdb.conftest import skill


@pytest.fixture
def run(capsys):
    """Run a command; return what it printed as JSON, or as text."""

    def command(*words: object, as_json: bool = True):
        code = main([*map(str, words), *(["--json"] if as_json else [])])
        said = capsys.readouterr()
        assert code == 0, said.err
        return json.loads(said.out) if as_json else said.out

    return command


def test_a_folder_and_redis_are_compared_and_made_alike(stores, server, tmp_path, run):
    """``skills sync`` shows what differs with --dry-run and --diff, then makes Redis like a folder."""
    url = f"redis://127.0.0.1:{server.port}/0?prefix={stores.prefix}"
    folder = tmp_path / "skills"
    folder.mkdir()
    (folder / "new.py").write_text('"""Count sheep."""\n\ndef run(): return 1\n')
    (folder / "same.py").write_text("def run(): return 2\n")
    (folder / "changed.py").write_text("def run(): return 4\n")
    stores.skills.save(skill("same", 2))
    stores.skills.save(skill("changed", 3))
    stores.skills.save(skill("only_there"))
    text = run("skills", "sync", folder, url, "--dry-run", "--diff", as_json=False)
    assert "-def run(): return 3" in text
    assert "+def run(): return 4" in text
    assert stores.skills.names() == ["changed", "only_there", "same"]
    run("skills", "sync", folder, url, "--delete")
    assert stores.skills.names() == ["changed", "new", "same"]
    assert stores.skills.load("changed", version=1) == skill("changed", 3)
    back = tmp_path / "back"
    run("skills", "sync", url, back)
    assert sorted(path.name for path in back.glob("*.py")) == ["changed.py", "new.py", "same.py"]
    assert (back / "new.py").read_text() == (folder / "new.py").read_text()


def test_skills_and_artifacts_of_a_server_from_the_command_line(stores, server, tmp_path, run):
    """Skills are added, listed, found and shown, artifacts put and got, by the server's URL."""
    url = f"redis://127.0.0.1:{server.port}/0?prefix={stores.prefix}"
    file = tmp_path / "double.py"
    file.write_text('"""Double a number."""\n\ndef run(n: int): return 2 * n\n')
    run("skills", "add", file, "--skills", url)
    assert "double" in run("skills", "list", "--skills", url, as_json=False)
    assert "double" in run("skills", "search", "double", "number", "--skills", url, as_json=False)
    assert RedisSkillStore.from_url(url).load("double").source == file.read_text()
    run("artifacts", "put", "kept.py", file, "--artifacts", url)
    assert stores.artifacts.load_packed("kept.py")[1] == Path(file).read_bytes()


async def test_an_executor_is_made_from_a_url(stores, server):
    """``create`` takes a server's URL for tools, skills and artifacts; what is wrong is reported."""
    await asyncio.to_thread(stores.fill)
    await asyncio.to_thread(stores.tools.put, "bad", "name: bad\nargz: 1\n", check=False)
    url = f"redis://127.0.0.1:{server.port}/0?prefix={stores.prefix}"
    async with await CodeExecutor.create(tools=url, skills=url, artifacts=url) as executor:
        result = await executor.run("""
            artifacts.save("seen", 1)
            tools.hello(word="you"), skills.a(), artifacts.load("deep/small")
        """)
        assert result.value == ("you\n", 2, {"n": 2}), result.text
        assert [problem.file.name for problem in executor.problems] == ["bad.yaml"]
    assert stores.artifacts.load("seen") == 1


async def test_a_url_that_leads_nowhere_is_an_error():
    """``create`` fails clearly for a server that is down, and for what no store is kept at."""
    with pytest.raises(SkillError, match=r"Redis at 127\.0\.0\.1:1 cannot be reached"):
        await CodeExecutor.create(skills="redis://127.0.0.1:1?socket_connect_timeout=1")
    for name in ("tools", "skills", "artifacts"):
        with pytest.raises(ConfigError, match=f"no store of {name} takes a url of http://"):
            await CodeExecutor.create(**{name: "http://localhost"})
