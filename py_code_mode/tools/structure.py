"""What a JSON schema says of a value's inside, piece by piece and as one short text.

Place in the house: ``tools``, above ``jsonschema``, which names types in one word; here records
are looked into. A schema comes from outside: nothing in it is followed without end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from py_code_mode.tools.jsonschema import annotation_of, resolve

__all__ = ["Record", "alternatives", "fields_of", "structure_of"]

_DEPTH = 6
_ALTERNATIVES = 8
_TEXT = 600  # characters of a structure that is shown in one line
_FIELDS = 40

Schema = Mapping[str, Any]
Record = list[tuple[str, bool, Any]]
"""The fields of an object: name, whether it is always there, schema."""


def alternatives(schema: Any, root: Schema, depth: int = _DEPTH) -> list[Schema]:
    """Split a schema into those whose union it is, each of one type where that is said."""
    return list(_alternatives(schema, root, depth))[:_ALTERNATIVES]


def _alternatives(schema: Any, root: Schema, depth: int) -> Iterator[Schema]:
    schema = resolve(schema, root)
    if depth == 0:
        yield {}
        return
    types = schema.get("type")
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            for each in schema[key][:_ALTERNATIVES]:
                yield from _alternatives(each, root, depth - 1)
            return
    if isinstance(schema.get("allOf"), list):
        yield _joined([resolve(each, root) for each in schema["allOf"]], schema)
    elif isinstance(types, list):
        ordered = sorted(types, key=lambda kind: kind == "null")  # `| None` stands last
        yield from ({**schema, "type": kind} for kind in ordered)
    elif types or "x-python" not in schema:
        yield schema
    names = schema.get("x-python")
    yield from ({"x-python": name} for name in (names if isinstance(names, list) else ()))
    if schema.get("nullable") is True:
        yield {"type": "null"}


def _joined(parts: list[Schema], whole: Schema) -> Schema:
    """Return the object that all parts of an ``allOf`` describe together."""
    records = [part for part in (*parts, whole) if isinstance(part.get("properties"), Mapping)]
    if not records:
        return parts[0] if parts else {}
    properties = {name: each for part in records for name, each in part["properties"].items()}
    needed = [name for part in (*parts, whole) for name in part.get("required") or ()]
    return {"type": "object", "properties": properties, "required": needed}


def fields_of(schema: Schema) -> Record | None:
    """Return the fields of an object, or None where it is none or says nothing of them."""
    properties, needed = schema.get("properties"), schema.get("required")
    if schema.get("type", "object") != "object":  # one type of several that share the keywords
        return None
    if not isinstance(properties, Mapping) or not properties or len(properties) > _FIELDS:
        return None
    always = frozenset(map(str, needed)) if isinstance(needed, list) else frozenset()
    return [(str(name), str(name) in always, each) for name, each in properties.items()]


def structure_of(schema: Any, root: Schema | None = None) -> str:
    """Return the structure of a schema's values in one line, empty when there is none to show.

    Returns:
        E.g. ``list[{'id': int, 'labels'?: list[str]}]``: a ``?`` marks what may be missing.
    """
    whole = root if root is not None else (schema if isinstance(schema, Mapping) else {})
    for depth in range(_DEPTH, 0, -1):  # what does not fit is shown less deep
        text = _text(schema, whole, depth)
        if len(text) <= _TEXT:
            return "" if text == "Any" else text
    return ""


def _text(schema: Any, root: Schema, depth: int) -> str:
    found = [_one(each, root, depth) for each in alternatives(schema, root, depth)]
    return "Any" if "Any" in found or not found else " | ".join(dict.fromkeys(found))


def _one(schema: Schema, root: Schema, depth: int) -> str:
    if isinstance(name := schema.get("x-python"), str):
        return name
    if depth <= 1:
        return annotation_of(schema, root)
    fields = fields_of(schema)
    if fields is not None:
        inside = [
            f"{name!r}{'' if always else '?'}: {_text(each, root, depth - 1)}"
            for name, always, each in fields
        ]
        return "{" + ", ".join(inside) + "}"
    if schema.get("type") == "array" and schema.get("items"):
        return f"list[{_text(schema['items'], root, depth - 1)}]"
    values = schema.get("additionalProperties")
    if schema.get("type") == "object" and isinstance(values, Mapping) and values:
        return f"dict[str, {_text(values, root, depth - 1)}]"
    return annotation_of(schema, root)
