"""The ids a server has served, kept longer than the server lives.

Place in the house: inside ``server``, below ``sessions``. A client may choose the id of a session;
when the server is started anew, it must not get a blank session under that id in silence. So the
ids are written down, as digests, before any code runs in them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from pathlib import Path

from py_code_mode.errors import ConfigError
from py_code_mode.server.settings import ServerSettings

__all__ = ["Ledger"]

log = logging.getLogger(__name__)

_KEPT = 90 * 24 * 3600.0
"""Seconds an id is remembered after it was last begun with."""

_MOST = 100_000
"""Ids that are remembered; the oldest are forgotten first."""


class Ledger:
    """Remembers ids in a file, one line for each that comes or goes.

    Args:
        directory: Where the file is; made if it does not exist.

    Raises:
        ConfigError: It cannot be written there.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "sessions.jsonl"
        self._known: dict[str, float] = {}
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._load()
            self._rewrite()
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"the ids of sessions must be kept here, and cannot: {error.strerror}; the "
                "setting state says where",
                file=directory,
            ) from error

    @classmethod
    def opened(cls, settings: ServerSettings) -> Ledger | None:
        """Open the ledger where the settings say.

        Returns:
            None if nobody said where, and it cannot be written where it would be.

        Raises:
            ConfigError: It cannot be written where somebody said.
        """
        if settings.state is not None:
            return cls(settings.state)
        try:
            return cls(settings.default_state())
        except ConfigError as error:
            log.warning("ids that clients choose need the header X-Session-New: %s", error)
            return None

    def knows(self, owner: str, name: str) -> bool:
        """Whether a session of that id was begun, now or in a former life, and not given up."""
        return _key(owner, name) in self._known

    def add(self, owner: str, name: str) -> None:
        """Write an id down; it is in the system's hands when this returns."""
        key = _key(owner, name)
        self._known[key] = now = time.time()
        self._write({"id": key, "at": round(now)})
        if len(self._known) > _MOST + _MOST // 10:
            self._rewrite()
            self._file.close()
            self._file = self._path.open("a", encoding="utf-8")

    def forget(self, owner: str, name: str) -> None:
        """Strike an id out: whoever chose it knows that its session is gone."""
        key = _key(owner, name)
        if self._known.pop(key, None) is not None:
            self._write({"id": key, "at": None})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: dict[str, object]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _load(self) -> None:
        if not self._path.exists():
            return
        for number, line in enumerate(self._path.read_text("utf-8", "replace").splitlines(), 1):
            try:
                entry = json.loads(line)
                key, at = str(entry["id"]), entry["at"]
                if at is None:
                    self._known.pop(key, None)
                else:
                    self._known[key] = float(at)
            except (ValueError, TypeError, LookupError):
                # The last line of a server that was killed; no id is lost by it, because code
                # runs only after its line was written.
                log.warning("%s:%d: left out, it is no entry", self._path, number)

    def _rewrite(self) -> None:
        oldest = time.time() - _KEPT
        kept = sorted((at, key) for key, at in self._known.items() if at >= oldest)[-_MOST:]
        self._known = {key: at for at, key in kept}
        temporary = self._path.with_suffix(".new")
        lines = (json.dumps({"id": key, "at": round(at)}) + "\n" for at, key in kept)
        temporary.write_text("".join(lines), "utf-8")
        temporary.replace(self._path)


def _key(owner: str, name: str) -> str:
    return hashlib.sha256(f"{owner}\0{name}".encode()).hexdigest()[:32]
