"""YAML files of HTTP APIs.

Place in the house: ``tools.http``; the loader's factories ``make_http`` and ``make_openapi``.
Loaded with the first such file: it needs pydantic.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from py_code_mode.errors import ConfigError, ToolCallError
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import NO_DEFAULT
from py_code_mode.tools.http.adapter import HTTPAdapter
from py_code_mode.tools.http.auth import APIKey, Auth, Basic, Bearer
from py_code_mode.tools.http.model import BodyKind, Endpoint, Param, Place
from py_code_mode.tools.http.openapi import OpenAPIAdapter
from py_code_mode.tools.http.values import Checker
from py_code_mode.tools.schema import ToolFile
from py_code_mode.yamlcheck import validate
from py_code_mode.yamlfile import KeyPath, YamlFile

__all__ = ["HTTPFile", "OpenAPIFile", "make_http", "make_openapi"]

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)

_AUTH_KEYS = {
    "bearer": ("token",),
    "basic": ("username", "password"),
    "api_key": ("name", "value"),
}


class AuthKeys(BaseModel):
    """Who the host is; which keys it needs depends on ``type``."""

    model_config = _STRICT

    type: Literal["bearer", "basic", "api_key"]
    token: str | None = None
    username: str | None = None
    password: str | None = None
    name: str | None = None
    value: str | None = None
    place: Annotated[Literal["header", "query"] | None, Field(alias="in")] = None


class ParamKeys(BaseModel):
    """A parameter of an endpoint."""

    model_config = _STRICT

    name: str
    place: Annotated[Place | None, Field(alias="in")] = None
    type: Literal[
        "string", "integer", "number", "boolean", "list", "object", "enum", "file", "any"
    ] = "string"
    values: list[str | int | float | bool] | None = None
    items: Literal["string", "integer", "number", "boolean", "object"] | None = None
    required: bool = False
    default: Any = None
    description: str = ""
    key: str = ""


class EndpointKeys(BaseModel):
    """An endpoint."""

    model_config = _STRICT

    name: str
    method: str = "GET"
    path: str = ""
    description: str = ""
    params: list[ParamKeys] = []
    body: BodyKind = "json"


class _APIFile(ToolFile):
    model_config = _STRICT

    headers: dict[str, str] = Field(default_factory=dict)
    auth: AuthKeys | None = None
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    retries: Annotated[int, Field(ge=0, le=20)] = 2
    max_response: Annotated[int, Field(ge=1)] = 10 * 1024 * 1024
    allow_hosts: list[str] = Field(default_factory=list)
    allow_private: bool = False


class HTTPFile(_APIFile):
    """An API whose endpoints are written down.

    Attributes:
        base_url: What the endpoints' paths follow.
        endpoints: The endpoints.
        headers: Headers of every request.
        auth: Who the host is.
        timeout: Seconds a call may take.
        retries: How often a request is sent again.
        max_response: Most bytes of an answer.
        allow_hosts: Hosts that urls which an argument can change may have.
        allow_private: Whether such urls may lead to private addresses.
    """

    base_url: str = ""
    endpoints: Annotated[list[EndpointKeys], Field(min_length=1)]


class OpenAPIFile(_APIFile):
    """An API that an OpenAPI document describes.

    Attributes:
        spec: The document: a file, relative to this one, or a url.
        base_url: What paths follow; the document's first server if not given.
        include: Only these operations: globs of ids, tags, or paths, which begin with ``/``.
        exclude: Not these.
    """

    spec: str
    base_url: str = ""
    include: list[str] = Field(default_factory=list)
    exclude: list[str] = Field(default_factory=list)


def make_http(file: YamlFile, secrets: Secrets) -> HTTPAdapter:
    """Make the adapter of a file of ``type: http``.

    Raises:
        ConfigError: Something in the file is wrong.
    """
    said = validate(file, HTTPFile)
    endpoints = []
    for number, each in enumerate(said.endpoints):
        key: KeyPath = ("endpoints", number, "params")
        params = tuple(
            _param(file, param, _usual_place(param, each, said.base_url), (*key, at))
            for at, param in enumerate(each.params)
        )
        described = each.description or said.description
        endpoints.append(Endpoint(each.name, each.method, each.path, described, params, each.body))
    try:
        return HTTPAdapter(
            said.name,
            base_url=said.base_url,
            endpoints=endpoints,
            secrets=secrets,
            **_settings(file, said),
        )
    except ConfigError as error:
        raise _in_file(file, error) from None


def make_openapi(file: YamlFile, secrets: Secrets) -> OpenAPIAdapter:
    """Make the adapter of a file of ``type: openapi``.

    Raises:
        ConfigError: Something in the file is wrong. The document is read by ``start``.
    """
    said = validate(file, OpenAPIFile)
    if not file.in_folder and not said.spec.startswith(("http://", "https://")):
        file.beside(said.spec, ("spec",))
    try:
        return OpenAPIAdapter(
            said.name,
            spec=said.spec,
            folder=file.path.absolute().parent,
            base_url=said.base_url,
            include=said.include,
            exclude=said.exclude,
            secrets=secrets,
            **_settings(file, said),
        )
    except ConfigError as error:
        raise _in_file(file, error) from None


def _settings(file: YamlFile, said: _APIFile) -> dict[str, Any]:
    return {
        "headers": said.headers,
        "auth": _auth(file, said.auth),
        "timeout": said.timeout,
        "retries": said.retries,
        "max_response": said.max_response,
        "allow_hosts": said.allow_hosts,
        "allow_private": said.allow_private,
        "tags": said.tags,
    }


def _auth(file: YamlFile, said: AuthKeys | None) -> Auth | None:
    if said is None:
        return None
    wanted = _AUTH_KEYS[said.type]
    for key in ("token", "username", "password", "name", "value"):
        if key in wanted and getattr(said, key) is None:
            raise file.error(f"is missing; auth of type {said.type} needs it", ("auth", key))
        if key not in wanted and getattr(said, key) is not None:
            raise file.error(f"does not belong to auth of type {said.type}", ("auth", key))
    if said.place is not None and said.type != "api_key":
        raise file.error(f"does not belong to auth of type {said.type}", ("auth", "in"))
    if said.type == "bearer":
        return Bearer(said.token or "")
    if said.type == "basic":
        return Basic(said.username or "", said.password or "")
    return APIKey(said.name or "", said.value or "", said.place or "header")


def _param(file: YamlFile, said: ParamKeys, place: Place, key: KeyPath) -> Param:
    has_values, is_enum = said.values is not None, said.type == "enum"
    if has_values != is_enum or said.values == []:
        what = "needs" if is_enum else "only type enum has"
        raise file.error(f"{what} the key 'values', a list of what it may be", (*key, "type"))
    if said.items is not None and said.type != "list":
        raise file.error("only type list has items", (*key, "items"))
    schema: dict[str, Any] | None = None
    if is_enum:
        schema = {"enum": said.values}
    elif said.items is not None:
        schema = {"type": "array", "items": {"type": said.items}}
    default = said.default if (*key, "default") in file.lines else NO_DEFAULT
    kind: Any = "string" if said.type == "enum" else said.type
    param = Param(
        said.name,
        said.place or place,
        kind,
        said.required,
        default,
        said.description,
        said.key,
        schema,
    )
    if default is None or default is NO_DEFAULT:
        return dataclasses.replace(param, default=NO_DEFAULT)
    try:
        return dataclasses.replace(param, default=Checker(param.json_schema).check(default))
    except ToolCallError as error:
        raise file.error(f"does not fit: {error.message}", (*key, "default")) from None


def _usual_place(said: ParamKeys, endpoint: EndpointKeys, base_url: str) -> Place:
    """Where a parameter stands that does not say so."""
    name = said.key or said.name
    if f"{{{name}}}" in base_url + endpoint.path:
        return "path"
    return "body" if endpoint.method.upper() in {"POST", "PUT", "PATCH"} else "query"


def _in_file(file: YamlFile, error: ConfigError) -> ConfigError:
    """Return an error about a value as one about the file it stands in."""
    parts = error.key.split(".") if error.key else []
    key = tuple(int(part) if part.isdigit() else part for part in parts)
    return file.error(error.reason, key)
