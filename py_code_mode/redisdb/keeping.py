"""A search index kept in Redis, beside the documents it is of.

Place in the house: inside ``redisdb``, above ``database``; an ``IndexKeeper`` of ``search``.
"""

from __future__ import annotations

import hashlib

from py_code_mode.redisdb.database import Database

__all__ = ["RedisIndexKeeper"]


class RedisIndexKeeper:
    """Keeps an index under one key, with its digest.

    The index is a cache: one that is damaged counts as none.

    Args:
        db: The keys of the store it belongs to.
        name: What its key ends with.
    """

    def __init__(self, db: Database, name: str = "search") -> None:
        self._db = db
        self._key = db.key(name)

    def read(self) -> bytes | None:
        """Return what was written last, whole; None if there is nothing.

        Raises:
            CodeModeError: The server could not be asked.
        """
        what = "read the search index"
        found: list[bytes | None] = self._db.ask(what, "HMGET", self._key, "sha256", "data")
        digest, data = found
        if data is None or digest != hashlib.sha256(data).hexdigest().encode():
            return None
        return data

    def write(self, data: bytes) -> None:
        """Keep ``data`` in place of what was there: whole or not at all.

        Raises:
            CodeModeError: It could not be stored.
        """
        digest = hashlib.sha256(data).hexdigest()
        what = "keep the search index"
        self._db.ask(what, "HSET", self._key, "sha256", digest, "data", data)

    def __repr__(self) -> str:
        return f"RedisIndexKeeper({self._db!r})"
