"""The order of the tests: it names what there is, and moves nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from tests import order
from tests.conftest import ROOT


@dataclass
class Item:
    nodeid: str


def test_long_files_are_there():
    """Each file that is said to take long exists, and is named once."""
    assert [name for name in order.SLOW if not (ROOT / "tests" / name).is_file()] == []
    assert len(order.SLOW) == len({*order.SLOW})


def test_long_files_come_first_and_all_else_stays(monkeypatch):
    """Files that take long come as they are listed, others as before, tests as in their files."""
    monkeypatch.setattr(order, "SLOW", ("test_d.py", "b/test_b.py"))
    before = [
        "a/test_a.py::z",
        "b/test_b.py::z",
        "b/test_b.py::a[::]",
        "test_c.py::x",
        "test_d.py::x",
    ]
    items = [Item(f"tests/{name}") for name in before]
    order.arrange(items)
    after = [item.nodeid.removeprefix("tests/") for item in items]
    assert after == [before[place] for place in (4, 1, 2, 0, 3)]
