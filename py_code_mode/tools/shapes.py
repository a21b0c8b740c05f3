"""Shapes of results, learned from results: for tools that do not say what they return.

Place in the house: ``tools``, below the shelf. A shape is a JSON schema of types and names of keys;
no value ever goes into one. What is no JSON has ``x-python``, the names of Python types. Values
have passed ``Secrets.redact`` before they come here.

Of each tool the first few results are looked at, and of each only a part, so that learning costs
microseconds. A dict whose keys do not look like names of fields (too many, digits, blanks: they
may well be data) becomes a mapping, and its keys are forgotten.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import islice
from typing import Any

__all__ = ["Schema", "checked", "merged", "shape_of", "size_of"]

Schema = dict[str, Any]

_DEPTH = 5  # containers within containers
_NODES = 300  # values of a result that are looked at
_ITEMS = 20  # items of a list
_KEYS = 30  # of a dict that is a record; more make it a mapping
_KEY_LENGTH, _KEY_DIGITS = 40, 3  # longer keys, or with more digits, are data
_NAME_LENGTH = 60

_TYPES: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    list: "array",
    dict: "object",
}
_KNOWN = frozenset(_TYPES.values())


def shape_of(value: Any) -> Schema:
    """Return the shape of one result."""
    return _shape(value, _DEPTH, iter(range(_NODES)))


def _shape(value: Any, depth: int, room: Iterable[int]) -> Schema:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, Enum):
        value = value.value  # this and the former are plain data on the other side
    kind = _TYPES.get(type(value))
    if kind is None:
        name = type(value).__name__
        return {"x-python": [name if name.isidentifier() else "object"][:_NAME_LENGTH]}
    shape: Schema = {"type": [kind]}
    if depth and value and next(iter(room), None) is not None:
        if kind == "array":
            shape["items"] = _all(value, depth, room)
        elif kind == "object":
            _look_into(shape, value, depth, room)
    return shape


def _look_into(shape: Schema, value: Mapping[Any, Any], depth: int, room: Iterable[int]) -> None:
    if len(value) > _KEYS or not all(map(_is_field, value)):
        shape["additionalProperties"] = _all(value.values(), depth, room)
        return
    pairs = sorted(value.items())
    shape["properties"] = {key: _shape(item, depth - 1, room) for key, item in pairs}
    shape["required"] = [key for key, _ in pairs]


def _all(values: Iterable[Any], depth: int, room: Iterable[int]) -> Schema:
    found: Schema = {}
    for value in islice(values, _ITEMS):
        found = merged(found, _shape(value, depth - 1, room))
    return found


def _is_field(key: Any) -> bool:
    return (
        type(key) is str
        and len(key) <= _KEY_LENGTH
        and key.replace("-", "_").isidentifier()
        and sum(map(str.isdigit, key)) <= _KEY_DIGITS
    )


def merged(one: Schema, other: Schema) -> Schema:
    """Return the shape of values that have either shape; what only some have is optional."""
    if not one or not other or one == other:
        return one or other
    both: Schema = {}
    types = {*one.get("type", ()), *other.get("type", ())}
    if "number" in types:
        types.discard("integer")
    for key, names in (
        ("type", types),
        ("x-python", {*one.get("x-python", ()), *other.get("x-python", ())}),
    ):
        if names:
            both[key] = sorted(names)
    for key in ("items", "additionalProperties"):
        if key in one or key in other:
            both[key] = merged(one.get(key, {}), other.get(key, {}))
    _merge_records(both, one, other)
    return both


def _merge_records(both: Schema, one: Schema, other: Schema) -> None:
    records = [each for each in (one, other) if "properties" in each]
    if not records:
        return
    first, second = (each.get("properties", {}) for each in (one, other))
    names = sorted({*first, *second})
    are_data = len(records) == 2 and not (first.keys() & second.keys())  # noqa: PLR2004
    if "additionalProperties" in both or are_data or len(names) > _KEYS:
        inner = both.get("additionalProperties", {})
        for each in (*first.values(), *second.values()):
            inner = merged(inner, each)
        both["additionalProperties"] = inner
        return
    both["properties"] = {name: merged(first.get(name, {}), second.get(name, {})) for name in names}
    # Only dicts can lack a key: None beside a record takes nothing away from it.
    dicts = [each for each in (one, other) if "object" in each.get("type", ())]
    needed = [frozenset(each.get("required", ())) for each in dicts]
    both["required"] = sorted(frozenset.intersection(*needed)) if needed else []


def size_of(shape: Schema) -> int:
    """Return how many types a shape has."""
    inner = [*shape.get("properties", {}).values()]
    inner += [shape[key] for key in ("items", "additionalProperties") if key in shape]
    return 1 + sum(map(size_of, inner))


def checked(data: Any, depth: int = _DEPTH + 2) -> Schema:
    """Return a shape that was read from somewhere, rebuilt of nothing but what a shape has.

    Raises:
        ValueError: It is no shape.
    """
    if not isinstance(data, dict) or depth == 0:
        raise ValueError("a shape is an object, and not nested so deep")
    shape: Schema = {}
    types, names = data.get("type", []), data.get("x-python", [])
    if not isinstance(types, list) or not _KNOWN.issuperset(types):
        raise ValueError("a type that is none of JSON's")
    if not isinstance(names, list) or not all(
        isinstance(n, str) and n.isidentifier() for n in names
    ):
        raise ValueError("a name that is none of a type")
    shape |= {"type": sorted(types)} if types else {}
    shape |= {"x-python": sorted(map(str, names))} if names else {}
    for key in ("items", "additionalProperties"):
        if key in data:
            shape[key] = checked(data[key], depth - 1)
    if "properties" in data:
        inner, needed = data["properties"], data.get("required", [])
        if (
            not isinstance(inner, dict)
            or not isinstance(needed, list)
            or not all(map(_is_field, inner))
        ):
            raise ValueError("keys that are none of a shape")
        shape["properties"] = {key: checked(inner[key], depth - 1) for key in sorted(inner)}
        shape["required"] = sorted(key for key in inner if key in needed)
    return shape
