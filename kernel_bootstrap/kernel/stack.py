"""Frames of the user's code: of what failed, and of what runs now.

Place in the house: above ``interrupts``, below ``kernel`` and ``host``. A frame is described by
where it is and by its variables. Frames of libraries are passed over: whoever looks for a fault
has written the code around them.
"""

from __future__ import annotations

import asyncio
import linecache
import re
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

from kernel_bootstrap.kernel.interrupts import interrupt_after
from kernel_bootstrap.variables import Hide, describe_variable, secret_hider

__all__ = ["Stacks"]

MAX_VARIABLES = 30
MAX_FRAMES = 20
MAX_STACKS = 20
MAX_CODE = 200
"""Characters of a line of code."""

MAX_SOURCE = 100_000
"""Characters of a cell that are looked through for names."""

LOOK_SECONDS = 1.0
"""How long the variables of a failed frame may take to show themselves, together."""

_Where = tuple[FrameType, int]
"""A frame and the line it is at."""

_OURS = str(Path(__file__).parent.parent) + "/"
_LIBRARIES = (
    _OURS,
    *{sysconfig.get_path(name) + "/" for name in ("stdlib", "platstdlib", "purelib", "platlib")},
)
_PACKAGES = re.compile(r"/(?:site|dist)-packages/")
_MACHINERY = re.compile(rf"{re.escape(_OURS)}|.*/(?:site|dist)-packages/(?:IPython|ipykernel|zmq)/")
_INNER = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
_WORD = re.compile(r"[^\W\d]\w*")
_NO_DATA = (ModuleType, FunctionType, type)


class Stacks:
    """Describes frames of the code that a shell runs.

    Args:
        cell_name: Returns the label and the name of a cell by its file's name; None for others.
        hidden: Names that are not the user's, and what they stand for.
    """

    def __init__(
        self,
        cell_name: Callable[[str], tuple[str, str] | None],
        hidden: Mapping[str, Any],
    ) -> None:
        self._cell_name = cell_name
        self._hidden = hidden

    def of_failure(self, tb: TracebackType | None) -> dict[str, Any] | None:
        """Describe the innermost frame of the user's code in a traceback; None: there is none.

        Its variables show themselves as they do everywhere, which runs code of the user's: for a
        second at most. The main thread calls this, in a cell.
        """
        passed = [(tb.tb_frame, tb.tb_lineno) for tb in _links(tb)]
        ours = [index for index, (frame, _) in enumerate(passed) if self.is_users(frame)]
        if not ours:
            return None
        last = ours[-1]
        described = self._place(*passed[last])
        variables = self._variables(passed, last)
        rows: list[dict[str, Any]] = []
        hide = secret_hider()
        try:
            with interrupt_after(LOOK_SECONDS):
                for name, value in variables[:MAX_VARIABLES]:
                    rows.append(describe_variable(name, value, hide=hide))
        except KeyboardInterrupt:  # the cell is over anyway
            rest = variables[len(rows) : MAX_VARIABLES]
            rows += [describe_variable(*pair, ask=False, hide=hide) for pair in rest]
        return {**described, "locals": rows, "omitted": len(variables) - len(rows)}

    def now(self, task: asyncio.Future[Any] | None, loop: Any) -> dict[str, Any]:
        """Describe what runs: the cell, and tasks and threads of the user's beside it.

        No code of the user's runs for it: another thread than the main one calls this.

        Args:
            task: That of the cell, if it awaits.
            loop: The main thread's.

        Returns:
            ``stack``: the cell's frames, outermost first; ``others``: dicts of ``name`` and
            ``stack``.
        """
        frames, main = sys._current_frames(), threading.main_thread()
        running = list(_outwards(frames.get(main.ident or 0)))[::-1]
        hide = secret_hider()
        waits = isinstance(task, asyncio.Task) and not _is_running(task)
        waiting = list(_awaited(task)) if waits else []
        cell = waiting or running
        others = [
            *((f"task {each.get_name()}", list(_awaited(each))) for each in _tasks(loop, task)),
            *(
                (f"thread {each.name}", list(_outwards(frames.get(each.ident or 0)))[::-1])
                for each in threading.enumerate()
                if each not in (main, threading.current_thread())
            ),
        ]
        described = ({"name": name, "stack": self._stack(at, hide)} for name, at in others)
        return {
            "stack": self._stack(cell, hide),
            "others": [each for each in described if each["stack"]][:MAX_STACKS],
        }

    def _stack(self, passed: Sequence[_Where], hide: Hide) -> list[dict[str, Any]]:
        """Describe frames from the first that is the user's; those of libraries only by place."""
        mine = [self.is_users(frame) for frame, _ in passed]
        if True not in mine:
            return []
        stack = []
        for index in range(mine.index(True), len(passed)):
            frame, line = passed[index]
            if _MACHINERY.match(frame.f_code.co_filename):
                continue
            variables = self._variables(passed, index) if mine[index] else []
            rows = [
                describe_variable(name, value, ask=False, hide=hide)
                for name, value in variables[:MAX_VARIABLES]
            ]
            place = self._place(frame, line)
            stack.append({**place, "locals": rows, "omitted": len(variables) - len(rows)})
        return stack if len(stack) <= MAX_FRAMES else [stack[0], *stack[1 - MAX_FRAMES :]]

    def is_users(self, frame: FrameType) -> bool:
        """Whether a frame runs code that the user has written: a cell's, a skill's, a module's."""
        name = frame.f_code.co_filename
        if self._cell_name(name) is not None:
            return True
        if name.startswith("<"):
            return name.startswith(("<skill ", "<string>"))
        return not (name.startswith(_LIBRARIES) or _PACKAGES.search(name))

    def _place(self, frame: FrameType, line: int) -> dict[str, Any]:
        name = frame.f_code.co_filename
        cell = self._cell_name(name)
        code = linecache.getline(name, line, frame.f_globals).strip()
        return {
            "file": name if cell is None else " ".join(cell),
            "line": line,
            "function": frame.f_code.co_name,
            "code": code[:MAX_CODE],
        }

    def _variables(self, passed: Sequence[_Where], index: int) -> list[tuple[str, Any]]:
        """List a frame's variables, those of its line first."""
        frame, line = passed[index]
        found = self._own(frame)
        while index and passed[index][0].f_code.co_name in _INNER:
            # The loop of a comprehension is a frame of its own; its surroundings belong to it.
            index -= 1
            found = {**self._own(passed[index][0]), **found}
        named = _WORD.findall(linecache.getline(frame.f_code.co_filename, line, frame.f_globals))
        return sorted(found.items(), key=lambda pair: pair[0] not in named)

    def _own(self, frame: FrameType) -> dict[str, Any]:
        space, code = frame.f_locals, frame.f_code
        if code.co_name != "<module>":
            return {
                name: value
                for name, value in list(space.items())
                if not name.startswith(".") and not isinstance(value, ModuleType)
            }
        # Of a whole session's variables those that the cell names; each of its statements is
        # compiled alone.
        text = "".join(linecache.getlines(code.co_filename, frame.f_globals))[:MAX_SOURCE]
        missing = object()
        named = dict.fromkeys(_WORD.findall(text) or code.co_names)
        values = ((name, space.get(name, missing)) for name in named if name[:2] != "__")
        return {
            name: value
            for name, value in values
            if value is not missing
            and not isinstance(value, _NO_DATA)
            and self._hidden.get(name, missing) is not value
        }


def _links(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _outwards(frame: FrameType | None) -> Iterator[_Where]:
    while frame is not None:
        yield frame, frame.f_lineno
        frame = frame.f_back


def _awaited(task: Any) -> Iterator[_Where]:
    """Yield the frames of a task and of what it awaits, outermost first."""
    at: Any = task.get_coro()
    while at is not None:
        frame = getattr(at, "cr_frame", None) or getattr(at, "gi_frame", None)
        if frame is None:
            return
        yield frame, frame.f_lineno
        at = getattr(at, "cr_await", None) or getattr(at, "gi_yieldfrom", None)


def _is_running(task: asyncio.Task[Any]) -> bool:
    """Whether the main thread is in a task's code now."""
    at: Any = task.get_coro()
    while at is not None:
        if getattr(at, "cr_running", False) or getattr(at, "gi_running", False):
            return True
        at = getattr(at, "cr_await", None) or getattr(at, "gi_yieldfrom", None)
    return False


def _tasks(loop: Any, but: object) -> list[asyncio.Task[Any]]:
    try:
        found = [task for task in asyncio.all_tasks(loop) if task is not but and not task.done()]
    except RuntimeError:  # they change too fast to be listed
        return []
    return sorted(found, key=lambda task: (len(task.get_name()), task.get_name()))
