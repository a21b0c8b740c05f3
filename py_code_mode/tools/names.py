"""How tools are named: what a name may be, and its form as a Python attribute.

Place in the house: bottom of ``tools``, beside ``base``; the one place that cleans names.

A tool keeps the exact name it was given and is called by it: ``tools.call("a-b", {...})``. As
an attribute it goes by its *clean* name, ``tools.a_b(...)``. Dots part a server from its
tool and are kept. Of each part, in this order:

=========================================  ==================  ====================
what the name has                          becomes             example
=========================================  ==================  ====================
characters no identifier has               ``_``               ``a-b`` -> ``a_b``
an underscore in front                     ``_`` appended      ``_x`` -> ``_x_``
a digit in front                           ``_`` put before    ``3d`` -> ``_3d``
a keyword                                  ``_`` appended      ``class`` -> ``class_``
an attribute of ``tools`` (first part)     ``_`` appended      ``list`` -> ``list_``
=========================================  ==================  ====================

Names are NFKC normalised first, as Python does with every identifier it reads.
"""

from __future__ import annotations

import difflib
import functools
import keyword
import unicodedata
from collections.abc import Iterable

from py_code_mode.errors import ConfigError, ToolNotFoundError

__all__ = ["RESERVED", "check_name", "clean_name", "listed", "near_names", "not_found", "unknown"]

RESERVED = frozenset(
    {"acall", "amap", "call", "describe", "list", "map", "search"}
    | {"ToolError", "ToolNotFoundError", "ToolCallError", "ToolTimeoutError", "ToolDeniedError"}
)
"""What ``tools`` in the kernel answers to itself."""

_MAX_NAME = 200


@functools.lru_cache(maxsize=8192)  # each tool's is wanted again and again
def clean_name(name: str) -> str:
    """Return the attribute under which a tool is reached in the kernel.

    Args:
        name: Full name, dots between a server and its tool.
    """
    first, *rest = unicodedata.normalize("NFKC", name).split(".")
    cleaned = [_identifier(first), *map(_identifier, rest)]
    if cleaned[0] in RESERVED:
        cleaned[0] += "_"
    return ".".join(cleaned)


def _identifier(part: str) -> str:
    text = "".join(char if ("_" + char).isidentifier() else "_" for char in part)
    if text.startswith("_") or keyword.iskeyword(text):
        return text + "_"
    return text if text.isidentifier() else "_" + text


def check_name(name: str) -> None:
    """Refuse what cannot be a tool's name.

    Raises:
        ConfigError: It is empty or too long, has an empty part between its dots, blanks around
            it or characters that do not print.
    """
    if not name or len(name) > _MAX_NAME:
        raise ConfigError(f"a tool's name has 1 to {_MAX_NAME} characters", key="name")
    if not name.isprintable() or name != name.strip():
        raise ConfigError(f"tool name {name!r} must print and have no blanks around it", key="name")
    if not all(name.split(".")):
        raise ConfigError(f"tool name {name!r} has nothing before or after a dot", key="name")


def near_names(name: str, names: Iterable[str]) -> list[str]:
    """Return up to three of ``names`` that look like ``name``, the nearest first."""
    if len(name) > _MAX_NAME:  # it may come from a kernel; comparing takes quadratic time
        return []
    folded = {other.casefold(): other for other in names}
    return [folded[key] for key in difflib.get_close_matches(name.casefold(), folded)]


def unknown(what: str, name: str, names: Iterable[str]) -> str:
    """Say that ``name`` is not one of ``names``, and which of them it may have meant.

    Returns:
        E.g. ``"no tool 'nmpa' (did you mean 'nmap'?)"``, for a message to go on from.
    """
    near = " or ".join(map(repr, near_names(name, names)))
    return f"no {what} {name[:_MAX_NAME]!r}" + (f" (did you mean {near}?)" if near else "")


def not_found(name: str, names: Iterable[str]) -> ToolNotFoundError:
    """Return the error for a tool that is not one of ``names``."""
    names = list(names)
    return ToolNotFoundError(unknown("tool", name, names), near=near_names(name, names))


def listed(names: Iterable[str]) -> str:
    """Return names as a message shows them."""
    return ", ".join(map(repr, names)) or "none"
