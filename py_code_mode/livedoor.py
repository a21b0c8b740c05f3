"""The door of an executor: other programs of the same user get its sessions' notebooks there.

Place in the house: executor layer, below ``settings``. A Unix socket in a private directory; a
caller shows the key that stands in the notes of the sessions (see ``live``), so that a sandboxed
kernel, which cannot read those, cannot read other sessions' notebooks either.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import itertools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from py_code_mode import live, reaper

__all__ = ["LiveDoor"]

MAX_QUESTION = 10_000
"""Bytes of a question."""

ASK_SECONDS = 5.0
"""How long a caller may take to ask."""

_numbers = itertools.count(1)


class LiveDoor:
    """Gives notebooks to whoever has the key.

    Args:
        notebook: Returns a session's notebook as JSON, or None if there is no such session.

    Attributes:
        executor: Number of the executor in this process, from 1.
        key: What a caller must show.
    """

    def __init__(self, notebook: Callable[[str], str | None]) -> None:
        self._notebook = notebook
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Lock = asyncio.Lock()
        self._directory: Path | None = None
        self._callers: set[asyncio.Task[None]] = set()
        self.executor = next(_numbers)
        self.key = live.new_key()

    async def open(self) -> Path:
        """Open it, if it is not; return the socket's path.

        Raises:
            OSError: There is no room for it.
        """
        async with self._opening:
            if self._directory is None:
                directory = Path(tempfile.mkdtemp(prefix="pcm-door-", dir=live.roots()[0]))
                reaper.acquire().watch_directory(directory)
                self._directory = directory
                self._server = await asyncio.start_unix_server(
                    self._welcome, directory / "door", limit=MAX_QUESTION
                )
            return self._directory / "door"

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)
        task.add_done_callback(self._callers.discard)
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(ASK_SECONDS):
                question = json.loads(await reader.readline())
            writer.write(self._answer(question).encode("utf-8", "replace"))
            await writer.drain()
        writer.close()

    def _answer(self, question: object) -> str:
        if not isinstance(question, dict):
            return "{}"
        key, name = question.get("key"), question.get("session")
        if not isinstance(key, str) or not hmac.compare_digest(key.encode(), self.key.encode()):
            return "{}"
        return (self._notebook(name) if isinstance(name, str) else None) or "{}"

    async def close(self) -> None:
        """Close it."""
        server, self._server = self._server, None
        directory, self._directory = self._directory, None
        if server is not None:
            server.close()
        for task in self._callers:
            task.cancel()
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)
            watcher = reaper.acquire()
            watcher.forget_directory(directory)
            reaper.release()  # of this call,
            reaper.release()  # and of `open`
