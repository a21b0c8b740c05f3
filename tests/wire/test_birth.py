"""Words of birth: what a forked process is told, over a real socket."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from kernel_bootstrap.wire.birth import CHANNELS, Birth
from kernel_bootstrap.wire.confinement import Confinement
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
        Birth([], bounds=Confinement(read=("/usr",), write=("/tmp/ü",), limits={"CORE": 0})),
    ],
)
def test_what_is_told_is_heard(ends, birth):
    """Arguments, environment and directories arrive as they were, large ones too."""
    teller = threading.Thread(target=ends[0].sendall, args=(b"\0" + birth.to_bytes(),))
    teller.start()
    heard = Birth.receive(ends[1])
    teller.join()
    assert heard == birth


def test_a_host_that_goes_away_leaves_nothing_to_be(ends):
    """Without a word, or in the midst of one, the end of the host is told as None."""
    ends[0].sendall(b'\0{"argv": [')
    ends[0].shutdown(socket.SHUT_WR)
    assert Birth.receive(ends[1]) is None


def test_sockets_come_beside_the_words(ends):
    """The kernel's sockets arrive by channel, and are not handed to programs that it starts."""
    listeners = [socket.socket(socket.AF_UNIX) for _ in CHANNELS]
    fds = [each.fileno() for each in listeners]
    socket.send_fds(ends[0], [bytes([len(fds)])], fds)
    ends[0].sendall(Birth(["x"]).to_bytes())
    heard = Birth.receive(ends[1])
    assert tuple(heard.listeners) == CHANNELS
    for mine, theirs in zip(fds, heard.listeners.values(), strict=True):
        assert os.fstat(mine).st_ino == os.fstat(theirs).st_ino
        assert not os.get_inheritable(theirs)
        os.close(theirs)
    for each in listeners:
        each.close()


def test_sockets_that_do_not_come_are_missed(ends):
    """Words that announce sockets without bringing them are an error."""
    ends[0].sendall(b"\5" + Birth(["x"]).to_bytes())
    with pytest.raises(ProtocolError, match="0 sockets came"):
        Birth.receive(ends[1])


MALFORMED = [
    *(b"\n", b"{}\n", b"[]\n", b"nonsense\n", b'{"argv": []}\n'),
    b'{"argv": [], "env": {}, "cwd": "/", "directory": "/", "bounds": "{}"}\n',
    b'{"argv": [], "env": {}, "cwd": "/", "directory": "/", "bounds": "[1]"}\n',
]


@pytest.mark.parametrize("words", MALFORMED)
def test_malformed_words_are_an_error(ends, words):
    """Nothing is guessed around."""
    ends[0].sendall(b"\0" + words)
    with pytest.raises(ProtocolError, match="malformed"):
        Birth.receive(ends[1])
