"""What the sessions of one executor share.

Place in the house: executor layer, below ``session``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from py_code_mode.config import KernelConfig, Limits
from py_code_mode.dispatch import Dispatcher, ToolSource
from py_code_mode.replies import describe_tool

if TYPE_CHECKING:
    import zmq

__all__ = ["SessionSettings"]

MAX_SOCKETS = 65_535
"""zmq's default of 1,023 would end at some 250 sessions."""


@dataclass(slots=True)
class SessionSettings:
    """Shared by all sessions of an executor.

    Attributes:
        dispatcher: Answers the kernels' requests.
        tools: The tools in scope; ``version`` tells when they changed.
        kernel: How kernels are started.
        limits: Bounds of runs.
        default_timeout: Seconds a run may take if it does not say; None: no limit.
    """

    dispatcher: Dispatcher
    tools: ToolSource
    kernel: KernelConfig
    limits: Limits
    default_timeout: float | None
    _context: zmq.Context[zmq.Socket[bytes]] | None = field(default=None, repr=False)

    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """Return the executor's zmq context, made with the first kernel."""
        if self._context is None:
            import zmq

            self._context = zmq.Context()
            self._context.max_sockets = MAX_SOCKETS
        return self._context

    def catalogue(self) -> list[dict[str, Any]]:
        """Describe the tools in scope for a kernel."""
        return [describe_tool(info) for info in self.tools.list_tools()]

    def close(self) -> None:
        """Give up the context; all sockets must be closed."""
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None
