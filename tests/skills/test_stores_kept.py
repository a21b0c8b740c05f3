"""What every store of skills keeps besides the sources: versions, who and when, uses."""

from __future__ import annotations

import time

import pytest

from py_code_mode.errors import SkillValidationError
from py_code_mode.skills import Skill, SkillStore, SkillUsage, parse_skill


def skill(name: str, value: int = 1, description: str = "") -> Skill:
    return parse_skill(name, f"def run(): return {value}\n", description=description)


def numbers(store: SkillStore, name: str) -> list[int]:
    return [version.number for version in store.versions(name)]


def test_each_save_keeps_the_former_version(store):
    """Versions are numbered from 1, newest first, and each loads with the source it had."""
    for value in (1, 2, 3):
        store.save(skill("x", value))
    assert numbers(store, "x") == [3, 2, 1]
    for value in (1, 2, 3):
        loaded = store.load("x", version=value)
        assert loaded == skill("x", value)
        assert loaded.number == value
        assert store.versions("x")[3 - value].digest == loaded.digest
    assert store.load("x") == store.load("x", version=3)
    assert store.load("x").number == 3


def test_versions_that_are_not_there(store):
    """Unknown numbers, names and skills have no versions."""
    assert store.versions("x") == []
    assert store.load("x", version=1) is None
    store.save(skill("x"))
    assert [store.load("x", version=number) for number in (0, 2, -1, 10**30)] == [None] * 4
    for name in ("", "../x", "a/b", "a\0b", "_x", "\ud800"):
        assert store.versions(name) == []
        assert store.load(name, version=1) is None


def test_versions_keep_their_descriptions(store):
    """A description that is not in the source comes back with its version."""
    store.save(skill("x", description="First."))
    store.save(skill("x", description="Second."))
    assert store.load("x", version=1).description == "First."
    assert store.load("x", version=2).description == "Second."


def test_saving_what_is_there_makes_no_version(store):
    """An equal skill saved again changes nothing, whoever saves it."""
    store.save(skill("x", description="Told."), creator="ann")
    before = store.version(), store.versions("x")
    assert store.save(skill("x", description="Told."), creator="bob") is True
    assert (store.version(), store.versions("x")) == before
    assert store.save(store.load("x"), creator="bob") is True
    assert store.versions("x") == before[1]


def test_a_refused_save_makes_no_version(store):
    """What replace=False refuses leaves no trace."""
    store.save(skill("x"))
    assert store.save(skill("x", 2), replace=False) is False
    assert numbers(store, "x") == [1]


def test_an_old_state_saved_again_is_a_new_version(store):
    """Going back to a former source is a version of its own."""
    for value in (1, 2, 1):
        store.save(skill("x", value))
    assert numbers(store, "x") == [3, 2, 1]
    assert store.load("x", version=3) == store.load("x", version=1)


def test_only_so_many_versions_are_kept(store):
    """The oldest go beyond the store's bound; numbers go on, and the first creator stays."""
    store.save(skill("x", 0), creator="ann")
    created = store.load("x").created
    for value in range(1, store.max_versions + 3):
        store.save(skill("x", value), creator="bob")
    last = store.max_versions + 3
    assert numbers(store, "x") == list(range(last, 3, -1))
    assert store.load("x", version=3) is None
    assert store.load("x", version=4) == skill("x", 3)
    assert (store.load("x").creator, store.load("x").created) == ("ann", created)


def test_who_and_when(store):
    """A skill knows who made it and when, and when it was changed; versions know who saved them."""
    before = time.time()
    store.save(skill("x"), creator="ann")
    between = time.time()
    store.save(skill("x", 2), creator="bob")
    loaded = store.load("x")
    assert loaded.creator == "ann"
    assert before <= loaded.created <= between <= loaded.modified <= time.time()
    newest, oldest = store.versions("x")
    assert (newest.creator, oldest.creator) == ("bob", "ann")
    assert (newest.time, oldest.time) == (loaded.modified, loaded.created)
    assert store.load("x", version=1).modified == loaded.created
    store.save(skill("y"))
    assert store.load("y").creator == ""


def test_deleted_with_its_history(store):
    """A deleted skill leaves no versions and no counts for the next one of its name."""
    store.save(skill("x"), creator="ann")
    store.save(skill("x", 2))
    store.add_usage({"x": SkillUsage(1, 1, 0.1, 5.0)})
    store.delete("x")
    assert store.versions("x") == []
    assert store.load("x", version=1) is None
    assert store.usage() == {}
    store.save(skill("x", 3), creator="bob")
    assert numbers(store, "x") == [1]
    assert store.load("x").creator == "bob"
    assert store.usage("x") == {}


def test_uses_add_up(store):
    """Counts add, the latest time stays, and a save keeps them."""
    store.save(skill("x"))
    store.save(skill("y"))
    assert store.usage() == {}
    store.add_usage({"x": SkillUsage(3, 1, 0.5, 20.0), "y": SkillUsage(1, 0, 0.25, 9.0)})
    store.add_usage({"x": SkillUsage(1, 0, 0.25, 10.0)})
    store.save(skill("x", 2))
    assert store.usage() == {"x": SkillUsage(4, 1, 0.75, 20.0), "y": SkillUsage(1, 0, 0.25, 9.0)}
    assert store.usage("y", "z") == {"y": SkillUsage(1, 0, 0.25, 9.0)}
    assert store.usage("x")["x"].success_rate == 0.75
    assert SkillUsage().success_rate is None


def test_uses_of_no_skill_are_passed_over(store):
    """Counts of names that no skill has are not kept, whatever they look like."""
    store.save(skill("x"))
    bad = dict.fromkeys(["y", "", "../x", "a\0b", "\ud800"], SkillUsage(1))
    store.add_usage({"x": SkillUsage(1), **bad})
    store.add_usage({})
    assert store.usage() == {"x": SkillUsage(1)}
    assert store.usage(*bad) == {}


def test_a_use_is_no_change(store):
    """Counting uses leaves version and versions as they are."""
    store.save(skill("x"))
    before = store.version(), store.versions("x"), store.load("x")
    store.add_usage({"x": SkillUsage(1)})
    assert (store.version(), store.versions("x"), store.load("x")) == before


def test_a_skill_made_by_hand_is_checked_before_anything_is_kept(store):
    """A name that is not acceptable leaves no version behind."""
    with pytest.raises(SkillValidationError):
        store.save(Skill("a-b", "", "", "def run(): pass"), creator="ann")
    assert store.versions("a-b") == []
