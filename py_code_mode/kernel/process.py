"""One kernel from start to end: execute, reply, query, interrupt, kill.

Place in the house: top of ``kernel``; sessions use this and nothing below it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
from collections.abc import Callable
from typing import Any

import zmq

from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import METADATA_KEY, Query, Request
from py_code_mode.config import KernelConfig
from py_code_mode.errors import CodeModeError, KernelError, KernelStartError
from py_code_mode.events import Event
from py_code_mode.kernel.channels import Channels
from py_code_mode.kernel.closing import Closing
from py_code_mode.kernel.execution import Execution, execute_content
from py_code_mode.kernel.hostcomm import HostComm, greeting
from py_code_mode.kernel.launched import Launched
from py_code_mode.kernel.messages import JupyterMessage
from py_code_mode.kernel.others import OnOther, OtherCells
from py_code_mode.kernel.placing import launch
from py_code_mode.kernel.template import Template

__all__ = ["KernelProcess", "OnCancel", "OnRequest"]

OnRequest = Callable[["KernelProcess", Request, str], None]
"""Takes a request of a kernel and the id of the cell it belongs to; must not wait."""

OnCancel = Callable[["KernelProcess", int], None]
"""Takes the id of a kernel's request whose answer is no longer wanted."""


class KernelProcess:
    """A running kernel.

    Args:
        launched: Its process.
        context: Makes its sockets.
        limits: Bounds of its messages and results.
        patience: Seconds it may take to answer a query.

    Attributes:
        knows_tools: Version of the tools it was last told of; None: not known.
        others: Cells that other programs run on it.
        launched: Its process and files.
    """

    def __init__(
        self,
        launched: Launched,
        context: zmq.Context[zmq.Socket[bytes]],
        limits: Limits,
        patience: float,
    ) -> None:
        self.launched = launched
        self._traces = launched.traces
        self._context = context
        self._limits = limits
        self._executions: dict[str, Execution] = {}
        self.others = OtherCells(limits)
        self._heard_iopub = asyncio.Event()
        self._closing = Closing(context, self._end)
        self._channels = Channels(
            launched.manager, context, self._receive, max_bytes=limits.message_bytes
        )
        self.exit_code: int | None = None
        self.knows_tools: object = None
        self.died: asyncio.Task[None] = asyncio.create_task(self._watch(), name="kernel exit")
        post = functools.partial(self._channels.post, "control")
        self._comm = HostComm(post, self.died, self.how_it_ended, patience)

    @classmethod
    async def start(
        cls,
        config: KernelConfig,
        context: zmq.Context[zmq.Socket[bytes]],
        limits: Limits,
        tools: bytes,
    ) -> KernelProcess:
        """Start a kernel and wait until it is ready.

        Args:
            config: How, and where.
            context: Makes its sockets.
            limits: Bounds of its messages and results.
            tools: Descriptions of the tools its code may call, packed by the codec.

        Raises:
            KernelStartError: It did not come up; the message has what it printed.
        """
        launched = await launch(config, context)
        return await cls._meet(launched, config, context, limits, tools)

    @classmethod
    async def _meet(
        cls,
        launched: Launched,
        config: KernelConfig,
        context: zmq.Context[zmq.Socket[bytes]],
        limits: Limits,
        tools: bytes,
    ) -> KernelProcess:
        """Wait until a kernel that was launched is ready."""
        kernel = cls(launched, context, limits, config.answer_timeout)
        try:
            async with asyncio.timeout(config.start_timeout):
                await kernel._hello(tools, owned=config.connection_file is None)
        except (TimeoutError, KernelError, ProtocolError) as error:
            await kernel.kill()  # one that is far away leaves its log when it ends
            log = kernel._traces.remains().log_tail()
            why = str(error) or f"not ready after {config.start_timeout} s\n{log}"
            await kernel.close(now=True)
            raise KernelStartError(f"the kernel did not come up: {why}") from error
        except BaseException:
            await kernel.close(now=True)
            raise
        return kernel

    def serve(self, on_request: OnRequest, on_cancel: OnCancel, on_other: OnOther) -> None:
        """Say who answers the kernel's requests; until then they are dropped.

        Args:
            on_request: Called with each request.
            on_cancel: Called when a request's answer is no longer wanted.
            on_other: Called when a cell of another program begins.
        """
        self._comm.on_request = functools.partial(on_request, self)
        self._comm.on_cancel = functools.partial(on_cancel, self)
        self.others.on_begin = on_other

    async def fork(self, config: KernelConfig, tools: bytes) -> tuple[KernelProcess, list[str]]:
        """Branch this kernel between cells, with all its variables.

        Returns:
            The branch, and sentences on what did not come along.

        Raises:
            CodeModeError: The kernel refuses, or the branch did not come up.
        """
        branch, lost = await self.launched.branch(self.query, config, self._context)
        return await self._meet(branch, config, self._context, self._limits, tools), lost

    async def _hello(self, tools: bytes, *, owned: bool) -> None:
        await self.query(Query.HELLO, **greeting(self._limits, tools, owned=owned))
        # The kernel is up; make sure that iopub is subscribed before anything is printed.
        while not self._heard_iopub.is_set():
            self._channels.send("control", "kernel_info_request", {})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard_iopub.wait(), 0.02)

    async def warm_up(self) -> None:
        """Run a first cell, which is slower than the others; it leaves no trace."""
        execution = self.execute("1 + 1", silent=True)
        await execution.ended
        self.forget(execution)

    def execute(
        self, code: str, emit: Callable[[Event], None] | None = None, *, silent: bool = False
    ) -> Execution:
        """Send one cell. The caller sees to it that cells are sent one at a time."""
        execution = Execution(self._limits, emit)
        content, metadata = execute_content(code, silent=silent), {METADATA_KEY: {"value": True}}
        id_ = self._channels.send("shell", "execute_request", content, metadata=metadata)
        self._executions[id_] = execution
        if self.died.done():
            execution.end("died")
        return execution

    def forget(self, execution: Execution) -> None:
        """Drop a cell: what still arrives for it is ignored."""
        known = self._executions
        self._executions = {id_: cell for id_, cell in known.items() if cell is not execution}

    def recover(self, execution: Execution) -> None:
        """Give a cell what it had printed but a dead kernel could not send any more."""
        self._channels.drain()
        ids = [id_ for id_, known in self._executions.items() if known is execution]
        if ids:
            received = execution.transcript.received
            for message in self._traces.remains().missing(ids[0], received):
                execution.feed(message)

    def execution(self, msg_id: str) -> Execution | None:
        """Return the cell in flight of that id, ours or another program's."""
        other = self.others.current
        if other is not None and other.id == msg_id:
            return other.execution
        return self._executions.get(msg_id)

    def reply(self, data: dict[str, Any], buffers: list[Buffer]) -> bytes:
        """Answer a request of the kernel, on the control channel; return the content as it went."""
        return self._comm.reply(data, buffers)

    async def query(self, method: str, *, patience: float | None = None, **params: Any) -> Any:
        """Ask the kernel something between cells.

        Args:
            method: What.
            patience: Seconds until it counts as not heard, if less than usual.
            **params: Its parameters.

        Raises:
            CodeModeError: What the kernel answered with.
            KernelDied: It ended before it answered.
            KernelUnresponsive: It has not answered in time.
        """
        return await self._comm.ask(method, params, patience)

    def _receive(self, channel: str, message: JupyterMessage) -> None:
        if channel == "iopub":
            self._heard_iopub.set()
        if message.msg_type == "comm_msg":
            self._comm.receive(channel, message)
            return
        execution = self._executions.get(message.parent_id)
        if execution is not None:
            execution.feed(message)
        elif channel == "iopub":
            self.others.feed(message)

    async def _watch(self) -> None:
        provisioner = self.launched.manager.provisioner
        assert provisioner is not None
        self.exit_code = await provisioner.wait()
        # Nothing more will come: whoever waits for a cell must hear it now.
        for execution in self._executions.values():
            execution.end("died")
        self.others.end()

    @property
    def template(self) -> Template | None:
        """The template it was forked from, while it runs."""
        return self.launched.template

    async def interrupt(self) -> None:
        """Break the running cell (SIGINT)."""
        await self._signal(signal.SIGINT)

    async def stack(self) -> str:
        """Return the main thread's stack, even from C code; empty if none came in a second."""
        await self._signal(signal.SIGUSR1)
        return await self._traces.new_stack(self.died)

    async def _signal(self, number: int) -> None:
        provisioner = self.launched.manager.provisioner
        if provisioner is not None and not self.died.done():
            with contextlib.suppress(OSError):
                await provisioner.send_signal(number)

    async def kill(self) -> None:
        """End the kernel and its process group now."""
        await self._signal(signal.SIGKILL)
        await asyncio.wait({self.died}, timeout=5)

    def how_it_ended(self) -> str:
        """Say how it ended, with the end of its log."""
        return self._traces.remains().how_it_ended(self.exit_code)

    async def close(self, *, now: bool = False) -> None:
        """End the kernel and remove everything that was its; closing twice is fine.

        Cancelling the call does not stop it: nobody would end what is left.

        Args:
            now: Kill at once instead of asking it to shut down first.
        """
        await self._closing.begin(now=now)

    async def _end(self, now: bool) -> None:  # noqa: FBT001 - its only argument
        if not now and not self.died.done():
            self._channels.send("control", "shutdown_request", {"restart": False})
            await asyncio.wait({self.died}, timeout=2)
        if not self.died.done():
            await self.kill()
        self._channels.close()
        with contextlib.suppress(CodeModeError, OSError):
            await self.launched.manager.cleanup_resources()
        await self.launched.end()
