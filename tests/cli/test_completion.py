"""Completion: what a word can become, and that each shell asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from py_code_mode.cli.parser import COMMANDS

BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), [*COMMANDS]),
        (("sk",), ["skills"]),
        (("skills", "s"), ["search", "show", "sync"]),
        (("skills", "show", "--s"), ["--skills", "--source"]),
        (("skills", "show", ""), ["double", "scan"]),
        (("mcp", "--transport", ""), ["http", "stdio", "streamable-http"]),
        (("mcp", "--tools", ""), []),
        (("completion", "z"), ["zsh"]),
        (("nope", ""), [*COMMANDS]),
    ],
)
def test_candidates(cli, tmp_path, words, found):
    """Commands, verbs, flags, choices and names complete; where a file is wanted nothing does."""
    (tmp_path / "skills").mkdir()
    for name in ("scan", "double"):
        (tmp_path / "skills" / f"{name}.py").write_text("def run(): pass\n")
    assert cli("completion", "--words", *words).out.split() == sorted(found)


SHELLS = {
    "bash": (
        'eval "$(py-code-mode completion bash)"; '
        'COMP_WORDS=(py-code-mode skills s); COMP_CWORD=2; _py_code_mode; echo "${COMPREPLY[@]}"'
    ),
    "zsh": (
        'compdef() { :; }; compadd() { shift; echo "$@"; }; '
        'eval "$(py-code-mode completion zsh)"; '
        "words=(py-code-mode skills s); CURRENT=3; _py_code_mode"
    ),
    "fish": "py-code-mode completion fish | source; complete -C 'py-code-mode skills s'",
}


@pytest.mark.parametrize(
    "shell", [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS]
)
def test_shells(tmp_path, shell):
    """The script of each shell, run by that shell, completes a verb."""
    env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [shell, "-c", SHELLS[shell]],
        check=False,
        capture_output=True,
        text=True,
        env=env,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.stdout.split() == ["search", "show", "sync"], done.stderr


def test_without_a_shell(cli):
    """A shell must be said; its script is there as JSON, too."""
    assert cli("completion").code == 2
    assert "complete -o default" in cli("completion", "bash", "--json").json["script"]
