"""``py-code-mode skills``: each verb in words for people and in JSON, and what goes wrong."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from py_code_mode import FileSkillStore, SkillUsage, create_skill_library

SCAN = '''"""Scan the ports of a host.

Tags: network
Tools: nmap
Version: 1.2
"""
def run(host: str, ports: list[int] = [22]) -> dict:
    return {}
'''


@pytest.fixture
def library(tmp_path):
    """The folder that is meant when nobody says one, with two skills."""
    library = create_skill_library(FileSkillStore(tmp_path / "skills"))
    library.create("scan", SCAN, creator="ann")
    library.create("double", "def run(n): return 2 * n", "Double a number")
    return library


def test_list(cli, library):
    """Names, uses and descriptions are listed, of all or of a tag; broken ones on stderr."""
    library.count({"double": SkillUsage(4, 1, 0.1, 1.0)})
    assert cli("skills", "list").out == (
        "double  4x 75%  Double a number\nscan            Scan the ports of a host.\n"
    )
    said = cli("skills", "list", "--tag", "network")
    assert said.out == "scan  Scan the ports of a host.\n"
    (library.store.path / "broken.py").write_text("def run(:\n")
    said = cli("skills", "list", "--json")
    assert [(row["name"], row["uses"], row["tags"]) for row in said.json] == [
        ("double", 4, []),
        ("scan", 0, ["network"]),
    ]
    assert said.code == 0
    assert "broken.py:1: syntax error" in said.err


def test_an_empty_folder_lists_nothing(cli, tmp_path):
    """No skills is no error; no folder is one, and none is made."""
    (tmp_path / "skills").mkdir()
    assert (cli("skills", "list").code, cli("skills", "list", "--json").json) == (0, [])
    said = cli("skills", "list", "--skills", "nowhere")
    assert (said.code, said.out) == (1, "")
    assert said.err == "py-code-mode: nowhere: there is no such folder of skills\n"
    assert not (tmp_path / "nowhere").exists()


def test_where_the_skills_are(cli, library, monkeypatch, tmp_path):
    """An option goes before the environment, and that before the usual folder."""
    (tmp_path / "none").mkdir()
    assert cli("skills", "list", "--skills", tmp_path / "none").out == ""
    monkeypatch.setenv("PY_CODE_MODE_SKILLS", str(tmp_path / "none"))
    assert cli("skills", "list").out == ""
    assert "double" in cli("skills", "list", "--skills", "skills").out


@pytest.mark.parametrize("url", ["ftp://host/x", "postgres://user:secret@host/x"])
def test_urls_no_store_takes(cli, url):
    """A url of another kind is refused with what would be right, and no password is shown."""
    said = cli("skills", "list", "--skills", url)
    assert said.code == 1
    assert "give a folder, or redis://host/0" in said.err
    assert "secret" not in said.err


def test_show(cli, library):
    """A skill is shown with its signature, fields, versions and source."""
    library.update("scan", SCAN + "# more\n", creator="bob")
    out = cli("skills", "show", "scan").out
    for line in (
        "skill:        scan(host: str, ports: list[int] = [22]) -> dict",
        "tags:         network",
        "version:      1.2",
        "tools:        nmap",
        "creator:      ann",
        "uses:         none",
    ):
        assert f"{line}\n" in out
    places = [out.index(text) for text in ("version 2  20", "bob", "version 1  20", '"""Scan')]
    assert places == sorted(places)
    assert out.endswith("# more\n")
    assert cli("skills", "show", "scan", "--source", "--version", 1).out == SCAN
    data = cli("skills", "show", "scan", "--json").json
    assert data["source"] == SCAN + "# more\n"
    assert [version["creator"] for version in data["versions"]] == ["bob", "ann"]
    assert data["success_rate"] is None


def test_show_what_is_not_there(cli, library):
    """Unknown names give near ones, and unknown versions those that are kept."""
    said = cli("skills", "show", "scam")
    assert (said.code, said.out) == (1, "")
    assert "did you mean scan" in said.err
    said = cli("skills", "show", "scan", "--version", 9)
    assert said.code == 1
    assert "version 9 of 'scan' is not kept; there are 1" in said.err


def test_search(cli, library):
    """Words find skills, best first; nothing found is exit code 1, as with grep."""
    said = cli("skills", "search", "double", "a", "number")
    assert (said.code, said.out) == (0, "double  Double a number\n")
    assert [row["name"] for row in cli("skills", "search", "ports", "--json").json] == ["scan"]
    said = cli("skills", "search", "zzz", "qqq")
    assert (said.code, said.out) == (1, "")
    assert cli("skills", "search", "zzz", "--json").json == []


def test_add(cli, library, tmp_path, monkeypatch):
    """Files become skills by their names, or --name; a taken name needs --replace."""
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_bytes('"""Eins: ä."""\r\ndef run(): return 1\r\n'.encode())
    two.write_text("def run(): return 2\n")
    said = cli("skills", "add", one, two)
    assert (said.code, said.out) == (0, "added one, version 1\nadded two, version 1\n")
    assert library.get("one").description == "Eins: ä."
    assert library.get("one").creator == "py-code-mode skills"
    said = cli("skills", "add", two, "--name", "one")
    assert said.code == 1
    assert "already" in said.err
    said = cli("skills", "add", two, "--name", "one", "--replace", "--description", "Two", "--json")
    assert [(row["name"], row["description"], row["number"]) for row in said.json] == [
        ("one", "Two", 2)
    ]
    monkeypatch.setattr(sys, "stdin", io.StringIO("def run(): return 3\n"))
    assert cli("skills", "add", "-", "--name", "three").out == "added three, version 1\n"
    assert library.get("three").source == "def run(): return 3\n"


def test_add_makes_the_folder(cli, tmp_path):
    """Adding to a folder that does not exist makes it."""
    (tmp_path / "x.py").write_text("def run(): pass\n")
    assert cli("skills", "add", "x.py", "--skills", "new/skills").code == 0
    assert (tmp_path / "new" / "skills" / "x.py").is_file()


WRONG = {
    "no such file": (["nope.py"], "nope.py: cannot read it: No such file"),
    "syntax": (["bad.py"], "skill 'bad', line 1: syntax error"),
    "encoding": (["coded.py"], "coded.py: cannot decode it"),
    "name": (["x.py", "--name", "a b"], "must be a Python identifier"),
    "one name": (["x.py", "x.py", "--name", "y"], "--name is for one file"),
    "stdin": (["-"], "a skill from stdin needs --name"),
}


@pytest.mark.parametrize("case", WRONG)
def test_add_what_cannot_be_added(cli, library, tmp_path, case):
    """What is no skill is refused with file, line and reason."""
    (tmp_path / "bad.py").write_text("def run(:\n")
    (tmp_path / "coded.py").write_text("# coding: klingon\n")
    (tmp_path / "x.py").write_text("def run(): pass\n")
    words, reason = WRONG[case]
    said = cli("skills", "add", *words)
    assert said.code == 1
    assert reason in said.err
    assert [skill.name for skill in library.list()] == ["double", "scan"]


def test_rm(cli, library):
    """Named skills go; those that are not there are named, with exit code 1."""
    said = cli("skills", "rm", "double", "nope")
    assert (said.code, said.out) == (1, "removed double\n")
    assert said.err == "py-code-mode: no skill named 'nope'\n"
    assert cli("skills", "rm", "scan", "--json").json == {"removed": ["scan"], "missing": []}
    assert library.list() == []


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.glob("*.py"))}


def test_sync(cli, library, tmp_path):
    """A dry run says what would change, with its diff; sync does that and no more."""
    target = tmp_path / "target"
    target.mkdir()
    (target / "double.py").write_text('"""Twice."""\n\ndef run(n): return n + n\n')
    (target / "mine.py").write_text("def run(): pass\n")
    before = contents(target)
    said = cli("skills", "sync", "skills", target, "--dry-run", "--diff")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[:5] == [
        "changed  double",
        "--- double.py",
        "+++ double.py",
        "@@ -1,3 +1,3 @@",
        '-"""Twice."""',
    ]
    assert "+def run(n): return 2 * n" in lines
    assert "added    scan" in lines
    assert lines[-2:] == [
        "kept     mine, which only the target has",
        "would be: 1 added, 1 changed, 0 removed, 0 the same",
    ]
    assert contents(target) == before
    said = cli("skills", "sync", "skills", target)
    assert said.out.splitlines()[-1] == "1 added, 1 changed, 0 removed, 0 the same"
    assert contents(target) == contents(tmp_path / "skills") | {"mine.py": "def run(): pass\n"}
    assert FileSkillStore(target).load("scan").creator == "ann"
    assert [v.number for v in FileSkillStore(target).versions("double")] == [2, 1]
    data = cli("skills", "sync", "skills", target, "--delete", "--json").json
    assert [(change["name"], change["kind"]) for change in data["changes"]] == [("mine", "removed")]
    assert (data["same"], data["kept"], data["dry_run"]) == (["double", "scan"], [], False)
    assert contents(target) == contents(tmp_path / "skills")


def test_sync_of_what_is_broken_or_not_there(cli, library, tmp_path):
    """A broken skill is left out and named; a dry run makes no folder; no source is an error."""
    (tmp_path / "skills" / "broken.py").write_text("def run(:\n")
    said = cli("skills", "sync", "skills", "new", "--dry-run")
    assert said.code == 1
    assert "would be: 2 added" in said.out
    assert "broken.py:1: syntax error" in said.err
    assert not (tmp_path / "new").exists()
    assert cli("skills", "sync", "skills", "new").code == 1
    assert sorted(contents(tmp_path / "new")) == ["double.py", "scan.py"]
    said = cli("skills", "sync", "nowhere", "new")
    assert said.err == "py-code-mode: nowhere: there is no such folder of skills\n"


def test_test_runs_the_examples_in_a_real_session(cli, library, tmp_path):
    """Examples run in a kernel with the tools of a folder; what failed is shown, with exit code 1."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "say.yaml").write_text(
        'name: say\ncommand: echo\nargs: "{text}"\ndescription: Say it\n'
    )
    library.create(
        "good",
        '"""Say.\n\nTools: say\n\n>>> run("hi")\n\'hi\'\n"""\ndef run(text): return tools.say(text=text).strip()',
    )
    library.create("bad", '"""Do.\n\n>>> run()\n2\n"""\nimport os\nasync def run(): return 1')
    library.create("slow", '"""Do.\n\n>>> run()\n"""\nimport time\ndef run(): time.sleep(60)')
    said = cli(
        "skills", "test", "good", "bad", "slow", "double", "--tools", "tools", "--timeout", "0.5"
    )
    assert said.code == 1
    assert said.out.startswith(
        "good: .\nbad: F\n  line 3:\n    >>> run()\n  expected:\n    2\n  got:\n    1\nslow: error\n    ExecutionTimeout"
    )
    assert said.out.endswith("double: no examples\n4 tested, 2 failed\n")


def test_test_of_all_in_json(cli, tmp_path):
    """Without names all are tested; missing tools and broken files are failures."""
    library = create_skill_library(FileSkillStore(tmp_path / "skills"))
    assert cli("skills", "test").out == "0 tested, 0 failed\n"
    library.create("one", '"""Do.\n\n>>> run()\n1\n"""\ndef run(): return 1')
    library.create("scan", SCAN)
    (tmp_path / "skills" / "broken.py").write_text("def run(:\n")
    said = cli("skills", "test", "--json")
    assert said.code == 1
    one, scan, broken = said.json
    assert (one["passed"], one["failed"], one["error"]) == (1, 0, "")
    assert one["results"][0]["outcome"] == "passed"
    assert "needs the tool 'nmap'" in scan["error"]
    assert (broken["name"], "syntax error" in broken["error"]) == ("broken", True)
    assert cli("skills", "test", "one").code == 0
    assert cli("skills", "test", "nope").code == 1


def test_a_former_version_of_a_broken_skill_is_shown(cli, library, tmp_path):
    """What a skill was can be read when its file is broken, to mend it."""
    (tmp_path / "skills" / "double.py").write_text("def run(:")
    assert cli("skills", "show", "double").out == ""
    assert "return 2 * n" in cli("skills", "show", "double", "--version", "1", "--source").out
    assert "scan" in cli("skills", "show", "scna", "--version", "1").err
