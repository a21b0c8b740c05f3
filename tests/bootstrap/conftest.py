"""What the tests of the bootstrap share: fake hosts, and interrupts that come at the right time."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from kernel_bootstrap import link
from kernel_bootstrap.artifacts import Artifacts
from kernel_bootstrap.catalogue import Catalogue
from kernel_bootstrap.namespaces import Tools
from kernel_bootstrap.skills import Skills
from tests.bootstrap.fakes import Answer, FakeHost, eventually, tool
from tests.bootstrap.skill_library import Library

MakeHost = Callable[[Answer], FakeHost]


@pytest.fixture
def make_host() -> Iterator[MakeHost]:
    """Make fake hosts whose threads end with the test."""
    made: list[FakeHost] = []

    def make(answer: Answer) -> FakeHost:
        made.append(FakeHost(answer))
        return made[-1]

    yield make
    for host in made:
        host.close()


@pytest.fixture
def library() -> Library:
    """What a host answers from that has skills."""
    return Library()


@pytest.fixture
def skill_host(make_host: MakeHost, library: Library) -> FakeHost:
    """A host that has skills."""
    return make_host(library)


@pytest.fixture
def skills(skill_host: FakeHost) -> Skills:
    """``skills`` of a session."""
    catalogue = Catalogue([tool("double"), tool("hold"), tool("weather.now")])
    tools = Tools(skill_host.link, catalogue)
    artifacts = Artifacts(skill_host.link)
    return Skills(skill_host.link, catalogue=catalogue, tools=tools, artifacts=artifacts)


_WAIT = link._Waiter.wait.__code__


def _waits(frame: FrameType | None) -> bool:
    """Whether a thread is blocked inside a lock: below ``threading``, or in a call of a link."""
    if frame is None:
        return False
    return frame.f_code.co_filename == threading.__file__ or frame.f_code is _WAIT


@pytest.fixture
def interrupting() -> Iterator[Callable[[Callable[[], object]], contextlib.AbstractContextManager]]:
    """Interrupt the main thread once a condition holds and the thread waits for something."""
    main = threading.main_thread().ident
    assert main is not None
    # A shell that starts us in the background has it ignored.
    saved = signal.signal(signal.SIGINT, signal.default_int_handler)

    @contextlib.contextmanager
    def interrupting_when(condition: Callable[[], object]) -> Iterator[None]:
        def interrupt() -> None:
            eventually(lambda: condition() and _waits(sys._current_frames().get(main)))
            signal.pthread_kill(main, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                yield
        finally:
            thread.join()

    yield interrupting_when
    signal.signal(signal.SIGINT, saved)
