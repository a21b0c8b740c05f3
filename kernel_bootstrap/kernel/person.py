"""What a person at a front end gets that an agent does not: a way out, and a word before work.

Place in the house: above ``shell``, below ``host``, whose thread calls it before the first cell.
"""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.autocall import IPyAutocall

from kernel_bootstrap.kernel.shell import SessionShell

__all__ = ["welcome"]


class _Leave(IPyAutocall):  # type: ignore[misc]
    """``exit`` and ``quit``: ask the front end to leave; it ends the kernel if it wants to."""

    rewrite = False

    def __init__(self, shell: SessionShell) -> None:
        self._shell = shell

    def set_ip(self, ip: Any) -> None:
        """Stay with the shell it was made for."""

    def __call__(self, keep_kernel: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's signature
        payload = {"source": "ask_exit", "keepkernel": bool(keep_kernel)}
        self._shell.payload_manager.write_payload(payload)

    def __repr__(self) -> str:
        return "exit() asks the front end to leave"


def welcome(shell: SessionShell, notice: str) -> None:
    """Make a shell one for a person.

    Args:
        shell: The shell.
        notice: What the first cell says on stderr; empty: nothing.
    """
    leave = _Leave(shell)
    shell.pin({"exit": leave, "quit": leave})
    if not notice:
        return

    def tell(*_: object) -> None:
        shell.events.unregister("pre_run_cell", tell)
        print(notice, file=sys.stderr)  # noqa: T201 - to the person

    shell.events.register("pre_run_cell", tell)
