"""Who may do what: bearer tokens, their scopes, and which hosts may be meant.

Place in the house: inside ``server``, above ``problems``. It decides about one request at a
time and knows no session.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import urlsplit

from py_code_mode.server.peers import container_peers
from py_code_mode.server.problems import Problem
from py_code_mode.server.settings import Scope, ServerSettings, TokenSettings

__all__ = ["ANYBODY", "Access", "Owner", "is_loopback"]

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Hosts that a server without a token answers to: a page that rebinds a name of its own to
127.0.0.1 still sends that name."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a token stands for; sessions belong to one.

    Attributes:
        name: The token's name; empty where there are no tokens.
        scopes: What it may do.
        tags: Only tools with one of these exist for it; None: all.
        max_sessions: Sessions it may have at once; None: the server's limit.
    """

    name: str = ""
    scopes: frozenset[Scope] = frozenset(get_args(Scope))
    tags: tuple[str, ...] | None = None
    max_sessions: int | None = None

    @classmethod
    def of(cls, token: TokenSettings) -> Owner:
        """Make the owner a token stands for."""
        return cls(token.name, frozenset(token.scopes), token.tags, token.max_sessions)


ANYBODY = Owner()
"""Who asks where there are no tokens."""


class Access:
    """Tells owners by their tokens.

    Args:
        settings: The server's.
    """

    def __init__(self, settings: ServerSettings) -> None:
        tokens = settings.all_tokens()
        self._owners = [
            (_digest(token.token.get_secret_value()), Owner.of(token)) for token in tokens
        ]
        self.owners = [owner for _, owner in self._owners] or [ANYBODY]
        self._anonymous = settings.allow_anonymous
        self._machine = container_peers() if self._anonymous == "container" else frozenset()
        hosts = {host.lower() for host in settings.allowed_hosts}
        # With tokens any name will do, unless somebody says which.
        self._hosts = hosts if self._owners or not hosts else hosts | _LOCAL_NAMES
        if not self._owners and not hosts:
            self._hosts = set(_LOCAL_NAMES)

    @property
    def open(self) -> bool:
        """Whether no token is asked for."""
        return not self._owners

    def owner(self, headers: Mapping[str, str]) -> Owner:
        """Return whose token a request carries.

        Raises:
            Problem: It carries none, or an unknown one.
        """
        if self.open:
            return ANYBODY
        kind, _, token = headers.get("authorization", "").partition(" ")
        found = None
        if kind.lower() == "bearer":
            given = _digest(token.strip())
            for digest, owner in self._owners:  # all of them, so that time tells nothing
                if hmac.compare_digest(digest, given):
                    found = owner
        if found is None:
            raise Problem(
                401,
                "unauthorized",
                "this needs the header 'Authorization: Bearer TOKEN' with a token of this server",
                headers={"WWW-Authenticate": 'Bearer realm="py-code-mode"'},
            )
        return found

    def check_scope(self, owner: Owner, scope: Scope) -> None:
        """Refuse what an owner may not do.

        Raises:
            Problem: Its token lacks the scope.
        """
        if scope not in owner.scopes:
            raise Problem(
                403, "forbidden", f"the token {owner.name!r} lacks the scope {scope!r}", scope=scope
            )

    def check_place(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """Refuse what came to a place, or from one, that was not meant to be open.

        Raises:
            Problem: The host is not this server's; or there are no tokens, and the request came
                over the network or out of a web page of another site.
        """
        host = headers.get("host", "").lower()
        if self._hosts and _without_port(host) not in self._hosts:
            raise Problem(
                403,
                "forbidden",
                f"this server does not answer to the host {host[:100]!r}: the setting "
                "allowed_hosts says to which",
            )
        if not self.open:
            return
        server, client = scope.get("server"), scope.get("client")
        if not self._serves(server, client):
            raise Problem(
                403,
                "forbidden",
                "without a token this server answers to its own machine only; it needs one: "
                "see the settings token and allow_anonymous",
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host:
            raise Problem(
                403, "forbidden", f"without a token no page of {origin[:100]!r} may ask anything"
            )

    def _serves(self, server: Sequence[Any] | None, client: Sequence[Any] | None) -> bool:
        """Whether a peer is served without a token."""
        if self._anonymous == "yes":
            return True
        if self._anonymous == "container" and server and client:
            # Nobody but this machine sends from the address that it sends to.
            near = _is_near(client) or client[0] == server[0]
            return near or client[0] in self._machine
        return _is_near(server) and _is_near(client)


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach a host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _is_near(peer: Sequence[Any] | None) -> bool:
    """Whether a socket's end is on this machine; a Unix socket has no address."""
    if not peer or len(peer) < 2 or peer[1] is None:  # noqa: PLR2004 - host and port
        return True
    try:
        return ipaddress.ip_address(str(peer[0])).is_loopback
    except ValueError:
        return True  # no address of a network: the transport of a test client


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
