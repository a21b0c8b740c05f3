"""What every store of artifacts promises about bytes that come and go in pieces."""

from __future__ import annotations

import hashlib
import threading

import pytest

from py_code_mode.artifacts import Details
from py_code_mode.errors import ArtifactError, ArtifactNotFoundError, ArtifactWriteError

PIECES = [b"ab" * 1_000, b"", bytearray(b"c"), memoryview(bytes(range(256)) * 5_000)]
WHOLE = b"".join(PIECES)


def test_pieces_become_one_artifact_at_the_commit(store):
    """What is written in pieces is not there before the commit, and whole after it."""
    with store.open_write("a/x", "bytes", Details("d", tags=("t",), session="s")) as writer:
        for piece in PIECES:
            writer.write(piece)
        assert writer.size == len(WHOLE)
        assert store.list() == []
        assert store.get("a/x") is None
        info = writer.commit(hashlib.sha256(WHOLE).hexdigest())
    assert (info.size, info.description, info.tags, info.session) == (len(WHOLE), "d", ("t",), "s")
    assert info.sha256 == hashlib.sha256(WHOLE).hexdigest()
    assert writer.closed
    assert writer.info == info == store.get("a/x")
    assert store.load("a/x") == WHOLE


def test_the_end_of_the_block_commits(store):
    """A writer that is not told commits when its block ends; with no piece it is empty."""
    with store.open_write("x", "text"):
        pass
    assert store.load("x") == ""


def test_a_block_that_raises_leaves_nothing(store):
    """What was written before an exception is gone, and what was there before is untouched."""
    store.save("x", b"before")
    for name in ("x", "new"):
        with pytest.raises(ZeroDivisionError), store.open_write(name) as writer:
            [writer.write(b"half" * (1 // share)) for share in (1, 0)]
        assert writer.closed
        assert writer.info is None
    assert [(info.name, store.load(info.name)) for info in store.list()] == [("x", b"before")]


def test_an_aborted_or_committed_writer_takes_no_more(store):
    """After abort or commit nothing can be written or committed; aborting again is fine."""
    for end in ("abort", "commit"):
        writer = store.open_write("x")
        getattr(writer, end)()
        writer.abort()
        with pytest.raises(ArtifactWriteError, match="this writer was closed"):
            writer.write(b"x")
        with pytest.raises(ArtifactWriteError, match="this writer was closed"):
            writer.commit()
    assert store.load("x") == b""


def test_bytes_that_arrive_otherwise_than_sent_are_refused(store):
    """A commit with another checksum than that of the bytes fails and leaves nothing."""
    writer = store.open_write("x")
    writer.write(b"abd")
    with pytest.raises(ArtifactWriteError, match="did not arrive as it was sent"):
        writer.commit(hashlib.sha256(b"abc").hexdigest())
    assert writer.closed
    assert store.list() == []


def test_bad_names_and_details_are_refused_at_the_start(store):
    """A writer that could never commit is not even made."""
    for name, kind, details in [
        ("../x", "bytes", None),
        ("x", "pickle", None),
        ("x", "bytes", Details(tags=("",))),
    ]:
        with pytest.raises(ArtifactWriteError):
            store.open_write(name, kind, details)


def test_the_last_of_two_writers_wins(store):
    """Two writers of one name do not disturb each other; the later commit stays."""
    one, two = store.open_write("x"), store.open_write("x")
    one.write(b"1")
    two.write(b"2")
    two.commit()
    one.commit()
    assert store.load("x") == b"1"


@pytest.mark.parametrize(
    ("offset", "size"),
    [
        (0, None),
        (0, 0),
        (1, 5),
        (1_999, 3),
        (5, None),
        (len(WHOLE), None),
        (10**12, 5),
        (3, 10**12),
    ],
)
def test_any_stretch_of_bytes_can_be_read(store, offset, size):
    """From any offset any number of bytes is read; behind the end there is nothing."""
    info = store.save("x", WHOLE)
    end = None if size is None else offset + size
    for sha256 in ("", info.sha256):
        assert b"".join(store.read_chunks("x", offset, size, sha256=sha256)) == WHOLE[offset:end]


def test_what_cannot_be_read_is_said_at_once(store):
    """Unknown names, negative numbers and versions that are gone raise before any bytes come."""
    store.save("results", b"1")
    with pytest.raises(ArtifactNotFoundError, match="did you mean 'results'"):
        store.read_chunks("result")
    for bad in ({"offset": -1}, {"size": -1}):
        with pytest.raises(ArtifactError, match="must not be negative"):
            store.read_chunks("results", **bad)
    with pytest.raises(ArtifactError, match="was replaced since it was opened"):
        store.read_chunks("results", sha256="0" * 64)


def test_a_reader_has_one_version_to_its_end(store):
    """Replacing or deleting an artifact does not mix into what a reader has begun."""
    store.save("x", WHOLE)
    reading = store.read_chunks("x")
    first = next(reading)
    store.save("x", b"new" * 1_000_000)
    assert first + b"".join(reading) == WHOLE
    unread = store.read_chunks("x")
    store.delete("x")
    assert b"".join(unread) == b"new" * 1_000_000
    store.save("x", b"")
    store.read_chunks("x")  # a reader that is never used must not complain either


def test_writers_in_threads_do_not_disturb_each_other(store):
    """Artifacts written piece by piece at the same time are each what their writer wrote."""

    def write(number):
        with store.open_write(f"t/{number}") as writer:
            for _ in range(20):
                writer.write(bytes([number]) * 10_000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(6):
        assert store.load(f"t/{number}") == bytes([number]) * 200_000
