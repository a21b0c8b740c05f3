"""Which names artifacts may have.

Place in the house: bottom of ``artifacts``. One rule for every store, so that what one store
keeps another can take over; a name comes from a kernel and must never lead out of a folder.
"""

from __future__ import annotations

import re
import unicodedata

from py_code_mode.errors import ArtifactWriteError

__all__ = ["check_name", "name_problem", "normal_name"]

MAX_NAME_BYTES = 512
MAX_PART_BYTES = 200  # file systems allow 255; the rest is left to them and to us

_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE
)
_REFUSED_CATEGORIES = {
    "Cc": "a control character",
    "Cs": "half of a surrogate pair",
    "Zl": "a line break",
    "Zp": "a line break",
}


def check_name(name: str) -> str:
    """Return ``name`` in the form under which it is kept (Unicode NFC).

    Raises:
        ArtifactWriteError: It is not a relative path of plain parts; the message gives the rule.
    """
    problem = name_problem(name)
    if problem is not None:
        shown = ascii(name)[1:-1][:120]
        raise ArtifactWriteError(f"an artifact cannot be named '{shown}': {problem}")
    return normal_name(name)


def normal_name(name: str) -> str:
    """Return the one of a name's equivalent spellings that is kept.

    Raises:
        TypeError: It is no text at all.
    """
    if not isinstance(name, str):
        raise TypeError(f"an artifact's name must be str, not {type(name).__name__}")
    return unicodedata.normalize("NFC", name)


def name_problem(name: str) -> str | None:
    """Say which rule ``name`` breaks; None if it breaks none."""
    normal = normal_name(name)
    if not name:
        return "a name must not be empty"
    for char in name:
        what = _REFUSED_CATEGORIES.get(unicodedata.category(char))
        if what is not None:
            return f"a name must not hold {what} ({char!a})"
    if "\\" in name:
        return "folders are separated by '/', a name must not hold a backslash"
    if name.startswith("/") or _DRIVE.match(name):
        return "a name must be relative, without leading '/' and without drive letter"
    if len(normal.encode()) > MAX_NAME_BYTES:
        return f"a name may have {MAX_NAME_BYTES} bytes in UTF-8, it has {len(normal.encode())}"
    problems = (_part_problem(part) for part in normal.split("/"))
    return next((problem for problem in problems if problem is not None), None)


def _part_problem(part: str) -> str | None:
    if part in ("", ".", ".."):
        return f"'{part}' must not be a part of a name"
    if part.casefold().startswith(".pcm"):
        return "parts that begin with '.pcm' are the store's own"
    if part != part.strip() or part != part.strip("."):
        return f"the part {part!r:.100} must not begin or end with a space or dot"
    if len(part.encode()) > MAX_PART_BYTES:
        return f"a part may have {MAX_PART_BYTES} bytes in UTF-8, one has {len(part.encode())}"
    if _DEVICE.match(part):
        return f"{part!r:.100} is the name of a device on Windows"
    return None
