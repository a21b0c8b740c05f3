"""The door of an executor gives notebooks to whoever has the key, and to nobody else."""

from __future__ import annotations

import asyncio
import json

import pytest

from py_code_mode import livedoor
from py_code_mode.livedoor import LiveDoor


@pytest.fixture
async def door(monkeypatch):
    """An open door that knows one session."""
    monkeypatch.setattr(livedoor, "ASK_SECONDS", 0.5)

    async def notebook(name: str) -> str | None:
        return '{"cells": []}' if name == "known" else None

    door = LiveDoor({"notebook": notebook})
    yield door
    await door.close()


async def ask(path, question: bytes) -> bytes:
    """Ask, and return all that is said."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(question)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


def asked(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


async def test_with_the_key(door):
    """A session's notebook is given; of one that is not there nothing is."""
    path = await door.open()
    assert (
        await ask(path, asked(key=door.key, session="known", want="notebook")) == b'{"cells": []}'
    )
    assert await ask(path, asked(key=door.key, session="other", want="notebook")) == b"{}"
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "question",
    [
        asked(session="known"),
        asked(key="wrong", session="known", want="notebook"),
        asked(session="known", want="nothing"),
        asked(key=["x"], session="known"),
        asked(key="\udcff", session="known"),
        b"[]\n",
        b"no json\n",
        b"\xff\n",
        b"\n",
        b"x" * 100_000,
        b"says no more",
    ],
    ids=lambda question: repr(question[:12]),
)
async def test_without(door, question):
    """Whoever lacks the key, asks nonsense, too much or nothing gets no notebook; others do."""
    path = await door.open()
    assert b"cells" not in await ask(path, question)
    assert (
        await ask(path, asked(key=door.key, session="known", want="notebook")) == b'{"cells": []}'
    )


async def test_open_and_closed(door):
    """Opened twice it is one; closed it is gone, with whoever stands in it."""
    path, again = await asyncio.gather(door.open(), door.open())
    assert path == again
    reader, writer = await asyncio.open_unix_connection(path)
    await asyncio.sleep(0)
    await door.close()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert not path.parent.exists()
