"""What the sessions of one executor share.

Place in the house: executor layer, below ``session``.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kernel_bootstrap.wire.codec import dumps
from py_code_mode import live
from py_code_mode.config import KernelConfig, Limits
from py_code_mode.dispatch import Dispatcher, ToolSource
from py_code_mode.jsonform import dump_json
from py_code_mode.kernel.template import Holds
from py_code_mode.livedoor import LiveDoor
from py_code_mode.replies import describe_tool
from py_code_mode.secrets import Secrets
from py_code_mode.skills.library import SkillLibrary, create_skill_library
from py_code_mode.tools.base import ToolInfo

if TYPE_CHECKING:
    import zmq

    from py_code_mode.kernel.process import KernelProcess
    from py_code_mode.pool import KernelPool
    from py_code_mode.session import Session

__all__ = ["SessionSettings"]

log = logging.getLogger(__name__)

MAX_SOCKETS = 65_535
"""zmq's default of 1,023 would end at some 250 sessions."""


@dataclass(slots=True)
class SessionSettings:
    """Shared by all sessions of an executor.

    Attributes:
        dispatcher: Answers the kernels' requests.
        tools: The tools in scope; ``version`` tells when they changed.
        kernel: How kernels are started.
        limits: Bounds of runs.
        default_timeout: Seconds a run may take if it does not say; None: no limit.
        author: On whose behalf the code runs.
        skills: The skills.
        secrets: What no transcript shows.
        sessions: The executor's sessions by name.
        door: Where other programs get the sessions' notebooks.
        closing: What ends sessions now; one of the same name may be among ``sessions`` already.
    """

    dispatcher: Dispatcher
    tools: ToolSource
    kernel: KernelConfig
    limits: Limits
    default_timeout: float | None
    author: str = ""
    skills: SkillLibrary = field(default_factory=create_skill_library)
    secrets: Secrets = field(default_factory=Secrets)
    sessions: dict[str, Session] = field(default_factory=dict)
    closing: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    door: LiveDoor = field(init=False, repr=False)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)
    _pool: KernelPool | None = field(default=None, repr=False)
    _templates: Holds = field(default_factory=Holds, repr=False)
    _described: dict[str, tuple[ToolInfo, dict[str, Any]]] = field(default_factory=dict, repr=False)
    _catalogue: tuple[object, bytes] | None = field(default=None, repr=False)
    _context: zmq.Context[zmq.Socket[bytes]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.door = LiveDoor({"notebook": self._notebook, "peek": self._peek})

    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """Return the executor's zmq context, made with the first kernel."""
        if self._context is None:
            import zmq

            self._context = zmq.Context()
            self._context.max_sockets = MAX_SOCKETS
        return self._context

    def catalogue(self) -> bytes:
        """Describe the tools in scope for kernels, which read it when they look for a tool.

        It is packed once for each state of the tools, and only what is new is described anew: a
        thousand tools take tens of milliseconds.
        """
        version = self.tools.version
        if self._catalogue is None or self._catalogue[0] != version:
            known, self._described = self._described, {}
            for info in self.tools.list_tools():
                former, row = known.get(info.name, (None, {}))
                row = row if former is info else describe_tool(info)
                self._described[info.name] = info, row
            self._catalogue = version, dumps([row for _, row in self._described.values()])
        return self._catalogue[1]

    async def announce(self, kernel: KernelProcess, name: str) -> None:
        """Tell other programs of this user that a kernel is a session's."""
        launched = kernel.launched
        try:
            door = await self.door.open()
            live.announce(
                launched.notes,
                name,
                launched.manager.connection_file,
                self.door.executor,
                door,
                self.door.key,
            )
        except OSError as error:
            log.warning("JupyterLab will not find session %s: %s", name, error)

    async def _peek(self, name: str) -> str | None:
        session = self.sessions.get(name)
        return None if session is None else dump_json((await session.peek()).to_dict()).decode()

    async def _notebook(self, name: str) -> str | None:
        session = self.sessions.get(name)
        if session is None:
            return None
        import nbformat

        return nbformat.writes(session.transcript)  # type: ignore[no-any-return]

    def new_name(self) -> str:
        """Return a name no session has."""
        names = map("session-{}".format, self._numbers)
        return next(name for name in names if name not in self.sessions)

    def pool(self) -> KernelPool:
        """Return the executor's kernels that are up before they are needed."""
        if self._pool is None:
            from py_code_mode.pool import KernelPool

            self._pool = KernelPool(self.kernel.warm, self.start_kernel)
        return self._pool

    async def new_kernel(self) -> KernelProcess:
        """Return a kernel that nobody has used.

        Raises:
            KernelStartError: It did not come up.
        """
        return await self.pool().take() or await self.start_kernel()

    async def start_kernel(self) -> KernelProcess:
        """Start a kernel.

        Raises:
            KernelStartError: It did not come up.
        """
        from py_code_mode.kernel.process import KernelProcess

        version = self.tools.version
        kernel = await KernelProcess.start(
            self.kernel, self.context(), self.limits, self.catalogue()
        )
        kernel.knows_tools = version
        # Else it would end with the last session, and the next one would wait for another.
        self._templates.hold(kernel.template)
        return kernel

    async def close(self) -> None:
        """Close the pool and the context; all sessions must be closed."""
        if self._pool is not None:
            await self._pool.close()
        self._templates.close()
        await self.door.close()
        if self._context is not None:
            from py_code_mode.kernel.closing import close_all

            await close_all(self._context)
            self._context.destroy(linger=0)
            self._context = None
