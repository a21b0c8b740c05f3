"""``py-code-mode kernelspec``: what is installed, listed and removed, and what is left alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from py_code_mode.cli import main


@pytest.fixture
def cli(capsys):
    def run(*words: object) -> tuple[int, str, str]:
        code = main(["kernelspec", *map(str, words)])
        return (code, *capsys.readouterr())

    return run


def test_install_list_remove(project, jupyter, cli):
    """A kernelspec is found by Jupyter, listed by us with its project, and gone when removed."""
    prefix = Path(jupyter.directory).parents[3]
    words = ("--prefix", prefix, "--name", "recon", "--display-name", "Recon", "--project", project)
    assert cli("install", *words)[0] == 0
    spec = KernelSpecManager().get_kernel_spec("recon")
    assert (spec.display_name, spec.language, spec.interrupt_mode) == ("Recon", "python", "message")
    assert spec.argv == [
        *(sys.executable, "-P", "-m", "py_code_mode.kernelspec", "-f", "{connection_file}"),
        *("--project", str(project)),
    ]
    assert {path.name for path in Path(spec.resource_dir).iterdir()} == {
        "kernel.json",
        "logo-svg.svg",
    }
    listed = json.loads(cli("list", "--json")[1])
    assert [(each["name"], each["words"]) for each in listed] == [
        ("py-code-mode", []),
        ("recon", ["--project", str(project)]),
    ]
    assert cli("remove", "recon")[0] == 0
    assert cli("list")[1].split()[0] == "py-code-mode"
    code, _, err = cli("remove", "recon")
    assert (code, "there is py-code-mode" in err) == (1, True)


def test_other_people_s_kernels_are_left_alone(project, jupyter, cli):
    """A kernel that is not ours is neither replaced nor removed, and no nonsense is installed."""
    prefix = Path(jupyter.directory).parents[3]
    theirs = Path(jupyter.directory).with_name("theirs")
    theirs.mkdir()
    (theirs / "kernel.json").write_text('{"argv": ["R"], "display_name": "R", "language": "R"}')
    for words, why in (
        (("install", "--prefix", prefix, "--name", "theirs"), "is not of py-code-mode"),
        (("remove", "theirs"), "no kernelspec of ours"),
        (("install", "--prefix", prefix, "--name", "a b"), "Invalid kernel name"),
        (("install", "--prefix", prefix, "--project", theirs), "no py-code-mode.toml"),
        (("install", "--prefix", project / "py-code-mode.toml"), "cannot be installed"),
    ):
        code, _, err = cli(*words)
        assert (code, why in err) == (1, True), err
    assert json.loads((theirs / "kernel.json").read_text())["argv"] == ["R"]
