"""JSON schemas of servers and APIs, as Python sees them.

Place in the house: ``tools``, used by the adapters of MCP servers and HTTP APIs; knows neither.
A schema comes from outside: whatever it says, this gives an annotation and never fails, and
neither its depth nor its size is followed without end.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from py_code_mode.errors import ToolCallError
from py_code_mode.tools.base import NO_DEFAULT, ToolParam
from py_code_mode.tools.names import listed, unknown

__all__ = ["annotation_of", "check_names", "object_params", "resolve"]

_DEPTH = 6  # of containers and references that are followed
_ENUM = 12  # values that are written out
_TEXT = 300  # characters of an annotation

_HOMES = ("$defs", "definitions", "components")  # where references lead to

_PLAIN = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "object": "dict[str, Any]",
    "array": "list[Any]",
}


def resolve(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow ``$ref`` within a document; an empty schema where that leads nowhere.

    Args:
        schema: A schema, possibly a reference.
        root: The document it stands in.
    """
    for _ in range(_DEPTH):
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        schema = _lookup(reference, root)
    return {}


def _lookup(reference: str, root: Any) -> Any:
    if not reference.startswith("#"):
        return {}
    found = root
    for part in reference.lstrip("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, Mapping):
            found = found.get(name)
        else:
            return {}
    return found


def annotation_of(schema: Any, root: Mapping[str, Any] | None = None) -> str:
    """Return the Python annotation of a schema's values, ``"Any"`` when nothing is known.

    Args:
        schema: A JSON schema (draft 4 to 2020-12, OpenAPI 3.0 and 3.1).
        root: The document in which its references are looked up; itself by default.
    """
    whole = root if root is not None else (schema if isinstance(schema, Mapping) else {})
    text = _annotation(schema, whole, _DEPTH)
    return text if len(text) <= _TEXT else _PLAIN.get(_first_type(resolve(schema, whole)), "Any")


def _annotation(schema: Any, root: Mapping[str, Any], depth: int) -> str:
    schema = resolve(schema, root)
    if depth == 0 or not schema:
        return "Any"
    members = _members(schema, root, depth)
    if schema.get("nullable") is True and members != ["Any"]:
        members.append("None")
    return " | ".join(dict.fromkeys(members)) or "Any"


def _members(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> list[str]:
    """Return the annotations whose union a schema is."""
    if "const" in schema:
        return [_literal([schema["const"]])]
    if isinstance(schema.get("enum"), list):
        return [_literal(schema["enum"])]
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            found = [_annotation(each, root, depth - 1) for each in schema[key]]
            return ["Any"] if "Any" in found else _flat(found)
    if isinstance(schema.get("allOf"), list):
        known = [_annotation(each, root, depth - 1) for each in schema["allOf"]]
        return [each for each in known if each != "Any"][:1] or ["Any"]
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return [_of_type(str(kind), schema, root, depth) for kind in kinds]
    if isinstance(kinds, str):
        return [_of_type(kinds, schema, root, depth)]
    return ["dict[str, Any]"] if "properties" in schema else ["Any"]


def _flat(found: Iterable[str]) -> list[str]:
    return [part for each in found for part in (each.split(" | ") if "[" not in each else [each])]


def _of_type(kind: str, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> str:
    if kind == "array":
        return f"list[{_annotation(schema.get('items'), root, depth - 1)}]"
    if kind == "object" and not schema.get("properties"):
        values = schema.get("additionalProperties")
        if isinstance(values, Mapping) and values:
            return f"dict[str, {_annotation(values, root, depth - 1)}]"
    return _PLAIN.get(kind, "Any")


def _literal(values: list[Any]) -> str:
    if not 0 < len(values) <= _ENUM or not all(_is_scalar(value) for value in values):
        kinds = {type(value).__name__ for value in values}
        return kinds.pop() if kinds in ({"str"}, {"int"}, {"float"}, {"bool"}) else "Any"
    named = [value for value in values if value is not None]
    parts = [f"Literal[{', '.join(map(repr, named))}]"] if named else []
    return " | ".join([*parts, *(["None"] if len(named) < len(values) else [])])


def _is_scalar(value: Any) -> bool:
    return value is None or type(value) in (bool, int) or (type(value) is str and len(value) < 60)  # noqa: PLR2004


def _first_type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    return kind if isinstance(kind, str) else ""


def object_params(schema: Any, root: Mapping[str, Any] | None = None) -> tuple[ToolParam, ...]:
    """Return the properties of an object as parameters, required ones first.

    Args:
        schema: Schema of an object, such as the input schema of an MCP tool.
        root: The document in which its references are looked up; itself by default.
    """
    whole = root if root is not None else (schema if isinstance(schema, Mapping) else {})
    schema = resolve(schema, whole)
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping):
        return ()
    needed = frozenset(map(str, required)) if isinstance(required, list) else frozenset()
    params = [
        _param(str(name), each, whole, required=name in needed) for name, each in properties.items()
    ]
    return tuple(sorted(params, key=lambda param: not param.required))


def _param(name: str, schema: Any, root: Mapping[str, Any], *, required: bool) -> ToolParam:
    inner = resolve(schema, root)
    said = (schema if isinstance(schema, Mapping) else {}).get("description")
    text = said if isinstance(said, str) else inner.get("description")
    default = inner.get("default", NO_DEFAULT)
    if default is not NO_DEFAULT and not _is_json(default):
        default = NO_DEFAULT
    return ToolParam(
        name,
        annotation_of(schema, root),
        required=required,
        default=NO_DEFAULT if required else default,
        description=" ".join(text.split()) if isinstance(text, str) else "",
        schema=_alone(inner, root) or None,
    )


def _alone(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part of a document with what its references lead to, so that it can go alone."""
    if schema is root or _PLAIN.get(_first_type(schema), "[").find("[") < 0:
        return schema
    return {**{key: root[key] for key in _HOMES if key in root}, **schema}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def check_names(
    tool: str,
    params: Collection[ToolParam],
    arguments: Mapping[str, Any],
    *,
    takes_any: bool = False,
) -> None:
    """Refuse arguments that are unknown or missing.

    Args:
        tool: Name of the tool, for messages.
        params: What it takes.
        arguments: What is given.
        takes_any: Whether it takes names that are not among ``params``.

    Raises:
        ToolCallError: With the right names.
    """
    names = [param.name for param in params]
    takes = f"it takes {listed(names)}"
    for name in arguments:
        if name not in names and not takes_any:
            text = f"tool {tool!r}: {unknown('argument', name, names)}; {takes}"
            raise ToolCallError(text, wrong_arguments=True)
    missing = [each.name for each in params if each.required and each.name not in arguments]
    if missing:
        text = f"tool {tool!r}: argument {listed(missing)} is missing; {takes}"
        raise ToolCallError(text, wrong_arguments=True)
