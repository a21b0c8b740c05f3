"""What a kernel believes of the messages on its control channel."""

from __future__ import annotations

import json

import pytest
import zmq
from jupyter_client.session import Session

from kernel_bootstrap.kernel.session import KernelSession
from kernel_bootstrap.wire.jupyter import split

KEY = b"a key"


def received(session: Session, buffers: list[bytes] | None = None) -> list[zmq.Frame]:
    """A message as a kernel's socket hands it over."""
    frames = session.serialize(session.msg("comm_msg", {"a": 1}), [b"from"]) + (buffers or [])
    return [zmq.Frame(frame) for frame in frames]


def check(kernel: KernelSession, frames: list[zmq.Frame]) -> None:
    """Check a message's signature, as the kernel does."""
    _, signature, parts, _ = split(frames)
    kernel.check_signature(signature, parts)


def test_a_message_is_parted():
    """Identities, four parts and buffers come out as they went in."""
    idents, _, parts, buffers = split(received(Session(key=KEY), [b"one", b"two"]))
    assert idents == [b"from"]
    assert json.loads(parts[3]) == {"a": 1}
    assert [bytes(buffer) for buffer in buffers] == [b"one", b"two"]


def test_a_signed_message_is_accepted_once():
    """A message of the host is taken; the same one again is a replay and is not."""
    frames, kernel = received(Session(key=KEY)), KernelSession(key=KEY)
    check(kernel, frames)
    with pytest.raises(ValueError, match="come before"):
        check(kernel, frames)


def test_a_message_signed_with_another_key_is_refused():
    """Who does not have the key is not heard."""
    with pytest.raises(ValueError, match="signature"):
        check(KernelSession(key=KEY), received(Session(key=b"another")))


@pytest.mark.parametrize("frames", [[], [b"from"], [b"from", b"<IDS|MSG>", b"sig", b"{}"]])
def test_what_is_no_message_is_refused(frames):
    """Too few frames, or no delimiter, is an error and not a guess."""
    with pytest.raises(ValueError, match="a message"):
        split([zmq.Frame(frame) for frame in frames])
