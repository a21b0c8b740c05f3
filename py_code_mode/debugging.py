"""Post-mortem debugging: ``%debug`` in a session's kernel, its prompt in this terminal.

Place in the house: executor layer, beside ``lab``, below ``session``. A further client of the
kernel runs the magic and answers its prompts, as a console would. It has a thread of its own,
because whoever types takes long, and the session's host must serve tools meanwhile.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from py_code_mode.errors import KernelError

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

__all__ = ["Ask", "PostMortem", "Show", "write_out"]

Ask = Callable[[str], str]
"""Shows a prompt and returns the line that was typed; raises ``EOFError`` to leave."""

Show = Callable[[str], object]
"""Takes text that the debugger prints."""

POLL_SECONDS = 0.05
CONNECT_SECONDS = 30.0


def write_out(text: str) -> None:
    """Write to this process's standard output, whatever it is at the moment."""
    sys.stdout.write(text)
    sys.stdout.flush()


class PostMortem:
    """One session with the debugger.

    Args:
        connection_file: Of the kernel.
        ask: Asks the person.
        show: Shows what is printed.
    """

    def __init__(self, connection_file: str, ask: Ask, show: Show) -> None:
        self._file, self._ask, self._show = connection_file, ask, show
        self._left = threading.Event()
        self._client: BlockingKernelClient | None = None

    async def run(self) -> None:
        """Debug until the person leaves the debugger.

        Cancelling it leaves the debugger.

        Raises:
            KernelError: The kernel did not answer, or ended.
        """
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        failures: list[Exception] = []

        def work() -> None:
            try:
                self._talk()
            except Exception as error:  # noqa: BLE001 - raised again in the loop's thread
                failures.append(error)
            loop.call_soon_threadsafe(done.set)

        # A daemon: it may wait for a line that nobody types any more.
        threading.Thread(target=work, name="post-mortem debugger", daemon=True).start()
        try:
            await done.wait()
        except asyncio.CancelledError:
            self._left.set()
            if self._client is not None:
                self._client.input("quit")
            raise
        if failures:
            raise failures[0]

    def _talk(self) -> None:
        from jupyter_client.blocking.client import BlockingKernelClient

        client = self._client = BlockingKernelClient(connection_file=self._file)
        client.load_connection_file()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=CONNECT_SECONDS)
            cell = client.execute("%debug", store_history=False, allow_stdin=True)
            while not self._left.is_set():
                try:
                    message = client.get_iopub_msg(timeout=POLL_SECONDS)
                except queue.Empty:
                    # What is printed before a prompt comes first, on another channel.
                    self._answer(client)
                    continue
                if message["parent_header"].get("msg_id") == cell and self._ends(message):
                    return
        except RuntimeError as error:
            raise KernelError(f"the debugger did not come up: {error}") from error
        finally:
            if not self._left.is_set():
                client.stop_channels()

    def _answer(self, client: BlockingKernelClient) -> None:
        """Answer a prompt, if there is one."""
        try:
            request = client.get_stdin_msg(timeout=0)
        except queue.Empty:
            if not client.is_alive():
                raise KernelError("the kernel ended while it was debugged") from None
            return
        try:
            line = self._ask(str(request["content"].get("prompt", "")))
        except EOFError:
            line = "quit"
        if not self._left.is_set():
            client.input(line)

    def _ends(self, message: Mapping[str, Any]) -> bool:
        """Show what a message of the debugger says; return whether it is the last one."""
        content = message["content"]
        if message["msg_type"] == "stream":
            self._show(str(content.get("text", "")))
        elif message["msg_type"] == "error":
            self._show("\n".join(map(str, content.get("traceback", ()))) + "\n")
        return bool(message["msg_type"] == "status" and content.get("execution_state") == "idle")
