"""Skills kept as files ``<name>.py`` in one folder.

Place in the house: one ``SkillStore``. The folder is shared with people, their editors and other
processes: every call looks at it afresh, and what was parsed is kept as long as a file's time,
size and inode stay as they were.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import replace as changed
from pathlib import Path

from py_code_mode.errors import ConfigError, SkillError, SkillValidationError
from py_code_mode.search import FileIndexKeeper
from py_code_mode.skills.disk import (
    State,
    decode,
    encode,
    is_file_name,
    look,
    prepared,
    put,
    read_bytes,
    source_digest,
)
from py_code_mode.skills.history import History, Log, known
from py_code_mode.skills.parse import (
    check_name,
    digest_of,
    invalid,
    name_problem,
    parse_skill,
    with_description,
)
from py_code_mode.skills.parsed import MANY, Parses
from py_code_mode.skills.scan import Scan
from py_code_mode.skills.skill import Skill
from py_code_mode.skills.store import MAX_VERSIONS, SkillUsage, SkillVersion

__all__ = ["FileSkillStore"]

_log = logging.getLogger(__name__)

PARSED = "parsed"
"""File of what was parsed, in the hidden folder; it can be deleted."""

_States = tuple[State, State | None]
"""State of a skill's file, and of the log of its versions."""

_NONE: tuple[_States, None] = ((0, 0, 0), None), None


class FileSkillStore:
    """A ``SkillStore`` in a folder.

    Files whose names begin with ``_`` or ``.`` are no skills. A broken file is reported by
    ``load`` and hides no other. Symbolic links count while they stay inside the folder. A write
    is whole or not at all, also through a crash. Former versions and counts are in a hidden
    folder beside the files; what somebody edits by hand becomes a version of its own.

    Args:
        path: The folder; made, and the log says so, if it does not exist.
        max_versions: How many versions of a skill are kept, the present one among them.

    Raises:
        ConfigError: The path is something else than a folder, or cannot be made.
    """

    def __init__(self, path: Path | str, *, max_versions: int = MAX_VERSIONS) -> None:
        self.path = Path(path)
        self.max_versions = max(1, max_versions)
        self._parsed: dict[str, tuple[_States, Skill | SkillValidationError]] = {}
        try:
            if not self.path.is_dir():
                self.path.mkdir(parents=True)
                _log.info("the skills folder %s did not exist and was made", self.path)
        except OSError as error:
            reason = f"skills must be kept in a folder, and this cannot be one: {error.strerror}"
            raise ConfigError(reason, file=self.path) from error
        self._history = History(self.path)
        self._scan = Scan(self.path)
        self._parses = Parses(self._history.root / PARSED)

    def names(self) -> list[str]:
        """Return the names of all skills, broken ones too, sorted."""
        return [name for name, _ in self._scan.states()]

    def load(self, name: str, version: int | None = None) -> Skill | None:
        """Read a skill, or return None if there is none of that name or version.

        Raises:
            SkillValidationError: Its file is broken; the message names file and line.
        """
        if not is_file_name(name):
            return None
        if version is not None and self._number(name) != version:
            return self._load_former(name, version)
        file = self._file(name)
        state = look(file)
        if state is None:
            self._parsed.pop(name, None)
            return None
        found = self._look(name, (state, self._history.state(name)), {})
        if isinstance(found, SkillValidationError):
            # Anew each time: a raised exception collects the traceback of who caught it.
            raise SkillValidationError(found.message, **found.details)
        return found

    def load_all(self) -> list[Skill | SkillValidationError]:
        """Return all skills by name, and in the place of broken ones what is wrong with them.

        Many that are new to this process are not parsed again if any has parsed them before.
        """
        states, logged = self._scan.states_soon(), self._history.logged()
        new = [name for name, state in states if self._parsed.get(name, _NONE)[0][0] != state]
        kept = self._parses.read() if len(new) >= MANY else {}
        found = [
            self._look(name, (state, self._history.state(name) if name in logged else None), kept)
            for name, state in states
        ]
        skills = [each for each in found if isinstance(each, Skill)]
        if len(new) >= MANY and sum(each.digest not in kept for each in skills) >= MANY:
            with contextlib.suppress(OSError):  # one that only reads keeps none
                self._history.make()
            self._parses.write(skills)
        return found

    def save(self, skill: Skill, *, replace: bool = True, creator: str = "") -> bool:
        """Write a skill's file; False if the name is taken and ``replace`` is false.

        A description that the source's docstring does not say is written into the docstring;
        the code stays as it is.

        Raises:
            SkillValidationError: Its name or source is not acceptable.
            SkillError: The file could not be written.
        """
        check_name(skill.name)
        file = self._file(skill.name)
        data = encode(skill.name, with_description(skill))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self._history.locked():
                if not replace and os.path.lexists(file):
                    return False
                self._write(skill.name, file, data, replace=replace, creator=creator)
        except FileExistsError:  # somebody who holds no lock was faster
            return False
        except OSError as error:
            raise SkillError(f"{file}: cannot write the skill: {error.strerror}") from error
        return True

    def delete(self, name: str) -> bool:
        """Remove a skill's file, broken or not, and its history; False if there was none."""
        if not is_file_name(name) or look(self._file(name)) is None:
            return False
        try:
            with self._history.locked():
                self._file(name).unlink()
                self._history.forget(name)
        except FileNotFoundError:  # another was faster
            return False
        except OSError as error:
            raise SkillError(f"{self._file(name)}: cannot delete: {error.strerror}") from error
        return True

    def version(self) -> object:
        """Return names, times, sizes and inodes of all files; see ``Scan.states_soon``."""
        return self._scan.states_soon()

    def versions(self, name: str) -> list[SkillVersion]:
        """Return the kept versions of a skill, the present one first."""
        if not is_file_name(name):
            return []
        with self._history.locked(make=False):
            present = self._present(name, self._file(name))
            if present is None:
                return []
            seen = self._history.log(name).seeing(source_digest(present[0]), present[1])
        return [*seen.versions[: self.max_versions]]

    def add_usage(self, used: Mapping[str, SkillUsage]) -> None:
        """Add runs to the counts of skills, by name.

        Raises:
            SkillError: They could not be written.
        """
        known = {name: more for name, more in used.items() if is_file_name(name)}
        known = {name: more for name, more in known.items() if look(self._file(name)) is not None}
        if not known:
            return
        try:
            with self._history.locked():
                self._history.counts.add(known)
        except OSError as error:
            raise SkillError(f"{self.path}: cannot count uses: {error.strerror}") from error

    def usage(self, *names: str) -> dict[str, SkillUsage]:
        """Return the counts of these skills, or of all."""
        counts = self._history.counts.read()
        return {name: counts[name] for name in names or counts if name in counts}

    def index_keeper(self) -> FileIndexKeeper:
        """Return what keeps the search index, in the hidden folder."""
        return FileIndexKeeper.beside(self.path)

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.py"

    def _look(
        self, name: str, states: _States, kept: Mapping[str, Skill]
    ) -> Skill | SkillValidationError:
        """Return what a file holds, read anew if it has changed."""
        seen = self._parsed.get(name)
        if seen is None or seen[0] != states:
            seen = self._parsed[name] = states, self._read(name, states, kept)
        return seen[1]

    def _read(
        self, name: str, states: _States, kept: Mapping[str, Skill]
    ) -> Skill | SkillValidationError:
        file = self._file(name)
        try:
            problem = name_problem(name)
            if problem is not None:  # before the content: it is what to repair first
                return invalid(name, problem, file=file)
            source = decode(name, read_bytes(name, file, self.path), file)
            skill = kept.get(digest_of(source)) if kept else None
            if skill is None:
                skill = parse_skill(name, source, file=file)
        except SkillValidationError as error:
            return error
        except OSError as error:
            return invalid(name, f"cannot read the file: {error.strerror}", file=file)
        log = Log() if states[1] is None else self._history.log(name)
        log = log.seeing(skill.digest, states[0][0] / 1e9)
        return known(skill, log, name=name, source=skill.source or source)  # kept without them

    def _present(self, name: str, file: Path) -> tuple[bytes, float] | None:
        """Return the bytes and the time of the file that is there; None for none to be read."""
        try:
            return read_bytes(name, file, self.path), file.stat().st_mtime_ns / 1e9
        except (OSError, SkillValidationError):
            return None

    def _number(self, name: str) -> int | None:
        versions = self.versions(name)
        return versions[0].number if versions else None

    def _load_former(self, name: str, number: int) -> Skill | None:
        if look(self._file(name)) is None:
            return None
        log = self._history.log(name)
        data = self._history.source(name, number)
        kept = tuple(version for version in log.versions if version.number == number)
        if data is None or not kept:
            return None
        skill = parse_skill(name, decode(name, data))
        return known(skill, Log(kept, log.creator, log.created))

    def _write(self, name: str, file: Path, data: bytes, *, replace: bool, creator: str) -> None:
        """Write a skill's file and its history; the lock is held."""
        log, sources = self._history.log(name), {}
        present = self._present(name, file)
        if present is not None:
            if present[0] == data:
                return
            seen = log.seeing(source_digest(present[0]), present[1])
            if seen is not log:  # edited by hand
                sources[seen.versions[0].number] = present[0]
            log = seen
        log = log.added(source_digest(data), time.time(), creator)
        log = changed(log, versions=log.versions[: self.max_versions])
        sources[log.versions[0].number] = data
        with (
            prepared(file, data) as temporary,
            self._history.writing(name, log, sources),
        ):
            if not put(temporary, file, replace=replace):
                raise FileExistsError(file)

    def __repr__(self) -> str:
        return f"FileSkillStore({str(self.path)!r})"
