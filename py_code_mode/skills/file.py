"""Skills kept as files ``<name>.py`` in one folder.

Place in the house: one ``SkillStore``. The folder is shared with people, their editors and other
processes: every call looks at it afresh, and what was parsed is kept as long as a file's time,
size and inode stay as they were.
"""

from __future__ import annotations

import errno
import importlib.util
import io
import logging
import os
import stat
import tempfile
import tokenize
from pathlib import Path

from py_code_mode.errors import ConfigError, SkillError, SkillValidationError
from py_code_mode.search import FileIndexKeeper
from py_code_mode.skills.parse import (
    MAX_SOURCE,
    check_name,
    invalid,
    name_problem,
    parse_skill,
    with_description,
)
from py_code_mode.skills.skill import Skill

__all__ = ["FileSkillStore"]

_log = logging.getLogger(__name__)

INDEX = ".search-index"
"""The file of the search index, which can be deleted at any time."""

_State = tuple[int, int, int]
"""Time of change, size and inode of a file: when none changed, its content did not."""


class FileSkillStore:
    """A ``SkillStore`` in a folder.

    Files whose names begin with ``_`` or ``.`` are no skills. A broken file is reported by
    ``load`` and hides no other. Symbolic links count while they stay inside the folder. A write
    is whole or not at all, also through a crash.

    Args:
        path: The folder; made, and the log says so, if it does not exist.

    Raises:
        ConfigError: The path is something else than a folder, or cannot be made.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._parsed: dict[str, tuple[_State, Skill | SkillValidationError]] = {}
        try:
            if not self.path.is_dir():
                self.path.mkdir(parents=True)
                _log.info("the skills folder %s did not exist and was made", self.path)
        except OSError as error:
            reason = f"skills must be kept in a folder, and this cannot be one: {error.strerror}"
            raise ConfigError(reason, file=self.path) from error

    def names(self) -> list[str]:
        """Return the names of all skills, broken ones too, sorted."""
        return [name for name, _ in self._scan()]

    def load(self, name: str) -> Skill | None:
        """Read a skill, or return None if there is none of that name.

        Raises:
            SkillValidationError: Its file is broken; the message names file and line.
        """
        if not _is_file_name(name):
            return None
        file = self._file(name)
        state = _look(file)
        if state is None:
            self._parsed.pop(name, None)
            return None
        known = self._parsed.get(name)
        if known is None or known[0] != state:
            known = self._parsed[name] = state, self._read(name, file)
        if isinstance(known[1], SkillValidationError):
            # Anew each time: a raised exception collects the traceback of who caught it.
            raise SkillValidationError(known[1].message, **known[1].details)
        return known[1]

    def save(self, skill: Skill, *, replace: bool = True) -> bool:
        """Write a skill's file; False if the name is taken and ``replace`` is false.

        A description that the source's docstring does not say is written into the docstring;
        the code stays as it is.

        Raises:
            SkillValidationError: Its name or source is not acceptable.
            SkillError: The file could not be written.
        """
        check_name(skill.name)
        file = self._file(skill.name)
        data = _encode(skill.name, with_description(skill))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not replace and os.path.lexists(file):
                return False
            return _write(file, data, replace=replace)
        except OSError as error:
            raise SkillError(f"{file}: cannot write the skill: {error.strerror}") from error

    def delete(self, name: str) -> bool:
        """Remove a skill's file, broken or not; False if there was none."""
        if not _is_file_name(name) or _look(self._file(name)) is None:
            return False
        try:
            self._file(name).unlink()
        except FileNotFoundError:  # another was faster
            return False
        except OSError as error:
            raise SkillError(f"{self._file(name)}: cannot delete: {error.strerror}") from error
        return True

    def version(self) -> object:
        """Return names, times, sizes and inodes of all files."""
        return tuple(self._scan())

    def index_keeper(self) -> FileIndexKeeper:
        """Return what keeps the search index, in a hidden file of the folder."""
        return FileIndexKeeper(self.path / INDEX)

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.py"

    def _scan(self) -> list[tuple[str, _State]]:
        try:
            with os.scandir(self.path) as entries:
                files = [entry for entry in entries if entry.name.endswith(".py")]
        except FileNotFoundError:  # the folder went away: it holds no skills
            return []
        except OSError as error:
            raise SkillError(f"{self.path}: cannot list the skills: {error.strerror}") from error
        found = ((entry.name[:-3], entry) for entry in files)
        states = ((name, _look(entry)) for name, entry in found if _is_file_name(name))
        return sorted((name, state) for name, state in states if state is not None)

    def _read(self, name: str, file: Path) -> Skill | SkillValidationError:
        try:
            return parse_skill(name, _decode(name, file, self._read_bytes(name, file)), file=file)
        except SkillValidationError as error:
            return error
        except OSError as error:
            return invalid(name, f"cannot read the file: {error.strerror}", file=file)

    def _read_bytes(self, name: str, file: Path) -> bytes:
        problem = name_problem(name)
        if problem is not None:  # before the content: it is what to repair first
            raise invalid(name, problem, file=file)
        target = file
        if file.is_symlink():
            target = _target(file)
            if not target.is_relative_to(self.path.resolve()) or not target.is_file():
                raise invalid(name, "a symbolic link that leads out of the folder", file=file)
        # O_NONBLOCK: opening a named pipe would wait for its other end.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
        with os.fdopen(os.open(target, flags), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise invalid(name, "not a regular file", file=file)
            data = opened.read(MAX_SOURCE + 1)
        if len(data) > MAX_SOURCE:
            raise invalid(name, f"larger than {MAX_SOURCE:,} bytes", file=file)
        return data


def _is_file_name(name: str) -> bool:
    """Whether ``<name>.py`` is the name of a file that may be a skill, broken or not."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return bool(name) and name[0] not in "_." and "/" not in name and "\0" not in name


def _target(link: Path) -> Path:
    try:
        return link.resolve()
    except (OSError, RuntimeError):  # a loop, which Python 3.11 reports as RuntimeError
        return Path("/")  # is in no folder


def _look(file: Path | os.DirEntry[str]) -> _State | None:
    """State of what may be a skill's file; None for nothing and for folders."""
    try:
        status = file.stat()
    except OSError:  # a link to nowhere is there, and is reported like one that leaves
        try:
            status = file.stat(follow_symlinks=False)
        except OSError:
            return None
    if stat.S_ISDIR(status.st_mode):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _decode(name: str, file: Path, data: bytes) -> str:
    """Read a source as Python does: encoding line, byte order mark, any line ends."""
    try:
        return importlib.util.decode_source(data)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        line = None
        if isinstance(error, UnicodeDecodeError):
            line = data.count(b"\n", 0, error.start) + 1
        raise invalid(name, f"cannot decode the file: {error}", line=line, file=file) from None


def _encode(name: str, source: str) -> bytes:
    """Write a source in the encoding its own encoding line names, so that it reads back."""
    try:
        data = source.encode()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        data = source.encode(encoding)
    except (SyntaxError, UnicodeEncodeError, LookupError) as error:
        raise invalid(name, f"the source does not fit its encoding line: {error}") from None
    if len(data) > MAX_SOURCE:
        raise invalid(name, f"with its description it is larger than {MAX_SOURCE:,} bytes")
    return data


def _write(file: Path, data: bytes, *, replace: bool) -> bool:
    """Put ``data`` in place of ``file`` in one step; False if it exists and must not go."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fchmod(opened.fileno(), 0o644)  # mkstemp gives 0600; skills are there to be read
            os.fsync(opened.fileno())
        if replace:
            Path(temporary).replace(file)
            return True
        return _link(temporary, file)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _link(temporary: str, file: Path) -> bool:
    """Put a file in place unless another is there: one step, unlike looking and then moving."""
    try:
        os.link(temporary, file)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        # A file system without hard links: take the name first, and fill it in the next step.
        try:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        except FileExistsError:
            return False
        Path(temporary).replace(file)
    return True
