"""What only a folder of skills has to promise: other people's files, links, crashes."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from py_code_mode.errors import ConfigError, SkillError, SkillValidationError
from py_code_mode.skills import FileSkillStore, create_skill_library, parse_skill

ROOT = Path(__file__).parents[2]
CODE = "def run(): return 1\n"
HIDDEN = ".py-code-mode"


def shown(folder: Path) -> list[str]:
    """What is in a folder of skills, but for what the store keeps for itself."""
    return sorted({path.name for path in folder.iterdir()} - {HIDDEN})


def test_a_missing_folder_is_made_and_the_log_says_so(tmp_path, caplog):
    """A folder that does not exist is made, parents too, and that is logged once."""
    path = tmp_path / "deep" / "skills"
    with caplog.at_level(logging.INFO):
        FileSkillStore(str(path))
        FileSkillStore(path)
    assert path.is_dir()
    assert [record.message for record in caplog.records] == [
        f"the skills folder {path} did not exist and was made"
    ]


def test_a_path_that_is_no_folder_is_a_config_error(tmp_path):
    """A file where the folder should be is refused, naming it."""
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match="file: skills must be kept in a folder"):
        FileSkillStore(file)


def test_a_folder_that_went_away_is_empty_and_comes_back(folder):
    """Without its folder the store is empty; saving makes the folder again."""
    store = FileSkillStore(folder)
    folder.rmdir()
    assert store.names() == []
    assert store.version() == ()
    assert store.save(parse_skill("x", CODE))
    assert store.names() == ["x"]


def test_files_are_readable_and_nothing_else_is_left(folder):
    """A save leaves one file, readable for all, with the description as its docstring."""
    store = FileSkillStore(folder)
    store.save(parse_skill("x", CODE, description="Told."))
    store.save(parse_skill("x", CODE, description="Told."), replace=False)
    assert shown(folder) == ["x.py"]
    assert (folder / "x.py").read_text() == f'"""Told."""\n\n{CODE}'
    assert (folder / "x.py").stat().st_mode & 0o777 == 0o644


def test_files_of_others_are_seen_at_once(folder):
    """Files written, changed, touched up in place and removed by others show at the next call."""
    store = FileSkillStore(folder)
    other = FileSkillStore(folder)
    other.save(parse_skill("a", CODE))
    assert store.names() == ["a"]
    assert store.load("a").source == CODE
    (folder / "a.py").write_text("def run(): return 22\n")
    assert "22" in store.load("a").source
    (folder / "a.py").unlink()
    assert store.load("a") is None


def test_only_python_files_without_underscore_or_dot_are_skills(folder):
    """Private, hidden and other files and folders named like skills are no skills."""
    for name in ("_a.py", ".b.py", "c.txt", "d", ".py", "e.pyc"):
        (folder / name).write_text(CODE)
    (folder / "f.py").mkdir()
    (folder / "__pycache__").mkdir()
    store = FileSkillStore(folder)
    assert store.names() == []
    assert [store.load(name) for name in ("_a", ".b", "f", "")] == [None] * 4
    assert store.delete("f") is False


BROKEN = {
    "syntax.py": (b"def run(:\n", ":1: syntax error"),
    "norun.py": (b"x = 1\n", "there is no `run`"),
    "my-skill.py": (CODE.encode(), "must be a Python identifier"),
    "list.py": (CODE.encode(), "function of `skills`"),
    "utf8.py": (b"def run(): pass\n# \xff\n", ":2: cannot decode"),
    "coding.py": (b"# coding: klingon\ndef run(): pass\n", "cannot decode.*klingon"),
    "nul.py": (b"def run(): pass\n\0", ":2: .*NUL"),
    "large.py": (b"#" * 300_000, "larger than 262,144 bytes"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_reported_with_file_and_reason_and_hides_no_other(folder, name):
    """A file that is no acceptable skill gives an error naming it; the others load."""
    content, reason = BROKEN[name]
    (folder / name).write_bytes(content)
    (folder / "good.py").write_text(CODE)
    library = create_skill_library(FileSkillStore(folder))
    assert [skill.name for skill in library.list()] == ["good"]
    (problem,) = library.problems()
    assert problem.message.startswith(f"{folder / name}:")
    for _ in range(2):  # read, and remembered
        with pytest.raises(SkillValidationError, match=reason):
            library.get(name.removesuffix(".py"))


def test_a_file_name_that_is_no_text_is_reported_in_text(folder):
    """A file name in bytes that are no UTF-8 is reported in a message that can be sent."""
    (folder / os.fsdecode(b"\xff.py")).write_text(CODE)
    (problem,) = create_skill_library(FileSkillStore(folder)).problems()
    problem.message.encode()


def test_encodings_of_files_are_python_s_own(folder):
    """Encoding lines, byte order marks and Windows line ends are read as Python reads them."""
    (folder / "latin.py").write_bytes(
        '# coding: latin-1\ndef run(): return "é"\n'.encode("latin-1")
    )
    (folder / "bom.py").write_bytes(b"\xef\xbb\xbf" + CODE.encode())
    (folder / "dos.py").write_bytes(CODE.replace("\n", "\r\n").encode())
    store = FileSkillStore(folder)
    assert "é" in store.load("latin").source
    assert store.load("bom").source == CODE
    assert store.load("dos").source == CODE
    store.save(parse_skill("again", store.load("latin").source, description="Ça"))
    assert store.load("again").description == "Ça"
    assert "é" in store.load("again").source
    with pytest.raises(SkillValidationError, match="does not fit its encoding line"):
        store.save(parse_skill("no", store.load("latin").source, description="日本"))
    assert store.load("no") is None


def test_links_inside_the_folder_work_and_others_are_refused(folder, tmp_path):
    """A symbolic link to a skill beside it is one; those that leave or dangle are not."""
    secret = tmp_path / "secret.py"
    secret.write_text("def run(): return 'secret'\n")
    (folder / "real.py").write_text(CODE)
    (folder / "alias.py").symlink_to("real.py")
    (folder / "out.py").symlink_to(secret)
    (folder / "gone.py").symlink_to("nowhere.py")
    (folder / "loop.py").symlink_to("loop.py")
    library = create_skill_library(FileSkillStore(folder))
    assert [skill.name for skill in library.list()] == ["alias", "real"]
    assert [problem.skill for problem in library.problems()] == ["gone", "loop", "out"]
    assert not any("secret'" in problem.message for problem in library.problems())
    assert library.delete("out")
    library.store.save(parse_skill("gone", CODE))
    assert secret.exists()
    assert not (folder / "nowhere.py").exists()


def test_special_files_do_not_block(folder):
    """A named pipe called like a skill is reported, not waited for."""
    os.mkfifo(folder / "pipe.py")
    with pytest.raises(SkillValidationError, match="not a regular file"):
        FileSkillStore(folder).load("pipe")


def test_a_description_that_makes_a_source_too_large_is_refused(folder):
    """A skill that would be too large with its description is refused before it is written."""
    code = CODE + "#" * (256 * 1024 - len(CODE))
    store = FileSkillStore(folder)
    with pytest.raises(SkillValidationError, match="with its description"):
        store.save(parse_skill("x", code, description="Told."))
    assert list(folder.iterdir()) == []


def test_a_failed_write_leaves_the_old_skill_and_no_rubbish(folder, monkeypatch):
    """When the disk is full the former version stays and nothing half-written is left."""
    store = FileSkillStore(folder)
    store.save(parse_skill("x", CODE))

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SkillError, match=r"x\.py: cannot write the skill: No space left"):
            store.save(parse_skill("x", "def run(): return 2"))
    assert store.load("x").source == CODE
    assert shown(folder) == ["x.py"]


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_without_hard_links_a_taken_name_is_still_not_replaced(folder, monkeypatch, code):
    """On a file system without hard links replace=False keeps its promise."""

    def refuse(*_):
        raise OSError(code, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    store = FileSkillStore(folder)
    assert store.save(parse_skill("x", CODE), replace=False) is True
    assert store.save(parse_skill("x", "def run(): return 2"), replace=False) is False
    assert store.load("x").source == CODE
    assert shown(folder) == ["x.py"]


CREATE_MANY = """
import sys
from py_code_mode.skills import FileSkillStore, parse_skill
store = FileSkillStore(sys.argv[1])
won = [store.save(parse_skill(f"s{n}", f"def run(): return {sys.argv[2]}"), replace=False)
       for n in range(25)]
print(sum(won))
"""


def test_processes_that_create_the_same_names_share_them_out(folder):
    """Of processes that create the same skills at once, each name is won exactly once."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CREATE_MANY, folder, str(number)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    won = [int(process.communicate()[0]) for process in running]
    assert sum(won) == 25
    assert len(FileSkillStore(folder).names()) == 25
    assert len(shown(folder)) == 25
