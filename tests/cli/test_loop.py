"""The event loop of commands: an interrupt always wakes it."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest

from py_code_mode.cli import loop


def test_an_interrupt_that_another_thread_notes_wakes_the_loop():
    """It ends what waits, at once, though the system call that waits has not been broken off."""

    def strike() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    async def wait() -> None:
        threading.Timer(0.2, strike).start()
        await asyncio.sleep(60)

    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        loop.run(wait())
    assert time.monotonic() - began < 30
    assert signal.set_wakeup_fd(before) == before  # what there was is there again


def test_in_another_thread_it_only_runs():
    """Where no signal can be handled there is nothing to wake for."""
    results = []

    async def answer() -> int:
        return 5

    thread = threading.Thread(target=lambda: results.append(loop.run(answer())))
    thread.start()
    thread.join(20)
    assert results == [5]
