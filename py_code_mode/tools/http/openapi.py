"""An API that an OpenAPI document describes, as tools.

Place in the house: ``tools``, one of the adapters. ``operations`` makes endpoints of the
document; the rest is the adapter of any HTTP API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from py_code_mode.errors import ConfigError, ToolError
from py_code_mode.tools.http.adapter import HTTPAdapter
from py_code_mode.tools.http.document import (
    MAX_DOCUMENT,
    parse_document,
    read_document,
    server_url,
)
from py_code_mode.tools.http.hosts import matches
from py_code_mode.tools.http.operations import Found, endpoints_of

__all__ = ["OpenAPIAdapter"]


class OpenAPIAdapter(HTTPAdapter):
    """The operations of an OpenAPI 3.0 or 3.1 document as tools, ``<api>.<operation_id>``.

    Args:
        name: Name of the API.
        spec: The document, JSON or YAML: a file or a url.
        base_url: What paths follow; the document's first server if not given.
        include: Only these operations: globs of ids, tags, or paths, which begin with ``/``.
        exclude: Not these.
        folder: What a relative file is relative to; the working directory if not given.
        **settings: As for ``HTTPAdapter``: ``headers``, ``auth``, ``timeout`` and so on.

    Raises:
        ConfigError: A value is not acceptable; ``key`` says which.
    """

    def __init__(
        self,
        name: str,
        *,
        spec: str,
        base_url: str = "",
        include: Collection[str] = (),
        exclude: Collection[str] = (),
        folder: Path | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(name, **settings)
        try:
            self._spec = self._secrets.fill(spec)
        except ConfigError as error:
            raise ConfigError(error.reason, key="spec") from None
        if not spec:
            raise ConfigError("must be a file or a url", key="spec")
        self._is_url = self._spec.startswith(("http://", "https://"))
        self._folder = folder
        self._base_url = base_url
        self._include = [include] if isinstance(include, str) else tuple(include)
        self._exclude = [exclude] if isinstance(exclude, str) else tuple(exclude)
        if base_url and "{" in base_url:
            raise ConfigError("must not have '{': it is one url", key="base_url")
        if base_url:
            self._offer(base_url, ())

    async def start(self) -> Sequence[str]:
        """Read the document.

        Returns:
            What was left out or renamed, and credentials that are wanted and not there.

        Raises:
            ToolError: It cannot be had, is no OpenAPI document, or has no operations.
        """
        where = self._spec if self._is_url else str((self._folder or Path()) / self._spec)
        try:
            raw = (
                await self._fetched()
                if self._is_url
                else await asyncio.to_thread(read_document, Path(where))
            )
            # In a thread: a large document takes seconds.
            document = await asyncio.to_thread(parse_document, raw, repr(where))
            base_url = self._base_url or self._server(document)
            found = await asyncio.to_thread(
                endpoints_of, document, self._include, self._exclude, self._given()
            )
            if not found.endpoints:
                raise ToolError("; ".join([f"spec {where!r} has no operations", *found.told]))
            await asyncio.to_thread(self._offer, base_url, found.endpoints)
        except ConfigError as error:
            text = f"API {self.name!r}: {error.key}: {error.reason}"
            raise ToolError(self._redact(text)) from None
        except ToolError as error:
            text = self._redact(f"API {self.name!r}: {error.message}")
            raise type(error)(text, **self._redact(error.details)) from error.__cause__
        return [self._redact(f"API {self.name!r}: {text}") for text in self._told(found, document)]

    async def _fetched(self) -> bytes:
        """Get the document; credentials go along if the API is at the same host."""
        from py_code_mode.tools.http.outgoing import Outgoing
        from py_code_mode.tools.http.sending import Sender

        is_same = not self._base_url or _place(self._base_url) == _place(self._spec)
        settings = self._settings if is_same else self._settings.without_credentials()
        sender = Sender(settings.with_limit(MAX_DOCUMENT))
        self._hide_in_logs()
        out = Outgoing("GET", self._spec, what=f"GET {self._spec}")
        try:
            answer = await sender.send(out)
        finally:
            await sender.aclose()
        if not answer.is_ok:
            raise answer.error(out.what)
        return answer.content

    def _server(self, document: Mapping[str, Any]) -> str:
        """Return where the document says the API is, if it may say that."""
        url = server_url(document, self._spec if self._is_url else "")
        host = urlsplit(url).hostname or ""
        is_elsewhere = self._is_url and _place(url) != _place(self._spec)
        # It is the word of another host, which could name one of this network.
        if is_elsewhere and not matches(host, self._settings.allow_hosts):
            text = f"the document from {urlsplit(self._spec).netloc!r} names the server {url!r}"
            raise ToolError(f"{text}; if that is right, set it as base_url")
        return url

    def _given(self) -> set[str]:
        settings = self._settings
        pairs = (*settings.headers, *settings.auth, *settings.query)
        return {name.lower() for name, _ in pairs}

    def _told(self, found: Found, document: Mapping[str, Any]) -> list[str]:
        told = found.told
        if len(told) > _MOST_TOLD:
            told = [*told[:_MOST_TOLD], f"and {len(told) - _MOST_TOLD} more of this kind"]
        wanted = sorted(found.schemes)
        if wanted and not self._given():
            components = document.get("components")
            schemes = components.get("securitySchemes") if isinstance(components, Mapping) else None
            kinds = [_scheme(name, schemes) for name in wanted]
            told = [*told, f"operations want {' or '.join(kinds)}; no auth or headers are set"]
        return told


_MOST_TOLD = 20


def _place(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url
    return parts.scheme, parts.netloc


def _scheme(name: str, schemes: Any) -> str:
    said = schemes.get(name) if isinstance(schemes, Mapping) else None
    said = said if isinstance(said, Mapping) else {}
    kind = str(said.get("type", "auth"))[:40]
    if kind == "apiKey":
        return f"{name!r} (api_key {str(said.get('name'))[:80]!r} in {str(said.get('in'))[:20]})"
    if kind == "http":
        return f"{name!r} ({str(said.get('scheme'))[:40]})"
    return f"{name!r} ({kind})"
