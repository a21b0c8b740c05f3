"""What travels over the comm: requests, replies, cancellations and failures.

Place in the house: part of THE contract (``kernel_bootstrap.wire``), standard library only.

One comm, opened by the host on the control channel, carries messages both ways. Each message
is a comm_msg whose ``data`` is one flat JSON object with a ``kind``:

===========  =============================  ==================================================
kind         fields                         meaning
===========  =============================  ==================================================
``request``  ``id, method, params``         do this and reply; either side may ask
``reply``    ``id, value`` or ``failure``   the answer to the request of that id
``cancel``   ``id``                         the answer is no longer wanted; stop working on it
===========  =============================  ==================================================

``params`` and ``value`` are codec trees (see ``codec``); their bulk bytes travel as the comm
message's binary buffers. The kernel sends on iopub, the host sends on the control channel:
a busy kernel reads no other.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernel_bootstrap.wire.codec import Buffer, decode, encode
from kernel_bootstrap.wire.errors import CROSSING, CodeModeError, ProtocolError
from kernel_bootstrap.wire.parts import shown, well_formed

__all__ = [
    "COMM_TARGET",
    "METADATA_KEY",
    "PROTOCOL_VERSION",
    "VALUE_MIME",
    "Cancel",
    "Failure",
    "Message",
    "Method",
    "Query",
    "Reply",
    "Request",
    "parse",
]

PROTOCOL_VERSION = 1
"""Both sides state it in the hello; a difference is refused, never guessed around."""

COMM_TARGET = "py-code-mode"
"""Target name of the one comm between a kernel and its host."""

VALUE_MIME = "application/vnd.py-code-mode.value+json"
"""MIME type under which the last expression's value rides inside ``execute_result``."""

METADATA_KEY = "py_code_mode"
"""Key of our entries in the metadata of Jupyter messages."""


class Method:
    """Names of what a kernel may ask of the host. A kernel can name a tool, never a command."""

    TOOLS_CALL = "tools.call"
    TOOLS_LIST = "tools.list"
    TOOLS_SEARCH = "tools.search"
    SKILLS_LIST = "skills.list"
    SKILLS_SEARCH = "skills.search"
    SKILLS_GET = "skills.get"
    SKILLS_CREATE = "skills.create"
    SKILLS_UPDATE = "skills.update"
    SKILLS_DELETE = "skills.delete"
    SKILLS_VERSIONS = "skills.versions"
    SKILLS_USED = "skills.used"
    ARTIFACTS_SAVE = "artifacts.save"
    ARTIFACTS_LOAD = "artifacts.load"
    ARTIFACTS_GET = "artifacts.get"
    ARTIFACTS_LIST = "artifacts.list"
    ARTIFACTS_SEARCH = "artifacts.search"
    ARTIFACTS_EXISTS = "artifacts.exists"
    ARTIFACTS_DELETE = "artifacts.delete"
    ARTIFACTS_BEGIN = "artifacts.begin"
    ARTIFACTS_WRITE = "artifacts.write"
    ARTIFACTS_COMMIT = "artifacts.commit"
    ARTIFACTS_ABORT = "artifacts.abort"
    ARTIFACTS_READ = "artifacts.read"
    SHELL_CHECK = "shell.check"
    OUTPUT_SPILL = "output.spill"


class Query:
    """Names of what the host may ask of a kernel: ``PEEK`` while it runs a cell, else between."""

    HELLO = "hello"
    CATALOGUE = "catalogue"
    VARIABLES = "variables"
    GET_VARIABLE = "get_variable"
    SET_VARIABLE = "set_variable"
    FORK = "fork"
    BEGIN = "begin"
    PEEK = "peek"


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as data.

    Attributes:
        kind: Name of a class in ``errors.CROSSING``.
        message: Its whole sentence.
        details: Plain data (exit code, stderr, near names).
    """

    kind: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_exception(cls, error: BaseException) -> Failure:
        """Describe ``error`` for the other side; unknown classes become the nearest known one."""
        if isinstance(error, CodeModeError):
            for known in type(error).__mro__:
                if CROSSING.get(known.__name__) is known:
                    return cls(known.__name__, error.message or str(error), error.details)
        text = "".join(traceback.format_exception_only(error)).strip()
        return cls("CodeModeError", text)

    def to_exception(self) -> CodeModeError:
        """Build the exception to raise on this side."""
        error = CROSSING.get(self.kind, CodeModeError)(self.message)
        error.details.update(self.details)
        return error


@dataclass(frozen=True, slots=True)
class Request:
    """Ask the other side to do ``method`` with ``params``; ``id`` is unique per sender.

    Of one that came in, ``size`` is how many bytes its buffers have.
    """

    id: int
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
    size: int = field(default=0, compare=False)

    def to_wire(self) -> tuple[dict[str, Any], list[Buffer]]:
        """Return the comm ``data`` and its buffers.

        Raises:
            ValueNotEncodableError: A parameter cannot cross; the message names its type.
        """
        tree, buffers = encode(dict(self.params))
        return (
            {"kind": "request", "id": self.id, "method": well_formed(self.method), "params": tree},
            buffers,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the request ``id``: a value, or a failure."""

    id: int
    value: Any = None
    failure: Failure | None = None

    def to_wire(self, max_bytes: int | None = None) -> tuple[dict[str, Any], list[Buffer]]:
        """Return the comm ``data`` and its buffers.

        Args:
            max_bytes: Refuse a value larger than about this; of a failure keep what fits.

        Raises:
            ValueNotEncodableError: The value cannot cross, or is too large; the message names
                its type.
        """
        if self.failure is not None:
            try:
                details, buffers = encode(dict(self.failure.details), max_bytes=max_bytes)
            except CodeModeError:
                details, buffers = {}, []
            failure = {
                "kind": self.failure.kind,
                # File names and stderr may hold bytes that no JSON packer takes.
                "message": well_formed(self.failure.message[:max_bytes]),
                "details": details,
            }
            return {"kind": "reply", "id": self.id, "failure": failure}, buffers
        tree, buffers = encode(self.value, max_bytes=max_bytes)
        return {"kind": "reply", "id": self.id, "value": tree}, buffers

    def unwrap(self) -> Any:
        """Return the value or raise the failure."""
        if self.failure is not None:
            raise self.failure.to_exception()
        return self.value


@dataclass(frozen=True, slots=True)
class Cancel:
    """The answer to the request ``id`` is no longer wanted."""

    id: int

    def to_wire(self) -> tuple[dict[str, Any], list[Buffer]]:
        """Return the comm ``data`` and its (empty) buffers."""
        return {"kind": "cancel", "id": self.id}, []


Message = Request | Reply | Cancel


def parse(data: Any, buffers: Sequence[Buffer] = ()) -> Message:
    """Turn the ``data`` and buffers of a comm_msg into a message.

    Raises:
        ProtocolError: Anything is not as the table above says. Nothing else is raised: the
            input may come from a hostile side.
    """
    if not isinstance(data, dict):
        raise ProtocolError(f"comm data must be an object, not {type(data).__name__}")
    kind, id_ = data.get("kind"), data.get("id")
    if type(id_) is not int or id_ < 0:
        raise ProtocolError(f"message id must be a non-negative integer, not {shown(id_)}")
    if kind == "cancel":
        return Cancel(id_)
    if kind == "request":
        method = data.get("method")
        if not isinstance(method, str):
            raise ProtocolError(f"request method must be a string, not {shown(method)}")
        params = decode(data.get("params"), buffers)
        if type(params) is not dict or not all(isinstance(key, str) for key in params):
            raise ProtocolError("request params must be an object with string keys")
        return Request(id_, method, params, sum(memoryview(each).nbytes for each in buffers))
    if kind == "reply":
        if "failure" in data:
            return Reply(id_, failure=_parse_failure(data["failure"], buffers))
        return Reply(id_, value=decode(data.get("value"), buffers))
    raise ProtocolError(f"unknown message kind {shown(kind)}")


def _parse_failure(data: Any, buffers: Sequence[Buffer]) -> Failure:
    if not isinstance(data, dict):
        raise ProtocolError("failure must be an object")
    kind, message = data.get("kind"), data.get("message")
    if not isinstance(kind, str) or not isinstance(message, str):
        raise ProtocolError("failure needs a kind and a message")
    details = decode(data.get("details", {}), buffers)
    if type(details) is not dict or not all(isinstance(key, str) for key in details):
        raise ProtocolError("failure details must be an object with string keys")
    return Failure(kind, message, details)
