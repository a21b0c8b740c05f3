"""The IPython shell of a session.

Place in the house: above ``display``, below ``kernel``. What differs from a notebook's shell:
leaving ends neither host nor session, shell commands ask the session's policy first, and the
three names ``tools``, ``skills`` and ``artifacts`` cannot be lost.
"""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.inputtransformer2 import classic_prompt, leading_empty_lines, leading_indent
from IPython.core.profiledir import ProfileDir
from IPython.utils.text import LSString, SList
from traitlets import Type

from kernel_bootstrap.cells import current
from kernel_bootstrap.kernel.display import CellDisplayHook, CellDisplayPublisher
from kernel_bootstrap.kernel.formats import SessionFormatter
from kernel_bootstrap.kernel.stack import Stacks
from kernel_bootstrap.kernel.tracebacks import forget_our_causes, without_our_frames
from kernel_bootstrap.wire.limits import Cut, cut_text, strip_ansi

__all__ = ["SHELL_MAGICS", "SessionShell"]

SHELL_MAGICS = frozenset({"!", "!!", "bash", "sh", "script", "system", "sx", "perl", "ruby"})
"""Cell magics that start programs; they ask the policy as ``!command`` does."""


_REPLACED = (leading_empty_lines, leading_indent, classic_prompt)


class _Exit:
    """``exit`` and ``quit``: they end the cell, not the session."""

    def __call__(self, code: Any = None) -> None:
        raise SystemExit(code)

    def __repr__(self) -> str:
        return "exit() ends this cell; the session goes on"


def keep_line_numbers(lines: list[str]) -> list[str]:
    """Drop leading indentation but keep leading blank lines.

    IPython drops both, which would shift the line numbers of tracebacks. A cell magic must
    stay on the first line, so there blank lines go.
    """
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip(" \t"))]
    if first.lstrip().startswith("%%"):
        lines = lines[lines.index(first) :]
    if not indent:
        return lines
    return [line.removeprefix(indent) for line in lines]


def strip_prompts(lines: list[str]) -> list[str]:
    """Take the prompts off a pasted session of Python's, which begins with one.

    IPython looks for them in all of a cell, and so in examples that stand in a string.
    """
    first = next((line for line in lines if line.strip()), "")
    return classic_prompt(lines) if first.lstrip().startswith(">>>") else lines


class SessionShell(ZMQInteractiveShell):  # type: ignore[misc]
    """``ZMQInteractiveShell`` for code that a model wrote."""

    displayhook_class = Type(CellDisplayHook)
    display_pub_class = Type(CellDisplayPublisher)

    check_command: Callable[[str], None] | None = None
    """Asks the host whether a shell command may run; raises if not."""

    profile_dir: ProfileDir | None
    db: Any

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pinned: dict[str, Any] = {}
        self.failed: TracebackType | None = None
        self._transformed: tuple[str, str] | None = None
        self._asked: tuple[tuple[Any, ...], bool] | None = None
        cleanup = self.input_transformer_manager.cleanup_transforms
        cleanup[:] = [
            keep_line_numbers,
            strip_prompts,
            *(t for t in cleanup if t not in _REPLACED),
        ]
        self.pin({"exit": _Exit(), "quit": _Exit()})
        self.stacks = Stacks(self.compile.format_code_name, self.user_ns_hidden)
        self.cell_task: asyncio.Future[Any] | None = None

    @property
    def debugger_cls(self) -> type:
        """What ``%debug`` runs; imported when it does, as it brings much with it."""
        from kernel_bootstrap.kernel.postmortem import SessionPdb

        return SessionPdb

    def init_display_formatter(self) -> None:
        """Make what asks objects how to show themselves."""
        self.display_formatter = SessionFormatter(parent=self)
        self.configurables.append(self.display_formatter)

    @contextmanager
    def _tee(self, channel: str) -> Iterator[None]:  # noqa: ARG002 - IPython's signature
        """Keep no copy of what is printed: IPython's own would hold all of it for ever."""
        yield

    def transform_cell(self, raw_cell: str) -> str:
        """Translate magics; ipykernel and IPython both ask, the second time is answered at once.

        Once only: a transformer the user registers may count on being called for every cell.
        """
        known, self._transformed = self._transformed, None
        if known is not None and known[0] == raw_cell:
            return known[1]
        transformed = super().transform_cell(raw_cell)
        self._transformed = raw_cell, transformed
        return str(transformed)

    def should_run_async(
        self,
        raw_cell: str,
        *,
        transformed_cell: str | None = None,
        preprocessing_exc_tuple: Any = None,
    ) -> bool:
        """Say whether a cell awaits: asked twice as well, each time for a compilation."""
        question = raw_cell, transformed_cell, preprocessing_exc_tuple is None, self.autoawait
        if self._asked is None or self._asked[0] != question:
            runs_async = super().should_run_async(
                raw_cell,
                transformed_cell=transformed_cell,
                preprocessing_exc_tuple=preprocessing_exc_tuple,
            )
            self._asked = question, bool(runs_async)
        return self._asked[1]

    async def run_cell_async(self, raw_cell: str, *args: Any, **kwargs: Any) -> Any:
        """Run a cell."""
        return await super().run_cell_async(raw_cell, *args, **kwargs)

    # ipykernel inspects the signature for every cell; given, it need not be built.
    run_cell_async.__signature__ = inspect.signature(ZMQInteractiveShell.run_cell_async)  # type: ignore[attr-defined]

    def move_profile(self, profile: ProfileDir) -> None:
        """Keep what IPython stores (``%store``) in that directory from now on."""
        if profile is not self.profile_dir:
            self.profile_dir = profile
            self.ipython_dir = str(Path(profile.location).parent)
            # Made on first use; IPython 8 makes it at once.
            self.db = None if hasattr(self, "_db") else type(self.db)(f"{profile.location}/db")

    def pin(self, names: dict[str, Any]) -> None:
        """Put names into the namespace and keep them there."""
        self._pinned.update(names)
        self.restore_pinned()

    def restore_pinned(self) -> None:
        """Put back what the code of a cell has overwritten or deleted."""
        self.user_ns.update(self._pinned)
        self.user_ns_hidden.update(self._pinned)

    def variables(self) -> list[str]:
        """Names the user's code has made, in order."""
        hidden = self.user_ns_hidden
        missing = object()
        return [
            name
            for name, value in list(self.user_ns.items())
            if not name.startswith("_") and hidden.get(name, missing) is not value
        ]

    def variables_since(self, before: Sequence[str]) -> list[str]:
        """Those of ``variables()`` whose names are not in ``before``.

        Costs next to nothing in a namespace that holds thousands of earlier results.

        Args:
            before: All names of the namespace at that time, in order.
        """
        names = list(self.user_ns)
        last = before[-1] if before else None
        new = []
        for name in reversed(names):  # new ones stand at the end
            if name == last:
                break
            if not name.startswith("_"):
                new.append(name)
        if not new:
            return []
        known = set(before)
        found = {name for name in new if name not in known}
        return [name for name in self.variables() if name in found]

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        """Leave our own frames out of tracebacks: they tell an agent nothing."""
        etype, value, tb = super()._get_exc_info(exc_tuple)
        forget_our_causes(value)
        self.failed = without_our_frames(tb)
        return etype, value, self.failed

    def failed_frame(self) -> dict[str, Any] | None:
        """Describe where the user's code last failed; asked a second time, None."""
        failed, self.failed = self.failed, None
        return self.stacks.of_failure(failed)

    def _showtraceback(self, etype: type[BaseException], evalue: object, stb: list[str]) -> None:
        """Publish an exception, within the limit of one output's text."""
        cell, text = current(), "\n".join(stb)
        limit = cell.limits.text_chars
        if len(text) > limit:
            cell.cut(Cut("error", limit, len(text)), strip_ansi(text))
            stb, evalue = cut_text(text, limit).split("\n"), cut_text(str(evalue), limit)
        super()._showtraceback(etype, evalue, stb)

    def ask_exit(self) -> None:
        """End the cell only."""
        raise SystemExit

    def system(self, cmd: str) -> None:
        """Run ``!cmd``: its output is captured from the descriptors it inherits."""
        command = self._allowed(self.var_expand(cmd, depth=1))
        sys.stdout.flush()
        sys.stderr.flush()
        self.user_ns["_exit_code"] = subprocess.call(  # noqa: S602 - `!` is a shell by definition
            command, shell=True, stdin=subprocess.DEVNULL
        )

    system_piped = system
    system_raw = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> SList | LSString:  # noqa: FBT001, FBT002 - IPython's signature
        """Run ``x = !cmd``; stderr is part of the output."""
        command = self._allowed(self.var_expand(cmd, depth=depth + 1))
        done = subprocess.run(  # noqa: S602 - `!` is a shell by definition
            command,
            shell=True,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.user_ns["_exit_code"] = done.returncode
        text = done.stdout.decode("utf-8", "replace")
        return SList(text.splitlines()) if split else LSString(text)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """Run ``%%magic``; those that start programs ask the policy."""
        if magic_name in SHELL_MAGICS:
            self._allowed(f"%%{magic_name} {line}\n{cell}")
        return super().run_cell_magic(magic_name, line, cell)

    def _allowed(self, command: str) -> str:
        """Return the command if the policy lets it run; the check raises if not."""
        if self.check_command is not None:
            self.check_command(command)
        return command
