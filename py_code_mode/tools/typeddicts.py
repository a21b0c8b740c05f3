"""Objects of JSON schemas as TypedDict classes.

Place in the house: ``tools``, below ``stubs``. Objects that are alike share one class; names are
made of the schema's own title or of where the object stands, so they stay from run to run.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Any

from py_code_mode.tools.annotations import Names
from py_code_mode.tools.jsonschema import annotation_of, resolve
from py_code_mode.tools.structure import Record, alternatives, fields_of

__all__ = ["TypedDicts", "camel", "one_line"]

_DEPTH = 5
_CLASSES = 300
_NOTE = 80  # characters of a field's description that are kept
_TITLE = 40

Schema = Mapping[str, Any]


class TypedDicts:
    """The TypedDict classes of one stub.

    Args:
        names: The stub's names.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[tuple[Any, ...], str] = {}
        self.classes: list[str] = []

    def annotation(self, schema: Any, hint: str) -> str | None:
        """Return the annotation of a schema's values, or None where a plain one says as much.

        Args:
            schema: A JSON schema; references in it are looked up in itself.
            hint: Name of the class, should there be one and the schema have no title.
        """
        root = schema if isinstance(schema, Mapping) else {}
        if not _has_record(schema, root, _DEPTH):
            return None
        return self._of(schema, root, hint, _DEPTH)

    def _of(self, schema: Any, root: Schema, hint: str, depth: int) -> str:
        hint = _referred(schema) or hint
        each = [self._one(part, root, hint, depth) for part in alternatives(schema, root)]
        known = list(dict.fromkeys(each))
        anything = self._names.name("Any")
        return anything if anything in known or not known else " | ".join(known)

    def _one(self, schema: Schema, root: Schema, hint: str, depth: int) -> str:
        if isinstance(name := schema.get("x-python"), str):
            return self._names.clean(name)
        if depth > 1:
            if (fields := fields_of(schema)) is not None and len(self.classes) < _CLASSES:
                return self._record(fields, root, _titled(schema) or hint, depth)
            if schema.get("type") == "array" and schema.get("items"):
                inside = self._of(schema["items"], root, _singular(hint), depth - 1)
                return f"{self._names.name('list')}[{inside}]"
            values = schema.get("additionalProperties")
            if isinstance(values, Mapping) and values and not schema.get("properties"):
                inside = self._of(values, root, f"{hint}Value", depth - 1)
                return f"{self._names.name('dict')}[{self._names.name('str')}, {inside}]"
        return self._names.clean(annotation_of(schema, root))

    def _record(self, fields: Record, root: Schema, hint: str, depth: int) -> str:
        rows = [
            (
                name,
                self._of(each, root, hint + camel(name), depth - 1),
                always,
                _note(each, root),
            )
            for name, always, each in fields
        ]
        # What was only observed never lends its name to what is promised.
        key = (hint.startswith("Observed"), *(row[:3] for row in rows))
        if key not in self._known:
            self._known[key] = name = self._names.new(hint)
            self.classes.append(self._class(name, rows))
        return self._known[key]

    def _class(self, name: str, rows: list[tuple[str, str, bool, str]]) -> str:
        base = self._names.name("TypedDict")
        optional = self._names.name("NotRequired") if not all(row[2] for row in rows) else ""
        kinds = [kind if always else f"{optional}[{kind}]" for _, kind, always, _ in rows]
        used = {word for kind in kinds for word in re.findall(r"\w+", kind)}
        if all(_is_plain_field(row[0], used) for row in rows):
            lines = [f"    {row[0]}: {kind}{row[3]}" for row, kind in zip(rows, kinds, strict=True)]
            return "\n".join([f"class {name}({base}):", *lines])
        pairs = [f"    {row[0]!r}: {kind},{row[3]}" for row, kind in zip(rows, kinds, strict=True)]
        return "\n".join([f"{name} = {base}({name!r}, {{", *pairs, "})"])


def _is_plain_field(name: str, used: set[str]) -> bool:
    """Whether a field can be written in the body of a class and hides nothing there."""
    is_name = name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
    return is_name and not name.startswith("__") and name not in used


def _has_record(schema: Any, root: Schema, depth: int) -> bool:
    """Whether there is an object with fields anywhere a class would be made of it."""
    if depth == 0:
        return False
    return any(
        "x-python" in part
        or fields_of(part) is not None
        or _has_record(part.get("items"), root, depth - 1)
        or _has_record(part.get("additionalProperties"), root, depth - 1)
        for part in alternatives(schema, root)
    )


def _referred(schema: Any) -> str:
    reference = schema.get("$ref") if isinstance(schema, Mapping) else None
    last = reference.rpartition("/")[2] if isinstance(reference, str) else ""
    return camel(last) if 0 < len(last) <= _TITLE else ""


def _titled(schema: Schema) -> str:
    title = schema.get("title")
    is_title = isinstance(title, str) and 0 < len(title) <= _TITLE
    return camel(str(title)) if is_title else ""


def _singular(hint: str) -> str:
    return hint if hint.endswith("Item") else f"{hint}Item"


def _note(schema: Any, root: Schema) -> str:
    inner = resolve(schema, root)
    said = (schema if isinstance(schema, Mapping) else {}).get("description")
    text = said if isinstance(said, str) else inner.get("description")
    return f"  # {one_line(text, _NOTE)}" if isinstance(text, str) and text.strip() else ""


def camel(text: str) -> str:
    """Return ``text`` as the name of a class: ``get-alerts`` -> ``GetAlerts``."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return name if name[:1].isalpha() else f"T{name}"


def one_line(text: str, most: int) -> str:
    """Return ``text`` in one line of characters that print, cut to ``most``."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain if len(plain) <= most else plain[: most - 3].rstrip() + "..."
