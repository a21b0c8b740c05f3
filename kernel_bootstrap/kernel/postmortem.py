"""The post-mortem debugger: IPython's, which begins where the user's own code failed.

Place in the house: bottom of ``kernel``; ``shell`` uses it.
"""

from __future__ import annotations

from types import FrameType, TracebackType
from typing import Any

from IPython.core.debugger import InterruptiblePdb

__all__ = ["SessionPdb"]


class SessionPdb(InterruptiblePdb):  # type: ignore[misc]
    """``Pdb`` that begins at the innermost frame of the user's; ``down`` leads into libraries."""

    def get_stack(
        self, f: FrameType | None, t: TracebackType | None
    ) -> tuple[list[tuple[FrameType, int]], int]:
        """Return the stack, and the frame to begin with."""
        stack, begin = super().get_stack(f, t)
        stacks: Any = getattr(self.shell, "stacks", None)
        if t is not None and stacks is not None:
            users = [at for at in range(begin + 1) if stacks.is_users(stack[at][0])]
            begin = users[-1] if users else begin
        return stack, begin
