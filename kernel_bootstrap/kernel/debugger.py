"""The debugger of a front end (JupyterLab's), in a kernel whose process was forked.

Place in the house: bottom of ``kernel``. ipykernel makes it with the kernel, so it holds the
sockets, queues and events of the process that the kernel was forked from.
"""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["renew_debugger"]

_former: list[object] = []
"""Debuggers of former lives: taken apart, their tasks would complain in a cell of the user."""


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
