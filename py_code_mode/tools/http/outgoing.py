"""Requests that are about to be sent, and where a redirect turns them.

Place in the house: ``tools.http``, below ``sending``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from py_code_mode.errors import ToolCallError
from py_code_mode.tools.http.hosts import Resolve, resolve

if TYPE_CHECKING:
    import httpx

__all__ = [
    "DEFAULT_PORTS",
    "Outgoing",
    "Settings",
    "merged",
    "origin_of",
    "redirected",
    "with_query",
]

DEFAULT_PORTS = {"http": 80, "https": 443}
"""The schemes that can be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How requests of an API are sent.

    Attributes:
        timeout: Seconds a call may take, retries and redirects included.
        retries: How often a request is sent again.
        max_response: Most bytes of an answer's body.
        allow_hosts: Hosts that urls which an argument can change may have; empty is any.
        allow_private: Whether those may be on private addresses.
        headers: Headers of every request; only trusted hosts get them, as what follows.
        auth: Headers that no argument replaces.
        query: Pairs of the query that say who the host is.
        origin: Scheme, host and port of the base url, if they are fixed.
        resolve: Looks up hosts whose addresses are checked.
    """

    timeout: float = 30.0
    retries: int = 2
    max_response: int = 10 * 1024 * 1024
    allow_hosts: Collection[str] = ()
    allow_private: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    auth: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    origin: tuple[str, str, int] | None = None
    resolve: Resolve = resolve

    def without_credentials(self) -> Settings:
        """Return these without anything that tells who the host is."""
        return replace(self, headers=(), auth=(), query=())

    def with_limit(self, max_response: int) -> Settings:
        """Return these for answers of another size."""
        return replace(self, max_response=max_response)

    def with_origin(self, origin: tuple[str, str, int] | None) -> Settings:
        """Return these for another base url."""
        return replace(self, origin=origin)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request of an API.

    Attributes:
        method: HTTP method.
        url: The whole address, quoted.
        headers: Headers the arguments made.
        content: Its body, or None.
        is_guarded: Whether an argument has a say in the url's host.
        what: Method and path, for messages.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes | None = None
    is_guarded: bool = False
    what: str = ""


def with_query(url: httpx.URL, pairs: Collection[tuple[str, str]]) -> httpx.URL:
    """Return a url with more pairs in its query."""
    if not pairs:
        return url
    more = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    return url.copy_with(query=b"&".join(part for part in (url.query, more.encode()) if part))


def merged(
    headers: list[tuple[str, str]], more: Collection[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Add headers, which replace those of the same name."""
    names = {name.lower() for name, _ in more}
    return [pair for pair in headers if pair[0].lower() not in names] + list(more)


def origin_of(url: httpx.URL) -> tuple[str, str, int]:
    """Return scheme, host and port."""
    return url.scheme, url.host, url.port or DEFAULT_PORTS[url.scheme]


def redirected(out: Outgoing, url: httpx.URL, location: str, status: int) -> Outgoing:
    """Return the request a redirect asks for.

    Raises:
        ToolCallError: It leads to another host.
    """
    import httpx

    try:
        to = url.join(location)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise ToolCallError(f"{out.what} was redirected to no url", status=status) from None
    same = to.host == url.host and to.scheme in DEFAULT_PORTS and not to.userinfo
    if same and origin_of(to) != origin_of(url):
        same = origin_of(url)[0::2] == ("http", 80) and origin_of(to)[0::2] == ("https", 443)
    if not same:
        where = f"{to.scheme}://{to.netloc.decode('ascii', 'replace').rpartition('@')[2]}"
        text = f"{out.what} answered {status}, a redirect to {where[:200]}, which is another host"
        details = {"status": status, "location": location[:2_000]}
        raise ToolCallError(f"{text} and is not followed", **details)
    becomes_get = status == 303 or (status in (301, 302) and out.method == "POST")  # noqa: PLR2004
    if becomes_get and out.method != "HEAD":
        kept = [pair for pair in out.headers if not pair[0].lower().startswith("content-")]
        out = replace(out, method="GET", headers=tuple(kept), content=None)
    return replace(out, url=str(to))
