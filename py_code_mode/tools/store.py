"""Where tool files are kept when not in a directory: in Redis, for many programs at once.

Place in the house: ``tools``, above ``loader``, which says whether a file will do; ``stored``
makes tools of what is kept here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from py_code_mode.errors import ConfigError, ToolError
from py_code_mode.redisdb import (
    CHANGED,
    DEFAULT_PREFIX,
    Database,
    RedisIndexKeeper,
    Script,
    client_from_url,
    token,
)
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import ToolAdapter
from py_code_mode.tools.loader import make_adapter
from py_code_mode.yamlfile import YamlFile, parse_yaml

if TYPE_CHECKING:
    from redis import Redis, RedisCluster
    from redis import asyncio as aio

__all__ = ["RedisToolStore", "ToolStore", "read_tool"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

Names = list[str]
"""Named, because a method called ``list`` hides the type."""

_READ = Script("""
return {redis.call('GET', KEYS[1]) or '', redis.call('HGETALL', KEYS[2])}
""")

_PUT = Script(f"""{CHANGED}
local former = redis.call('HGET', KEYS[2], ARGV[1])
if former == ARGV[2] then return 1 end
if former and ARGV[3] == '0' then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
changed(KEYS[1], ARGV[4])
return 1
""")

_DELETE = Script(f"""{CHANGED}
if redis.call('HDEL', KEYS[2], ARGV[1]) == 0 then return 0 end
changed(KEYS[1], ARGV[2])
return 1
""")


@runtime_checkable
class ToolStore(Protocol):
    """Keeps tool files by name. Methods block, and may be called from any thread."""

    def documents(self) -> tuple[object, dict[str, str]]:
        """Return the version, and the text of every file by name."""
        ...

    def version(self) -> object:
        """Return something cheap that compares unequal once any file has changed."""
        ...

    def describe(self, name: str) -> str:
        """Return what messages call a file."""
        ...


class RedisToolStore:
    """Tool files in Redis: what a directory of YAML files is, for many machines.

    Args:
        redis: A client of redis-py, blocking or asyncio, of one server or a cluster.
        prefix: What all keys begin with; see ``docs/redis.md``.

    Raises:
        ConfigError: The client or the prefix will not do.
    """

    def __init__(
        self,
        redis: Redis | RedisCluster | aio.Redis | aio.RedisCluster,
        prefix: str = DEFAULT_PREFIX,
    ) -> None:
        self._db = Database(redis, prefix, "tools", ToolError)
        self._keys = [self._db.key("version"), self._db.key("files")]

    @classmethod
    def from_url(cls, url: str, prefix: str | None = None, **options: Any) -> Self:
        """Make a store with a client of its own, which gives up in time and tries again.

        Args:
            url: ``redis://``, ``rediss://`` (TLS) or ``unix://``, with user and password.
            prefix: What all keys begin with; None: what the URL's ``?prefix=`` says.
            **options: Options of ``redis.Redis.from_url``.

        Raises:
            ConfigError: It is no such URL.
        """
        return cls(*client_from_url(url, prefix, **options))

    def put(self, name: str, text: str, *, replace: bool = True, check: bool = True) -> bool:
        """Keep a tool file.

        Args:
            name: What the file would be called in a directory, without ``.yaml``.
            text: Its YAML.
            replace: Whether it may take the place of another one of that name.
            check: Whether to read it first as a program that loads it will do; what
                ``${NAME}`` stands for is not known here and taken for good.

        Returns:
            False if another file has the name and ``replace`` is false.

        Raises:
            ConfigError: The name or the file will not do; file, line and key are named.
            ToolError: It could not be stored; what was there before stays.
        """
        if not _NAME.fullmatch(name):
            shown = f"{ascii(name)[1:-1]:.120}"
            raise ConfigError(f"'{shown}' is no name of a tool file: letters, digits, _ . and -")
        if check:
            read_tool(self.describe(name), text, _AnySecrets())
        what = f"store the tool file {name!r}"
        args = (name, text, "1" if replace else "0", token())
        return bool(self._db.run(what, _PUT, self._keys, args) == 1)

    def get(self, name: str) -> str | None:
        """Return a file's text, or None if there is none of that name."""
        found = self._db.ask(f"read the tool file {name[:120]!r}", "HGET", self._keys[1], name)
        return None if found is None else _text(found)

    def list(self) -> Names:
        """Return the names of all files, sorted."""
        found = self._db.ask("list the tool files", "HKEYS", self._keys[1])
        return sorted(map(_text, found))

    def delete(self, name: str) -> bool:
        """Remove a file; False if there was none."""
        what = f"delete the tool file {name[:120]!r}"
        return bool(self._db.run(what, _DELETE, self._keys, (name, token())) == 1)

    def documents(self) -> tuple[object, dict[str, str]]:
        """Return the version, and the text of every file by name, of one moment."""
        version, flat = self._db.run("read the tool files", _READ, self._keys)
        pairs = zip(flat[::2], flat[1::2], strict=True)
        texts = {_text(name): _text(text) for name, text in pairs}
        return version, dict(sorted(texts.items()))

    def version(self) -> object:
        """Return what changes with every change: one small read."""
        return self._db.ask("read the version of the tools", "GET", self._keys[0]) or b""

    def index_keeper(self) -> RedisIndexKeeper:
        """Return what keeps the search index, one for all who use the store."""
        return RedisIndexKeeper(self._db)

    def describe(self, name: str) -> str:
        """Return what messages call a file."""
        return f"redis:{self._db.prefix}/tools/{name}.yaml"

    def __repr__(self) -> str:
        return f"RedisToolStore({self._db!r})"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")  # somebody else may have put anything there


def read_tool(path: str, text: str, secrets: Secrets) -> tuple[YamlFile, ToolAdapter]:
    """Read a tool file that lies in no directory, and make its adapter.

    Args:
        path: What messages call it.
        text: Its YAML.
        secrets: What its ``${NAME}`` stand for.

    Raises:
        ConfigError: Something in it is wrong; file, line and key are named.
    """
    file = parse_yaml(Path(path), text.encode("utf-8", "surrogatepass"), in_folder=False)
    return file, make_adapter(file, secrets)


class _AnySecrets(Secrets):
    """Has a value for every name: for looking at a file on a machine that has no secrets."""

    def _value_of(self, found: re.Match[str]) -> str:
        return "$" if found[1] is None else found[2] or "secret"
