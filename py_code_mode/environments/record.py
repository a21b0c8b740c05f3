"""What is known of an environment that is ready: one small file in it, written last.

Place in the house: inside ``environments``, above ``spec``. An environment without a readable
record is not ready, whatever else is in its directory. When it was last used is the record's
time of change.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from py_code_mode.environments.spec import KERNEL, Spec
from py_code_mode.packages import without_credentials

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["Environment", "mark_used", "read_record", "write_record"]

RECORD = "environment.json"
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment that is ready.

    Attributes:
        directory: Where it is.
        digest: What it is kept under.
        requirements: What was asked for, without credentials.
        constraints: Bounds that held.
        python: Version of its interpreter.
        installer: Who made it.
        created: When, ISO 8601 in UTC.
        seconds: How long that took.
        distributions: What is in it: versions by normalised name.
        kernels_own: Names of ipykernel and what it depends on.
        last_used: When a kernel, or ``deps sync``, last asked for it.
    """

    directory: Path
    digest: str
    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    python: str
    installer: str
    created: str
    seconds: float
    distributions: dict[str, str]
    kernels_own: tuple[str, ...]
    last_used: str = ""

    @property
    def interpreter(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"

    @property
    def is_whole(self) -> bool:
        """Whether its interpreter still runs: it stands on one that may be uninstalled."""
        return os.access(self.interpreter, os.X_OK)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "directory": str(self.directory)}

    @classmethod
    def of(cls, directory: Path, spec: Spec, installer: str, seconds: float) -> Environment:
        """Describe an environment from what was installed; its metadata is read, nothing run."""
        installed = {_normal(each.name): each for each in _installed(directory)}
        return cls(
            directory=directory,
            digest=spec.digest,
            requirements=tuple(map(without_credentials, spec.requirements)),
            constraints=spec.constraints,
            python=spec.interpreter.version,
            installer=installer,
            created=_iso(datetime.now(UTC)),
            seconds=round(seconds, 1),
            distributions={name: each.version for name, each in sorted(installed.items())},
            kernels_own=tuple(sorted(_closure(KERNEL, installed, spec.interpreter.version))),
        )


def _installed(directory: Path) -> Iterator[Distribution]:
    packages = [str(path) for path in directory.glob("lib/python*/site-packages")]
    return (each for each in distributions(path=packages) if each.metadata["Name"])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure(
    wanted: str, installed: dict[str, Distribution], python: str, seen: set[str] | None = None
) -> set[str]:
    """Names of the installed distributions that one requirement brings."""
    from packaging.requirements import Requirement

    seen = set() if seen is None else seen
    with suppress(ValueError):  # metadata that cannot be read brings nothing
        requirement = Requirement(wanted)
        name = _normal(requirement.name)
        target = {
            "extra": "",
            "python_full_version": python,
            "python_version": ".".join(python.split(".")[:2]),
        }
        applies = requirement.marker is None or requirement.marker.evaluate(target)
        if applies and name in installed and name not in seen:
            seen.add(name)
            for each in installed[name].requires or ():
                _closure(each, installed, python, seen)
    return seen


def _iso(when: datetime) -> str:
    return when.isoformat(timespec="seconds")


def write_record(environment: Environment) -> None:
    """Mark an environment as ready, in one step."""
    data = environment.to_dict()
    del data["directory"], data["last_used"]
    file = environment.directory / RECORD
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(data, indent=2) + "\n")
    temporary.replace(file)


def read_record(directory: Path) -> Environment | None:
    """Read what is known of an environment; None if it is not ready."""
    file = directory / RECORD
    try:
        status = file.stat()
        data = json.loads(file.read_bytes()) if status.st_size <= _LARGEST else {}
        used = _iso(datetime.fromtimestamp(status.st_mtime, UTC))
        # Kernels could have written to it, so its types are looked at.
        found = _adapter().validate_python({**data, "directory": directory, "last_used": used})
    except (OSError, ValueError, TypeError, RecursionError):  # a ValidationError is a ValueError
        return None
    return found if found.digest == directory.name else None


@functools.cache
def _adapter() -> TypeAdapter[Environment]:
    from pydantic import TypeAdapter

    return TypeAdapter(Environment)


def mark_used(environment: Environment) -> None:
    """Note that an environment is used now."""
    with suppress(OSError):  # a cache that is part of an image may be read-only
        os.utime(environment.directory / RECORD)
