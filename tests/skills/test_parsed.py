"""Large folders of skills: what was parsed is kept, and files are looked at no more than needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from py_code_mode.skills import FileSkillStore, create_skill_library, scan
from py_code_mode.skills.parsed import MANY

ROOT = Path(__file__).parents[2]
SOURCE = '''"""Do {0}.

Tags: some
Examples:
    >>> run({0})
    1
"""
def run(n: int = {0}, *more: str, key: float) -> int: ...
'''


def write(folder: Path, *numbers: int) -> None:
    for number in numbers:
        (folder / f"s{number}.py").write_text(SOURCE.format(number))


@pytest.fixture
def kept(folder) -> Path:
    """What is kept of a folder with many skills."""
    write(folder, *range(MANY))
    assert len(create_skill_library(FileSkillStore(folder)).list()) == MANY
    return folder / ".py-code-mode" / "parsed"


def rewrite(kept: Path, **fields) -> None:
    """Change what is kept of one skill."""
    maker, _, rows = kept.read_bytes().partition(b"\n")
    data = json.loads(rows)
    next(row for row in data.values() if row["description"] == "Do 3.").update(fields)
    kept.write_bytes(maker + b"\n" + json.dumps(data).encode())


def described(folder: Path) -> str:
    found = {each.name: each for each in create_skill_library(FileSkillStore(folder)).list()}
    assert len(found) == MANY
    return found["s3"].description


def test_what_is_kept_is_what_was_parsed(folder, kept):
    """A new start finds the same skills, field by field, without parsing them."""
    FileSkillStore(folder).save(FileSkillStore(folder).load("s5"), creator="ann")
    (folder / "twin.py").write_bytes((folder / "s3.py").read_bytes())
    (folder / "broken.py").write_text("def run(:")
    parsed = FileSkillStore(folder)
    one_by_one = [parsed.load(name) for name in parsed.names() if name != "broken"]
    library = create_skill_library(FileSkillStore(folder))
    assert library.list() == one_by_one
    shown = [each.to_dict(source=True) for each in library.list()]
    assert shown == [each.to_dict(source=True) for each in one_by_one]
    assert [problem.skill for problem in library.problems()] == ["broken"]
    rewrite(kept, description="Kept.")
    (folder / "twin.py").unlink()
    assert described(folder) == "Kept."


def test_git_sees_nothing_of_it(folder):
    """What is kept is in the hidden folder that git is told to pass over, whoever makes it first."""
    write(folder, *range(MANY))
    assert len(FileSkillStore(folder).load_all()) == MANY
    made = sorted(path.name for path in (folder / ".py-code-mode").iterdir())
    assert made == [".gitignore", "parsed"]


@pytest.mark.parametrize(
    "content",
    [b"", b"rubbish", b"\xff\n{}", b"{}\n{}", b"\n" + b"[" * 100_000],
    ids=["empty", "rubbish", "no text", "no maker", "deep"],
)
def test_a_damaged_one_is_made_anew(folder, kept, content):
    """Whatever stands there, the skills are right, and the next start is quick again."""
    good = kept.read_bytes()
    kept.write_bytes(content)
    assert described(folder) == "Do 3."
    assert kept.read_bytes() == good


@pytest.mark.parametrize(
    "fields",
    [{"description": 3}, {"params": [{"name": 1}]}, {"tags": None}, {"params": [{"kind": "?"}]}],
    ids=str,
)
def test_wrong_types_are_not_believed(folder, kept, fields):
    """What is kept is looked at before it becomes a skill."""
    rewrite(kept, **fields)
    assert described(folder) == "Do 3."


def test_another_parser_parses_anew(folder, kept):
    """What another Python or another version of us has kept is not used."""
    rewrite(kept, description="Old.")
    data = kept.read_bytes()
    kept.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert described(folder) == "Do 3."


def test_changed_files_are_read_anew(folder, kept):
    """A file is known by its content, not by its name or time."""
    rewrite(kept, description="Kept.")
    before = (folder / "s3.py").stat()
    (folder / "s3.py").write_text(SOURCE.format(4))
    os.utime(folder / "s3.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert described(folder) == "Do 4."


def test_few_skills_keep_nothing(folder):
    """Small folders stay as they are."""
    write(folder, *range(MANY - 1))
    create_skill_library(FileSkillStore(folder)).list()
    assert not (folder / ".py-code-mode" / "parsed").exists()


def test_nowhere_to_keep_is_no_error(folder):
    """A place that cannot be written to costs time, nothing else."""
    write(folder, *range(MANY))
    (folder / ".py-code-mode" / "parsed").mkdir(parents=True)
    assert described(folder) == "Do 3."


def test_several_processes_keep_one(folder):
    """Processes that start together all see all skills, and what one of them kept is whole."""
    write(folder, *range(MANY))
    code = (
        "import sys; from py_code_mode import *; "
        "print(len(create_skill_library(FileSkillStore(sys.argv[1])).list()))"
    )
    command = [sys.executable, "-c", code, str(folder)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(4)]
    assert [int(each.communicate()[0]) for each in started] == 4 * [MANY]
    rewrite(folder / ".py-code-mode" / "parsed", description="Kept.")
    assert described(folder) == "Kept."
    assert [path.name for path in (folder / ".py-code-mode").glob("*.tmp")] == []


# --- looking at many files ---------------------------------------------------------------------


@pytest.fixture
def large(folder, monkeypatch) -> FileSkillStore:
    """A folder that counts as large, and was made long ago."""
    monkeypatch.setattr(scan, "_LARGE", 3)
    write(folder, *range(5))
    os.utime(folder, (1, 1.5))
    store = FileSkillStore(folder)
    store.version()
    return store


def test_changes_of_a_large_folder_show_at_once(large, folder):
    """Files that come, go, or are replaced change the version immediately, again and again."""
    seen = [large.version()]
    for number in range(10, 15):
        write(folder, number)
        seen.append(large.version())
        (folder / "new").write_text(SOURCE.format(number + 1))
        (folder / "new").replace(folder / f"s{number}.py")
        seen.append(large.version())
        (folder / f"s{number - 10}.py").unlink()
        seen.append(large.version())
    assert len({*seen}) == len(seen)


def test_edits_in_place_show_soon(large, folder, monkeypatch):
    """All files are looked at again after a second; a skill that is run is always looked at."""
    before = large.version()
    (folder / "s3.py").write_text("def run(): return 'edited'")
    assert large.version() is before
    assert "edited" in large.load("s3").source
    monkeypatch.setattr(scan, "_TRUSTED", -1)
    assert large.version() != before
