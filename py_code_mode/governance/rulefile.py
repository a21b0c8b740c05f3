"""What a file of rules may say.

Place in the house: ``governance``, loaded with the first such file: pydantic takes a moment.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["RuleEntry", "RuleFile"]

Value = str | bool | int | float


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class RuleEntry(_Strict):
    """One rule; see ``Rule``."""

    effect: Literal["allow", "ask", "deny"]
    tools: str | list[str] = []
    tags: str | list[str] = []
    arguments: dict[str, Value | list[Value]] = {}
    commands: str | list[str] = []
    kind: Literal["tool", "shell"] = "tool"
    reason: str = ""


class RuleFile(_Strict):
    """The whole file."""

    rules: list[RuleEntry]
    default: Literal["allow", "ask", "deny"] = "allow"
