"""A kernel that has been launched, wherever that is: all that is known of it here.

Place in the house: inside ``kernel``, below ``process``. ``launch`` launches kernels on this
machine, ``cluster`` on others; whoever talks to a kernel need not know which.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import zmq
from jupyter_client.manager import AsyncKernelManager

from py_code_mode.config import KernelConfig
from py_code_mode.kernel.template import Template
from py_code_mode.kernel.traces import Traces

__all__ = ["Launched", "Query"]

Query = Callable[..., Awaitable[Any]]
"""Asks a kernel something between cells; ``KernelProcess.query``."""


class Launched(Protocol):
    """A started kernel process."""

    @property
    def manager(self) -> AsyncKernelManager:
        """Its jupyter_client manager."""

    @property
    def notes(self) -> Path:
        """Private directory, on this machine, for what the host tells other programs."""

    @property
    def traces(self) -> Traces:
        """What it leaves behind."""

    @property
    def pid(self) -> int:
        """Number of the process where it runs; 0 when it has ended."""

    @property
    def template(self) -> Template | None:
        """The template of this program that it was forked from, while it runs."""

    async def branch(
        self, query: Query, config: KernelConfig, context: zmq.Context[zmq.Socket[bytes]]
    ) -> tuple[Launched, list[str]]:
        """Fork it between cells.

        Args:
            query: Asks it.
            config: How it was started.
            context: That of the branch's manager.

        Returns:
            The branch, which is not yet ready, and sentences on what did not come along.

        Raises:
            CodeModeError: It refuses, or the branch did not come up.
        """

    async def end(self) -> None:
        """Remove all that is left of it."""
