"""The OpenAPI 3.1 document, written from the tables of operations.

Place in the house: inside ``server``, above ``operations``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from py_code_mode import __version__
from py_code_mode.server.answers import ErrorAnswer
from py_code_mode.server.operations import Answer, Operation
from py_code_mode.server.sessions import SESSION_ID

__all__ = ["openapi"]

_ERRORS = {
    400: "`bad_request`: the body is no JSON, or a value in it is malformed.",
    401: "`unauthorized`: the token is missing or unknown.",
    403: "`forbidden`: the token lacks the scope; or, without tokens, the request came from "
    "elsewhere.",
    404: "`session_not_found` or `not_found`: there is none, or it is another token's.",
    408: "`bad_request`: the client stopped sending.",
    409: "It cannot be done now, or to this: `session_busy`, `kernel_error`, `artifact_error`, ...",
    410: "`session_lost`: its variables are gone, `reason` says why; `stream_gone`: the run is not "
    "kept any more.",
    413: "`too_large`: the body is larger than `limit` bytes.",
    415: "`bad_request`: the body must be JSON, and be called so.",
    416: "`bad_request`: the artifact has no such bytes.",
    422: "`bad_request`: something in it is not of the form described here.",
    429: "`too_many`: sessions or runs; worth another try after `retry_after` seconds.",
    502: "`kernel_start`: no kernel came up; `kernel_died`: it ended meanwhile; "
    "`kernel_unresponsive`: it does not answer.",
    503: "`shutting_down`: the server is about to end.",
}

_ERROR_HEADERS = {
    401: {"WWW-Authenticate": "Bearer"},
    416: {"Content-Range": "how many bytes there are"},
    429: {"Retry-After": "seconds"},
    503: {"Retry-After": "seconds"},
}

_PARAMETERS: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "pattern": SESSION_ID},
    "name": {"type": "string", "minLength": 1},
}

_REF = "#/components/schemas/{model}"


def openapi(operations: Sequence[Operation], max_timeout: float) -> dict[str, Any]:
    """Return the document.

    Args:
        operations: All there are.
        max_timeout: Seconds a run may ask for.
    """
    schemas = _schemas(operations)
    for form in ("RunRequest", "StreamRequest"):
        for each in schemas[form]["properties"]["timeout"]["anyOf"]:
            if each["type"] == "number":
                each["maximum"] = max_timeout
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "py-code-mode session server",
            "version": __version__,
            "description": "Agents' Python runs in sessions; each is an IPython kernel with tools, "
            "skills and artifacts.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): _error(status) for status in _ERRORS},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    forms: dict[tuple[type[BaseModel], Any], None] = {(ErrorAnswer, "serialization"): None}
    for each in operations:
        if each.body is not None:
            forms[each.body, "validation"] = None
        for answer in each.answers.values():
            if answer.form is not None:
                forms[answer.form, "serialization"] = None
    _, schemas = models_json_schema([*forms], ref_template=_REF)
    found: dict[str, Any] = schemas["$defs"]
    return found


def _operation(each: Operation) -> dict[str, Any]:
    path = re.sub(r"\W+", "_", each.path).strip("_")
    data: dict[str, Any] = {
        "operationId": f"{each.method.lower()}_{path}",
        "summary": each.text,
        "tags": [each.path.split("/")[1]],
        "parameters": [*_parameters(each)],
        "responses": {str(status): _answer(answer) for status, answer in each.answers.items()},
    }
    if each.more:
        data["description"] = each.more
    if each.scope is not None:
        data["security"] = [{"token": []}]
        data["description"] = f"{each.more} Scope: `{each.scope}`.".strip()
    errors = {*each.errors, 403, *((401, 503) if each.scope is not None else ())}
    for status in sorted(errors - each.answers.keys()):
        data["responses"][str(status)] = {"$ref": f"#/components/responses/{status}"}
    if each.body is not None:
        schema = {"$ref": _REF.format(model=each.body.__name__)}
        data["requestBody"] = {
            "required": not each.optional,
            "content": {"application/json": {"schema": schema}},
        }
    if each.raw:
        data["requestBody"] = {"required": False, "content": {"application/octet-stream": {}}}
    return data


def _parameters(each: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in re.findall(r"\{(\w+)\}", each.path):
        schema = dict(_PARAMETERS[name])
        if "variables" in each.path and name == "name":
            schema = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    found += _query(each.query)
    found += [
        {
            "name": header.name,
            "in": "header",
            "required": False,
            "description": header.text,
            "schema": dict(header.schema),
        }
        for header in each.headers
    ]
    return found


def _query(query: type[BaseModel]) -> list[dict[str, Any]]:
    form = query.model_json_schema()
    found = []
    for name, schema in form.get("properties", {}).items():
        text = schema.pop("description", "")
        schema.pop("title", None)
        required = name in form.get("required", ())
        found.append(
            {
                "name": name,
                "in": "query",
                "required": required,
                "description": text,
                "schema": _without_null(schema),
            }
        )
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is not there is not null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**rest, **kinds[0]}


def _answer(answer: Answer) -> dict[str, Any]:
    data: dict[str, Any] = {"description": answer.text}
    if answer.headers:
        data["headers"] = _headers(answer.headers)
    if answer.form is not None:
        schema = {"$ref": _REF.format(model=answer.form.__name__)}
        data["content"] = {"application/json": {"schema": schema}}
    elif answer.media:
        data["content"] = {answer.media: {}}
    return data


def _headers(headers: Any) -> dict[str, Any]:
    return {
        name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
    }


def _error(status: int) -> dict[str, Any]:
    data = _answer(Answer(_ERRORS[status], ErrorAnswer))
    if status in _ERROR_HEADERS:
        data["headers"] = _headers(_ERROR_HEADERS[status])
    return data
