"""An HTTP API as tools, one for each endpoint.

Place in the house: ``tools``, one of the adapters. ``operation`` makes requests, ``sending``
sends them, ``answers`` reads what comes back; here they stand behind the seam.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from py_code_mode.errors import ConfigError, ToolCallError, ToolError
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.http.auth import Auth, filled, hidden, in_header, in_query
from py_code_mode.tools.http.hosts import Resolve, resolve
from py_code_mode.tools.http.model import Endpoint
from py_code_mode.tools.http.operation import Operation
from py_code_mode.tools.http.outgoing import DEFAULT_PORTS, Settings
from py_code_mode.tools.http.sending import Sender
from py_code_mode.tools.http.styles import as_header
from py_code_mode.tools.names import check_name, not_found

__all__ = ["HTTPAdapter"]


class HTTPAdapter:
    """The endpoints of one API as tools, named ``<api>.<endpoint>``.

    Args:
        name: Name of the API.
        base_url: What the endpoints' paths follow, e.g. ``https://api.example.com/v1``. It may
            have ``{name}`` placeholders, which become parameters of each endpoint.
        endpoints: The endpoints.
        headers: Headers of every request.
        auth: Who the host is.
        timeout: Seconds a call may take, retries included.
        retries: How often a GET, HEAD, PUT, DELETE or OPTIONS is sent again when no connection
            comes about, or the answer is 429 or 503.
        max_response: Most bytes of an answer.
        allow_hosts: Hosts that a url which an argument can change may have, e.g.
            ``*.example.com``; empty is any. Only those get ``headers`` and ``auth``.
        allow_private: Whether such a url may lead to private, loopback and link-local addresses.
        tags: Labels for scoping.
        secrets: What ``${NAME}`` in ``base_url``, ``headers`` and ``auth`` stands for.
        resolve: Looks up hosts whose addresses are checked; the system's way if not given.

    Raises:
        ConfigError: A value is not acceptable; ``key`` says which.
    """

    def __init__(  # noqa: PLR0913 - keywords of a file, one each
        self,
        name: str,
        *,
        base_url: str = "",
        endpoints: Sequence[Endpoint] = (),
        headers: Mapping[str, str] | None = None,
        auth: Auth | None = None,
        timeout: float = 30.0,
        retries: int = 2,
        max_response: int = 10 * 1024 * 1024,
        allow_hosts: Collection[str] = (),
        allow_private: bool = False,
        tags: Collection[str] = (),
        secrets: Secrets | Mapping[str, str] | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        check_name(name)
        _check_numbers(timeout=timeout, retries=retries, max_response=max_response)
        self.name = name
        self._tags = frozenset(tags)
        self._secrets = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
        auth = filled(auth, self._secrets)
        # What the auth holds is hidden even if it was written down instead of named.
        self._hidden = Secrets({str(at): text for at, text in enumerate(hidden(auth))})
        self._settings = Settings(
            timeout=timeout,
            retries=retries,
            max_response=max_response,
            allow_hosts=[allow_hosts] if isinstance(allow_hosts, str) else tuple(allow_hosts),
            allow_private=allow_private,
            headers=self._filled_headers(headers or {}),
            auth=_checked(in_header(auth)),
            query=in_query(auth),
            resolve=resolve,
        )
        self._operations: dict[str, Operation] = {}
        self._sender = Sender(self._settings)
        self._is_closed = False
        if base_url or endpoints:
            self._offer(base_url, endpoints)

    def _filled_headers(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        done = []
        for name, value in headers.items():
            try:
                done.append((name, self._secrets.fill(value)))
            except ConfigError as error:
                raise ConfigError(error.reason, key=f"headers.{name}") from None
        return _checked(tuple(done))

    def _offer(self, base_url: str, endpoints: Sequence[Endpoint]) -> None:
        """Take endpoints in."""
        try:
            base_url = self._secrets.fill(base_url)
        except ConfigError as error:
            raise ConfigError(error.reason, key="base_url") from None
        origin = _origin(base_url) if base_url else None
        self._sender = Sender(self._settings.with_origin(origin))
        for number, endpoint in enumerate(endpoints):
            where = f"endpoints.{number}"
            try:
                endpoint.check(base_url)
            except ConfigError as error:
                raise ConfigError(error.reason, key=f"{where}.{error.key}") from None
            operation = Operation(self.name, endpoint, base_url, self._tags)
            if operation.info.name in self._operations:
                raise ConfigError(f"there are two {endpoint.name!r}", key=f"{where}.name")
            if not base_url and all(param.place != "url" for param in endpoint.params):
                raise ConfigError("is missing: http://host/path or https://...", key="base_url")
            self._check_credentials(operation, origin)
            self._operations[operation.info.name] = operation

    def _check_credentials(self, operation: Operation, origin: tuple[str, str, int] | None) -> None:
        """Refuse an API whose credentials would go to no host, or to any."""
        settings = self._settings
        has_some = bool(settings.headers or settings.auth or settings.query)
        if operation.is_guarded and origin is None and has_some and not settings.allow_hosts:
            text = "must list the hosts that get headers and auth: an argument can change the host"
            raise ConfigError(text, key="allow_hosts")

    def tools(self) -> Sequence[ToolInfo]:
        """Return a tool for each endpoint."""
        return [operation.info for operation in self._operations.values()]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Send a request.

        Returns:
            JSON as plain data, other text as str, images, audio and video as ``Media``, the
            rest as bytes, and None for an empty body; for HEAD the headers.

        Raises:
            ToolNotFoundError: There is no such endpoint.
            ToolCallError: An argument is wrong; there is no answer; or it is an error
                (``status``, ``body``).
            ToolTimeoutError: It took too long (``timeout``).
            ToolDeniedError: The url leads to a host that is not allowed.
        """
        operation = self._operations.get(name)
        if operation is None:
            raise not_found(name, self._operations)
        if self._is_closed:
            raise ToolCallError(f"tool {name!r} is closed")
        self._hide_in_logs()
        out = operation.request(arguments)
        try:
            answer = await self._sender.send(out)
            if not answer.is_ok:
                raise answer.error(operation.what)
            value = dict(answer.headers) if out.method == "HEAD" else await answer.value()
        except ToolError as error:
            closed = " was closed while it ran:" if self._was_closed() else ":"
            text = self._redact(f"tool {name!r}{closed} {error.message}")
            raise type(error)(text, **self._redact(error.details)) from error.__cause__
        return self._redact(value)

    def _hide_in_logs(self) -> None:
        try:
            from py_code_mode.tools.http.transport import hide_in_logs
        except ModuleNotFoundError as error:
            text = f"tools over HTTP need {error.name}: pip install 'py-code-mode[http]'"
            raise ToolCallError(text) from error

        hide_in_logs(self._secrets)
        hide_in_logs(self._hidden)

    def _was_closed(self) -> bool:
        return self._is_closed

    def _redact(self, value: Any) -> Any:
        return self._hidden.redact(self._secrets.redact(value))

    async def aclose(self) -> None:
        """Close all connections; calls that run end with a ``ToolCallError``."""
        self._is_closed = True
        await self._sender.aclose()


def _check_numbers(*, timeout: float, retries: int, max_response: int) -> None:
    if not timeout > 0:
        raise ConfigError(f"must be more than 0 seconds, not {timeout}", key="timeout")
    if retries < 0:
        raise ConfigError(f"must be 0 or more, not {retries}", key="retries")
    if max_response < 1:
        raise ConfigError(f"must be 1 byte or more, not {max_response}", key="max_response")


def _checked(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    for name, value in headers:
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigError(f"{name!r} cannot be the name of a header", key="headers")
        try:
            as_header(value, explode=None)
        except ToolCallError as error:
            raise ConfigError(f"the value {error.message}", key=f"headers.{name}") from None
    return headers


def _origin(base_url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a base url; None if an argument has a say in them.

    Raises:
        ConfigError: It is no base url.
    """
    wrong = ConfigError("must be http://host/path or https://host/path", key="base_url")
    try:
        parts = urlsplit(base_url)
    except ValueError:
        raise wrong from None
    if parts.scheme not in DEFAULT_PORTS or not parts.netloc:
        raise wrong
    if "@" in parts.netloc:
        raise ConfigError("must not name a user; use auth", key="base_url")
    if parts.query or parts.fragment:
        raise ConfigError("must not have '?' or '#'", key="base_url")
    if "{" in parts.netloc:
        return None
    try:
        return parts.scheme, parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    except ValueError:
        raise wrong from None
