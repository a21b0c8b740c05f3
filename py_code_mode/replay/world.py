"""What a transcript's cells found when they began: tools, skills, artifacts; read and checked.

Place in the house: inside ``replay``, below ``recorded``. Untrusted data in, values out.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import Any

from kernel_bootstrap.wire.codec import decode
from kernel_bootstrap.wire.packing import KINDS
from py_code_mode.artifacts.info import Details
from py_code_mode.errors import ProtocolError
from py_code_mode.jsonform import read_fields
from py_code_mode.skills.parse import parse_skill
from py_code_mode.skills.skill import Skill
from py_code_mode.tools.base import NO_DEFAULT, ToolInfo, ToolParam

__all__ = ["Artifact", "read_artifact", "read_base64", "read_skill", "read_tool"]


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact with its bytes.

    Attributes:
        name: Its name.
        kind: The form of its bytes, see ``kernel_bootstrap.wire.packing``.
        data: Its bytes.
        details: What is said of it.
    """

    name: str
    kind: str
    data: bytes
    details: Details


def read_tool(data: Any) -> ToolInfo:
    """Read a tool's description.

    Raises:
        ProtocolError: It is malformed.
    """
    told = read_fields(
        "a tool", data, name=str, description=str, params=list, tags=list, returns=str
    )
    if not all(isinstance(tag, str) for tag in told["tags"]):
        raise ProtocolError("the tags of a tool must be text")
    params = tuple(map(_param, told["params"]))
    return ToolInfo(
        told["name"], told["description"], params, frozenset(told["tags"]), told["returns"]
    )


def _param(data: Any) -> ToolParam:
    told = read_fields(
        "a parameter", data, name=str, annotation=str, required=bool, description=str
    )
    default = decode(data["default"]) if "default" in data else NO_DEFAULT
    return ToolParam(**told, default=default)


def read_skill(data: Any) -> Skill:
    """Read a skill; its source is parsed and never run here.

    Raises:
        ProtocolError: It is malformed.
        SkillValidationError: Its source is not acceptable.
    """
    told = read_fields("a skill", data, name=str, source=str, description=str, documentation=str)
    skill = parse_skill(told["name"], told["source"])
    return replace(skill, description=told["description"], documentation=told["documentation"])


def read_artifact(data: Any) -> Artifact:
    """Read an artifact.

    Raises:
        ProtocolError: It is malformed.
    """
    told = read_fields(
        "an artifact", data, name=str, kind=str, description=str, tags=list, base64=str
    )
    if told["kind"] not in KINDS:
        raise ProtocolError(f"{told['kind']!r:.40} is no kind of artifact")
    whole = read_base64("an artifact", told["base64"])
    metadata = data.get("metadata")
    details = Details(
        told["description"],
        metadata if isinstance(metadata, dict) else None,
        tuple(tag for tag in told["tags"] if isinstance(tag, str)),
        _text(data.get("content_type")),
        _text(data.get("type_name")),
    )
    return Artifact(told["name"], told["kind"], whole, details)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def read_base64(what: str, text: Any) -> bytes:
    """Return the bytes that a text stands for.

    Args:
        what: What they are, for the message.
        text: Untrusted.

    Raises:
        ProtocolError: It is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ProtocolError(f"the bytes of {what} are no base64: {error}") from None
