"""``py-code-mode.toml``: where it is found, what goes before it, and what is wrong with it."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

import pytest

from py_code_mode import ConfigError
from py_code_mode.project import (
    Project,
    add_project_arguments,
    find_project_file,
    load_project,
    project_of,
    project_words,
)
from py_code_mode.projectfile import KernelTable, ProjectFile
from py_code_mode.server.settings import load_settings
from tests.conftest import ROOT

WHOLE = """\
tools = "my/tools"
skills = "redis://localhost/0"
policy = "/etc/rules.yaml"
allowed_tags = ["net", "text"]
timeout = 12.5

[kernel]
python = "venv/bin/python"
cwd = "work"
preload = ["numpy", "prepare.py"]
pass_env = ["PROXY"]
env = { MODE = "demo" }

[server]
port = 1234
skills = "served"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder two below that of the project, with nothing in the environment."""
    for name in ("TOOLS", "SKILLS", "ARTIFACTS", "REDIS", "CONFIG"):
        monkeypatch.delenv(f"PY_CODE_MODE_{name}", raising=False)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return tmp_path


def test_the_nearest_file_counts_and_its_paths_are_its_own(folder, monkeypatch):
    """It is found upward; relative paths count from its folder, names and urls stay."""
    assert load_project() == Project()
    file = folder / "py-code-mode.toml"
    file.write_text(WHOLE)
    project = load_project()
    assert (project.file, project.tools, project.skills) == (
        file,
        str(folder / "my/tools"),
        "redis://localhost/0",
    )
    assert (project.policy, project.allowed_tags) == ("/etc/rules.yaml", ("net", "text"))
    assert (project.timeout, project.artifacts) == (12.5, None)
    kernel = project.kernel
    assert (kernel.python, kernel.cwd) == (str(folder / "venv/bin/python"), str(folder / "work"))
    assert kernel.preload == ("numpy", str(folder / "prepare.py"))
    assert (kernel.pass_env, kernel.env) == (("PROXY",), {"MODE": "demo"})
    (folder / "a" / "py-code-mode.toml").write_text(
        'redis = "redis://here/1"\n[kernel]\npython = "python3"\n'
    )
    nearer = load_project()
    assert (nearer.tools, nearer.kernel.python) == ("redis://here/1", "python3")
    monkeypatch.setenv("PY_CODE_MODE_CONFIG", str(file))
    assert find_project_file() == file


def test_words_before_the_environment_before_the_file(folder, monkeypatch):
    """The nearest word counts, and the same words can be given on to another program."""
    (folder / "py-code-mode.toml").write_text(WHOLE)
    monkeypatch.setenv("PY_CODE_MODE_SKILLS", "env-skills")
    monkeypatch.setenv("PY_CODE_MODE_TOOLS", "env-tools")
    parser = argparse.ArgumentParser()
    add_project_arguments(parser)
    arguments = parser.parse_args(["--tools", "given", "--python", "python3"])
    project = project_of(arguments)
    assert (project.tools, project.skills, project.kernel.python) == (
        "given",
        "env-skills",
        "python3",
    )
    assert project_words(arguments) == ["--tools", "given", "--python", "python3"]
    assert project_of(parser.parse_args(["--project", str(folder)])).timeout == 12.5
    with pytest.raises(ConfigError, match="there is no such file"):
        project_of(parser.parse_args(["--project", str(folder / "a")]))


def test_the_server_reads_the_same_file(folder):
    """What the file says as a whole counts for the server, and its own section before it."""
    (folder / "py-code-mode.toml").write_text(WHOLE)
    settings = load_settings(max_runs=3)
    assert (settings.port, settings.max_runs, settings.default_timeout) == (1234, 3, 12.5)
    assert (settings.tools, settings.skills) == (str(folder / "my/tools"), str(folder / "served"))
    assert (settings.allowed_tags, settings.env) == (("net", "text"), {"MODE": "demo"})
    assert (settings.python, settings.preload[0]) == (folder / "venv/bin/python", "numpy")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("tools = 'x'\ntolls = 'y'\n", "py-code-mode.toml:2: key 'tolls': is no known key"),
        ("\n[kernel]\n\npyton = 'x'\n", "py-code-mode.toml:4: key 'kernel.pyton'"),
        ("[kernel]\nenv.A = 1\n", "py-code-mode.toml:2: key 'kernel.env.A': must be text"),
        ("timeout = 0\n", "py-code-mode.toml:1: key 'timeout'"),
        ("allowed_tags = 'net'\n", "py-code-mode.toml:1: key 'allowed_tags'"),
        ("kernel = 1\n", "py-code-mode.toml:1: key 'kernel': must be a table"),
        ("tools = \n", "cannot be read: Invalid value (at line 1"),
    ],
)
def test_what_is_wrong_is_named(folder, text, where):
    """An error names file, line and key."""
    (folder / "py-code-mode.toml").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(where)):
        load_project()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_user_s_file_further_up_is_not_followed(folder):
    """It could run programs: it counts only where somebody works on purpose, or names it."""
    file = folder / "py-code-mode.toml"
    file.write_text(WHOLE)
    os.chown(file, 12345, -1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        load_project()
    assert load_project(folder).timeout == 12.5


def test_the_page_has_every_key():
    """The table of the page has each key of the file."""
    rows = re.findall(
        r"^\| `([\w.]+)` \|", (ROOT / "docs" / "project.md").read_text(), re.MULTILINE
    )
    keys = [name for name in ProjectFile.model_fields if name not in ("kernel", "server")]
    assert rows == [*keys, *(f"kernel.{name}" for name in KernelTable.model_fields)]
