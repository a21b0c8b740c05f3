"""Schemas of a document, each on its own feet: what they refer to is written out.

Place in the house: ``tools.http``. A document may be wrong, endless or hostile. What comes out
is a JSON schema (2020-12) that refers to nothing, has a bounded size, and holds only what can be
checked in bounded time: no patterns, which belong to the server.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from py_code_mode.tools.jsonschema import resolve

__all__ = ["as_object", "self_contained"]

_MAX_DEPTH = 12
_TYPES = frozenset({"string", "integer", "number", "boolean", "null", "object", "array"})


def self_contained(
    schema: Any, root: Mapping[str, Any], *, most: int = 300, for_request: bool = False
) -> dict[str, Any]:
    """Return a schema with everything it refers to in its place.

    Args:
        schema: As it stands in the document.
        root: The document.
        most: Schemas within it that are written out; the others allow anything.
        for_request: Leave out properties that only answers have.
    """
    return _Copy(root, most, for_request=for_request).of(schema)


_Task = tuple[Any, dict[str, Any], frozenset[int], int]
"""What is to be copied, into what, within which schemas, and how deep."""


class _Copy:
    """Copies a schema, within a budget.

    Level by level, not branch by branch: where the budget ends, it is the depth that is missing,
    not the last parameters.
    """

    def __init__(self, root: Mapping[str, Any], most: int, *, for_request: bool) -> None:
        self._root = root
        self._left = most
        self._for_request = for_request
        self._todo: deque[_Task] = deque()

    def of(self, schema: Any) -> dict[str, Any]:
        copy = self._later(schema, frozenset(), 0)
        while self._todo and self._left > 0:
            self._left -= 1
            self._fill(*self._todo.popleft())
        return copy

    def _later(self, schema: Any, above: frozenset[int], depth: int) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        self._todo.append((schema, copy, above, depth))
        return copy

    def _fill(self, schema: Any, copy: dict[str, Any], above: frozenset[int], depth: int) -> None:
        target = resolve(schema, self._root)
        if not target:
            return
        if depth > _MAX_DEPTH or id(target) in above:
            kind = target.get("type")  # no deeper, but this much is known
            if isinstance(kind, str) and kind in _TYPES:
                copy["type"] = kind
            return
        for key, value in target.items():
            keep = _KEEP.get(key)
            if keep is not None and keep(value):
                copy[key] = value
        self._containers(target, copy, above | {id(target)}, depth + 1)
        _modernise(target, copy)
        if target is not schema:  # what stands beside a reference is about this use of it
            copy |= {
                key: schema[key]
                for key in ("description", "default")
                if key in schema and _KEEP[key](schema[key])
            }

    def _containers(
        self, schema: Mapping[str, Any], copy: dict[str, Any], above: frozenset[int], depth: int
    ) -> None:
        for key in ("allOf", "anyOf", "oneOf"):
            branches = schema.get(key)
            if isinstance(branches, list) and branches:
                # Servers are laxer than `oneOf`: a whole number is both integer and number.
                name = "anyOf" if key == "oneOf" else key
                copy.setdefault(name, [self._later(each, above, depth) for each in branches])
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), Mapping):
                copy[key] = self._later(schema[key], above, depth)
        if schema.get("additionalProperties") is False and "properties" in schema:
            copy["additionalProperties"] = False
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            copy["properties"] = {
                str(name): self._later(each, above, depth)
                for name, each in properties.items()
                if not (self._for_request and resolve(each, self._root).get("readOnly") is True)
            }
        required = schema.get("required")
        if isinstance(required, list):
            names = [name for name in required if isinstance(name, str)]
            if self._for_request and isinstance(properties, Mapping):
                names = [n for n in names if n in copy["properties"] or n not in properties]
            copy["required"] = list(dict.fromkeys(names))


def _modernise(schema: Mapping[str, Any], copy: dict[str, Any]) -> None:
    """Write what OpenAPI 3.0 says in its own way as JSON schema does."""
    for key, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(key) is True and plain in copy:
            copy[key] = copy.pop(plain)
    kinds = copy.get("type")
    if isinstance(kinds, list):
        copy["type"] = list(dict.fromkeys(kinds))
    if schema.get("nullable") is not True:
        return
    if isinstance(kinds, str):
        copy["type"] = [kinds, "null"]
    if "enum" in copy and None not in copy["enum"]:
        copy["enum"] = [*copy["enum"], None]
    for key in ("anyOf", "allOf"):
        if key in copy and "type" not in copy:
            copy["anyOf"] = [*(copy["anyOf"] if key == "anyOf" else [{key: copy.pop(key)}])]
            copy["anyOf"].append({"type": "null"})
            break


def _is_json(value: Any) -> bool:
    try:
        return len(json.dumps(value, allow_nan=False)) < 20_000  # noqa: PLR2004 - no schema needs it
    except (TypeError, ValueError, RecursionError):
        return False


def _is_number(value: Any) -> bool:
    # A whole number beyond what a float holds cannot be compared with one.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 1 << 1_000


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_kind(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, str) and each in _TYPES for each in value)
    return isinstance(value, str) and value in _TYPES


_KEEP: dict[str, Callable[[Any], bool]] = {
    "type": _is_kind,
    "enum": lambda value: isinstance(value, list) and bool(value) and _is_json(value),
    "const": _is_json,
    "default": _is_json,
    "title": _is_text,
    "description": _is_text,
    "format": _is_text,
    "contentMediaType": _is_text,
    "contentEncoding": _is_text,
    "minimum": _is_number,
    "maximum": _is_number,
    "exclusiveMinimum": _is_number,
    "exclusiveMaximum": _is_number,
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "minLength": _is_count,
    "maxLength": _is_count,
    "minItems": _is_count,
    "maxItems": _is_count,
    "minProperties": _is_count,
    "maxProperties": _is_count,
}


def as_object(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return properties and required names of an object, those of its ``allOf`` included.

    Args:
        schema: A schema of ``self_contained``.

    Returns:
        A schema with ``properties`` and ``required``; None if it is no object whose properties
        are known.
    """
    properties: dict[str, Any] = {}
    required: list[str] = []
    if "anyOf" in schema or not _collect(schema, properties, required):
        return None
    return {"properties": properties, "required": [n for n in required if n in properties]}


def _collect(schema: Mapping[str, Any], properties: dict[str, Any], required: list[str]) -> bool:
    kind = schema.get("type", "object")
    if kind != "object" and "object" not in kind:
        return False
    properties.update(schema.get("properties") or {})
    required.extend(schema.get("required") or ())
    for each in schema.get("allOf") or ():
        if "anyOf" in each or not _collect(each, properties, required):
            return False
    return bool(properties)
