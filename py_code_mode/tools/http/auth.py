"""Who the host says it is: tokens, passwords and keys, which no kernel ever sees.

Place in the house: ``tools.http``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, quote_plus

from py_code_mode.errors import ConfigError
from py_code_mode.secrets import Secrets

__all__ = ["APIKey", "Auth", "Basic", "Bearer", "filled", "hidden", "in_header", "in_query"]


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token in the header ``Authorization``.

    Attributes:
        token: The token, or ``${NAME}``.
    """

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Basic:
    """A name and a password in the header ``Authorization``.

    Attributes:
        username: The name, or ``${NAME}``.
        password: The password, or ``${NAME}``.
    """

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class APIKey:
    """A key in a header or in the query.

    Attributes:
        name: Name of the header or of the query's parameter.
        value: The key, or ``${NAME}``.
        place: ``header`` or ``query``.
    """

    name: str
    value: str = field(repr=False)
    place: Literal["header", "query"] = "header"


Auth = Bearer | Basic | APIKey


def filled(auth: Auth | None, secrets: Secrets) -> Auth | None:
    """Return ``auth`` with what its ``${NAME}`` stand for.

    Raises:
        ConfigError: A name has no value; ``key`` says where.
    """
    match auth:
        case Bearer(token):
            return Bearer(_fill(token, secrets, "token"))
        case Basic(username, password):
            return Basic(_fill(username, secrets, "username"), _fill(password, secrets, "password"))
        case APIKey(name, value, place):
            return APIKey(name, _fill(value, secrets, "value"), place)
    return None


def _fill(text: str, secrets: Secrets, key: str) -> str:
    try:
        return secrets.fill(text)
    except ConfigError as error:
        raise ConfigError(error.reason, key=f"auth.{key}") from None


def in_header(auth: Auth | None) -> tuple[tuple[str, str], ...]:
    """Return the headers it adds to a request."""
    match auth:
        case Bearer(token):
            return (("Authorization", f"Bearer {token}"),)
        case Basic():
            return (("Authorization", f"Basic {_encoded(auth)}"),)
        case APIKey(name, value, "header"):
            return ((name, value),)
    return ()


def in_query(auth: Auth | None) -> tuple[tuple[str, str], ...]:
    """Return the pairs it adds to a query."""
    match auth:
        case APIKey(name, value, "query"):
            return ((name, value),)
    return ()


def hidden(auth: Auth | None) -> Iterator[str]:
    """Give every text that must not be seen, in all forms a server or an error may repeat."""
    match auth:
        case Bearer(token):
            secrets = [token]
        case Basic(_, password):
            secrets = [password]
            yield _encoded(auth)
        case APIKey(_, value, _):
            secrets = [value]
        case _:
            secrets = []
    for secret in secrets:
        yield from {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}


def _encoded(auth: Basic) -> str:
    return base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
