"""Sessions' kernels inside a Jupyter server; the server is told of this module by its settings.

Place in the house: inside ``lab``; nobody of ours imports it. jupyter_server finds kernels that it
did not start (``allow_external_kernels``). Added here: connection files come from the notes of live
sessions, under the sessions' names; interrupts reach the kernel; a session that ends is told to the
pages that show it; and one that a page has let go can be opened again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.kernelmanager import (
    AsyncMappingKernelManager,
    ServerKernelManager,
)
from tornado.ioloop import IOLoop, PeriodicCallback
from traitlets import default

from py_code_mode import live
from py_code_mode.lab.pages import connect_again

__all__ = ["SessionKernelManager", "SessionMappingKernelManager"]

LOOK_MILLISECONDS = 1000
"""Between looks for sessions that have begun or ended."""

REFUSED_SECONDS = 0.3
"""From a refusal to restart until pages connect anew: they must have taken it in."""


class SessionKernelManager(ServerKernelManager):  # type: ignore[misc]
    """A kernel of the server, or one of a session, which the server only borrows."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._at_end: list[Callable[[], None]] = []
        if not self.owns_kernel:
            # Asked on the shell channel the answer would come after the cell that runs.
            self._kernel_info_future: asyncio.Future[dict[str, Any]] = asyncio.Future()
            self._kernel_info_future.set_result({})

    async def interrupt_kernel(self, *args: Any, **kwargs: Any) -> None:
        """Interrupt the cell that runs, whoever sent it."""
        if self.owns_kernel:
            await super().interrupt_kernel(*args, **kwargs)
            return
        self._connect_control_socket()
        self.session.send(self._control_socket, self.session.msg("interrupt_request", {}))

    async def restart_kernel(self, *args: Any, **kwargs: Any) -> None:
        """Restart a kernel of the server's own.

        Raises:
            RuntimeError: It is a session's.
        """
        if self.owns_kernel:
            await super().restart_kernel(*args, **kwargs)
            return
        why = (
            "this kernel belongs to an agent's session, which would lose its variables: "
            "reset the session in its program"
        )
        self.log.warning("Not restarted: %s", why)  # JupyterLab shows no reason that it is told
        # It takes the kernel for restarting, and holds messages back, until it connects anew.
        IOLoop.current().call_later(REFUSED_SECONDS, connect_again, self)
        raise RuntimeError(why)

    def add_restart_callback(self, callback: Callable[[], None], event: str = "restart") -> None:
        """Call back when the kernel is restarted, or is dead."""
        if self.owns_kernel:
            super().add_restart_callback(callback, event)
        elif event == "dead":
            self._at_end.append(callback)

    def remove_restart_callback(self, callback: Callable[[], None], event: str = "restart") -> None:
        """Call back no more."""
        if self.owns_kernel:
            super().remove_restart_callback(callback, event)
        elif callback in self._at_end:
            self._at_end.remove(callback)

    def tell_end(self) -> None:
        """Tell pages that the session has ended."""
        self.execution_state = "dead"
        for callback in [*self._at_end]:
            callback()


class SessionMappingKernelManager(AsyncMappingKernelManager):  # type: ignore[misc]
    """The kernels of the server, and those of all live sessions of this user."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._looking = PeriodicCallback(self._look, LOOK_MILLISECONDS)
        self._looking.start()

    def _look(self) -> None:
        self.list_kernel_ids()

    @default("kernel_manager_class")
    def _session_kernel_manager(self) -> str:
        return f"{__name__}.SessionKernelManager"

    def list_kernel_ids(self) -> list[str]:
        """Return ids of kernels; looks for sessions that have begun or ended."""
        self._write_connection_files()
        before = dict(self._kernels)
        ids: list[str] = super().list_kernel_ids()
        for kernel_id in ids:
            if kernel_id not in before and not self._kernels[kernel_id].owns_kernel:
                self._kernel_connections[kernel_id] = 0
                self.start_watching_activity(kernel_id)
        for kernel_id, kernel in before.items():
            if kernel_id not in self._kernels and isinstance(kernel, SessionKernelManager):
                self._let_go(kernel_id, kernel)
                kernel.tell_end()
        return ids

    def _write_connection_files(self) -> None:
        """Have one connection file for each live session, and no others."""
        folder = Path(self.external_connection_dir)
        wanted: dict[str, tuple[live.LiveSession, Path]] = {}
        for session in live.live_sessions():
            source = Path(session.connection_file)
            wanted[f"kernel-{source.parent.name}.json"] = session, source
        for file in folder.iterdir():
            if file.name not in wanted:
                file.unlink(missing_ok=True)
        for name, (session, source) in wanted.items():
            file = folder / name
            if file.exists():
                continue
            try:
                info = json.loads(source.read_text())
                new = folder.parent / f".{name}"
                new.write_text(json.dumps({**info, "kernel_name": session.id}))
                new.replace(file)
            except (OSError, ValueError):
                self.log.debug("session %s has gone meanwhile", session.id)

    def _let_go(self, kernel_id: str, kernel: Any) -> None:
        self._kernel_connections.pop(kernel_id, None)
        stream = getattr(kernel, "_activity_stream", None)
        if stream is not None and not stream.closed():
            stream.close()
        kernel._activity_stream = None

    def remove_kernel(self, kernel_id: str) -> Any:
        """Forget a kernel; one of a session that lives on is found again, under a new id."""
        self.kernel_id_to_connection_file.pop(kernel_id, None)
        return super().remove_kernel(kernel_id)
