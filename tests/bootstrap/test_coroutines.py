"""Coroutines in code that does not await: an interrupt at any moment ends them."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest

from kernel_bootstrap import coroutines
from tests.bootstrap.fakes import eventually


@pytest.mark.parametrize("begun", [False, True])
def test_an_interrupt_while_the_thread_starts_ends_the_coroutine(monkeypatch, begun):
    """Whether the coroutine has begun by then or not, it does not go on without its caller."""
    ended = threading.Event()
    went_on = threading.Event()
    started = threading.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
            went_on.set()
        finally:
            ended.set()

    threads = []

    class Interrupted(threading.Thread):
        def start(self) -> None:
            threads.append(self)
            if begun:
                super().start()
                started.wait(5)
            raise KeyboardInterrupt

    monkeypatch.setattr(coroutines, "threading", SimpleNamespace(Thread=Interrupted))
    with pytest.raises(KeyboardInterrupt):
        coroutines.to_end(work())
    (thread,) = threads
    if begun:
        assert ended.wait(5)
    else:
        threading.Thread.start(thread)
    eventually(lambda: not thread.is_alive())
    assert started.is_set() == begun
    assert not went_on.is_set()
