"""Artifacts that a kernel writes and reads piece by piece, as the dispatcher serves them."""

from __future__ import annotations

import asyncio
import threading

import pytest

from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Request
from kernel_bootstrap.wire.pieces import Piece
from py_code_mode import FileArtifactStore, MemoryArtifactStore
from py_code_mode.toolcalls import Origin
from py_code_mode.uploads import MAX_OPEN
from tests.test_dispatch import Host

PIECES = [b"a" * 1_000, b"b" * 500, b""]
WHOLE = b"".join(PIECES)


@pytest.fixture
async def host(tmp_path):
    """A host whose artifacts are files."""
    made = Host(artifacts=FileArtifactStore(tmp_path / "data"), limits=Limits(reply_bytes=10_000))
    yield made
    made.origin.uploads.abort_all()
    await made.registry.aclose()


async def eventually(condition) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def temporaries(host) -> list:
    """Files that are half-written."""
    return list((host.artifacts.path / ".pcm").glob("tmp-*"))


async def begin(host, name="a/x", **more) -> int:
    return await host.value("artifacts.begin", name=name, kind="bytes", **more)


async def test_pieces_become_an_artifact(host):
    """Pieces that come in order are one artifact after the commit, with what was said of it."""
    id_ = await begin(host, description="what", tags=["t"], ttl=60.0)
    offset = 0
    for piece in PIECES:
        await host.value("artifacts.write", id=id_, offset=offset, data=Piece(piece))
        offset += len(piece)
    assert host.artifacts.list() == []
    info = await host.value("artifacts.commit", id=id_, size=offset)
    assert (info["size"], info["description"], info["tags"]) == (1_500, "what", ["t"])
    assert (info["session"], info["author"]) == ("main", "")
    assert host.artifacts.load("a/x") == WHOLE
    assert temporaries(host) == []
    kind, _ = await host.failure("artifacts.write", id=id_, offset=offset, data=Piece(b"more"))
    assert kind == "ArtifactError"


async def test_pieces_sent_at_once_are_written_in_order(host):
    """A window of pieces whose requests overlap arrives in the order it was sent."""
    id_ = await begin(host)
    pieces = [bytes([number]) * 999 for number in range(50)]
    writes = [
        asyncio.create_task(
            host.value("artifacts.write", id=id_, offset=999 * number, data=Piece(piece))
        )
        for number, piece in enumerate(pieces)
    ]
    await asyncio.gather(*writes)
    await host.value("artifacts.commit", id=id_, size=999 * 50)
    assert host.artifacts.load("a/x") == b"".join(pieces)


@pytest.mark.parametrize("end", ["abort", "gap", "short", "kernel is gone"])
async def test_what_is_not_finished_leaves_nothing(host, end):
    """An abort, a missing piece, a wrong size and the end of the kernel leave no file behind."""
    id_ = await begin(host)
    await host.value("artifacts.write", id=id_, offset=0, data=Piece(b"half"))
    if end == "abort":
        await host.value("artifacts.abort", id=id_)
        await host.value("artifacts.abort", id=id_)
    elif end == "gap":
        _, message = await host.failure("artifacts.write", id=id_, offset=5, data=Piece(b"x"))
        assert "missing before byte 5" in message
    elif end == "short":
        _, message = await host.failure("artifacts.commit", id=id_, size=5)
        assert "not all of the artifact's 5 bytes" in message
    else:
        host.origin.uploads.abort_all()
    await eventually(lambda: temporaries(host) == [])
    assert host.artifacts.list() == []
    kind, message = await host.failure("artifacts.commit", id=id_, size=4)
    assert (kind, "is not being written" in message) == ("ArtifactError", True)


async def test_an_upload_is_its_session_s_own(host):
    """Another session can neither write to an upload nor end it."""
    id_ = await begin(host)
    mine, host.origin = host.origin, Origin("other", "cell", host.calls.append)
    kind, _ = await host.failure("artifacts.write", id=id_, offset=0, data=Piece(b"x"))
    assert kind == "ArtifactError"
    await host.value("artifacts.abort", id=id_)
    assert await begin(host, "theirs") != id_  # nor does a branch meet its parent's by number
    host.origin.uploads.abort_all()
    host.origin = mine
    await host.value("artifacts.write", id=id_, offset=0, data=Piece(b"x"))
    info = await host.value("artifacts.commit", id=id_, size=1)
    assert info["session"] == "main"


async def test_a_session_has_so_many_open(host):
    """One artifact more than a session may be writing at once is refused."""
    ids = [await begin(host, f"x{number}") for number in range(MAX_OPEN)]
    kind, message = await host.failure("artifacts.begin", name="y", kind="bytes")
    assert (kind, f"{MAX_OPEN} artifacts" in message) == ("ArtifactWriteError", True)
    await host.value("artifacts.abort", id=ids[0])
    await begin(host, "y")


async def test_a_cancelled_write_ends_the_upload():
    """A request that is cancelled while the store writes leaves nothing, once that write ends."""
    go, writing, discarded = threading.Event(), threading.Event(), threading.Event()

    class Slow(MemoryArtifactStore):
        def open_write(self, name, kind="bytes", details=None):
            writer = super().open_write(name, kind, details)
            append, discard = writer._append, writer._discard

            def slow_append(view):
                writing.set()
                assert go.wait(20)
                append(view)

            def watched_discard():
                discard()
                discarded.set()

            writer._append, writer._discard = slow_append, watched_discard
            return writer

    host = Host(artifacts=Slow())
    id_ = await begin(host)
    request = Request(9, "artifacts.write", {"id": id_, "offset": 0, "data": Piece(b"x")})
    task = asyncio.create_task(host.dispatcher.handle(request, host.origin))
    await eventually(writing.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not discarded.is_set()
    go.set()
    await eventually(discarded.is_set)
    kind, _ = await host.failure("artifacts.commit", id=id_, size=1)
    assert kind == "ArtifactError"
    assert host.artifacts.list() == []
    await host.registry.aclose()


async def test_stretches_are_read(host):
    """Any stretch of one version can be read, as far as a reply may carry it."""
    info = host.artifacts.save("x", WHOLE)
    asked = {"name": "x", "sha256": info.sha256}
    assert bytes((await host.value("artifacts.read", **asked, offset=998, size=4)).data) == b"aabb"
    assert (
        bytes((await host.value("artifacts.read", **asked, offset=1_499, size=10_000)).data) == b"b"
    )
    assert bytes((await host.value("artifacts.read", **asked, offset=10**15, size=5)).data) == b""
    _, message = await host.failure("artifacts.read", **asked, offset=0, size=10_001)
    assert "more than are read at once: 10,000" in message
    host.artifacts.save("x", b"new")
    _, message = await host.failure("artifacts.read", **asked, offset=0, size=5)
    assert "was replaced" in message
