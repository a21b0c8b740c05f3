"""``py-code-mode tools`` and ``doctor``: each verb in words and in JSON, and what goes wrong."""

from __future__ import annotations

import tomllib

import pytest

from py_code_mode.cli.checks import _EXTRAS
from tests.conftest import ROOT

WC = """\
name: wc
args: "-w {file}"
description: Count the words of a file
tags: [text]
"""
DATE = 'name: date\nargs: "+%Y {when}"\ndescription: Tell the year\n'


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """The folder that is meant when nobody says one, with two tools."""
    monkeypatch.delenv("PY_CODE_MODE_TOOLS", raising=False)
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "wc.yaml").write_text(WC)
    (folder / "date.yaml").write_text(DATE)
    (tmp_path / "text").write_text("one two three\n")
    return folder


def test_list_and_search(cli, tools):
    """Calls and descriptions are listed; a search finds by plain words and ends with 1 without."""
    said = cli("tools", "list")
    assert [line.split("(")[0] for line in said.out.splitlines()] == ["tools.date", "tools.wc"]
    assert "Count the words of a file" in said.out
    assert [row["name"] for row in cli("tools", "list", "--tag", "text", "--json").json] == ["wc"]
    assert cli("tools", "search", "counting", "words").out.startswith("tools.wc(")
    assert cli("tools", "search", "quantum").code == 1


def test_show(cli, tools):
    """A tool is shown as a stub; one that is not there names near ones."""
    said = cli("tools", "show", "wc")
    assert "def wc(self, file: " in said.out
    assert cli("tools", "show", "wc", "--json").json[1]["name"] == "wc"
    said = cli("tools", "show", "wcc", "date")
    assert (said.code, "wc" in said.err) == (1, True)


def test_call(cli, tools):
    """A tool runs with what is given as words or as JSON; wrong ones name the right ones."""
    assert cli("tools", "call", "wc", "file=text").out == "3 text\n"
    assert (
        cli("tools", "call", "wc", "--arguments", '{"file": "text"}', "--json").json == "3 text\n"
    )
    said = cli("tools", "call", "wc", "fil=text")
    assert (said.code, "file" in said.err) == (1, True)
    assert "write key=value" in cli("tools", "call", "wc", "text").err
    assert "JSON object" in cli("tools", "call", "wc", "--arguments", "[]").err
    assert cli("tools", "call", "nope").code == 1


def test_check(cli, tools):
    """Right files end with 0; a wrong one with 1, its file, line and key."""
    assert cli("tools", "check").out == "2 tools, 0 problems\n"
    (tools / "bad.yaml").write_text("name: bad\nargz: x\n")
    said = cli("tools", "check")
    assert (said.code, said.out) == (1, "2 tools, 1 problems\n")
    assert "bad.yaml:2" in said.err
    (problem,) = cli("tools", "check", "--json").json["problems"]
    assert (problem["file"], problem["line"], problem["key"]) == ("tools/bad.yaml", 2, "argz")
    said = cli("tools", "list", "--tools", "nowhere")
    assert (said.code, said.err) == (1, "py-code-mode: nowhere: there is no such folder of tools\n")


def test_doctor(cli, tools):
    """Kernel, cells, comm and interrupt are tried for real; extras and programs are listed."""
    said = cli("doctor", "--tools", tools, "--json")
    assert (said.code, said.json["ok"]) == (0, True)
    found = {finding["what"]: finding for finding in said.json["findings"]}
    for what in ("versions", "kernel", "cells", "comm", "interrupt", "tools", "extra mcp"):
        assert found[what]["verdict"] == "ok", found[what]
    assert {"git", "podman"} <= found.keys()


def test_doctor_knows_every_extra():
    """What pyproject.toml calls an extra is looked for, and nothing else."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {*_EXTRAS} == extras["optional-dependencies"].keys() - {"all"}


def test_doctor_says_what_is_wrong(cli, tools):
    """A kernel that cannot start and a wrong tool file are failures, in words, and the code is 1."""
    (tools / "bad.yaml").write_text("name: bad\nargz: x\n")
    said = cli("doctor", "--tools", tools, "--python", "/nonexistent/python")
    assert said.code == 1
    failed = [line.split()[1] for line in said.out.splitlines() if line.startswith("failed")]
    assert failed == ["kernel", "tools"]
    assert said.out.endswith("2 failed\n")
