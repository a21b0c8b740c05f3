"""A terminal prompt on a session: Jupyter's console, with our kernel.

Place in the house: a front, above ``kernelspec``. ``jupyter_console`` is the prompt; what it starts
is the program of our kernelspecs, which is the kernel's host.
"""

from __future__ import annotations

import signal
from typing import Any

from jupyter_client.consoleapp import JupyterConsoleApp
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_console.app import ZMQTerminalIPythonApp
from jupyter_console.ptshell import ZMQTerminalInteractiveShell
from traitlets import Type, Unicode, default
from traitlets.config import Config

from py_code_mode import __version__
from py_code_mode.kernelspec.specs import kernelspec

__all__ = ["attach_console", "run_console"]

_BANNER = f"""\
py-code-mode {__version__}
tools, skills and artifacts are there: tools.<Tab> completes, tools.name? explains; exit leaves
"""

_WORDS = frozenset({"exit", "quit", "exit()", "quit()"})


class _OneSpec(KernelSpecManager):
    """Knows one kernelspec, which need not be installed."""

    def __init__(self, words: tuple[str, ...]) -> None:
        super().__init__()
        self._spec = KernelSpec(**kernelspec([*words]))

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the spec, whatever the name."""
        del kernel_name
        return self._spec


class _Manager(KernelManager):
    """Starts the host's program for a console."""

    @default("kernel_spec_manager")
    def _default_specs(self) -> KernelSpecManager:
        return _OneSpec(getattr(self.parent, "words", ()))


class _Shell(ZMQTerminalInteractiveShell):  # type: ignore[misc]
    """The prompt; ``exit`` and ``quit`` leave, also a kernel in which they are something else."""

    banner = Unicode(_BANNER, config=True)

    def run_cell(self, cell: str, store_history: bool = True) -> None:  # noqa: FBT001, FBT002 - jupyter_console's signature
        """Run a cell."""
        if cell.strip() in _WORDS:
            self.ask_exit()
        else:
            super().run_cell(cell, store_history)


class _Console(ZMQTerminalIPythonApp):  # type: ignore[misc]
    """``jupyter console``.

    Attributes:
        words: For the host of the kernel it starts.
    """

    words: tuple[str, ...] = ()
    kernel_manager_class = Type(_Manager)

    def init_shell(self) -> None:
        """Start the kernel or find it, and make the prompt."""
        JupyterConsoleApp.initialize(self)
        signal.signal(signal.SIGINT, self.handle_sigint)
        self.shell = _Shell.instance(
            parent=self,
            manager=self.kernel_manager,
            client=self.kernel_client,
            confirm_exit=self.confirm_exit,
        )
        self.shell.own_kernel = not self.existing

    def handle_sigint(self, *arguments: Any) -> None:
        """Interrupt the cell, of a kernel that somebody else has started as well."""
        if self.existing and self.shell._executing:
            client = self.kernel_client
            client.control_channel.send(client.session.msg("interrupt_request", {}))
        else:
            super().handle_sigint(*arguments)


def run_console(words: list[str]) -> int:
    """Run a console on a session of its own, which ends with it; return an exit code.

    Args:
        words: For the session's host: those of ``add_project_arguments``.
    """
    app = _Console(config=_settings(transport="ipc"))
    app.words = tuple(words)
    return _run(app)


def attach_console(connection_file: str) -> int:
    """Run a console on the kernel of a session that lives elsewhere, and goes on.

    Args:
        connection_file: The kernel's.
    """
    return _run(_Console(config=_settings(existing=connection_file)))


def _settings(**console: Any) -> Config:
    return Config({"JupyterConsoleApp": {**console, "confirm_exit": False}})


def _run(app: _Console) -> int:
    before = signal.getsignal(signal.SIGINT)
    try:
        app.initialize([])
        app.start()
    finally:
        signal.signal(signal.SIGINT, before)
        app.kernel_client.stop_channels()
        if app.kernel_manager is not None:
            app.kernel_manager.shutdown_kernel()
    return 0
