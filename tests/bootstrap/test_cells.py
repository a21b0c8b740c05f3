"""Meters of a cell: whatever is written, head, tail and numbers agree, and the spill has it all."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from contextvars import copy_context

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_bootstrap import cells
from kernel_bootstrap.cells import Cell, OutputMeter, TextMeter, current, enter
from kernel_bootstrap.wire.limits import Limits, bundle_size

patient = settings(deadline=None)

any_text = st.text(st.characters(exclude_categories=()), max_size=30)  # lone surrogates too
writes = st.lists(any_text, max_size=30)


def spilled(flood) -> bytes:
    """All of a flood's spill."""
    with contextlib.closing(flood.spill):
        return b"".join(flood.spill.pieces(1_000))


# --- text --------------------------------------------------------------------------------------


@patient
@given(writes, st.integers(0, 120))
def test_text_is_all_there_or_counted(texts, limit):
    """Under the limit nothing is cut; over it head, tail, numbers and spill all agree."""
    meter = TextMeter("stdout", Limits(stream_chars=limit))
    head = "".join([meter.take(text) for text in texts])
    tail, flood = meter.finish()
    whole = "".join(texts)
    assert whole.startswith(head)
    assert whole.endswith(tail)
    if len(whole) <= limit:
        assert flood is None
        assert head + tail == whole
        return
    assert flood is not None
    assert len(head) + len(tail) == flood.cut.kept == limit
    assert abs(len(head) - len(tail)) <= 1
    assert (flood.cut.what, flood.cut.unit) == ("stdout", "characters")
    assert flood.cut.total == len(whole)
    assert spilled(flood) == whole.encode("utf-8", "backslashreplace")


@patient
@given(writes, st.integers(0, 40), st.integers(0, 200))
def test_the_spill_of_text_is_bounded(texts, limit, most):
    """A spill never has more than its limit, is text, and says if it is but the beginning."""
    meter = TextMeter("stderr", Limits(stream_chars=limit, spill_bytes=most))
    for text in texts:
        meter.take(text)
    _, flood = meter.finish()
    if flood is None:
        return
    if most == 0:
        assert flood.spill is None
        return
    whole = "".join(texts).encode("utf-8", "backslashreplace")
    assert spilled(flood).decode() == whole[:most].decode("utf-8", "ignore")
    assert flood.spill.whole == (len(whole) <= most)


@patient
@given(writes, writes, st.integers(0, 60))
def test_resetting_text(before, after, limit):
    """Cleared before a flood, a meter forgets; cleared after one, it still counts all there was."""
    meter = TextMeter("stdout", Limits(stream_chars=limit))
    first = "".join([meter.take(text) for text in before])
    meter.reset()
    second = "".join([meter.take(text) for text in after])
    tail, flood = meter.finish()
    has_flooded = len("".join(before)) > (limit + 1) // 2
    counted = "".join(before + after) if has_flooded else "".join(after)
    kept = len(first) + len(second) + len(tail) if has_flooded else len(second) + len(tail)
    assert kept == min(limit, len(counted))
    assert (flood is not None) == (len(counted) > limit)
    if flood is not None:
        assert (flood.cut.kept, flood.cut.total) == (kept, len(counted))
        flood.spill.close()


@patient
@given(writes, writes, st.integers(0, 60))
def test_text_after_the_end(before, after, limit):
    """What comes after the end is bounded by what the head had left, and nothing is held."""
    meter = TextMeter("stdout", Limits(stream_chars=limit))
    head = "".join([meter.take(text) for text in before])
    _, flood = meter.finish()
    late = "".join([meter.take(text) for text in after])
    assert "".join(after).startswith(late)
    assert len(head) + len(late) <= (limit + 1) // 2
    assert meter.finish() == ("", None)
    if flood is not None:
        flood.spill.close()


def test_text_from_many_threads_is_counted():
    """Writers at once lose no character: what is kept and what is cut add up."""
    meter = TextMeter("stdout", Limits(stream_chars=1_000))
    taken: list[str] = []

    def write(letter: str) -> None:
        taken.extend(meter.take(letter * 7) for _ in range(200))

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tail, flood = meter.finish()
    assert flood.cut.total == 8 * 200 * 7
    assert flood.cut.kept == sum(map(len, taken)) + len(tail) == 1_000
    whole = spilled(flood).decode()
    assert {letter: whole.count(letter) for letter in "abcdefgh"} == dict.fromkeys("abcdefgh", 1400)


def test_a_flood_of_nothing_takes_no_memory():
    """Empty writes after a flood began are not collected."""
    meter = TextMeter("stdout", Limits(stream_chars=10))
    meter.take("x" * 100)
    for _ in range(10_000):
        meter.take("")
    collected = len(meter._tail)
    meter.finish()[1].spill.close()
    assert collected < 10


def test_a_full_disk_does_not_break_the_writer():
    """When the spill cannot be written the text still flows, and what was spilled stays."""

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    meter = TextMeter("stdout", Limits(stream_chars=10))
    assert meter.take("x" * 20) == "x" * 5
    meter._spill._file.close()
    meter._spill._file = Full()
    assert meter.take("y" * 20) == ""
    assert meter.take("z" * 20) == ""
    tail, flood = meter.finish()
    assert tail == "z" * 5
    assert (flood.cut.kept, flood.cut.total) == (10, 60)
    assert (flood.spill.size, flood.spill.whole) == (20, False)


# --- outputs -----------------------------------------------------------------------------------


def content(number: int, size: int) -> dict:
    """One display of a size."""
    return {"data": {"text/plain": "x" * size}, "metadata": {"n": number}, "transient": {}}


sizes = st.lists(st.integers(0, 40), max_size=30)


@patient
@given(sizes, st.integers(0, 12), st.integers(0, 400))
def test_outputs_are_all_there_or_counted(each, most, room):
    """Few small outputs all pass; of others the first and the last are kept, the rest counted."""
    meter = OutputMeter(Limits(outputs=most, outputs_bytes=room))
    contents = [content(number, size) for number, size in enumerate(each)]
    passed = [one for one in contents if meter.take(one)]
    held, flood = meter.finish()
    assert passed == contents[: len(passed)]
    assert held == contents[len(contents) - len(held) :]
    assert len(passed) + len(held) <= min(most, len(contents))
    for part in (passed, held):
        assert sum(bundle_size(one["data"]) for one in part) <= room // 2
    kept = len(passed) + len(held)
    assert (flood is None) == (kept == len(contents))
    if flood is not None:
        cut = flood.cut
        assert (cut.what, cut.unit, cut.kept, cut.total) == ("outputs", "outputs", kept, len(each))
        rows = [json.loads(line) for line in spilled(flood).splitlines()]
        assert rows == [{"data": c["data"], "metadata": c["metadata"]} for c in contents]
    elif len(each) <= most and sum(each) <= room // 2:
        assert kept == len(each)


@patient
@given(sizes, st.integers(0, 1_000))
def test_the_spill_of_outputs_has_whole_lines(each, most):
    """A spill that is full ends with a whole line."""
    meter = OutputMeter(Limits(outputs=1, spill_bytes=most))
    contents = [content(number, size) for number, size in enumerate(each)]
    for one in contents:
        meter.take(one)
    _, flood = meter.finish()
    if flood is None or most == 0:
        assert flood is None or flood.spill is None
        return
    data = spilled(flood)
    assert len(data) <= most
    rows = [json.loads(line)["metadata"]["n"] for line in data.splitlines()]
    assert rows == list(range(len(rows)))


@patient
@given(sizes, sizes)
def test_resetting_outputs(before, after):
    """Cleared outputs no longer count, unless a flood had begun."""
    meter = OutputMeter(Limits(outputs=10))
    passed = sum([meter.take(content(0, size)) for size in before])
    meter.reset()
    again = sum([meter.take(content(0, size)) for size in after])
    held, flood = meter.finish()
    total = len(after) if len(before) <= 5 else len(before) + len(after)
    kept = again + len(held) + (0 if len(before) <= 5 else passed)
    assert kept == min(10, total)
    assert (flood is not None) == (total > 10)
    if flood is not None:
        assert (flood.cut.kept, flood.cut.total) == (kept, total)
        flood.spill.close()


def test_outputs_after_the_end():
    """After the end outputs pass while the head had room, then they are dropped, never held."""
    meter = OutputMeter(Limits(outputs=4))
    assert meter.take(content(0, 1))
    assert meter.finish() == ([], None)
    assert [meter.take(content(n, 1)) for n in range(5)] == [True, False, False, False, False]
    assert not meter._tail


# --- cells -------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _latest(monkeypatch):
    """Leave the process's latest cell as it was."""
    monkeypatch.setattr(cells, "_latest", cells._latest)


def test_the_current_cell_is_that_of_the_context():
    """Code belongs to the cell in whose context it was started, whatever runs now."""
    first, second = Cell({"msg_id": "1"}, Limits()), Cell({"msg_id": "2"}, Limits())

    def run() -> None:
        enter(first)
        late = copy_context()
        enter(second)
        assert current() is second
        assert late.run(current) is first

    copy_context().run(run)


def test_a_thread_without_context_belongs_to_the_latest_cell():
    """A thread that inherited nothing prints into the cell entered last."""
    cell = Cell({"msg_id": "1"}, Limits())
    copy_context().run(enter, cell)
    seen: list[Cell] = []
    thread = threading.Thread(target=lambda: seen.append(current()))
    thread.start()
    thread.join()
    assert seen == [cell]


def test_clearing_a_cell_clears_all_its_meters():
    """After ``clear_output`` the limits of streams and outputs begin anew."""
    cell = Cell({}, Limits(stream_chars=10, outputs=2), wants_value=True)
    assert cell.streams["stdout"].take("12345") == "12345"
    assert cell.streams["stderr"].take("12345") == "12345"
    assert cell.outputs.take(content(0, 1))
    cell.clear()
    assert cell.streams["stdout"].take("abcde") == "abcde"
    assert cell.streams["stderr"].take("abcde") == "abcde"
    assert cell.outputs.take(content(1, 1))
    assert not cell.outputs.take(content(2, 1))
    assert cell.outputs.finish()[0] == [content(2, 1)]
    assert [cell.streams[name].finish() for name in cell.streams] == [("", None)] * 2
