"""The mirror of printed text: what a dead kernel wrote can be read, and nothing else breaks."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kernel_bootstrap.wire.mirror import HEADER, RING, Mirror, missing_text

patient = settings(deadline=None)

# Sizes around a whole ring, where text wraps.
chunks = st.builds(
    lambda char, times: char * times,
    st.sampled_from("aü€😀\ud800\n"),
    st.one_of(st.integers(0, 50), st.integers(RING // 2 - 5, RING // 2 + 5), st.just(RING + 7)),
)


def encoded(texts: list[str]) -> bytes:
    """The bytes the mirror keeps, the way the host counts what it received."""
    return "".join(texts).encode("utf-8", "surrogatepass")


@pytest.fixture
def path(tmp_path):
    """Where a mirror's file is."""
    return tmp_path / "stdout.mirror"


@patient
@given(st.lists(chunks, max_size=6), st.floats(0, 1))
@example(["x" * RING, "y"], 0.0)
def test_what_was_not_received_is_there(texts, share):
    """The text beyond what the host has is there, or its last ring if it is more than one."""
    whole = encoded(texts)
    received = int(len(whole) * share)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "stdout.mirror")
        mirror = Mirror(path)
        for text in texts:
            mirror.record("cell-1", text)
        missing = missing_text(path, "cell-1", received)
    assert missing == whole[received:][-RING:].decode("utf-8", "replace")


@patient
@given(st.lists(st.tuples(st.sampled_from("ABC"), chunks), min_size=1, max_size=6))
def test_only_the_last_cell_is_there(writes):
    """A cell gets its own text only: that of the cell that wrote last, since it began."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "stdout.mirror")
        mirror = Mirror(path)
        for cell, text in writes:
            mirror.record(cell, text)
        last = writes[-1][0]
        begun = next(
            (n + 1 for n in range(len(writes) - 2, -1, -1) if writes[n][0] != last), 0
        )  # where its last uninterrupted stretch begins
        own = encoded([text for _, text in writes[begun:]])
        assert missing_text(path, last, 0) == own[-RING:].decode("utf-8", "replace")
        for other in {"A", "B", "C", ""} - {last}:
            assert missing_text(path, other, 0) == ""


def test_writers_at_once(path):
    """Threads that write at once leave a whole count and whole lines."""
    mirror = Mirror(path)

    def write(n: int) -> None:
        for _ in range(100):
            mirror.record("cell", f"{n:09}\n")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = missing_text(path, "cell", 0).splitlines()
    assert sorted(set(lines)) == [f"{n:09}" for n in range(8)]
    assert len(lines) == 800


def test_a_killed_process_leaves_its_text(path):
    """Text written before a kill is in the file, unflushed and unsent as it was."""
    program = (
        "import os, signal, sys\n"
        "from kernel_bootstrap.wire.mirror import Mirror\n"
        "Mirror(sys.argv[1]).record('cell', 'last words')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], timeout=30, check=False)
    assert done.returncode == -9
    assert missing_text(path, "cell", 5) == "words"


def test_a_long_cell_id_is_still_the_cells(path):
    """Ids longer than their field are compared by what fits."""
    Mirror(path).record("x" * 500, "text")
    assert missing_text(path, "x" * 500, 0) == "text"
    assert missing_text(path, "x" * 100, 0) == ""


@pytest.mark.parametrize("received", [0, 3, 100, 2**70])
def test_more_received_than_written_is_nothing_missing(path, received):
    """A host that has it all, or counts more than there was, misses nothing."""
    Mirror(path).record("cell", "abc")
    assert missing_text(path, "cell", received) == ("abc" if received == 0 else "")


@patient
@given(
    st.binary(max_size=300),
    st.sampled_from([0, HEADER - 1, HEADER, HEADER + RING, HEADER + RING + 5_000]),
    st.text(max_size=5),
    st.integers(0, 2**64),
)
@example(b"\xff" * 300, HEADER + RING, "", 0)
def test_hostile_contents(start, size, cell, received):
    """Whatever a kernel wrote into the file, the answer is at most one ring of text."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "stdout.mirror")
        path.write_bytes(start.ljust(size, b"\xfe")[:size])
        text = missing_text(path, cell, received)
    assert isinstance(text, str)
    assert len(text) <= RING


def test_hostile_counts(path):
    """A count beyond all text gives one ring of what is there."""
    Mirror(path).record("cell", "abc")
    data = bytearray(path.read_bytes())
    data[:8] = b"\xff" * 8
    path.write_bytes(data)
    assert len(missing_text(path, "cell", 0)) == RING


def test_no_file_is_no_text(path, tmp_path):
    """A missing file, a directory in its place, and a file that may not be read are no text."""
    assert missing_text(path, "cell", 0) == ""
    assert missing_text(tmp_path, "cell", 0) == ""


def test_a_pipe_in_its_place_does_not_block(path):
    """A kernel that puts a named pipe there cannot make the host wait for it."""
    os.mkfifo(path)
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.append(missing_text(path, "cell", 0)))
    thread.start()
    thread.join(2)
    blocked = thread.is_alive()
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))  # lets a reader that waits go on
    thread.join(5)
    assert not blocked
    assert got == [""]


def test_a_link_in_its_place_is_not_followed(path, tmp_path):
    """A kernel that puts a link there cannot have the host read another file for it."""
    Mirror(tmp_path / "other").record("cell", "what only the host may read")
    path.symlink_to(tmp_path / "other")
    assert missing_text(path, "cell", 0) == ""
