"""``py-code-mode deps``: what it would do, what it refuses, what it shows.

What it makes is tested with the environments themselves.
"""

from __future__ import annotations

from pathlib import Path

import pytest

SKILL = '"""Read TOML.\n\nPackages: {}\n"""\n\ndef run() -> int:\n    return 1\n'


@pytest.fixture
def skills(tmp_path: Path) -> Path:
    """A folder of skills, two of which need packages."""
    folder = tmp_path / "skills"
    folder.mkdir()
    (folder / "reads.py").write_text(SKILL.format("tomli>=2, idna"))
    (folder / "writes.py").write_text(SKILL.format("Idna, tomli-w"))
    (folder / "plain.py").write_text('"""Do little."""\n\ndef run(): return 1\n')
    return folder


def test_a_dry_run_tells_what_would_be_done(cli, skills):
    """Each requirement is shown with its skills, then the environment, which is not made."""
    words = ("deps", "sync", "--skills", skills, "--allow", "tomli*", "idna", "--directory", "e")
    said = cli(*words, "--dry-run")
    assert said.code == 0, said.err
    rows = [line.split() for line in said.out.splitlines()]
    assert rows[:3] == [
        ["idna", "reads,", "writes", "allowed"],
        ["tomli-w", "writes", "allowed"],
        ["tomli>=2", "reads", "allowed"],
    ]
    digest = rows[3][1]
    assert "would be made by" in said.out
    assert said.out.splitlines()[-1] == str(Path("e").absolute() / digest / "bin" / "python")
    assert not Path("e").exists()
    told = cli(*words, "--dry-run", "--json").json
    assert (told["digest"], told["ready"], told["made"]) == (digest, False, False)
    assert told["needs"][0] == {"requirement": "idna", "skills": ["reads", "writes"], "refused": ""}


def test_what_is_not_allowed_stops_it(cli, skills):
    """One requirement that is not allowed is named with its skill, and nothing is made."""
    words = ("deps", "sync", "--skills", skills, "--allow", "idna", "tomli", "--directory", "e")
    said = cli(*words)
    assert said.code == 1
    (row,) = [line for line in said.out.splitlines() if "refused" in line]
    assert row.split()[:2] == ["tomli-w", "writes"]
    assert "1 of 3 requirements are not allowed" in said.err
    assert not Path("e").exists()
    rest = cli(*words, "--leave-out", "--dry-run", "--json")
    only = ("--package", "tomli>=2", "idna", "--allow", "idna", "tomli")
    same = cli("deps", "sync", *only, "--directory", "e", "--dry-run", "--json")
    assert rest.json["digest"] == same.json["digest"]


def test_without_needs_nothing_is_made(cli, skills):
    """Skills that need nothing get no environment."""
    for name in ("reads", "writes"):
        (skills / f"{name}.py").unlink()
    said = cli("deps", "sync", "--skills", skills, "--directory", "e")
    assert (said.code, said.out) == (0, "")
    assert "no packages are needed" in said.err
    assert not Path("e").exists()


def test_a_failed_build_is_told(cli, tmp_path):
    """The reason is on stderr, with what the installer said."""
    words = ("--package", "no-such-package-of-ours", "--allow", "*", "--installer", "uv")
    said = cli("deps", "sync", *words, "--directory", tmp_path / "e")
    assert said.code == 1
    assert "no environment with no-such-package-of-ours could be made by uv" in said.err


def test_nothing_is_listed_or_removed_where_nothing_is(cli):
    """A directory that does not exist has no environments."""
    assert cli("deps", "list", "--directory", "e", "--json").json == []
    assert cli("deps", "prune", "--directory", "e", "--days", "0", "--json").json == []
    assert not Path("e").exists()


def test_what_is_not_there_cannot_be_removed(cli):
    """``rm`` names what it has not found, and says no."""
    said = cli("deps", "rm", "0" * 20, "..", "--directory", "e", "--json")
    assert (said.code, said.json) == (1, {"removed": [], "missing": ["0" * 20, ".."]})
    assert "no environment '..' in" in said.err
