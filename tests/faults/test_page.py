"""The page of faults and the tests of faults are one: no row without a test, no test without a row."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "faults.md"


def _tests_in(file: Path) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)", file.read_text("utf-8"), re.MULTILINE))


def _rows() -> list[str]:
    cells = [line.strip("|").split("|") for line in PAGE.read_text("utf-8").splitlines()]
    return [row[-1] for row in cells if len(row) == 3 and "`" in row[-1]]


def test_each_row_names_tests_that_are_there():
    """What the page says is shown by a test can be found, by its name."""
    rows = _rows()
    assert len(rows) > 40
    ours = {name for file in TESTS.glob("faults/test_*.py") for name in _tests_in(file)}
    for row in rows:
        named = re.findall(r"`([^`]+)`", row)
        assert named
        for name in named:
            file, _, test = name.rpartition("::")
            if name.endswith(".py"):
                assert (TESTS / name).is_file(), name
            else:
                assert test in (_tests_in(TESTS / file) if file else ours), name


def test_each_test_of_a_fault_is_in_a_row():
    """Whoever adds a fault adds what a user gets."""
    page = PAGE.read_text("utf-8")
    for file in TESTS.glob("faults/test_*.py"):
        if file != Path(__file__):
            assert [name for name in _tests_in(file) if f"`{name}`" not in page] == []
