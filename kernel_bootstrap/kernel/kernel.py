"""The kernel of a session: control handler, interrupts, the frame around each cell.

Place in the house: above ``host``, ``shell`` and ``capture``; ``app`` starts it.

A kernel that runs a cell reads no shell messages, so the host's replies come on the control
channel; its thread delivers them straight to the waiting future. Interrupts raise where user
code runs and cancel where it awaits; outside a cell they do nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from types import FrameType
from typing import Any

from jupyter_client.session import extract_header
from traitlets import Type

from kernel_bootstrap.cells import Cell, current, enter
from kernel_bootstrap.kernel.capture import DescriptorCapture
from kernel_bootstrap.kernel.channel import ChannelStream
from kernel_bootstrap.kernel.debugger import renew_debugger
from kernel_bootstrap.kernel.host import HostComm
from kernel_bootstrap.kernel.interrupts import ignore_interrupt, interrupts, is_waiting
from kernel_bootstrap.kernel.shell import SessionShell
from kernel_bootstrap.kernel.status import StatusKernel
from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.errors import CodeModeError
from kernel_bootstrap.wire.jupyter import split
from kernel_bootstrap.wire.limits import cut_text
from kernel_bootstrap.wire.messages import METADATA_KEY

__all__ = ["SessionKernel"]


class SessionKernel(StatusKernel):
    """``IPythonKernel`` with a comm to its host."""

    shell_class = Type(SessionShell)
    _supports_kernel_subshells = False
    # No settling sleep after a cell: our streams are flushed before the reply leaves.
    _execute_sleep = 0.0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # The host's hello may arrive before ipykernel 7.3 has made its lock.
        self._control_lock = asyncio.Lock()
        self.executing = False
        self.host = HostComm(self.shell)
        self._told: dict[str, Any] = {}
        self._streams: dict[int, Any] = {}
        self._comm_topic: list[bytes] = []
        self.capture: DescriptorCapture | None = None
        if self.parent.streams is not None:
            self._open()

    @classmethod
    def instance(cls, *args: Any, **kwargs: Any) -> SessionKernel:
        """Return the process's kernel; one from before a fork takes the new sockets."""
        for name in ("shell_stream", "control_stream"):
            if kwargs.get(name) is not None:
                kwargs[name] = ChannelStream.instead_of(kwargs[name])
        known = cls._instance
        if known is None:
            return super().instance(*args, **kwargs)  # type: ignore[no-any-return]
        known._move(kwargs)
        return known  # type: ignore[no-any-return]

    def _open(self) -> None:
        """Use the sockets and streams that are there now."""
        self._comm_topic = [self._topic("comm_msg")]
        self.host.attach(self._publish)
        streams = self.parent.streams
        self._streams = {1: streams["stdout"], 2: streams["stderr"]}
        self.capture = DescriptorCapture(self._streams)

    def _move(self, found: dict[str, Any]) -> None:
        """Take what was made anew in a forked process: sockets, streams, threads."""
        for name, value in found.items():
            if name not in ("parent", "user_ns"):
                setattr(self, name, value)
        self._stdout, self._stderr = sys.stdout, sys.stderr
        self._main_asyncio_lock, self._control_lock = asyncio.Lock(), asyncio.Lock()
        self.renew_status()
        self._shell_context = copy_context()
        self.shell.displayhook.pub_socket = self.shell.display_pub.pub_socket = self.iopub_socket
        self.shell.move_profile(self.profile_dir)
        renew_debugger(self)
        self._open()

    # The comm on the control channel.

    def _publish(self, content: dict[str, Any], buffers: list[Buffer]) -> None:
        parent, topic = current().header, self._comm_topic
        self.session.send_comm(self.iopub_thread, content, buffers, parent=parent, ident=topic)

    def start(self) -> None:
        """Begin to read shell and control."""
        super().start()
        self.control_stream.on_recv(self._receive_control, copy=False)

    async def dispatch_control(self, msg: list[Any]) -> None:
        """Take a message that arrived before ``start`` was through."""
        if not self._take_comm(msg):
            await super().dispatch_control(msg)

    def _receive_control(self, frames: list[Any]) -> None:
        """Take a message of the control channel; its thread calls this.

        Our comm's messages are taken here and now. They cause no busy/idle messages and no
        flushes: they are part of a call, not requests anybody watches.
        """
        if not self._take_comm(frames):
            # ipykernel's own; a coroutine, which takes them one at a time.
            asyncio.ensure_future(super().dispatch_control(frames))  # noqa: RUF006 - it logs

    def _take_comm(self, frames: list[Any]) -> bool:
        """Take a message if it is one of our comm; whatever is wrong with it is logged."""
        try:
            idents, signature, parts, buffers = split(frames)
            header = json.loads(parts[0])
            if header["msg_type"] not in ("comm_open", "comm_msg"):
                return False
            self.session.check_signature(signature, parts)
            content = json.loads(parts[3])
            if self.host.owns(content):
                answer = self.host.receive(content, buffers, header["session"])
                if answer is not None:
                    data, sent = answer
                    stream = self.control_stream
                    self.session.send_comm(stream, data, sent, parent=header, ident=idents)
        except (ValueError, TypeError, KeyError, IndexError, CodeModeError):
            self.log.exception("Invalid message on the control channel")
        return True

    async def shutdown_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """End, if the host asks: a front end that goes must not take the session along."""
        if self.host.may_end_kernel(parent["header"]["session"]):
            await super().shutdown_request(stream, ident, parent)
            return
        content = {
            "status": "error",
            "restart": False,
            "ename": "KernelOwned",
            "evalue": "this kernel is a py-code-mode session: close or reset that instead",
            "traceback": [],
        }
        self.session.send(stream, "shutdown_reply", content, parent, ident=ident)

    # The frame around each cell.

    def set_parent(self, ident: Any, parent: dict[str, Any], channel: str = "shell") -> None:
        """Enter the cell a request starts, for everything it prints and displays."""
        super().set_parent(ident, parent, channel)
        if channel == "shell":
            asked = (parent.get("metadata") or {}).get(METADATA_KEY) or {}
            wants_value = bool(asked.get("value")) if isinstance(asked, dict) else False
            enter(Cell(extract_header(parent), self.host.limits, wants_value=wants_value))

    async def dispatch_shell(self, msg: list[Any], /, *args: Any, **kwargs: Any) -> None:
        """Handle a request; without memory even for its reply, end, as the host would wait."""
        try:
            await super().dispatch_shell(msg, *args, **kwargs)
        except MemoryError:
            os.kill(os.getpid(), signal.SIGKILL)

    async def execute_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Run a cell and reply; ipykernel would only log that there was no memory for it."""
        try:
            await super().execute_request(stream, ident, parent)
        except MemoryError:
            os.kill(os.getpid(), signal.SIGKILL)

    async def do_execute(self, code: str, silent: bool, *args: Any, **kwargs: Any) -> Any:  # noqa: FBT001 - ipykernel's signature
        """Run a cell; whatever happens to it, a reply leaves."""
        cell = current()
        before = list(self.shell.user_ns)
        self._told, self.shell.failed = {}, None
        assert self.capture is not None
        self.capture.begin(cell)
        self.executing = True
        try:
            try:
                signal.signal(signal.SIGINT, interrupts.handle)
                reply = await super().do_execute(code, silent, *args, **kwargs)
                if "evalue" in reply and cell.wants_value:
                    with suppress(MemoryError):  # what there is goes to the reply
                        self._told["frame"] = self.shell.failed_frame()
            finally:
                signal.signal(signal.SIGINT, ignore_interrupt)
                self.executing = False
        except KeyboardInterrupt as error:
            # It came between the user's code and the reply.
            signal.signal(signal.SIGINT, ignore_interrupt)
            reply = self._interrupted(error)
        interrupts.forget()
        if "evalue" in reply:
            reply["evalue"] = cut_text(reply["evalue"], cell.limits.text_chars)
        self._finish_cell(cell)
        self._told["new_variables"] = self.shell.variables_since(before)
        self.shell.restore_pinned()
        return reply

    def _interrupted(self, error: BaseException) -> dict[str, Any]:
        return {
            "status": "error",
            "ename": type(error).__name__,
            "evalue": str(error),
            "traceback": [],
            "execution_count": self.shell.execution_count - 1,
            "user_expressions": {},
            "payload": [],
        }

    def _finish_cell(self, cell: Cell) -> None:
        """Publish the ends of floods and say what was cut."""
        assert self.capture is not None
        self.capture.drain()
        displays, flood = cell.outputs.finish()
        floods = [flood] if flood else []
        for content in displays:
            self.shell.display_pub.send(cell, content)
        ends = []
        for stream in self._streams.values():
            tail, flood = cell.streams[stream.name].finish()
            if flood:
                floods.append(flood)
                left_out = flood.cut.total - flood.cut.kept
                tail = f"\n... {left_out:,} characters cut ...\n{tail}"
            ends.append((stream, tail))
        cuts = self.host.keep_floods([*floods, *cell.floods], cell)
        self._told["truncated"] = [cut.to_dict() for cut in cuts]
        for stream, tail in ends:
            stream.write_unmetered(cell, tail)
            stream.flush()
        self.host.finish_cell()

    def finish_metadata(self, parent: Any, metadata: Any, reply_content: Any) -> Any:
        """Tell the host beside the reply what was cut, which variables are new, and what failed."""
        metadata = super().finish_metadata(parent, metadata, reply_content)
        if current().wants_value:
            metadata[METADATA_KEY] = self._told
        return metadata

    # Interrupts.

    def pre_handler_hook(self) -> None:
        """Leave SIGINT ignored: only ``do_execute`` lets it raise."""

    def post_handler_hook(self) -> None:
        """Nothing to restore."""

    @contextmanager
    def _cancel_on_sigint(self, future: asyncio.Future[Any]) -> Iterator[None]:
        """Let SIGINT break an async cell wherever it is.

        While the loop waits, the cell is cancelled. While code runs, ``KeyboardInterrupt`` is
        raised in it: ipykernel only cancels there, so ``await``-ing cells would be deaf in
        ``time.sleep`` and in loops.
        """
        loop = asyncio.get_running_loop()

        def handle(signum: int, frame: FrameType | None) -> None:
            if is_waiting(frame):
                interrupts.taken += 1
                loop.call_soon_threadsafe(future.cancel)
            else:
                interrupts.handle(signum, frame)

        saved = signal.signal(signal.SIGINT, handle)
        self.shell.cell_task = future
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, saved)
            self.shell.cell_task = None
