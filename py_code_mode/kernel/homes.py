"""Directories of kernels: private to this user, gone with the kernel.

Place in the house: bottom of ``kernel``, below ``launch``. A kernel that is not confined has one
directory. One that is shares a box with its branches: it cannot be given more to write later, so
all that any of them writes is in there. What the host writes for other programs is never in a box,
where the code could change it.
"""

from __future__ import annotations

import atexit
import functools
import os
import secrets
import shutil
import stat
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from py_code_mode import live, reaper
from py_code_mode.sandbox import Cgroup, user_of_kernels

__all__ = ["Home", "boxes", "reachable_root"]

_FOR_ALL = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - mkdtemp is private

_TOKEN_BYTES = 8
"""Of a box's name: other sessions must not come upon its sockets by trying."""


class Home:
    """Where a kernel, and those that come of it, have their directories.

    Args:
        confined: Whether they are to have a box.
        user: To whom it belongs; None: this program's.

    Attributes:
        box: The box; None: there is none.
    """

    def __init__(self, *, confined: bool, user: int | None = None) -> None:
        self._reaper = reaper.acquire()
        self._kernels: dict[Path, Path] = {}
        self._lock = threading.Lock()
        self._user = user
        self.box: Path | None = None
        if confined:
            self.box = boxes() / secrets.token_hex(_TOKEN_BYTES)
            # With all other boxes: the program that would remove them is dead then.
            self._reaper.watch_directory(self.box.parent)
            for path in (self.box, *(self.box / name for name in ("work", "tmp", "home"))):
                path.mkdir(mode=0o700)
                self._give(path)

    def new_kernel(self) -> tuple[Path, Path]:
        """Make the directories of one more kernel.

        Returns:
            The kernel's own, and the one for what the host writes; they may be the same.
        """
        notes = Path(tempfile.mkdtemp(prefix="pcm-", dir=live.roots()[0]))
        self._reaper.watch_directory(notes)
        own = notes
        if self.box is not None:
            own = Path(tempfile.mkdtemp(prefix="k", dir=self.box))
            self._give(own)
        self._kernels[own] = notes
        return own, notes

    def watch(self, group: Cgroup | None) -> None:
        """Let a kernel's cgroup end with this program, too."""
        for directory in () if group is None else group.directories:
            self._reaper.watch_cgroup(directory)

    def forget(self, group: Cgroup) -> None:
        """Say that a kernel's cgroup is gone."""
        for directory in group.directories:
            self._reaper.forget_cgroup(directory)

    def env(self) -> dict[str, str]:
        """Return environment variables by which programs find places that they may write to."""
        if self.box is None:
            return {}
        home, tmp = str(self.box / "home"), str(self.box / "tmp")
        return {
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), tmp),
            "HOME": home,
            "XDG_CACHE_HOME": f"{home}/.cache",
            "XDG_CONFIG_HOME": f"{home}/.config",
        }

    def leave(self, own: Path) -> None:
        """Remove a kernel's directories, and with the last one's the box; twice is fine."""
        with self._lock:  # branches may be closed at once, each in a thread
            notes = self._kernels.pop(own, None)
            is_last = not self._kernels
        if notes is None:
            return
        for directory in {own, notes}:
            _remove(directory)
        self._reaper.forget_directory(notes)
        if is_last:
            if self.box is not None:
                _remove(self.box)
            reaper.release()

    def hand_over(self, own: Path) -> None:
        """Let what the host has put into a kernel's directory belong to the kernel."""
        if self._user is not None:
            for path in own.rglob("*"):
                self._give(path)

    def _give(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user, self._user, follow_symlinks=False)


def reachable_root() -> Path:
    """Return a temporary directory that whoever runs kernels can reach."""
    usual = live.roots()[0]
    if user_of_kernels() is None:
        return usual
    return next((each for each in (usual, *_FOR_ALL) if _is_open(each)), usual)


def _is_open(directory: Path) -> bool:
    """Whether everybody may enter a directory and those above it."""
    return all(each.stat().st_mode & stat.S_IXOTH for each in (directory, *directory.parents))


@functools.cache
def _boxes(pid: int) -> Path:
    """Make the directory; ``pid`` keeps a forked program from using its parent's."""
    del pid
    directory = Path(tempfile.mkdtemp(prefix="pcmbox-", dir=reachable_root()))
    directory.chmod(0o711)  # kernels may run as another user: it may enter, not look
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def boxes() -> Path:
    """Return the directory of all boxes of this program; it goes with the program."""
    directory = _boxes(os.getpid())
    if not directory.is_dir():  # what cleans temporary folders up knows nothing of programs
        _boxes.cache_clear()
        directory = _boxes(os.getpid())
    return directory


def _remove(directory: Path) -> None:
    """Remove a directory, also if somebody has taken its owner's rights away."""
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        for path, names, _ in os.walk(directory):
            for name in ("", *names):
                with suppress(OSError):
                    os.chmod(os.path.join(path, name), 0o700, follow_symlinks=False)  # noqa: PTH101, PTH118
        shutil.rmtree(directory, ignore_errors=True)
