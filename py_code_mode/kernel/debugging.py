"""Post-mortem debugging: ``%debug`` in a session's kernel, its prompt in this terminal.

Place in the house: inside ``kernel``, above ``process``. A further client of the kernel runs the
magic and answers its prompts, as a console would. Whoever types takes long, so that is waited for
in a thread: the session's host must serve tools meanwhile.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from py_code_mode.errors import KernelDied, KernelError

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient

    from py_code_mode.kernel.process import KernelProcess

__all__ = ["Ask", "Show", "debug_failure", "write_out"]

Ask = Callable[[str], str]
"""Shows a prompt and returns the line that was typed; raises ``EOFError`` to leave."""

Show = Callable[[str], object]
"""Takes text that the debugger prints."""

POLL_SECONDS = 0.05
CONNECT_SECONDS = 30.0
LEAVE_SECONDS = 5.0

LEAVE = "quit"
"""What leaves the debugger."""


def write_out(text: str) -> None:
    """Write to this process's standard output, whatever it is at the moment."""
    sys.stdout.write(text)
    sys.stdout.flush()


async def debug_failure(kernel: KernelProcess, ask: Ask, show: Show) -> None:
    """Debug the frame that failed last, until the person leaves the debugger.

    Cancelling it leaves the debugger.

    Args:
        kernel: Runs no cell.
        ask: Asks the person; called in a thread.
        show: Takes what the debugger prints.

    Raises:
        KernelError: The kernel did not answer.
        KernelDied: It ended.
    """
    from jupyter_client.asynchronous.client import AsyncKernelClient

    client = AsyncKernelClient(connection_file=str(kernel.launched.manager.connection_file))
    client.load_connection_file()
    client.start_channels(hb=False, control=False)
    try:
        try:
            await client.wait_for_ready(timeout=CONNECT_SECONDS)
        except RuntimeError as error:
            raise KernelError(f"the debugger did not come up: {error}") from error
        debugger = _Debugger(client, kernel, ask, show)
        try:
            await debugger.run()
        except asyncio.CancelledError:
            async with asyncio.timeout(LEAVE_SECONDS):
                await debugger.leave()
            raise
    finally:
        client.stop_channels()


class _Debugger:
    """The cell that runs the debugger."""

    def __init__(
        self, client: AsyncKernelClient, kernel: KernelProcess, ask: Ask, show: Show
    ) -> None:
        self._client, self._kernel, self._ask, self._show = client, kernel, ask, show
        self._cell = client.execute("%debug", store_history=False, allow_stdin=True)

    async def run(self) -> None:
        """Pass on what is printed and typed, until it is over."""
        while True:
            try:
                message = await self._client.get_iopub_msg(timeout=POLL_SECONDS)
            except queue.Empty:
                # What is printed before a prompt comes first, on another channel.
                await self._answer()
                continue
            if message["parent_header"].get("msg_id") == self._cell and self._ends(message):
                return

    async def leave(self) -> None:
        """End it, whatever it waits for."""
        self._ask = lambda _: LEAVE
        self._client.input(LEAVE)
        await self.run()

    async def _answer(self) -> None:
        """Answer a prompt, if there is one."""
        try:
            request = await self._client.get_stdin_msg(timeout=0)
        except queue.Empty:
            if self._kernel.died.done():
                raise KernelDied(self._kernel.how_it_ended()) from None
            return
        self._client.input(await _typed(self._ask, str(request["content"].get("prompt", ""))))

    def _ends(self, message: Mapping[str, Any]) -> bool:
        """Show what a message of the debugger says; return whether it is the last one."""
        content = message["content"]
        if message["msg_type"] == "stream":
            self._show(str(content.get("text", "")))
        elif message["msg_type"] == "error":
            self._show("\n".join(map(str, content.get("traceback", ()))) + "\n")
        return bool(message["msg_type"] == "status" and content.get("execution_state") == "idle")


async def _typed(ask: Ask, prompt: str) -> str:
    """Ask in a thread: a daemon, as it may wait for a line that nobody types any more."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def settle(text: str, error: Exception | None) -> None:
        if line.done():
            return
        if error is None:
            line.set_result(text)
        else:
            line.set_exception(error)

    def work() -> None:
        text, failed = "", None
        try:
            text = ask(prompt)
        except EOFError:
            text = LEAVE
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            failed = error
        loop.call_soon_threadsafe(settle, text, failed)

    threading.Thread(target=work, name="debugger's prompt", daemon=True).start()
    return await line
