"""What was learned of the results of tools, kept beside them.

Place in the house: ``tools``, below the shelf; ``shapes`` says what a shape is. The file
``.shapes.json`` in the directory of tools is written a moment after something new was learned, in
one step; where that cannot be, what was learned lasts as long as the program.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from py_code_mode.tools.shapes import Schema, checked, merged, shape_of, size_of

__all__ = ["FILE", "Observed"]

FILE = ".shapes.json"
"""Name of the file in the directory of tools."""

_LOOKS = 8
"""Results of a tool that are looked at, in the life of one program."""

_LARGEST = 400
"""Types a shape may have; what would make it larger is not learned."""

_TOOLS = 5_000
_FILE_BYTES = 4 * 1024 * 1024
_DELAY = 1.0
"""Seconds between something new and its writing: what else comes meanwhile is written too."""

_log = logging.getLogger(__name__)


class Observed:
    """Shapes of results by tool.

    Attributes:
        version: Grows with each shape that is new or has changed.
    """

    def __init__(self) -> None:
        self.version = 0
        self._shapes: dict[str, Schema] = {}
        self._looks: dict[str, int] = {}
        self._path: Path | None = None
        self._is_new = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def open(self, directory: Path) -> None:
        """Read what is known of the tools of a directory, and keep what is learned there."""
        if directory.is_dir():
            self._path = directory / FILE
            self._shapes = _read(self._path)

    def of(self, name: str) -> Schema | None:
        """Return the shape of a tool's results, None when nothing is known."""
        return self._shapes.get(name)

    def learn(self, name: str, value: Any) -> bool:
        """Look at a result of a tool.

        Returns:
            Whether its shape is new or has changed.
        """
        looks = self._looks.get(name, 0)
        if looks >= _LOOKS:
            return False
        self._looks[name] = looks + 1
        former = self._shapes.get(name)
        if former is None and len(self._shapes) >= _TOOLS:
            return False
        shape = merged(former or {}, shape_of(value))
        if shape == former or size_of(shape) > _LARGEST:
            return False
        self._shapes[name] = shape
        self.version += 1
        self._is_new = True
        self._plan_writing()
        return True

    def _plan_writing(self) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # a former one has ended, and what it had to do with it
            self._loop, self._timer, self._writing = loop, None, None
        if self._path is not None and self._timer is None:
            self._timer = loop.call_later(_DELAY, self._begin_writing)

    def _begin_writing(self) -> None:
        self._timer = None
        self._writing = asyncio.create_task(self._write(self._writing))

    async def _write(self, former: asyncio.Task[None] | None = None) -> None:
        if former is not None:
            await former
        path, self._is_new = self._path, False
        if path is not None and not await asyncio.to_thread(_write, path, dict(self._shapes)):
            self._path = None  # said once; from now on in memory alone

    async def aclose(self) -> None:
        """Write what has not been written yet."""
        if self._loop is not asyncio.get_running_loop():
            self._timer = self._writing = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_new:
            await self._write(self._writing)
        elif self._writing is not None:
            await self._writing


def _read(path: Path) -> dict[str, Schema]:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_FILE_BYTES + 1)
        if len(raw) > _FILE_BYTES:
            raise ValueError(f"more than {_FILE_BYTES} bytes")
        tools = json.loads(raw)["tools"]
        return {str(name): checked(shape) for name, shape in tools.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        _log.warning("%s is not usable and is written anew: %s", path, error)
        return {}


def _write(path: Path, shapes: dict[str, Schema]) -> bool:
    """Write all shapes in one step; what another program learned meanwhile stays."""
    for name, shape in _read(path).items():
        joined = merged(shape, shapes.get(name, {}))
        shapes[name] = joined if size_of(joined) <= _LARGEST else shapes[name]
    text = json.dumps({"version": 1, "tools": shapes}, sort_keys=True, indent=1)
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f"{FILE}.", dir=path.parent)
        with open(descriptor, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
            stream.write(text + "\n")
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink()
        _log.info("shapes of results are not kept: %s: %s", path, error.strerror)
        return False
    return True
