"""Read values that a kernel sent outside a cell's result.

Place in the house: values layer; pure functions over untrusted data.
"""

from __future__ import annotations

from typing import Any

from kernel_bootstrap.wire.errors import ProtocolError
from py_code_mode.outputs import RemoteValue
from py_code_mode.stackframes import Variable

__all__ = ["read_remote", "read_variable", "read_variables"]


def read_remote(remote: Any, data: Any = None) -> RemoteValue:
    """Build a ``RemoteValue`` from its untrusted description.

    Raises:
        ProtocolError: It is no description.
    """
    if not isinstance(remote, dict):
        raise ProtocolError("a remote value must be an object")
    told = (remote.get(key, "") for key in ("type", "repr", "reason", "handle"))
    type_name, shown, reason, handle = (each if isinstance(each, str) else "" for each in told)
    return RemoteValue(type_name, shown, reason, handle, data or {})


def read_variable(answer: Any) -> Any:
    """Read the kernel's answer to ``get_variable``.

    Raises:
        ProtocolError: It is malformed.
    """
    if not isinstance(answer, dict) or not answer.keys() & {"remote", "value"}:
        raise ProtocolError("the answer to get_variable is malformed")
    return read_remote(answer["remote"]) if "remote" in answer else answer["value"]


def read_variables(answer: Any) -> list[Variable]:
    """Read the kernel's answer to ``variables``.

    Raises:
        ProtocolError: It is malformed.
    """
    if not isinstance(answer, list):
        raise ProtocolError("the answer to variables is malformed")
    return [Variable.from_dict(row) for row in answer]
