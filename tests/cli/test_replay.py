"""``py-code-mode replay``: what it says, and with which exit code it ends."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest


@pytest.fixture
def recorded(cli):
    """A transcript of two cells, one of which called a tool that is gone."""
    Path("tools").mkdir()
    tool = Path("tools/wc.yaml")
    tool.write_text('name: wc\nargs: "-w {file}"\ndescription: Count words\n')
    words = ["-c", "print(tools.wc(file='a.txt'))", "-c", "x = 'a\\nb'\nprint(x)\nlen(x)"]
    Path("a.txt").write_text("one two")
    done = cli("run", *words, "--tools", "tools", "--notebook", "run.ipynb")
    assert (done.code, done.err) == (0, "")
    tool.unlink()
    Path("a.txt").unlink()
    return Path("run.ipynb")


def test_the_same_is_0_and_other_is_1(cli, recorded):
    """Differences are shown line by line; JSON has all, and the exit code says which it was."""
    done = cli("replay", recorded)
    assert (done.code, done.err) == (0, "")
    assert done.out == "cell 1: same\ncell 2: same\n2 replayed, 0 differ\n"
    notebook = nbformat.read(recorded, as_version=4)
    notebook.cells[0].source = "print(tools.wc(file='b.txt'))"
    notebook.cells[1].source = notebook.cells[1].source.replace("nb'", "nc'")
    nbformat.write(notebook, recorded)
    done = cli("replay", recorded)
    assert done.code == 1
    first, second = done.out.split("cell 2: differs\n")
    assert first.startswith(
        "cell 1: differs\n  call, other arguments\n    - wc(file='a.txt')\n    + wc(file='b.txt')\n"
    )
    shown = "  stdout\n    - a\n    - b\n    + a\n    + c\n2 replayed, 2 differ\n"
    assert second == shown
    report = cli("replay", recorded, "--json")
    assert (report.code, report.json["same"]) == (1, False)
    assert report.json["cells"][1]["differences"][0]["replayed"] == "a\nc\n"


def test_a_file_that_is_none_is_1(cli):
    """A file that is missing, or no transcript, is named on stderr."""
    done = cli("replay", "none.ipynb")
    assert (done.code, done.out) == (1, "")
    assert done.err == "py-code-mode: none.ipynb: cannot be read: No such file or directory\n"
    Path("other.ipynb").write_text("{}")
    done = cli("replay", "other.ipynb")
    assert (done.code, done.err) == (1, "py-code-mode: other.ipynb: is no notebook of nbformat 4\n")
