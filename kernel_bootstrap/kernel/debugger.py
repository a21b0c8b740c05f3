"""The debugger of a front end (JupyterLab's), in a kernel whose process was forked.

Place in the house: bottom of ``kernel``. ipykernel makes it with the kernel, so it holds the
sockets, queues and events of the process that the kernel was forked from.
"""

from __future__ import annotations

import inspect
from typing import Any

from ipykernel.ipkernel import IPythonKernel

__all__ = ["DebuggedKernel", "renew_debugger"]

_former: list[object] = []
"""Debuggers of former lives: taken apart, their tasks would complain in a cell of the user."""


class DebuggedKernel(IPythonKernel):  # type: ignore[misc]
    """``IPythonKernel`` that says so when it cannot be debugged: the debugger needs a port."""

    may_debug = True
    """Whether the process may open one."""

    @property
    def kernel_info(self) -> dict[str, Any]:
        """What front ends are told of the kernel."""
        info: dict[str, Any] = super().kernel_info
        if not self.may_debug:
            features = info.get("supported_features", [])
            info["supported_features"] = [each for each in features if each != "debugger"]
            info["debugger"] = False
        return info

    async def do_debug_request(self, msg: dict[str, Any]) -> dict[str, Any] | None:
        """Pass a request on to the debugger."""
        if self.may_debug:
            answer: dict[str, Any] | None = await super().do_debug_request(msg)
            return answer
        return {
            "type": "response",
            "request_seq": msg.get("seq", 0),
            "command": msg.get("command", ""),
            "success": False,
            "message": "the session's sandbox has no network, and the debugger needs a port",
        }


def renew_debugger(kernel: Any) -> None:
    """Give a kernel a debugger that uses its sockets of now; without debugpy there is none.

    Args:
        kernel: An ``IPythonKernel`` that has taken new sockets.
    """
    former = getattr(kernel, "debugger", None)
    if former is None:
        return
    _former.append(former)
    known = {
        "log": kernel.log,
        "debugpy_stream": kernel.debugpy_stream,
        "event_callback": kernel._publish_debug_event,
        "shell_socket": kernel.debug_shell_socket,
        "session": kernel.session,
        "kernel_modules": getattr(kernel, "_kernel_modules", []),
        "just_my_code": kernel.debug_just_my_code,
        "filter_internal_frames": getattr(kernel, "filter_internal_frames", True),
    }
    # ipykernel 6 takes fewer of them than 7.
    wanted = inspect.signature(type(former)).parameters
    kernel.debugger = type(former)(**{name: known[name] for name in wanted})
