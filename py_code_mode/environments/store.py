"""Environments in one directory: made once, shared by all processes, removed when unused.

Place in the house: inside ``environments``, above all but ``use``. Each environment has a
lock file beside it. A process that uses the environment shares the lock until it ends; one that
makes or removes it owns the lock. It is made where it will stay (a virtual environment cannot be
moved) and becomes ready with its record, the last file written: a build that was killed has
none, and whoever has the lock next begins afresh. The installer inherits the lock, so that one
that outlives its host by a moment cannot write into the next build.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from py_code_mode.environments.installers import find_installer, install
from py_code_mode.environments.locks import FileLock, is_shared, let_go, pause, share
from py_code_mode.environments.record import (
    RECORD,
    Environment,
    mark_used,
    read_record,
    write_record,
)
from py_code_mode.environments.running import InstallFailed, Runner
from py_code_mode.environments.spec import Spec
from py_code_mode.errors import ConfigError, KernelStartError
from py_code_mode.packages import PackagePolicy, without_credentials

__all__ = ["EnvironmentStore", "default_directory", "note_use"]

log = logging.getLogger(__name__)

_NAME = re.compile(r"[0-9a-f]{20}")

Environments = list[Environment]
Paths = list[Path]
"""Named, because a method called ``list`` hides the type."""


def default_directory() -> Path:
    """Where environments are kept unless the policy says otherwise."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    return base / "py-code-mode" / "environments"


class EnvironmentStore:
    """The environments of a directory.

    Methods block; async code calls ``prepare_config``, or these through a thread.

    Args:
        policy: Says where the directory is, who installs, and what is allowed.

    Attributes:
        made: Digests of the environments that this object has made.
    """

    def __init__(self, policy: PackagePolicy | None = None) -> None:
        self.policy = policy or PackagePolicy()
        self.made: set[str] = set()
        chosen = self.policy.directory
        self.directory = default_directory() if chosen is None else Path(chosen).absolute()

    def find(self, spec: Spec) -> Environment | None:
        """Return the environment of a spec if it is ready; nothing is made or noted."""
        found = read_record(self.directory / spec.digest)
        return found if found is not None and found.is_whole else None

    def prepare(
        self,
        spec: Spec,
        *,
        report: Callable[[str], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Environment:
        """Return the environment of a spec, made if there is none; it stays until we end.

        Args:
            spec: What is to be in it.
            report: Gets what the installer prints; None: the log.
            stop: Set when nobody waits any more; the installer is then killed.

        Raises:
            ConfigError: Something in it is not allowed, or it may not be made here.
            KernelStartError: It could not be made; the message has the installer's last words.
            Stopped: ``stop`` was set.
        """
        directory = self.directory / spec.digest
        found = self.find(spec) if is_shared(directory) else None
        if found is None:
            let_go(directory)
            found = self._prepare(spec, directory, report or log.info, stop or threading.Event())
        self._check(found)
        mark_used(found)
        return found

    def _prepare(
        self, spec: Spec, directory: Path, report: Callable[[str], None], stop: threading.Event
    ) -> Environment:
        if self.find(spec) is None and not self.policy.install:
            raise ConfigError(
                f"no environment with {_listed(spec)} is in {self.directory}, and "
                "PackagePolicy(install=False) makes none; `py-code-mode deps sync` does",
                key="packages",
            )
        lock = FileLock(directory.with_suffix(".lock"))
        runner = Runner(self.policy.timeout, report, stop)
        try:
            self._make_directory()
            while True:
                lock.lock(shared=True, until=runner.until, stop=stop)
                found = self.find(spec)
                if found is not None:
                    share(directory, lock)
                    return found
                # Changing the kind of a lock lets go of it in between: look again each time.
                if lock.try_lock(shared=False):
                    if self.find(spec) is None:
                        self._make(spec, directory, runner, lock.descriptor)
                else:
                    pause(runner.until, stop)
        except TimeoutError as error:
            lock.release()
            raise KernelStartError(
                f"an environment with {_listed(spec)} was not to be had in "
                f"{self.policy.timeout} s: another process is at it, or uses one that is broken"
            ) from error
        except OSError as error:
            lock.release()
            raise KernelStartError(f"{self.directory} cannot hold environments: {error}") from error
        except BaseException:
            lock.release()
            raise

    def _make_directory(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.directory.stat().st_mode & stat.S_IWOTH:
            raise ConfigError(
                "everybody may write here, and kernels would run what they write",
                file=self.directory,
            )

    def _make(self, spec: Spec, directory: Path, runner: Runner, hold: int) -> None:
        installer = find_installer(self.policy.installer)
        what, begun = _listed(spec), time.monotonic()
        log.info("making an environment with %s in %s, by %s", what, directory, installer)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)
        try:
            runner.hold = hold
            install(spec, installer, directory, runner)
            made = Environment.of(directory, spec, installer, time.monotonic() - begun)
            self._check(made)
            write_record(made)
            self.made.add(spec.digest)
        except InstallFailed as error:
            shutil.rmtree(directory, ignore_errors=True)
            raise KernelStartError(
                f"no environment with {what} could be made by {installer}: {error}"
            ) from error
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        log.info("made an environment with %s in %.1f s", what, time.monotonic() - begun)

    def _check(self, environment: Environment) -> None:
        """Refuse what came along, if only what is allowed by name may be there."""
        if self.policy.allow_dependencies:
            return
        known = {*environment.kernels_own}
        others = [name for name in environment.distributions if name not in known]
        refused = [name for name in others if not self.policy.allows(name)]
        if refused:
            raise ConfigError(
                f"{', '.join(refused)} came along as dependencies, and "
                "PackagePolicy(allow_dependencies=False) wants them in `allow`",
                key="packages",
            )

    def list(self) -> Environments:
        """Return the environments that are ready, the last used first."""
        found = (read_record(path) for path in self._directories())
        return sorted(filter(None, found), key=lambda each: each.last_used, reverse=True)

    def prune(self, unused_for: timedelta, *, dry_run: bool = False) -> Environments:
        """Remove environments that nobody used for so long, and what broken builds left.

        Those that a running process uses are kept.

        Args:
            unused_for: How long.
            dry_run: Only tell what would be removed.

        Returns:
            The environments removed, or that would be.
        """
        before = (datetime.now(UTC) - unused_for).isoformat(timespec="seconds")
        pruned = []
        for directory in self._directories():
            with _owned(directory) as lock:
                found = read_record(directory)
                if lock is None or (found is not None and found.last_used > before):
                    continue
                if found is not None:
                    pruned.append(found)
                if not dry_run:
                    _delete(directory, lock)
        return pruned

    def remove(self, digest: str) -> bool:
        """Remove one environment; whoever wants it next has it made anew, of newer packages.

        Returns:
            False if there is none.

        Raises:
            ConfigError: A running process uses it, or it cannot be removed.
        """
        directory = self.directory / digest
        if directory not in self._directories():
            return False
        with _owned(directory) as lock:
            if lock is None:
                raise ConfigError("a running process uses it, or makes it", file=directory)
            _delete(directory, lock)
        return True

    def _directories(self) -> Paths:
        """What has the name of an environment and its lock beside it: nothing else is ours."""
        with suppress(OSError):
            return sorted(
                path
                for path in self.directory.iterdir()
                if _NAME.fullmatch(path.name) and path.with_suffix(".lock").is_file()
            )
        return []


@contextmanager
def _owned(directory: Path) -> Iterator[FileLock | None]:
    """Own an environment's lock, to remove it; None while somebody uses it, or makes it."""
    lock = FileLock(directory.with_suffix(".lock"))
    try:
        yield lock if lock.try_lock(shared=False) else None
    except OSError as error:
        raise ConfigError(f"cannot be removed: {error}", file=directory) from error
    finally:
        lock.release()


def _delete(directory: Path, lock: FileLock) -> None:
    # Without its record it is not ready, should this be killed half-way.
    (directory / RECORD).unlink(missing_ok=True)
    shutil.rmtree(directory)
    lock.remove()


def _listed(spec: Spec) -> str:
    return without_credentials(", ".join(spec.requirements) or "nothing but ipykernel")


def note_use(python: str | Path) -> None:
    """Keep an environment whose interpreter somebody names, as ``deps sync`` printed it.

    Any other interpreter is none of ours, and nothing happens.
    """
    directory = Path(python).absolute().parent.parent
    if not (directory / RECORD).is_file():
        return
    found, lock = read_record(directory), FileLock(directory.with_suffix(".lock"))
    if found is None:
        return
    with suppress(OSError):
        if lock.try_lock(shared=True):
            share(directory, lock)
    mark_used(found)
