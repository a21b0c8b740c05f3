"""What every store of skills promises."""

from __future__ import annotations

import threading

import pytest

from py_code_mode.errors import SkillValidationError
from py_code_mode.skills import Skill, SkillStore, parse_skill

CODE = "def run(n: int = 1): return n\n"


def skill(name: str, code: str = CODE, description: str = "") -> Skill:
    return parse_skill(name, code, description=description)


def test_it_is_a_skill_store(store):
    """Every store has the methods of the protocol."""
    assert isinstance(store, SkillStore)
    assert repr(store)


def test_an_empty_store_knows_nothing(store):
    """Nothing saved: no names, nothing to load, nothing to delete."""
    assert store.names() == []
    assert store.load("x") is None
    assert store.delete("x") is False


def test_what_was_saved_loads(store):
    """A saved skill is listed and loads with its parameters."""
    assert store.save(skill("b")) is True
    assert store.save(skill("a", '"""Doc.\n\nMore."""\n' + CODE)) is True
    assert store.names() == ["a", "b"]
    loaded = store.load("a")
    assert loaded == skill("a", '"""Doc.\n\nMore."""\n' + CODE)


@pytest.mark.parametrize("code", [CODE, '"""Other.\n\nMore."""\n' + CODE, "# note\n" + CODE])
def test_an_explicit_description_is_kept(store, code):
    """A description that the source does not say is there again when the skill is loaded."""
    saved = skill("x", code, "Told.")
    store.save(saved)
    loaded = store.load("x")
    assert (loaded.description, loaded.documentation) == ("Told.", saved.documentation)
    assert loaded.params == saved.params
    assert loaded.source.endswith(CODE)


def test_saving_again_replaces_unless_told_not_to(store):
    """A second save replaces the first; with replace=False it says no and changes nothing."""
    store.save(skill("x", "def run(): return 1"))
    assert store.save(skill("x", "def run(): return 2"), replace=False) is False
    assert "return 1" in store.load("x").source
    assert store.save(skill("x", "def run(): return 3")) is True
    assert "return 3" in store.load("x").source
    assert store.names() == ["x"]


def test_deleted_is_gone(store):
    """Delete says whether there was something, and afterwards there is nothing."""
    store.save(skill("x"))
    assert store.delete("x") is True
    assert store.delete("x") is False
    assert store.load("x") is None
    assert store.names() == []


def test_version_changes_with_every_change_and_only_then(store):
    """The version is equal while nothing changes and different after a save or delete."""
    seen = [store.version()]
    assert store.version() == seen[0]
    for change in (
        lambda: store.save(skill("x")),
        lambda: store.save(skill("x", "def run(): return 2")),
        lambda: store.save(skill("y")),
        lambda: store.delete("x"),
    ):
        change()
        seen.append(store.version())
        assert store.version() == seen[-1]
        assert seen[-1] not in seen[:-1]


@pytest.mark.parametrize(
    "name",
    ["", "../x", "a/b", "/etc/passwd", "a\0b", "_x", ".x", "a-b", "list", "\ud800"],
    ids=ascii,
)
def test_bad_names_are_unknown_and_cannot_be_saved(store, name):
    """A name no skill can have is not there, and a skill made by hand with it is refused."""
    assert store.load(name) is None
    assert store.delete(name) is False
    with pytest.raises(SkillValidationError):
        store.save(Skill(name, "", "", CODE))
    assert store.names() == []


def test_of_many_threads_that_create_one_wins(store):
    """Of threads that save the same new name at once without replace, exactly one succeeds."""
    barrier, won = threading.Barrier(8), []

    def create(number):
        barrier.wait()
        won.append(store.save(skill("x", f"def run(): return {number}"), replace=False))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
    assert store.load("x").name == "x"


def test_threads_that_write_and_read_never_see_a_torn_skill(store):
    """While threads replace a skill of changing length, every load gives one of them whole."""
    codes = [f"def run():\n    return {'1 + ' * 500 * size}1\n" for size in (1, 2, 3)]
    store.save(skill("x", codes[0]))
    stop, failures = threading.Event(), []

    def write(code):
        while not stop.is_set():
            store.save(skill("x", code))

    def read():
        for _ in range(150):
            try:
                if store.load("x").source not in codes:
                    failures.append("torn")
            except Exception as error:  # noqa: BLE001 - any failure is one
                failures.append(error)

    writers = [threading.Thread(target=write, args=(code,)) for code in codes]
    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in writers + readers:
        thread.start()
    for thread in readers:
        thread.join()
    stop.set()
    for thread in writers:
        thread.join()
    assert failures == []
