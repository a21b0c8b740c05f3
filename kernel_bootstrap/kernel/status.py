"""Busy and idle: what a kernel says of itself, also to listeners that come in the midst of a cell.

Place in the house: below ``kernel``. A front end that connects while a cell runs has missed the
message that says so. It asks for the kernel's info on control, which is answered meanwhile (see
``py_code_mode.lab``), and that is when it is told again.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from jupyter_client.session import extract_header

from kernel_bootstrap.kernel.debugger import DebuggedKernel

__all__ = ["StatusKernel"]


class StatusKernel(DebuggedKernel):
    """``IPythonKernel`` that tells late listeners of the cell that runs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.renew_status()

    def renew_status(self) -> None:
        """Forget what ran; a fork may have copied a lock that was held."""
        self._running: dict[str, Any] | None = None
        self._telling = Lock()

    def _publish_status(self, status: str, channel: str, parent: Any = None) -> None:
        """Say busy or idle; the busy of a cell leaves with the ``execute_input`` that follows.

        Each message that leaves alone wakes the host once more.
        """
        request = self.get_parent(channel) if parent is None else parent
        content = request.get("content") or {}
        if status == "busy" and "code" in content and not content.get("silent"):
            header = extract_header(request)
            msg = self.session.msg("status", {"execution_state": status}, header)
            self.iopub_thread.queue(self.session.serialize(msg, self._topic("status")))
            self._running = header
            return
        if channel == "shell" and self._running is not None:
            with self._telling:  # nobody is told busy after this idle
                self._running = None
        super()._publish_status(status, channel, parent)

    async def kernel_info_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Answer, and say busy again if a cell runs."""
        await super().kernel_info_request(stream, ident, parent)
        with self._telling:
            if self._running is not None:
                super()._publish_status("busy", "shell", {"header": self._running})
