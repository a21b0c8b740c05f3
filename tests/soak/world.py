"""What there is in a soak: executors of several kinds, sessions, tools and stores.

Place in the house: above ``journal``, below ``turn``. A ``House`` is an executor with what the soak
knows of it, a ``Seat`` a session with what its variables should hold.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from py_code_mode import (
    CLIAdapter,
    CodeExecutor,
    FileArtifactStore,
    FileSkillStore,
    KernelConfig,
    MCPAdapter,
    Session,
    SkillLibrary,
    ToolRegistry,
    create_skill_library,
)
from py_code_mode.errors import ConfigError
from py_code_mode.kernel.launch import sandbox_level
from py_code_mode.tools.cli import ParamSettings
from tests.soak.journal import Journal

__all__ = ["House", "Seat", "World", "kinds_of_kernels"]

ODD_SERVER = Path(__file__).parents[1] / "tools" / "servers" / "odd_server.py"


def kinds_of_kernels() -> dict[str, tuple[KernelConfig, int]]:
    """Return the configurations that this machine can have, and how many sessions each gets."""
    kinds = {
        "template": (KernelConfig(warm=1), 3),
        "local": (KernelConfig(provisioner="py-code-mode-local"), 1),
        "landlock": (KernelConfig(sandbox="landlock"), 3),
    }
    for name, (config, _) in [*kinds.items()]:
        try:
            sandbox_level(config)
        except ConfigError:
            del kinds[name]
    return kinds


@dataclass(eq=False, slots=True)
class Seat:
    """A session, and what the soak knows of it.

    Attributes:
        house: Its executor's.
        session: It.
        known: What its variables must hold, by name.
        lock: Held by the one action that uses it.
        struck: Its kernels that were killed on purpose.
        kills: How many there were.
        closing: Whether somebody closes it.
    """

    house: House
    session: Session
    known: dict[str, str] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    struck: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)
    kills: int = 0
    closing: bool = False

    @property
    def kernel(self) -> Any:
        """The kernel that sits in the session now; None if one is starting, or none has."""
        return self.session._cells.slot.current

    @property
    def pid(self) -> int | None:
        """Number of the kernel's process, if there is one that lives."""
        kernel = self.kernel
        return None if kernel is None or kernel.died.done() else kernel.launched.pid

    @property
    def is_struck(self) -> bool:
        """Whether the kernel that sits there was killed."""
        return self.kernel is not None and self.kernel in self.struck

    @property
    def is_leaving(self) -> bool:
        """Whether it may be closed under whoever uses it."""
        return self.closing or self.house.closing

    def strike(self) -> None:
        """Note that the present kernel is about to be killed."""
        if not self.is_struck:
            self.struck.add(self.kernel)
            self.kills += 1


@dataclass(eq=False, slots=True)
class House:
    """An executor, and what the soak knows of it."""

    kind: str
    executor: CodeExecutor
    most: int
    seats: list[Seat] = field(default_factory=list)
    closing: bool = False

    async def open(self) -> Seat:
        """Open a further session."""
        seat = Seat(self, await self.executor.session())
        self.seats.append(seat)
        return seat

    def adopt(self, session: Session, known: dict[str, str]) -> Seat:
        """Take a session that was forked."""
        seat = Seat(self, session, known)
        self.seats.append(seat)
        return seat

    async def leave(self, seat: Seat) -> None:
        """Close a session."""
        seat.closing = True
        if seat in self.seats:
            self.seats.remove(seat)
        await seat.session.aclose()


class World:
    """Everything that is there, and the tokens by which replies are told apart.

    Args:
        journal: Takes down what happens.
        seed: Of the tokens.
        folder: For the stores.

    Attributes:
        houses: The executors that are open.
        heard: How often a function tool was called with a token.
        reached: What to tell when a cell has come to a place, by token.
        kinds: Configurations of kernels.
    """

    def __init__(self, journal: Journal, seed: int, folder: Path) -> None:
        self.journal = journal
        self.folder = folder
        self.houses: list[House] = []
        self.heard: Counter[str] = Counter()
        self.reached: dict[str, asyncio.Event] = {}
        self.kinds = kinds_of_kernels()
        self.artifacts = FileArtifactStore(folder / "artifacts")
        self.skills: SkillLibrary = create_skill_library(FileSkillStore(folder / "skills"))
        self._random = random.Random(f"tokens {seed}")
        self._numbers: Iterator[int] = itertools.count(1)
        self._lock = threading.Lock()

    def token(self) -> str:
        """Return a word that there was never before."""
        return f"t{next(self._numbers)}x{self._random.randrange(16**8):08x}"

    async def build(self, kind: str) -> House:
        """Open an executor of a kind."""
        config, most = self.kinds[kind]
        executor = CodeExecutor(
            await self._registry(), self.skills, self.artifacts, kernel=config, default_timeout=30
        )
        house = House(kind, executor, most)
        self.houses.append(house)
        return house

    async def tear_down(self, house: House) -> None:
        """Close an executor, whatever goes on in it."""
        house.closing = True
        if house in self.houses:
            self.houses.remove(house)
        await house.executor.aclose()

    async def _registry(self) -> ToolRegistry:
        registry = ToolRegistry()
        required: dict[str, ParamSettings] = {"text": {"type": "string", "required": True}}
        registry.register_adapter(CLIAdapter("say", command="echo", args="{text}"))
        registry.register_adapter(CLIAdapter("cat", stdin="{text}", params=required))
        registry.register_adapter(CLIAdapter("wc", args="-c", stdin="{text}", params=required))
        registry.register_adapter(CLIAdapter("nap", command="sleep", args="{seconds}"))
        for tool in (self.echo, self.slow, self.reach):
            registry.add(tool)
        server = MCPAdapter("odd", command=sys.executable, args=[str(ODD_SERVER), "fine", "0"])
        await registry.connect(server)
        return registry

    # The function tools.

    def echo(self, token: str) -> str:
        """Give the token back, from a thread."""
        with self._lock:
            self.heard[token] += 1
        return token

    def hear(self, token: str) -> int:
        """Return how often ``echo`` was called with a token, and forget it."""
        with self._lock:
            return self.heard.pop(token, 0)

    async def slow(self, token: str, seconds: float) -> str:
        """Give the token back after a while, so that replies overtake each other."""
        await asyncio.sleep(seconds)
        return token

    async def reach(self, token: str) -> str:
        """Tell that a cell has come to this place."""
        event = self.reached.get(token)
        if event is not None:
            event.set()
        return token

    def clean_stores(self) -> None:
        """Remove what cells left that were killed half-way."""
        for info in self.artifacts.list():
            self.artifacts.delete(info.name)
        for skill in self.skills.list():
            self.skills.delete(skill.name)
