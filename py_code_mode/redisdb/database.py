"""Commands and scripts for one store: its keys, and its errors in plain words.

Place in the house: inside ``redisdb``, above ``clients``.

All keys of a store begin with ``{prefix}:``. The braces are literal: a cluster keeps what has the
same text in braces in one slot, so that a script may change several keys in one step. Nothing
here looks for keys: what there is stands in hashes whose names are known.

Commands go out one by one and answers come back as bytes, however the client is set to decode
them. A command whose answer was lost may be sent twice (that is redis-py's retrying); scripts
are written so that the second time changes nothing.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from py_code_mode.errors import CodeModeError, ConfigError
from py_code_mode.redisdb.clients import place_of, redis_py, sync_client

__all__ = ["CHANGED", "Database", "Script", "token"]

CHANGED = """
local function changed(key, token)
  local count = (tonumber(string.match(redis.call('GET', key) or '', '^%d+') or '') or 0) + 1
  local version = string.format('%d', count) .. ':' .. token
  redis.call('SET', key, version)
  return version
end
"""
"""Lua: counts a change under ``key``. The token makes two counts that met the same number, one of
them lost with a server's last second, unequal."""

Part = str | bytes | memoryview | int | float
"""What commands and keys are made of."""

_MAX_PREFIX = 200
_QUICK_TRIES = 2
_QUICKLY = 0.3
"""Seconds within which a lost connection is no matter of redis-py's own retries."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script: what it does happens in one step, or not at all.

    Attributes:
        text: Its source; all keys it touches are in ``KEYS``.
    """

    text: str

    @property
    def sha(self) -> str:
        """What the server knows it by."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def token() -> str:
    """Return a text that was never returned before."""
    return uuid.uuid4().hex


class Database:
    """The part of a Redis server that is one store's.

    Args:
        client: Any client of redis-py.
        prefix: What all keys begin with.
        part: What comes after the prefix, e.g. ``skills``.
        error: The class of errors to raise when the server cannot or will not do something.

    Attributes:
        prefix: The prefix.
        where: The server, for messages; no password is in it.

    Raises:
        ConfigError: The client or the prefix will not do.
    """

    def __init__(self, client: Any, prefix: str, part: str, error: type[CodeModeError]) -> None:
        self.prefix = _checked_prefix(prefix)
        self._error = error
        self._redis = redis_py()
        with self._failing("connect", error):  # a client of a cluster asks for its nodes
            self._client = sync_client(client)
        self.where, self._secrets = place_of(self._client)
        self._base = f"{{{prefix}}}:{part}:"

    def key(self, *parts: Part) -> bytes:
        """Return the name of one of the store's keys."""
        return (self._base + ":".join(map(str, parts))).encode()

    def ask(self, what: str, *command: Part, error: type[CodeModeError] | None = None) -> Any:
        """Send a command.

        Args:
            what: What it is for, after "cannot": ``save skill 'x'``.
            *command: Its words.
            error: What to raise instead of the store's error.

        Returns:
            The answer; texts as bytes.

        Raises:
            CodeModeError: The server could not be reached or refused.
        """
        with self._failing(what, error or self._error):
            return self._send(*command)

    def run(
        self,
        what: str,
        script: Script,
        keys: Sequence[bytes],
        args: Sequence[Part] = (),
        *,
        error: type[CodeModeError] | None = None,
    ) -> Any:
        """Run a script on the server, in one step; see ``ask``."""
        with self._failing(what, error or self._error):
            try:
                return self._send("EVALSHA", script.sha, len(keys), *keys, *args)
            except self._redis.exceptions.NoScriptError:  # a server that started since
                return self._send("EVAL", script.text, len(keys), *keys, *args)

    def _send(self, *command: Part) -> Any:
        words = [_bytes(word) if isinstance(word, str) else word for word in command[1:]]
        exceptions, began = self._redis.exceptions, time.monotonic()
        for _ in range(_QUICK_TRIES):
            try:
                return self._client.execute_command(command[0], *words, NEVER_DECODE=True)
            except exceptions.AuthenticationError:
                raise
            except exceptions.ConnectionError:
                # One that is lost as it comes out of the pool is not tried again by redis-py
                # (up to 8.1 at least). What redis-py has tried again and again takes longer.
                if time.monotonic() - began > _QUICKLY:
                    raise
        return self._client.execute_command(command[0], *words, NEVER_DECODE=True)

    @contextmanager
    def _failing(self, what: str, error: type[CodeModeError]) -> Iterator[None]:
        exceptions = self._redis.exceptions
        try:
            yield
        except (exceptions.RedisError, exceptions.RedisClusterException) as failure:
            where = getattr(self, "where", "Redis")
            reason = self._redacted(self._reason(failure))
            raise error(f"cannot {what}: {where} {reason}") from failure

    def _reason(self, failure: Exception) -> str:
        exceptions, text = self._redis.exceptions, str(failure).rstrip(".")
        denied = (exceptions.AuthenticationError, exceptions.AuthorizationError)
        if isinstance(failure, exceptions.OutOfMemoryError) or "OOM " in text:
            return "is out of memory (maxmemory) and took nothing; what was there before stays"
        if isinstance(failure, denied) or "WRONGPASS" in text or "NOAUTH" in text:
            return f"does not let this user in: {text}"
        if isinstance(failure, exceptions.ReadOnlyError) or "READONLY" in text:
            return "is a replica that only reads; connect to the primary"
        if isinstance(failure, exceptions.BusyLoadingError):
            return "is still reading its data from disk; try again in a moment"
        if isinstance(failure, exceptions.TimeoutError):
            return f"did not answer in time: {text}"
        if isinstance(failure, exceptions.ConnectionError):
            return f"cannot be reached: {text}"
        return f"refused: {text}"

    def _redacted(self, text: str) -> str:
        for secret in getattr(self, "_secrets", ()):
            text = text.replace(secret, "***")
        return text

    def __repr__(self) -> str:
        return f"{self.where}, prefix={self.prefix!r}"


def _bytes(text: str) -> bytes:
    # Half a surrogate pair must be no reason to fail: a name that was asked for is just not there.
    return text.encode("utf-8", "surrogatepass")


def _checked_prefix(prefix: object) -> str:
    if not isinstance(prefix, str) or not prefix:
        raise ConfigError("a Redis store needs a prefix for its keys, e.g. prefix='my-agent'")
    if len(prefix) > _MAX_PREFIX or not prefix.isprintable() or "{" in prefix or "}" in prefix:
        shown = f"{ascii(prefix)[1:-1]:.80}"
        raise ConfigError(
            f"the prefix '{shown}' will not do: up to {_MAX_PREFIX} printable characters, and no "
            "braces (the keys get a pair of their own, which keeps them in one slot of a cluster)"
        )
    return prefix
