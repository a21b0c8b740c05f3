"""The door of an executor: other programs of the same user look into its sessions there.

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
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from py_code_mode import live, reaper

__all__ = ["LiveDoor"]

MAX_QUESTION = 10_000
"""Bytes of a question."""

ASK_SECONDS = 5.0
"""How long a caller may take to ask."""

_numbers = itertools.count(1)


class LiveDoor:
    """Answers whoever has the key.

    Args:
        answers: By what is wanted: returns it as JSON for the session of a name, or None if there
            is no such session.

    Attributes:
        executor: Number of the executor in this process, from 1.
        key: What a caller must show.
    """

    def __init__(self, answers: Mapping[str, Callable[[str], Awaitable[str | None]]]) -> None:
        self._answers = answers
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
            writer.write((await self._answer(question)).encode("utf-8", "replace"))
            await writer.drain()
        writer.close()

    async def _answer(self, question: object) -> str:
        if not isinstance(question, dict):
            return "{}"
        key, name, want = (question.get(each) for each in ("key", "session", "want"))
        if not isinstance(key, str) or not hmac.compare_digest(key.encode(), self.key.encode()):
            return "{}"
        answer = self._answers.get(want) if isinstance(want, str) else None
        if answer is None or not isinstance(name, str):
            return "{}"
        return await answer(name) or "{}"

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
