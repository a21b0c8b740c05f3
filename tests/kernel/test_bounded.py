"""What one cell shows is bounded on the host, whatever is fed, and the numbers of cuts agree."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel_bootstrap.wire.limits import Cut, Limits
from py_code_mode.kernel.bounded import SLACK, Outputs

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

LIMITS = Limits(
    stream_chars=3_000, text_chars=500, output_bytes=4_000, outputs=4, outputs_bytes=9_000
)
MARKER = 60
"""Characters of the line that says how much was cut."""

names = st.sampled_from(["stdout", "stderr"])
texts = st.builds(
    lambda unit, times: unit * times,
    st.sampled_from(["x", "ab\n", "ü", "", "12345678\r"]),
    st.one_of(st.integers(0, 20), st.integers(500, 3_000)),
)
bundles = st.dictionaries(
    st.sampled_from(["text/plain", "text/html", "image/png", "application/x+json"]),
    texts,
    max_size=3,
)
ids = st.sampled_from([None, "a", "b"])

printing = st.tuples(st.just("print"), names, texts)
showing = st.tuples(st.just("show"), bundles, ids)
updating = st.tuples(st.just("update"), bundles, ids)
clearing = st.tuples(st.just("clear"), st.booleans())


def feed(outputs: Outputs, steps) -> None:
    """Do the steps."""
    for what, *given_ in steps:
        if what == "print":
            outputs.print(*given_)
        elif what == "show":
            outputs.show("display", given_[0], {}, given_[1])
        elif what == "update":
            outputs.update(given_[1] or "a", given_[0], {})
        else:
            outputs.clear(wait=given_[0])


def size(outputs: Outputs) -> int:
    """Characters of everything that is not a stream, keys and metadata included."""
    rich = [output for output in outputs.all() if output.kind != "stream"]
    parts = [[*output.data.items(), dict(output.metadata), output.display_id] for output in rich]
    return sum(len(json.dumps(part, ensure_ascii=False)) for part in parts)


@patient
@given(st.lists(st.one_of(printing, showing, clearing), max_size=25))
def test_bounds_hold_whatever_is_fed(steps):
    """Text, number and size of what is kept stay below the limits, plus a known slack."""
    outputs = Outputs(LIMITS)
    feed(outputs, steps)
    shown = outputs.all()
    for name in ("stdout", "stderr"):
        # The tail may keep the rest of one message more.
        most = LIMITS.stream_chars + LIMITS.stream_chars // 2 + 3 * SLACK + MARKER
        assert len(outputs.text(name)) <= most
        assert sum(len(o.text) for o in shown if o.name == name) <= most
    rich = [output for output in shown if output.kind != "stream"]
    assert len(rich) <= LIMITS.outputs + 2
    most = LIMITS.outputs_bytes + LIMITS.output_bytes
    assert sum(len(value) for o in rich for value in o.data.values()) <= most
    for cut in outputs.cuts():
        assert 0 <= cut.kept <= cut.total


@patient
@given(st.lists(printing, max_size=15))
def test_cut_numbers_are_those_of_the_text(steps):
    """What is kept and what was cut of a stream add up to all that came."""
    outputs = Outputs(LIMITS)
    passed = {"stdout": "", "stderr": ""}
    for _, name, text in steps:
        passed[name] += outputs.print(name, text.replace("\r", ""))
    cuts = {cut.what: cut for cut in outputs.cuts()}
    for name, head_passed in passed.items():
        whole = "".join(text.replace("\r", "") for _, of, text in steps if of == name)
        kept = outputs.text(name)
        if name not in cuts:
            assert kept == whole
            continue
        cut = cuts[name]
        assert cut.total == len(whole)
        left_out = cut.total - cut.kept
        marker = f"\n... {left_out:,} characters cut ...\n"
        assert len(kept) == cut.kept + len(marker)
        head, _, tail = kept.partition(marker)
        assert head == head_passed
        assert whole.startswith(head)
        assert whole.endswith(tail)


def test_what_the_kernel_already_cut_is_not_cut_again():
    """Text that an honest kernel kept within the limit, its line about the cut included, stays."""
    head, tail = "x" * (LIMITS.stream_chars // 2), "y" * (LIMITS.stream_chars // 2)
    outputs = Outputs(LIMITS)
    for part in (head, f"\n... 1,234,567 characters cut ...\n{tail}"):
        outputs.print("stdout", part)
    assert outputs.cuts() == []
    assert outputs.text("stdout").endswith(tail)


def test_dropped_outputs_are_counted():
    """Outputs beyond the limit are dropped and counted, those before it are kept."""
    outputs = Outputs(LIMITS)
    kept = [outputs.show("display", {"text/plain": str(n)}, {}) for n in range(50)]
    assert [output is not None for output in kept] == [True] * 6 + [False] * 44
    assert outputs.cuts() == [Cut("outputs", 6, 50, "outputs")]


def test_outputs_too_large_together_are_dropped():
    """Large outputs are dropped when together they exceed the limit."""
    outputs = Outputs(Limits(output_bytes=1_000, outputs_bytes=3_000))
    kept = [outputs.show("display", {"image/png": "x" * 900}, {}) for _ in range(20)]
    assert sum(output is not None for output in kept) == 4
    assert outputs.cuts() == [Cut("outputs", 4, 20, "outputs")]


def test_clearing_makes_room():
    """What was cleared no longer counts."""
    outputs = Outputs(LIMITS)
    for _ in range(5):
        for _ in range(4):
            assert outputs.show("display", {"image/png": "x" * 2_000}, {}) is not None
        outputs.print("stdout", "y" * 2_000)
        outputs.clear(wait=False)
    assert outputs.all() == []
    assert outputs.cuts() == []


@patient
@given(st.lists(st.one_of(showing, updating), max_size=25))
def test_updates_are_bounded_like_displays(steps):
    """Updates cannot make the outputs larger than displays could."""
    outputs = Outputs(LIMITS)
    for n in range(4):
        outputs.show("display", {"text/plain": ""}, {}, "ab"[n % 2])
    feed(outputs, steps)
    assert len(outputs.all()) <= LIMITS.outputs + 2
    assert size(outputs) <= 2 * (LIMITS.outputs_bytes + LIMITS.output_bytes)


def test_a_flood_of_updates_stays_bounded():
    """Growing every display by updates does not pass the limit of all outputs together."""
    limits = Limits(output_bytes=10_000, outputs_bytes=20_000)
    outputs = Outputs(limits)
    for n in range(100):
        outputs.show("display", {"text/plain": "x"}, {}, str(n))
    for n in range(100):
        outputs.update(str(n), {"image/png": "y" * 9_000}, {})
    assert size(outputs) <= 2 * (limits.outputs_bytes + limits.output_bytes)


def test_metadata_and_keys_count():
    """Bulk in metadata, in display ids and in names of MIME types is bounded too."""
    limits = Limits(output_bytes=10_000, outputs_bytes=20_000)
    for data, metadata, id_ in (
        ({"text/plain": "x"}, {"image/png": "y" * 100_000}, None),
        ({"text/plain": "x"}, {}, "i" * 100_000),
        ({"text/" + "z" * 100_000: "x"}, {}, None),
        ({f"text/{n}": "" for n in range(5_000)}, {}, None),
    ):
        outputs = Outputs(limits)
        for _ in range(20):
            outputs.show("display", data, metadata, id_)
        assert size(outputs) <= 3 * (limits.outputs_bytes + limits.output_bytes)


def test_a_flood_of_nothing_takes_no_memory():
    """Empty prints that alternate between the streams are not collected."""
    outputs = Outputs(LIMITS)
    for _ in range(10_000):
        outputs.print("stdout", "")
        outputs.print("stderr", "")
    assert outputs.all() == []
    assert len(outputs._items) < 100


def test_a_flood_of_tiny_prints_takes_little_memory():
    """Single characters that alternate between the streams cost about what their text does."""
    import tracemalloc

    limits = Limits(stream_chars=20_000)
    outputs = Outputs(limits)
    tracemalloc.start()
    try:
        for _ in range(20_000):
            outputs.print("stdout", "x")
            outputs.print("stderr", "y")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * 2 * limits.stream_chars
