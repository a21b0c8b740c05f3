"""What an endpoint and its parameters are.

Place in the house: bottom of ``tools.http``; YAML files, OpenAPI documents and programs all end
in these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from py_code_mode.errors import ConfigError
from py_code_mode.tools.base import NO_DEFAULT, ToolParam
from py_code_mode.tools.jsonschema import annotation_of
from py_code_mode.tools.names import check_name, listed

__all__ = [
    "METHODS",
    "OWN_HEADERS",
    "BodyKind",
    "Endpoint",
    "Param",
    "Place",
    "ValueType",
    "is_binary",
    "placeholders",
]

Place = Literal["path", "query", "header", "cookie", "body", "content", "url"]
"""Where in a request a value stands. ``body`` is one property of the body, ``content`` all of
it, ``url`` the whole address."""

BodyKind = Literal["json", "form", "multipart", "raw"]
"""How a body is written; ``raw`` is bytes or text as they are."""

ValueType = Literal["string", "integer", "number", "boolean", "list", "object", "file", "any"]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

OWN_HEADERS = frozenset(
    {
        *("connection", "content-length", "content-type", "cookie", "expect", "host"),
        *("keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that say how a request is sent and to whom; no argument sets them."""

_SCHEMAS: dict[str, dict[str, Any]] = {
    "list": {"type": "array"},
    "file": {"type": "string", "format": "binary"},
    "any": {},
}

_PLACEHOLDER = re.compile(r"\{([^{}/]+)\}")
_HEADER = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of an endpoint.

    Attributes:
        name: Keyword under which the agent gives it.
        place: Where in the request it stands.
        type: What its values are, where ``schema`` does not say more.
        required: Whether a call needs it. Those in ``path`` and ``url`` without a default are.
        default: Sent when it is not given, or ``NO_DEFAULT``.
        description: One line.
        key: Its name in the request; ``name`` if empty.
        schema: Its values as a JSON schema that refers to nothing outside itself.
        style: How a list or an object is written, one of OpenAPI's styles; its place's if empty.
        explode: OpenAPI's ``explode``; None is the default of the style.
    """

    name: str
    place: Place = "query"
    type: ValueType = "string"
    required: bool = False
    default: Any = NO_DEFAULT
    description: str = ""
    key: str = ""
    schema: Mapping[str, Any] | None = field(default=None, compare=False)
    style: str = ""
    explode: bool | None = None

    @property
    def sent_as(self) -> str:
        """Its name in the request."""
        return self.key or self.name

    @property
    def json_schema(self) -> Mapping[str, Any]:
        """What its values are."""
        if self.schema is not None:
            return self.schema
        return _SCHEMAS.get(self.type, {"type": self.type})

    @property
    def is_needed(self) -> bool:
        """Whether a call without it is refused."""
        return self.default is NO_DEFAULT and (self.required or self.place in {"path", "url"})

    def tool_param(self) -> ToolParam:
        """Return it as agents see it."""
        schema = self.json_schema
        # What a document calls a default is shown; it is the server that fills it in.
        shown = schema.get("default", NO_DEFAULT) if self.default is NO_DEFAULT else self.default
        return ToolParam(
            self.name,
            _annotation(schema),
            required=self.is_needed,
            default=NO_DEFAULT if self.is_needed else shown,
            description=self.description,
            schema=schema or None,
        )


def _annotation(schema: Mapping[str, Any]) -> str:
    if is_binary(schema):
        return "bytes"
    items = schema.get("items")
    if isinstance(items, Mapping) and is_binary(items):
        return "list[bytes]"
    return annotation_of(schema)


def is_binary(schema: Mapping[str, Any]) -> bool:
    """Whether a schema's values are bytes: how OpenAPI 3.0 says it, and how 3.1 does."""
    if schema.get("type") not in ("string", None):
        return False
    return schema.get("format") == "binary" or (
        "contentMediaType" in schema and "contentEncoding" not in schema
    )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of an API.

    Attributes:
        name: Its name; the tool's is ``<api>.<name>``.
        method: HTTP method.
        path: What follows the base url, with ``{name}`` for parameters in the path.
        description: What it does.
        params: Its parameters; those that ``path`` names and this does not are text.
        body: How its body is written.
        content_type: The body's, where ``body`` does not say it.
        output_schema: What is known of its result as JSON schema.
        returns: Return annotation; made of ``output_schema`` if empty.
    """

    name: str
    method: str = "GET"
    path: str = ""
    description: str = ""
    params: tuple[Param, ...] = ()
    body: BodyKind = "json"
    content_type: str = ""
    output_schema: Mapping[str, Any] | None = field(default=None, compare=False)
    returns: str = ""

    def check(self, base_url: str) -> None:
        """Refuse what cannot be sent.

        Raises:
            ConfigError: ``key`` says which part is wrong.
        """
        if "." in self.name:
            raise ConfigError(f"endpoint name {self.name!r} must not have a dot", key="name")
        check_name(self.name)
        if self.method.upper() not in METHODS:
            raise ConfigError(f"must be one of {listed(sorted(METHODS))}", key="method")
        if self.path and not self.path.startswith("/"):
            raise ConfigError(f"a path begins with '/', not {self.path[:20]!r}", key="path")
        if set("?#") & set(self.path):
            text = "has no '?' or '#'; make what follows parameters in query"
            raise ConfigError(f"a path {text}", key="path")
        self._check_params(placeholders(base_url + self.path))

    def _check_params(self, places: list[str]) -> None:
        names: set[str] = set()
        for number, param in enumerate(self.params):
            where = f"params.{number}"
            if not param.name or param.name in names:
                raise ConfigError("needs a name of its own", key=f"{where}.name")
            names.add(param.name)
            if param.place not in get_args(Place):
                raise ConfigError(f"must be one of {listed(get_args(Place))}", key=f"{where}.in")
            if param.place == "path" and param.sent_as not in places:
                text = f"{{{param.sent_as}}} stands neither in the path nor in base_url"
                raise ConfigError(text, key=f"{where}.name")
            if param.place in {"header", "cookie"} and not _HEADER.fullmatch(param.sent_as):
                text = f"{param.sent_as!r} cannot be the name of a {param.place}"
                raise ConfigError(text, key=f"{where}.name")
            if param.place == "header" and param.sent_as.lower() in OWN_HEADERS:
                text = f"the header {param.sent_as!r} is the connection's own, no parameter"
                raise ConfigError(text, key=f"{where}.name")
        used = [param.place for param in self.params]
        if used.count("content") > 1 or ("content" in used and "body" in used):
            raise ConfigError("one parameter in content is the whole body", key="params")
        if "url" in used and (used.count("url") > 1 or "path" in used or self.path):
            raise ConfigError("a parameter in url is the whole address: no path", key="params")

    def completed(self, base_url: str) -> tuple[Param, ...]:
        """Return its parameters with those that only its path names."""
        if any(param.place == "url" for param in self.params):
            return self.params
        known = {param.sent_as for param in self.params if param.place == "path"}
        more = [name for name in placeholders(base_url + self.path) if name not in known]
        return (*(Param(name, "path") for name in more), *self.params)


def placeholders(text: str) -> list[str]:
    """Return the names that stand in braces, each once."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))
