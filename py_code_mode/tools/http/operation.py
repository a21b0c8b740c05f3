"""One endpoint: an agent's arguments to a request.

Place in the house: ``tools.http``, below the adapter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from py_code_mode.errors import ToolCallError
from py_code_mode.tools.base import NO_DEFAULT, ToolInfo
from py_code_mode.tools.http.bodies import encode
from py_code_mode.tools.http.model import Endpoint, Param, placeholders
from py_code_mode.tools.http.outgoing import Outgoing
from py_code_mode.tools.http.styles import as_header, as_path, as_query, text_of
from py_code_mode.tools.http.values import Checker
from py_code_mode.tools.jsonschema import annotation_of, check_names

__all__ = ["Operation"]

_IN_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]|\.(?![.-]))*(?<![.-])")


class Operation:
    """An endpoint of an API.

    Args:
        api: Name of the API.
        endpoint: The endpoint.
        base_url: What its path follows, secrets filled in.
        tags: Labels of its tool.
    """

    def __init__(self, api: str, endpoint: Endpoint, base_url: str, tags: frozenset[str]) -> None:
        self._endpoint = endpoint
        self._base_url = base_url.rstrip("/")
        params = endpoint.completed(base_url)
        self._params = tuple(sorted(params, key=lambda each: not each.is_needed))
        self._checkers = {each.name: Checker(each.json_schema) for each in params}
        # The names a document uses do as well as the clean ones: results have the former.
        self._names = {each.sent_as: each.name for each in reversed(params)}
        schema = endpoint.output_schema
        returns = endpoint.returns or (annotation_of(schema) if schema else "")
        self.info = ToolInfo(
            f"{api}.{endpoint.name}",
            endpoint.description.strip(),
            tuple(each.tool_param() for each in self._params),
            tags,
            "" if returns == "Any" else returns,
            schema,
        )
        host = base_url.partition("://")[2].partition("/")[0]
        self.is_guarded = "{" in host or any(each.place == "url" for each in params)
        self._in_host = frozenset(placeholders(host))

    @property
    def what(self) -> str:
        """Method and path, for messages."""
        return f"{self._endpoint.method.upper()} {self._endpoint.path}".rstrip()

    def request(self, arguments: Mapping[str, Any]) -> Outgoing:
        """Return the request for a call.

        Raises:
            ToolCallError: An argument is unknown, missing or wrong.
        """
        given = self._checked(arguments)
        headers = [
            (each.sent_as, self._written(each, as_header, value, explode=each.explode))
            for each, value in given
            if each.place == "header"
        ]
        cookies = [
            pair
            for each, value in given
            if each.place == "cookie"
            for pair in self._written(
                each, as_query, each.sent_as, value, each.style, explode=each.explode
            )
        ]
        if cookies:
            headers.append(("Cookie", "; ".join(cookies)))
        content, content_type = self._body(given)
        if content_type:
            headers.append(("Content-Type", content_type))
        url, method = self._url(given), self._endpoint.method.upper()
        return Outgoing(method, url, tuple(headers), content, self.is_guarded, self.what)

    def _checked(self, arguments: Mapping[str, Any]) -> list[tuple[Param, Any]]:
        """Return what is sent, in the order of the parameters."""
        known = self._checkers
        named = {
            name if name in known else self._names.get(name, name): value
            for name, value in arguments.items()
        }
        if len(named) < len(arguments):
            raise ToolCallError(f"tool {self.info.name!r}: an argument is given by both its names")
        check_names(self.info.name, self.info.params, named)
        given = []
        for param in self._params:
            value = named.get(param.name, param.default)
            if value is NO_DEFAULT or (value is None and self._is_left_out(param)):
                continue
            if param.name in named:
                value = self._written(param, self._checkers[param.name].check, value)
            given.append((param, value))
        return given

    def _is_left_out(self, param: Param) -> bool:
        """Whether None means that a parameter is not given."""
        if param.is_needed:
            return False
        return param.place not in {"body", "content"} or not self._allows_null(param)

    def _allows_null(self, param: Param) -> bool:
        return bool(param.json_schema) and self._checkers[param.name].allows(None)

    def _written(self, param: Param, write: Any, *values: Any, **settings: Any) -> Any:
        try:
            return write(*values, **settings)
        except ToolCallError as error:
            where = f"tool {self.info.name!r}: argument {param.name!r}"
            raise ToolCallError(f"{where} {error.message}") from None

    def _url(self, given: list[tuple[Param, Any]]) -> str:
        query: list[str] = []
        fills: dict[str, str] = {}
        url = self._base_url + self._endpoint.path
        for param, value in given:
            key = param.sent_as
            if param.place == "url":
                url = self._written(param, text_of, value)
            elif param.place == "path" and key in self._in_host:
                fills[key] = self._written(param, _in_host, value)
            elif param.place == "path":
                fills[key] = self._written(
                    param, as_path, key, value, param.style, explode=param.explode
                )
            elif param.place == "query":
                query += self._written(
                    param, as_query, key, value, param.style, explode=param.explode
                )
        if not any(param.place == "url" for param, _ in given):
            url = "".join(_filled(url, fills))
        if query:
            head, hash_, _ = url.partition("#")
            url = head + ("&" if "?" in head else "?") + "&".join(query) if head else hash_
        return url

    def _body(self, given: list[tuple[Param, Any]]) -> tuple[bytes | None, str]:
        endpoint = self._endpoint
        whole = [value for param, value in given if param.place == "content"]
        fields = {param.sent_as: value for param, value in given if param.place == "body"}
        if not whole and not fields:
            takes_one = any(each.place == "body" for each in self._params)
            if not (takes_one and endpoint.body == "json"):
                return None, ""
        try:
            return encode(whole[0] if whole else fields, endpoint.body, endpoint.content_type)
        except ToolCallError as error:
            raise ToolCallError(f"tool {self.info.name!r}: {error.message}") from None


def _filled(template: str, fills: Mapping[str, str]) -> list[str]:
    """Fill placeholders; everything else is the owner's, quoted where a url needs that."""
    parts = []
    for at, part in enumerate(re.split(r"\{([^{}/]+)\}", template)):
        parts.append(fills.get(part, "") if at % 2 else quote(part, safe="%/:?#[]@!$&'()*+,;=~"))
    return parts


def _in_host(value: Any) -> str:
    text = text_of(value)
    if not _IN_HOST.fullmatch(text):
        raise ToolCallError("must be letters, digits, '-' and '.': it is part of a host's name")
    return text
