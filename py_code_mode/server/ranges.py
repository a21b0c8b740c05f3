"""Which bytes of an artifact a request wants (RFC 9110, sections 13 and 14).

Place in the house: bottom of ``server``; pure functions of headers.
"""

from __future__ import annotations

import re

from py_code_mode.artifacts.base import ArtifactInfo

__all__ = ["NONE_SUCH", "is_match", "wanted"]

NONE_SUCH = (-1, -1)
"""A range behind the end."""

_ONE = re.compile(r"bytes=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*")


def is_match(header: str | None, sha256: str) -> bool:
    """Whether an ``If-None-Match`` has this version among its tags."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return header.strip() == "*" or f'"{sha256}"' in tags


def wanted(header: str | None, if_range: str | None, info: ArtifactInfo) -> tuple[int, int] | None:
    """Return the range that is wanted, its end exclusive.

    Args:
        header: ``Range``.
        if_range: ``If-Range``: the version the range is of.
        info: The artifact.

    Returns:
        None: all of it. So are several ranges and units we do not know, as the RFC allows.
        ``NONE_SUCH``: the artifact has no such bytes.
    """
    match = None if header is None else _ONE.fullmatch(header)
    if match is None or not any(match.groups()):
        return None
    if if_range is not None and if_range.strip() != f'"{info.sha256}"':
        return None
    first, last = match.groups()
    if not first:
        begin, end = max(0, info.size - int(last)), info.size
    else:
        begin, end = int(first), min(info.size, int(last) + 1 if last else info.size)
        if last and int(last) < int(first):
            return None  # no range at all, and to be ignored
    return (begin, end) if begin < end else NONE_SUCH
