"""Skills kept in Redis, for many programs on many machines.

Place in the house: one ``SkillStore``; ``docs/redis.md`` lists its keys.

A program keeps what it has read. Every change gets a number and stands in a short log, so that
one small question says whether there is anything new, and its answer brings just that. A server
that lost its last second may give a number twice: each carries a text of its own as well, and
who finds another text at the number it knows reads everything again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from py_code_mode.errors import SkillError, SkillValidationError
from py_code_mode.redisdb import DEFAULT_PREFIX, Database, RedisIndexKeeper, client_from_url, token
from py_code_mode.skills import redisrecords as records
from py_code_mode.skills import redisscripts as scripts
from py_code_mode.skills.parse import check_name, name_problem, parse_skill, with_description
from py_code_mode.skills.skill import Skill
from py_code_mode.skills.store import MAX_VERSIONS, SkillUsage, SkillVersion

if TYPE_CHECKING:
    from redis import Redis, RedisCluster
    from redis import asyncio as aio

__all__ = ["RedisSkillStore"]

_ATTEMPTS = 1000
"""Of several that save one name at once, one gets through each time."""


class RedisSkillStore:
    """A ``SkillStore`` in Redis.

    Args:
        redis: A client of redis-py, blocking or asyncio, of one server or a cluster.
        prefix: What all keys begin with; programs with the same one share their skills.
        max_versions: How many versions of a skill are kept, the present one among them.

    Raises:
        ConfigError: The client or the prefix will not do.
    """

    def __init__(
        self,
        redis: Redis | RedisCluster | aio.Redis | aio.RedisCluster,
        prefix: str = DEFAULT_PREFIX,
        *,
        max_versions: int = MAX_VERSIONS,
    ) -> None:
        self.max_versions = max(1, max_versions)
        self._db = Database(redis, prefix, "skills", SkillError)
        key = self._db.key
        self._version, self._log = key("version"), key("log")
        self._present, self._uses = key("present"), key("uses")
        self._lock = threading.Lock()
        self._known: bytes | None = None
        self._raw: dict[str, bytes] = {}
        self._parsed: dict[str, tuple[bytes, Skill | SkillValidationError]] = {}

    @classmethod
    def from_url(
        cls,
        url: str,
        prefix: str | None = None,
        *,
        max_versions: int = MAX_VERSIONS,
        **options: Any,
    ) -> Self:
        """Make a store with a client of its own, which gives up in time and tries again.

        Args:
            url: ``redis://``, ``rediss://`` (TLS) or ``unix://``, with user and password.
            prefix: What all keys begin with; None: what the URL's ``?prefix=`` says.
            max_versions: How many versions of a skill are kept.
            **options: Options of ``redis.Redis.from_url``.

        Raises:
            ConfigError: It is no such URL.
        """
        client, prefix = client_from_url(url, prefix, **options)
        return cls(client, prefix, max_versions=max_versions)

    def names(self) -> list[str]:
        """Return the names of all skills, broken ones too, sorted."""
        with self._lock:
            self._follow()
            return sorted(self._raw)

    def load(self, name: str, version: int | None = None) -> Skill | None:
        """Read a skill, or a former version of it; see ``SkillStore.load``.

        Raises:
            SkillValidationError: It is there, but broken.
            SkillError: The server could not be asked.
        """
        with self._lock:
            self._follow()
            raw = self._raw.get(name)
            if raw is None:
                return None
            found = self._skill(name, raw)
        if version is not None and (isinstance(found, Exception) or found.number != version):
            former = self._db.ask(f"read skill {name!r}", "HGET", self._former(name), str(version))
            return None if former is None else records.parse(name, former)
        if isinstance(found, SkillValidationError):
            # Anew each time: a raised exception collects the traceback of who caught it.
            raise SkillValidationError(found.message, **found.details)
        return found

    def load_all(self) -> list[Skill | SkillValidationError]:
        """Return all skills by name, and for broken ones what is wrong: one question."""
        with self._lock:
            self._follow()
            return [self._skill(name, self._raw[name]) for name in sorted(self._raw)]

    def save(self, skill: Skill, *, replace: bool = True, creator: str = "") -> bool:
        """Keep a skill; False if the name is taken and ``replace`` is false.

        A description that the source's docstring does not say is written into the docstring.

        Raises:
            SkillValidationError: Its name or source is not acceptable.
            SkillError: It could not be stored; what was there before stays.
        """
        check_name(skill.name)
        source = with_description(skill)
        saved = parse_skill(skill.name, source)  # what cannot be loaded is not kept
        what, now = f"save skill {skill.name!r}", time.time()
        keys = [self._version, self._log, self._present, self._former(skill.name)]
        for _ in range(_ATTEMPTS):
            raw = self._db.ask(what, "HGET", self._present, skill.name)
            if raw is not None and not replace:
                return False
            former = None if raw is None else records.unpack_or_empty(skill.name, raw)
            if former is not None and former.source == source:
                return True
            record = records.Record(
                number=1 if former is None else former.number + 1,
                source=source,
                digest=saved.digest,
                time=now,
                by=creator,
                creator=creator if former is None else former.creator,
                created=now if former is None else former.created,
            )
            args = (
                skill.name,
                b"" if raw is None else raw[: records.ID],
                record.pack(),
                token(),
                0 if former is None else former.number,
                record.number - self.max_versions,
            )
            if self._db.run(what, scripts.SAVE, keys, args) == 1:
                return True
        raise SkillError(f"cannot {what}: it changes all the time")

    def delete(self, name: str) -> bool:
        """Remove a skill, its versions and its counts; False if there was none."""
        if name_problem(name) is not None:
            return False
        keys = [self._version, self._log, self._present, self._former(name), self._uses]
        what = f"delete skill {name!r}"
        return bool(self._db.run(what, scripts.DELETE, keys, (name, token())) == 1)

    def version(self) -> object:
        """Return what changes with every change: one small read."""
        return self._db.ask("ask for new skills", "GET", self._version) or b""

    def versions(self, name: str) -> list[SkillVersion]:
        """Return the kept versions of a skill, the present one first."""
        if name_problem(name) is not None:
            return []
        keys = [self._present, self._former(name)]
        found = self._db.run(f"read skill {name!r}", scripts.VERSIONS, keys, (name,))
        sound = [
            each for each in (records.unpack_or_empty(name, raw) for raw in found) if each.number
        ]
        kept = [SkillVersion(each.number, each.digest, each.time, each.by) for each in sound]
        return sorted(kept, key=lambda each: -each.number)[: self.max_versions]

    def add_usage(self, used: Mapping[str, SkillUsage]) -> None:
        """Add runs to the counts of skills, by name; see ``SkillStore.add_usage``."""
        args: list[str | float] = []
        for name, more in used.items():
            if name_problem(name) is None:
                args += [name, more.uses, more.failures, repr(more.seconds), repr(more.last_used)]
        if args:
            self._db.run("count uses of skills", scripts.USE, [self._present, self._uses], args)

    def usage(self, *names: str) -> dict[str, SkillUsage]:
        """Return the counts of these skills, or of all."""
        flat = self._db.run("read the uses of skills", scripts.USAGE, [self._uses])
        pairs = zip(flat[::2], flat[1::2], strict=True)
        counts = {records.text(name): records.usage(packed) for name, packed in pairs}
        return {name: counts[name] for name in names or counts if name in counts}

    def index_keeper(self) -> RedisIndexKeeper:
        """Return what keeps the search index, one for all who use the store."""
        return RedisIndexKeeper(self._db)

    def _former(self, name: str) -> bytes:
        return self._db.key("former", name)

    def _follow(self) -> None:
        """Bring what is known up to date; the lock is held."""
        known = b"?" if self._known is None else self._known
        keys = [self._version, self._log, self._present]
        version, whole, flat = self._db.run("read the skills", scripts.READ, keys, (known,))
        if whole == 1:
            self._raw = {}
        for at in range(0, len(flat), 2):
            name, raw = records.text(flat[at]), flat[at + 1]
            if raw:
                self._raw[name] = raw
            else:
                self._raw.pop(name, None)
        if len(flat) or whole == 1:
            self._parsed = {name: self._parsed[name] for name in self._parsed if name in self._raw}
        self._known = version

    def _skill(self, name: str, raw: bytes) -> Skill | SkillValidationError:
        known = self._parsed.get(name)
        if known is None or known[0] != raw[: records.ID]:
            try:
                known = raw[: records.ID], records.parse(name, raw)
            except SkillValidationError as error:
                known = raw[: records.ID], error
            self._parsed[name] = known
        return known[1]

    def __repr__(self) -> str:
        return f"RedisSkillStore({self._db!r})"
