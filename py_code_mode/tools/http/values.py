"""What an agent gives, as plain data, and checked against its schema.

Place in the house: ``tools.http``. Arguments come from a kernel, so anything may be in them;
schemas come from a document, so anything may have been in those, too: ``schemas`` made them
harmless. Whatever comes, the outcome is plain data or a ``ToolCallError``.
"""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import json
import math
import pathlib
import uuid
from collections.abc import Mapping
from typing import Any

from kernel_bootstrap.wire.media import Media
from py_code_mode.errors import ToolCallError
from py_code_mode.tools.http.model import is_binary

__all__ = ["Checker", "plain"]

_MAX_VALUES = 1_000_000
_MAX_CHECKED = 5_000  # values; more are left to the server, for checking them takes long
_MAX_DEPTH = 64
_MAX_DIGITS = 4_000  # Python refuses to write longer numbers
_MAX_SAID = 300

_TEXTS = (uuid.UUID, pathlib.PurePath, decimal.Decimal, fractions.Fraction)
_DATES = (dt.date, dt.time)  # a datetime is a date


class _Count:
    """How many values were seen."""

    def __init__(self) -> None:
        self.seen = 0

    def add(self, number: int) -> None:
        self.seen += number
        if self.seen > _MAX_VALUES:
            raise ToolCallError(f"has more than {_MAX_VALUES:,} values")


def plain(value: Any) -> tuple[Any, int]:
    """Return ``value`` as JSON has it, bytes and media aside, and how many values are in it.

    Raises:
        ToolCallError: There is something in it that no API takes.
    """
    count = _Count()
    return _plain(value, count, 0), count.seen


def _plain(value: Any, count: _Count, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise ToolCallError(f"is nested more than {_MAX_DEPTH} deep")
    kind = type(value)
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        count.add(getattr(value, "size", 1))
        value = value.tolist()
        kind = type(value)
    if value is None or kind in (bool, str, bytes, Media):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, _TEXTS):
        return str(value)
    if isinstance(value, _DATES):
        return value.isoformat()
    return _container(value, count, depth)


def _number(value: Any) -> int | float:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ToolCallError(f"has the number {value}, which JSON does not have")
        return float(value)
    if value.bit_length() > _MAX_DIGITS * 3:
        raise ToolCallError(f"has a number of more than {_MAX_DIGITS:,} digits")
    return int(value)


def _container(value: Any, count: _Count, depth: int) -> Any:
    if isinstance(value, range):
        count.add(max(0, (value.stop - value.start) // value.step))
        return [_number(each) for each in value]
    if isinstance(value, list | tuple | set | frozenset):
        count.add(len(value))
        return [_plain(each, count, depth + 1) for each in value]
    if isinstance(value, Mapping):
        count.add(len(value))
        for key in value:
            if not isinstance(key, str):
                raise ToolCallError(f"has the key {key!r:.80}; keys are text")
        return {key: _plain(each, count, depth + 1) for key, each in value.items()}
    raise ToolCallError(f"cannot be {type(value).__name__}; give plain data")


class Checker:
    """Checks the values of one parameter.

    Args:
        schema: What they may be; made by ``schemas`` or by the host itself.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._validator: Any = None

    def check(self, value: Any) -> Any:
        """Return the value as it is sent, converted where that is safe.

        Raises:
            ToolCallError: It does not fit; the message says where and why.
        """
        value, size = plain(value)
        if is_binary(self._schema):
            return _as_bytes(value)
        if not self._schema or size > _MAX_CHECKED or _has_bytes(value):
            return value
        if self._validator is None:
            from jsonschema.validators import Draft202012Validator

            self._validator = Draft202012Validator(dict(self._schema))
        if self._is_valid(value):
            return value
        converted = _converted(value, self._schema, 0)
        problem = self._problem(converted)
        if problem is not None:
            raise ToolCallError(problem)
        return converted

    def allows(self, value: Any) -> bool:
        """Whether a value fits as it is."""
        try:
            return bool(self.check(value) == value)
        except ToolCallError:
            return False

    def _is_valid(self, value: Any) -> bool:
        return self._problem(value) is None

    def _problem(self, value: Any) -> str | None:
        try:
            error = next(self._validator.iter_errors(value), None)
        except (ArithmeticError, RecursionError) as cause:  # a number too large for its check
            return f"cannot be checked: {cause}"
        if error is None:
            return None
        at = "".join(f"[{part!r}]" for part in error.absolute_path)
        said = str(error.message)
        if len(said) > _MAX_SAID:  # it repeats the value
            said = f"{said[: _MAX_SAID // 2]} [...] {said[-_MAX_SAID // 2 :]}"
        return f"at {at}: {said}" if at else said


def _as_bytes(value: Any) -> Any:
    if isinstance(value, str):
        return _encoded(value)
    if isinstance(value, bytes | Media):
        return value
    raise ToolCallError(f"must be bytes or text, not {type(value).__name__}")


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolCallError(f"has no valid text at character {error.start}") from None


def _has_bytes(value: Any) -> bool:
    """Whether the value, or an item of a list, is bytes: files are not JSON."""
    if isinstance(value, list):
        return any(isinstance(each, bytes | Media) for each in value)
    return isinstance(value, bytes | Media)


def _converted(value: Any, schema: Any, depth: int) -> Any:
    """Return ``value`` as the type its schema asks for, as it is when there is no safe way."""
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return value
    for key in ("anyOf", "allOf"):
        for branch in schema.get(key) or ():
            found = _converted(value, branch, depth + 1)
            if found is not value and found != value:
                return found
    kinds = schema.get("type")
    for kind in [kinds] if isinstance(kinds, str) else kinds or ():
        converted = _to_type(value, kind, schema, depth)
        if converted is not value:
            return converted
    return value


def _to_type(value: Any, kind: str, schema: Mapping[str, Any], depth: int) -> Any:
    if isinstance(value, list) and kind == "array":
        return [_converted(each, schema.get("items"), depth + 1) for each in value]
    if isinstance(value, dict) and kind == "object":
        known = schema.get("properties") or {}
        return {key: _converted(each, known.get(key), depth + 1) for key, each in value.items()}
    if isinstance(value, str):
        return _from_text(value, kind)
    if kind == "string" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _from_text(text: str, kind: str) -> Any:
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            number = float(text)
            return number if math.isfinite(number) else text
        if kind == "boolean":
            return {"true": True, "false": False}.get(text.lower(), text)
        if kind in {"array", "object"}:  # models like to give these as JSON text
            found = json.loads(text)
            return found if isinstance(found, list if kind == "array" else dict) else text
    except (ValueError, RecursionError):
        return text
    return text
