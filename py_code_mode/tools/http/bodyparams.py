"""Request bodies of a document as parameters, and its answers as what a tool returns.

Place in the house: ``tools.http``, below ``operations``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from py_code_mode.tools.http.model import BodyKind, Param, is_binary
from py_code_mode.tools.http.schemas import as_object, self_contained
from py_code_mode.tools.jsonschema import annotation_of, resolve

__all__ = ["Body", "body_of", "result_of"]

_MAX_RESULT = 100  # schemas of a result that are written out

Body = tuple[tuple[Param, ...], BodyKind, str]
"""Parameters, how they are written, and the content type where that does not say it."""


def body_of(operation: Mapping[str, Any], root: Mapping[str, Any]) -> Body:
    """Return the parameters that make an operation's body."""
    said = resolve(operation.get("requestBody"), root)
    content = said.get("content")
    if not isinstance(content, Mapping) or not content:
        return (), "json", ""
    content_type, kind = _chosen(content)
    media = resolve(content[content_type], root)
    schema = self_contained(media.get("schema"), root, for_request=True)
    is_needed = said.get("required") is True
    fields = as_object(schema) if kind != "raw" else None
    if fields is None:
        kind = kind if kind == "json" else "raw"
        text = said.get("description") or schema.get("description") or ""
        text = text if isinstance(text, str) else ""
        if kind == "raw" and not schema:
            schema = {"type": "string", "format": "binary"}
        whole = Param(
            "body", "content", "any", required=is_needed, schema=schema, description=_line(text)
        )
        return (whole,), kind, content_type
    params = tuple(
        Param(
            name,
            "body",
            "any",
            required=is_needed and name in fields["required"],
            description=_line(each.get("description", "")),
            key=name,
            schema=each,
        )
        for name, each in fields["properties"].items()
    )
    return params, kind, content_type if kind in {"json", "form"} else ""


def _line(text: str) -> str:
    return " ".join(text.split())[:500]


def _chosen(content: Mapping[str, Any]) -> tuple[str, BodyKind]:
    """Return the content type that says most about a body, and how it is written."""
    names = [str(name) for name in content]
    for name in names:
        plain = name.partition(";")[0].strip().lower()
        if plain == "application/json" or plain.endswith("+json"):
            return name, "json"
    for wanted, kind in (
        ("multipart/form-data", "multipart"),
        ("application/x-www-form-urlencoded", "form"),
    ):
        for name in names:
            if name.partition(";")[0].strip().lower() == wanted:
                return name, kind  # type: ignore[return-value]
    return names[0], "raw"


def result_of(
    operation: Mapping[str, Any], root: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, str]:
    """Return the schema of an operation's result, and its annotation."""
    answers = operation.get("responses")
    if not isinstance(answers, Mapping):
        return None, ""
    good = sorted(str(code) for code in answers if str(code).upper()[:1] == "2")
    by_code = {str(code): answer for code, answer in answers.items()}
    if not good and "default" not in by_code:
        return None, ""
    answer = resolve(by_code[good[0] if good else "default"], root)
    content = answer.get("content")
    if not isinstance(content, Mapping) or not content:
        return None, "None" if good and good[0] in {"204", "205"} else ""
    content_type, kind = _chosen(content)
    plain = content_type.partition(";")[0].strip().lower()
    if kind == "json":
        schema = self_contained(
            resolve(content[content_type], root).get("schema"), root, most=_MAX_RESULT
        )
        return (schema or None), annotation_of(schema)
    if plain.startswith("text/"):
        return {"type": "string"}, "str"
    if plain.partition("/")[0] in {"image", "audio", "video"}:
        return None, "Media"
    schema = self_contained(resolve(content[content_type], root).get("schema"), root, most=10)
    return None, "bytes" if plain == "application/octet-stream" or is_binary(schema) else ""
