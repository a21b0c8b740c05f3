"""Words of birth: what a forked process is told, over a real socket."""

from __future__ import annotations

import socket
import threading

import pytest

from kernel_bootstrap.wire.birth import Birth
from kernel_bootstrap.wire.errors import ProtocolError


@pytest.fixture
def ends():
    """Both ends of a connection."""
    pair = socket.socketpair()
    yield pair
    for end in pair:
        end.close()


@pytest.mark.parametrize(
    "birth",
    [
        Birth(["-f", "kernel.json"]),
        Birth([], env={}, cwd="/", directory="/tmp/x"),
        Birth(["ü"], env={"A": "line\nbreak", "B": "x" * 500_000}, cwd="/ü"),
    ],
)
def test_what_is_told_is_heard(ends, birth):
    """Arguments, environment and directories arrive as they were, large ones too."""
    teller = threading.Thread(target=ends[0].sendall, args=(birth.to_bytes(),))
    teller.start()
    heard = Birth.receive(ends[1])
    teller.join()
    assert heard == birth


def test_a_host_that_goes_away_leaves_nothing_to_be(ends):
    """Without a word, or in the midst of one, the end of the host is told as None."""
    ends[0].sendall(b'{"argv": [')
    ends[0].shutdown(socket.SHUT_WR)
    assert Birth.receive(ends[1]) is None


@pytest.mark.parametrize("words", [b"\n", b"{}\n", b"[]\n", b"nonsense\n", b'{"argv": []}\n'])
def test_malformed_words_are_an_error(ends, words):
    """Nothing is guessed around."""
    ends[0].sendall(words)
    with pytest.raises(ProtocolError, match="malformed"):
        Birth.receive(ends[1])
