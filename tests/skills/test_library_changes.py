"""The library's other verbs: update, versions, counts, import and export."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from py_code_mode.errors import ConfigError, SkillError, SkillNotFoundError, SkillValidationError
from py_code_mode.skills import (
    FileSkillStore,
    MemorySkillStore,
    SkillLibrary,
    SkillUsage,
    create_skill_library,
)
from py_code_mode.skills import library as library_module
from py_code_mode.skills.sync import compare, sync

FULL = '"""First.\n\nMore.\n\nTags: a, b\n"""\n'


@pytest.fixture
def library(store) -> SkillLibrary:
    return create_skill_library(store=store)


# --- update and versions -----------------------------------------------------------------------


def test_new_code_keeps_the_description_it_does_not_say(library):
    """Code without a docstring keeps description, documentation and fields; one with has its own."""
    library.create("x", FULL + "def run(): return 1\n", creator="ann")
    made = library.update("x", "def run(a): return a\n", creator="bob")
    assert (made.description, made.documentation, made.tags) == (
        "First.",
        "More.\n\nTags: a, b",
        ("a", "b"),
    )
    assert [param.name for param in made.params] == ["a"]
    assert made == library.get("x")
    made = library.update("x", '"""Second."""\ndef run(): return 2\n')
    assert (made.description, made.documentation, made.tags) == ("Second.", "", ())


def test_a_new_description_keeps_the_rest(library):
    """A description alone leaves code, documentation and fields as they are."""
    library.create("x", FULL + "def run(): return 1\n")
    made = library.update("x", description="Other.")
    assert (made.description, made.documentation, made.tags) == (
        "Other.",
        "More.\n\nTags: a, b",
        ("a", "b"),
    )
    assert made.source.endswith("def run(): return 1\n")
    made = library.update("x", "def run(): return 2\n", "Third.")
    assert (made.description, made.tags) == ("Third.", ("a", "b"))
    made = library.update("x", '"""Said.\n\nNew."""\ndef run(): return 2\n', "Fourth.")
    assert (made.description, made.documentation) == ("Fourth.", "New.")


def test_updates_are_versions_of_whoever_made_them(library):
    """Each update keeps the former version and its own creator; the skill's stays."""
    library.create("x", "def run(): return 1", creator="ann")
    library.update("x", "def run(): return 2", creator="bob")
    assert [(v.number, v.creator) for v in library.versions("x")] == [(2, "bob"), (1, "ann")]
    assert library.get("x").creator == "ann"
    assert library.get("x", version=1).source.endswith("def run(): return 1")
    assert library.get("x", version=3) is None
    assert library.versions("y") == []


def test_what_cannot_be_updated(library):
    """An unknown name is an error with near ones; bad code is refused, and nothing changes."""
    library.create("scan_ports", "def run(): pass")
    with pytest.raises(SkillNotFoundError, match="did you mean scan_ports"):
        library.update("scan_port", "def run(): pass")
    with pytest.raises(SkillValidationError, match="no `run`"):
        library.update("scan_ports", "x = 1")
    assert len(library.versions("scan_ports")) == 1


def test_a_broken_file_can_be_repaired(tmp_path):
    """New code repairs a broken file; without code the error says what is broken."""
    (tmp_path / "x.py").write_text("def run(:\n")
    library = create_skill_library(FileSkillStore(tmp_path))
    with pytest.raises(SkillValidationError, match="syntax error"):
        library.update("x", description="Told.")
    assert library.update("x", "def run(): pass", "Told.").number == 2


# --- counts ------------------------------------------------------------------------------------


def test_counts(library):
    """Runs add up per skill, and a skill that never ran has none."""
    library.create("x", "def run(): pass")
    library.count({"x": SkillUsage(2, 1, 0.5, 3.0)})
    library.count({"x": SkillUsage(2, 0, 0.5, 2.0)})
    assert library.usage() == {"x": SkillUsage(4, 1, 1.0, 3.0)}
    assert library.usage("y") == {}


def test_a_store_that_cannot_count_is_no_error(caplog):
    """When counts cannot be stored, the log says so and nothing fails."""

    class Full(MemorySkillStore):
        def add_usage(self, used):
            raise SkillError("the disk is full")

    with caplog.at_level(logging.INFO):
        SkillLibrary(Full()).count({"x": SkillUsage(1)})
    assert "uses of skills were not counted: the disk is full" in caplog.text


# --- import and export -------------------------------------------------------------------------


def test_a_folder_comes_in_and_goes_out(library, tmp_path):
    """What was exported and imported again is the same, with fields, creators and descriptions."""
    library.create("x", FULL + "async def run(): return 1\n", creator="ann")
    library.create("y", "def run(): pass", "Told.", creator="bob")
    out = library.export_to(tmp_path / "out")
    assert out.names("added") == ["x", "y"]
    assert (tmp_path / "out" / "y.py").read_text() == '"""Told."""\n\ndef run(): pass'
    other = create_skill_library()
    assert other.import_from(tmp_path / "out").names("added") == ["x", "y"]
    for name, creator in (("x", "ann"), ("y", "bob")):
        copy, skill = other.get(name), library.get(name)
        assert (copy.description, copy.documentation, copy.tags) == (
            skill.description,
            skill.documentation,
            skill.tags,
        )
        assert copy.creator == creator
    again = library.import_from(tmp_path / "out")
    assert (again.changes, again.same) == ((), ("x", "y"))


def test_a_dry_run_changes_nothing(library, tmp_path):
    """A dry run of either says what would change, and neither makes nor changes anything."""
    library.create("x", "def run(): pass")
    assert library.export_to(tmp_path / "out", dry_run=True).names("added") == ["x"]
    assert not (tmp_path / "out").exists()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.py").write_text("def run(): return 2\n")
    changes = library.import_from(tmp_path / "in", dry_run=True, delete=True)
    assert changes.names("changed") == ["x"]
    assert changes.diff == (
        "--- x.py\n+++ x.py\n@@ -1 +1 @@\n-def run(): pass\n\\ No newline at end of file\n"
        "+def run(): return 2\n"
    )
    assert len(library.versions("x")) == 1


def test_importing_says_who_does_it(library, tmp_path):
    """A creator given at import is the one of each new version."""
    (tmp_path / "x.py").write_text("def run(): return 2\n")
    library.import_from(str(tmp_path), creator="importer")
    assert library.get("x").creator == "importer"


def test_importing_from_nowhere_is_an_error(library, tmp_path):
    """A folder that is not there is not made and gives a clear error."""
    with pytest.raises(ConfigError, match="nowhere: there is no such folder"):
        library.import_from(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_two_stores_become_alike(store):
    """Added, changed, removed, same and broken skills are told apart; sync makes it so."""
    source = MemorySkillStore()
    theirs, ours = SkillLibrary(source), SkillLibrary(store)
    for name in ("same", "changed", "added"):
        theirs.create(name, f"def run(): return {name!r}\n", "Said.")
    ours.create("same", "def run(): return 'same'\n", "Said.")
    ours.create("changed", "def run(): return 'changed'\n", "Said otherwise.")
    ours.create("removed", "def run(): pass")
    kept = compare(source, store)
    assert [(change.name, change.kind) for change in kept.changes] == [
        ("added", "added"),
        ("changed", "changed"),
    ]
    assert (kept.same, kept.kept) == (("same",), ("removed",))
    changes = sync(source, store, delete=True)
    assert [(c.name, c.kind) for c in changes.changes] == [
        ("added", "added"),
        ("changed", "changed"),
        ("removed", "removed"),
    ]
    assert '-"""Said otherwise."""\n+"""Said."""\n' in changes.diff
    assert "--- /dev/null\n+++ added.py\n" in changes.diff
    assert "--- removed.py\n+++ /dev/null\n" in changes.diff
    done = compare(source, store, delete=True)
    assert (done.changes, done.same) == ((), ("added", "changed", "same"))
    assert changes.to_dict()["changes"][2]["kind"] == "removed"


def test_broken_skills_are_left_out(store, tmp_path):
    """A broken file is reported and copied nowhere, and what is broken at the target is repaired."""
    folder = Path(tmp_path / "in")
    folder.mkdir()
    (folder / "broken.py").write_text("def run(:\n")
    (folder / "good.py").write_text("def run(): pass\n")
    changes = SkillLibrary(store).import_from(folder, delete=True)
    assert changes.names("added") == ["good"]
    assert [problem.skill for problem in changes.problems] == ["broken"]
    assert store.names() == ["good"]
    SkillLibrary(store).create("broken", "def run(): pass\n")
    assert sync(store, FileSkillStore(folder)).names("changed") == ["broken"]
    assert FileSkillStore(folder).load("broken").number == 2


def test_a_search_looks_only_at_what_changed(library, monkeypatch):
    """After a change the index is told of the skills that are new or others, and of no more."""
    for name in ("apple", "berry", "cherry", "date"):
        library.create(name, "def run(): return 1", f"Pick a {name}")
    assert library.search("pick berry")[0].name == "berry"
    told: list[str] = []

    def document(skill):
        told.append(skill.name)
        return real(skill)

    real = library_module._document
    monkeypatch.setattr(library_module, "_document", document)
    library.create("elder", "def run(): return 1", "Pick elderberries")
    library.update("apple", "def run(): return 2", "Peel oranges")
    library.delete("date")
    assert [skill.name for skill in library.search("oranges")] == ["apple"]
    assert library.search("elderberries")[0].name == "elder"
    assert library.search("date") == []
    assert sorted(told) == ["apple", "elder"]
