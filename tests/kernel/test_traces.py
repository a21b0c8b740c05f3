"""What a kernel leaves in its directory is read bounded, and believed in nothing."""

from __future__ import annotations

import os
import threading

import pytest

from kernel_bootstrap.wire.birth import LOG_FILE
from kernel_bootstrap.wire.mirror import Mirror
from py_code_mode.kernel.traces import LOG_BYTES, STACK_FILE, FileTraces
from tests.kernel import stack_samples as samples


@pytest.fixture
def traces(tmp_path):
    """The traces of a kernel whose directory is ``tmp_path``."""
    return FileTraces(tmp_path)


def texts(traces, cell, **received):
    """What a cell printed beyond what was received."""
    return [message.content for message in traces.remains().missing(cell, received)]


def test_nothing_is_there(traces):
    """A directory without files gives empty texts, and an end that is told all the same."""
    assert (traces.stack(), traces.remains().log_tail(), texts(traces, "c", stdout=0)) == (
        "",
        "",
        [],
    )
    assert traces.remains().how_it_ended(3) == "the kernel exited with code 3"
    assert traces.remains().how_it_ended(None) == "the kernel ended"
    assert traces.remains().how_it_ended(-9) == "the kernel was killed by SIGKILL"
    assert traces.remains().how_it_ended(-12345) == "the kernel exited with code -12345"


def test_the_end_of_the_log_is_told(traces, tmp_path):
    """How a kernel ended is told with the end of its log, whatever bytes are in it."""
    (tmp_path / LOG_FILE).write_bytes(b"x" * 100_000 + b"\xff\nSegmentation fault\n")
    assert traces.remains().log_tail().endswith("\ufffd\nSegmentation fault")
    assert len(traces.remains().how_it_ended(-11)) <= LOG_BYTES + 100
    assert "SIGSEGV" in traces.remains().how_it_ended(-11)


def test_a_stack_is_read_when_it_is_whole(traces, tmp_path):
    """Half a dump is none yet; a whole one is readable, however much stands before it."""
    dump = samples.SPINNING
    (tmp_path / STACK_FILE).write_text(dump[: len(dump) // 2].rstrip())
    assert traces.stack() == ""
    (tmp_path / STACK_FILE).write_text("earlier\n" * 100_000 + dump)
    assert 'File "<cell>", line 4 in spin' in traces.stack()


def test_what_a_stream_still_held_is_found(traces, tmp_path):
    """The text of a cell beyond what was received is read from the stream's mirror."""
    Mirror(tmp_path / "stderr.mirror").record("cell", "last words")
    assert texts(traces, "cell", stdout=0, stderr=5) == [{"name": "stderr", "text": "words"}]


@pytest.mark.parametrize("name", [LOG_FILE, STACK_FILE, "stdout.mirror"])
@pytest.mark.parametrize("kind", ["pipe", "link", "directory", "device"])
def test_hostile_files_do_no_harm(traces, tmp_path, name, kind):
    """Pipes are not waited for, links not followed, and what is no file is no text."""
    (tmp_path / "host").write_text(samples.SPINNING)
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(tmp_path / "host")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    got: list[str] = []

    def read() -> None:
        got.extend((traces.remains().log_tail(), traces.stack(), *texts(traces, "c", stdout=0)))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(5)
    assert got == ["", ""]
