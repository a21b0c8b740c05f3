"""The folder of this user's JupyterLab: its notebooks, connection files, settings and log.

Place in the house: bottom of ``lab``.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from py_code_mode import live
from py_code_mode.errors import KernelError

__all__ = ["LabFolder"]


@dataclass(frozen=True, slots=True)
class LabFolder:
    """Where the files are; all of it is private (0700).

    Attributes:
        path: The folder.
    """

    path: Path

    @classmethod
    def ours(cls) -> LabFolder:
        """Return this user's folder, made if there is none.

        Raises:
            KernelError: Somebody else has made it, or others may write to it.
        """
        path = live.roots()[0] / f"py-code-mode-lab-{os.geteuid()}"
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise KernelError(
                f"{path} is not a directory that is this user's alone (mode 0700): "
                "remove it, somebody else may have made it"
            )
        folder = cls(path)
        for each in (folder.notebooks, folder.connections, folder.runtime):
            each.mkdir(exist_ok=True)
        return folder

    @property
    def notebooks(self) -> Path:
        """The notebooks of sessions: what JupyterLab shows."""
        return self.path / "notebooks"

    @property
    def connections(self) -> Path:
        """Connection files of sessions' kernels, as ``external_connection_dir`` wants them."""
        return self.path / "connections"

    @property
    def runtime(self) -> Path:
        """The server's own files: where it listens, and its token."""
        return self.path / "runtime"

    @property
    def settings(self) -> Path:
        """The server's settings."""
        return self.path / "settings.json"

    @property
    def config(self) -> Path:
        """Jupyter's settings beside a person's own ones."""
        return self.path / "config"

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.path / "server.log"

    @property
    def lock(self) -> Path:
        """Held while somebody looks for a server and starts one."""
        return self.path / "lock"
