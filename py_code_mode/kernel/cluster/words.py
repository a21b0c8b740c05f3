"""What a program and the host actors of its kernels say to each other.

Place in the house: bottom of ``cluster``; ``node`` sends these, ``host`` takes them. Both sides are
ours and run the same version; what comes of a kernel is in ``Remains`` alone, bounded and raw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from py_code_mode import errors
from py_code_mode.errors import CodeModeError, ConfigError, KernelError, KernelStartError
from py_code_mode.kernel.traces import Remains

__all__ = ["Born", "Ended", "Failure"]

KINDS = (ConfigError, KernelStartError, errors.KernelUnresponsive, KernelError)


@dataclass(frozen=True, slots=True)
class Born:
    """A kernel that was started.

    Attributes:
        pid: Number of its process, on its node.
        info: Jupyter's connection info.
    """

    pid: int
    info: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """A kernel that has ended.

    Attributes:
        code: Its exit code; None: nobody can tell.
        remains: What it left.
    """

    code: int | None
    remains: Remains


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of ours, as data: what Ray would make of an exception is none of ours any more.

    Attributes:
        kind: Name of its class.
        message: Its text.
    """

    kind: str
    message: str

    @classmethod
    def of(cls, error: CodeModeError) -> Failure:
        """Turn an error into data."""
        kind = next((each.__name__ for each in KINDS if isinstance(error, each)), "KernelError")
        return cls(kind, str(error))

    def error(self) -> CodeModeError:
        """Turn it into an error again."""
        kinds = {each.__name__: each for each in KINDS}
        error: CodeModeError = kinds.get(self.kind, KernelError)(self.message)
        return error
