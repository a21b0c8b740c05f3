"""The library: list, find, search, create, delete over any store."""

from __future__ import annotations

import threading

import pytest

from py_code_mode.errors import SkillNotFoundError, SkillValidationError
from py_code_mode.skills import (
    FileSkillStore,
    MemorySkillStore,
    SkillLibrary,
    create_skill_library,
    parse_skill,
)

QUICK_SCAN = 'def run(target: str): return tools.nmap(target=target, flags="-F")'


@pytest.fixture
def library(store) -> SkillLibrary:
    return create_skill_library(store=store)


def test_the_example_of_the_readme(library):
    """A skill made at run time as the README shows is found, listed and shown with its source."""
    library.create(name="quick_scan", code=QUICK_SCAN, description="Fast port scan")
    (found,) = library.search("port scanning", limit=5)
    assert found == library.get("quick_scan") == library.list()[0]
    assert found.description == "Fast port scan"
    assert QUICK_SCAN in found.source
    assert [(param.name, param.annotation) for param in found.params] == [("target", "str")]


def test_without_a_store_skills_live_in_memory():
    """A library made without a store keeps skills, and two of them share nothing."""
    first, second = create_skill_library(), create_skill_library()
    first.create("x", "def run(): pass")
    assert isinstance(first.store, MemorySkillStore)
    assert second.list() == []


def test_create_gives_the_skill_as_the_store_keeps_it(library):
    """What create returns, get returns: same source, same digest."""
    made = library.create("x", "def run(): pass", "Told.")
    assert made == library.get("x")
    assert made.description == "Told."


def test_a_taken_name_needs_replace(library):
    """Creating an existing name is refused, saying how; replace=True does it."""
    library.create("x", "def run(): return 1")
    with pytest.raises(SkillValidationError, match="already; replace=True"):
        library.create("x", "def run(): return 2")
    assert "return 1" in library.get("x").source
    assert "return 3" in library.create("x", "def run(): return 3", replace=True).source


def test_a_broken_skill_is_refused_and_not_kept(library):
    """Code that does not parse is refused with its line, and nothing is stored."""
    with pytest.raises(SkillValidationError, match="skill 'x', line 2: syntax error"):
        library.create("x", "def run():\n    return (")
    assert library.list() == []
    assert library.get("x") is None


def test_find_names_near_ones(library):
    """An unknown name raises an error with the names that may have been meant."""
    library.create("scan_ports", "def run(): pass")
    assert library.find("scan_ports").name == "scan_ports"
    with pytest.raises(SkillNotFoundError, match="did you mean scan_ports") as caught:
        library.find("scan_port")
    assert caught.value.near == ["scan_ports"]
    with pytest.raises(SkillNotFoundError, match=r"no skill named 'zzz'; skills\.list") as caught:
        library.find("zzz")
    assert caught.value.near == []


def test_search_follows_every_change(library):
    """A skill is found as soon as it is there, by new words after a change, and not when gone."""
    assert library.search("weather") == []
    library.create("forecast", "def run(): pass", "Weather of tomorrow")
    assert [skill.name for skill in library.search("weather")] == ["forecast"]
    library.create("forecast", "def run(): pass", "Stock prices", replace=True)
    assert library.search("weather") == []
    assert [skill.name for skill in library.search("stock price")] == ["forecast"]
    library.delete("forecast")
    assert library.search("stock") == []


def test_search_looks_into_documentation_parameters_and_source(library):
    """Words of the documentation, of parameters and of the code find a skill."""
    library.create(
        "x",
        '"""Do.\n\nFor astronomers."""\ndef run(telescope: str): return tools.spectrograph()',
    )
    library.create("y", "def run(): pass", "Something else")
    for query in ("astronomer", "telescope", "spectrograph"):
        assert [skill.name for skill in library.search(query)] == ["x"]


def test_search_is_bounded_and_empty_when_nothing_fits(library):
    """No more than limit skills come back, five unless told, and none for a foreign query."""
    for number in range(8):
        library.create(f"picture_{number}", "def run(): pass", "Resize a picture")
    assert len(library.search("picture")) == 5
    assert len(library.search("picture", limit=2)) == 2
    assert library.search("picture", limit=0) == []
    assert library.search("zzz qqq") == []
    assert library.search("") == []


def test_another_library_on_the_same_store_sees_it_at_once(library, store):
    """Two libraries on one store find each other's skills at the next call."""
    other = SkillLibrary(store)
    assert other.search("weather") == []
    library.create("forecast", "def run(): pass", "Weather of tomorrow")
    assert [skill.name for skill in other.search("weather")] == ["forecast"]
    assert other.delete("forecast") is True
    assert other.delete("forecast") is False
    assert library.list() == []


def test_skills_outlive_the_library(tmp_path):
    """A library opened anew on the same folder has the same skills."""
    made = create_skill_library(FileSkillStore(tmp_path)).create("x", "def run(): pass", "Told.")
    assert create_skill_library(FileSkillStore(tmp_path)).list() == [made]


def test_lists_are_the_caller_s_own(library):
    """Changing a returned list changes nothing in the library."""
    library.create("x", "def run(): pass")
    library.list().clear()
    assert len(library.list()) == 1


def test_threads_may_use_it_at_once(library):
    """Creating, searching and listing from several threads loses nothing."""
    failures = []

    def work(number):
        try:
            for count in range(6):
                library.create(f"s{number}_{count}", "def run(): pass", "Weather of tomorrow")
                assert library.search("weather", 100)
                assert library.list()
        except Exception as error:  # noqa: BLE001 - any failure is one
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(library.list()) == 24


def test_a_listing_reads_only_what_changed(tmp_path, monkeypatch):
    """After one skill of many changed, only that one is parsed again."""
    store = FileSkillStore(tmp_path)
    for number in range(50):
        (tmp_path / f"s{number}.py").write_text("def run(): pass")
    library = create_skill_library(store)
    assert len(library.list()) == 50
    parsed = []
    monkeypatch.setattr(
        "py_code_mode.skills.file.parse_skill",
        lambda name, *args, **kwargs: parsed.append(name) or parse_skill(name, *args, **kwargs),
    )
    (tmp_path / "s7.py").write_text("def run(): return 7")
    assert len(library.list()) == 50
    assert parsed == ["s7"]
