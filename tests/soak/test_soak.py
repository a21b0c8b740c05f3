"""The soak itself: it runs for real, all that it does it did, and what must not be it notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.soak import leaks, rounds
from tests.soak.deck import ACTIONS, Deck
from tests.soak.journal import Journal, Quiet, ViolationError
from tests.soak.leaks import LeakWatch, growth, judge_memory
from tests.soak.report import page
from tests.soak.rounds import Plan
from tests.soak.turn import LeftError, Turn
from tests.soak.world import World

SEED = 20_261_127
PROMISED = {"ok", "lost", "closed", "missed", "early"}


@pytest.fixture
def journal() -> Journal:
    """A journal in which nothing stands yet."""
    return Journal()


@pytest.fixture
async def turn(journal: Journal, tmp_path: Path) -> Any:
    """One use of a real session."""
    world = World(journal, SEED, tmp_path)
    house = await world.build("template")
    yield Turn(await house.open(), world, "1 test")
    await world.tear_down(house)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(300)
def test_a_short_soak_finds_nothing(tmp_path):
    """Twenty seconds of everything break no promise, and each action came at least once."""
    out = tmp_path / "out"
    arguments = ["--minutes", "0.35", "--round", "12", "--seed", str(SEED), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.soak", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{_report(out)}"
    data = json.loads((out / "soak.json").read_text())
    assert data["outcomes"].keys() == ACTIONS.keys()
    outcomes = Counter[str]()
    for counts in data["outcomes"].values():
        outcomes.update(counts)
    assert outcomes.keys() <= PROMISED
    assert outcomes["ok"] > outcomes.total() / 2
    assert {kind for _, kind in data["kills"]} == {"kernel", "stopped kernel", "template"}
    assert len(data["quiets"]) >= 2
    assert (out / "soak.png").read_bytes().startswith(b"\x89PNG")
    assert f"SEED={SEED}" in _report(out)


def _report(out: Path) -> str:
    path = out / "report.md"
    return path.read_text() if path.exists() else "no report"


def test_all_actions_are_dealt_before_one_comes_again():
    """A deck has each action as often as it has copies, in an order that the seed decides."""
    whole = Counter({name: copies for name, (_, copies) in ACTIONS.items()})
    deck, same, other = Deck(1), Deck(1), Deck(2)
    dealt = [deck.deal() for _ in range(whole.total())]
    assert Counter(name for name, _ in dealt) == whole
    assert dealt == [same.deal() for _ in dealt]
    assert dealt != [other.deal() for _ in dealt]


async def test_a_reply_that_was_mixed_up_is_noticed(turn, journal):
    """A session that gives another's token is a violation, told with what belongs there."""
    turn.seat.known["v1"] = "t1x00000000"
    await turn.run("v1 = 't2x00000000'")
    with pytest.raises(ViolationError):
        await turn.verify()
    (violation,) = journal.violations
    assert violation.kind == "mixed up"
    assert "t1x00000000" in violation.text
    assert "t2x00000000" in violation.text


async def test_variables_lost_without_a_reason_are_noticed(turn, journal):
    """A kernel that dies is a violation, unless the soak has killed it."""
    with pytest.raises(ViolationError):
        await turn.run("import os; os._exit(3)")
    assert [violation.kind for violation in journal.violations] == ["lost"]
    turn.same("value", 1, await turn.value("1"))
    turn.seat.strike()
    with pytest.raises(LeftError):
        await turn.run("import os; os._exit(3)")
    assert len(journal.violations) == 1


async def test_what_does_not_end_is_noticed(turn, journal, monkeypatch):
    """An action past its deadline is a violation, with where all tasks wait."""
    monkeypatch.setattr(rounds, "DEADLINE", 0.2)

    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    assert await rounds._bounded(turn.world, "7 wait", wait_for_ever()) == "violation"
    (violation,) = journal.violations
    assert (violation.kind, violation.action) == ("hang", "7 wait")
    assert "wait_for_ever" in violation.text


async def test_what_nobody_promised_is_noticed(turn, journal):
    """An exception that an action does not expect is a violation, with its traceback."""

    async def fail() -> None:
        raise KeyError("t3")

    assert await rounds._bounded(turn.world, "8 fail", fail()) == "violation"
    assert "KeyError: 't3'" in journal.violations[0].text


@pytest.mark.parametrize("what", ["descriptor", "thread", "process", "task", "directory"])
async def test_what_is_left_is_noticed(journal, monkeypatch, tmp_path, what):
    """Each kind of leak is a violation while it is there, and none once it is gone."""
    monkeypatch.setattr(leaks.tempfile, "tempdir", str(tmp_path))
    watch = LeakWatch(journal)
    with _left(what, tmp_path):
        await watch.check(seconds=0.2)
    assert [violation.kind for violation in journal.violations] == ["leak"]
    assert what in journal.violations[0].text
    await watch.check()
    assert len(journal.violations) == 1


@contextlib.contextmanager
def _left(what: str, folder: Path) -> Iterator[None]:
    """Leave something behind for a while."""
    with contextlib.ExitStack() as stack:
        if what == "descriptor":
            stack.enter_context((folder / "open").open("w"))
        elif what == "thread":
            done = threading.Event()
            threading.Thread(target=done.wait, name="left").start()
            stack.callback(done.set)
        elif what == "process":
            process = stack.enter_context(subprocess.Popen(["sleep", "60"]))
            stack.callback(process.kill)
        elif what == "task":
            stack.callback(asyncio.create_task(asyncio.sleep(60)).cancel)
        else:
            stack.callback((folder / "pcm-left-directory").rmdir)
            (folder / "pcm-left-directory").mkdir()
        yield


def quiets(journal: Journal, *, rss: float = 0, objects: float = 0) -> None:
    """Put quiet points into a journal, between which memory grows by so much."""
    for number in range(12):
        noise = 100_000 * (number % 3)
        bytes_ = 100_000_000 + int(rss * number) + noise
        count = 100_000 + int(objects * number)
        quiet = Quiet(25.0 * number, bytes_, bytes_, bytes_, count, count, 16, 6, 0, 0.1)
        journal.quiets.append(quiet)


@pytest.mark.parametrize(
    ("grows", "kinds"),
    [({}, []), ({"rss": 2_000_000}, ["memory"] * 3), ({"objects": 1_600}, ["memory"] * 2)],
    ids=["flat", "bytes", "objects"],
)
def test_memory_that_grows_is_noticed(journal, grows, kinds):
    """A steady growth from quiet point to quiet point is a violation, noise is none."""
    quiets(journal, **grows)
    assert judge_memory(journal).keys() == leaks.BOUNDS.keys()
    assert [violation.kind for violation in journal.violations] == kinds


def test_the_trend_is_not_moved_by_one_point():
    """One quiet point that lies far off counts for nothing."""
    points = [(float(at), 2.0 * at) for at in range(9)]
    points[4] = (4.0, 1_000.0)
    assert growth(points) == pytest.approx(16.0, rel=0.3)
    assert growth(points[:1]) == 0.0


async def test_a_violation_is_told_with_how_to_repeat_it(journal):
    """The report has the violation, what went before it, and the command that runs it again."""
    journal.begin("3 cell")
    journal.violate("leak", "quiet point", "a thread is left")
    journal.end("cell", "3 cell", "ok", 0.25)
    about = {"when": "now", "versions": {}, "platform": "here", "cpus": 2, "load": [1.0]}
    text = page(journal, Plan(10, SEED), about, {})
    assert "1 violations" in text
    assert "a thread is left" in text
    assert "begin 3 cell" in text
    assert f"make soak MINUTES=10 SEED={SEED}" in text
    assert "| `cell` | 1 | ok 1 | 0.25 | 0.25 | 0.25 |" in text
