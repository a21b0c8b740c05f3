"""What is said of variables: type, shape, length, size and one line of each.

Place in the house: runs in the kernel only, above ``values``, whose rules hold here as well.
"""

from __future__ import annotations

import operator
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from kernel_bootstrap.values import FAILURES, bounded_repr, cut_middle
from kernel_bootstrap.wire.parts import type_name

__all__ = ["Hide", "describe_variable", "describe_variables", "secret_hider"]

Hide = Callable[[str, Any, str], str]
"""Takes a variable's name, its value and its repr, and returns the repr without secrets."""

PREVIEW_CHARS = 120
LONG_PREVIEW_CHARS = 4 * PREVIEW_CHARS
"""What becomes one line may be longer before; so is what others will hide something in."""

HIDDEN = "***"
"""What stands where a secret was."""

_SHORTEST = 6  # shorter values of the environment stand in every other text
_TELLING = 24  # characters of a secret that tell it, where its end may have been cut

_TELLS = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|api_?key|credentials?|private_?key|access_?key"
    r"|auth(?:orization)?|cookie)"
)
_SECRET_NAME = re.compile(rf"(?:^|_){_TELLS}(?:_|$)", re.IGNORECASE)
_JOINTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[-.]")
_SECRET_ITEM = re.compile(
    rf"((?:^|[\W_]){_TELLS}(?:_\w*)?['\"]?\s*[:=]\s*b?)('[^']*'?|\"[^\"]*\"?)", re.IGNORECASE
)
_CREDENTIALS = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=…-]{8,}")
_OPEN = (bool, int, float, complex, type(None))  # a count of tokens is no token


def describe_variables(namespace: Mapping[str, Any], names: Iterable[str]) -> list[dict[str, Any]]:
    """Describe the variables ``names``, leaving out those that do not exist.

    Returns:
        One dict a variable: ``name``; ``type``; ``shape``, a list of ints or None; ``length`` or
        None; ``size`` in bytes or None, without what it refers to; ``preview``, one line.
    """
    return [describe_variable(name, namespace[name]) for name in names if name in namespace]


def describe_variable(
    name: str, value: Any, *, ask: bool = True, hide: Hide | None = None
) -> dict[str, Any]:
    """Describe one variable, as ``describe_variables`` does.

    Args:
        name: Its name.
        value: What it is.
        ask: Whether classes of users are asked, which runs their code; else they are only named.
        hide: Takes secrets out of the preview, which is a longer one then.
    """
    known = ask or _is_known(type(value))
    shape = _try(_shape, value) if known else None
    preview = _try(_short_form, value, shape, ask) if known else None
    if preview is None:
        preview = bounded_repr(value, LONG_PREVIEW_CHARS, ask=ask)
    length = PREVIEW_CHARS
    if hide is not None:
        preview, length = hide(name, value, preview), LONG_PREVIEW_CHARS
    return {
        "name": name,
        "type": type_name(type(value)),
        "shape": shape,
        "length": _try(_length, value) if known else None,
        "size": _try(_size, value) if known else None,
        "preview": _one_line(preview, length),
    }


def secret_hider() -> Hide:
    """Return what takes secrets out of previews.

    Hidden are variables, keys and keyword arguments whose names say that they are secrets,
    credentials as HTTP has them, and the values of variables of the environment that are named so.
    """
    known = [
        _telling(value)
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST and _is_secret(name)
    ]
    environment = re.compile("|".join(known)) if known else None

    def hide(name: str, value: Any, shown: str) -> str:
        if _is_secret(name) and not isinstance(value, _OPEN):
            return HIDDEN
        shown = _SECRET_ITEM.sub(rf"\1'{HIDDEN}'", _CREDENTIALS.sub(rf"\1 {HIDDEN}", shown))
        return shown if environment is None else environment.sub(HIDDEN, shown)

    return hide


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(_JOINTS.sub("_", name)) is not None


def _telling(secret: str) -> str:
    """Return a pattern of a secret as a repr shows it, perhaps without its end."""
    text = repr(secret)[1:-1]
    if len(text) <= _TELLING:
        return re.escape(text)
    return re.escape(text[:_TELLING]) + r"[^\s'\"]*"


def _is_known(kind: type) -> bool:
    """Whether looking at objects of a class runs no code of users."""
    root = str(getattr(kind, "__module__", "")).partition(".")[0]
    return root in ("builtins", "collections", "numpy", "pandas", "polars", "pyarrow", "torch")


def _try(ask: Callable[..., Any], *args: Any) -> Any:
    """Return what ``ask`` says, or None: it runs code of users."""
    try:
        return ask(*args)
    except FAILURES:
        return None


def _shape(value: Any) -> list[int] | None:
    shape = None if isinstance(value, type) else getattr(value, "shape", None)
    return [operator.index(side) for side in shape] if isinstance(shape, tuple) else None


def _length(value: Any) -> int | None:
    # dask computes the whole frame to know its length
    return None if hasattr(type(value), "__dask_graph__") else len(value)


def _size(value: Any) -> int:
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas and isinstance(value, pandas.DataFrame):
        return int(value.memory_usage(deep=False).sum())
    if polars and isinstance(value, (polars.DataFrame, polars.Series)):
        return int(value.estimated_size())
    size = getattr(value, "nbytes", None)
    return size if type(size) is int else sys.getsizeof(value)


def _short_form(value: Any, shape: list[int] | None, ask: bool) -> str | None:  # noqa: FBT001 - passed on
    """Return a line for arrays and frames, whose own repr takes several."""
    if not shape:
        return None
    title = f"{type(value).__name__} ({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
    columns = getattr(value, "columns", None)
    if columns is not None:
        names = ", ".join(bounded_repr(name, 30, ask=ask) for name in islice(columns, 10))
        return f"{title} {names}"
    dtype = getattr(value, "dtype", None)
    return None if dtype is None else f"{title} {dtype}"


def _one_line(text: str, length: int) -> str:
    """Return ``text`` as one line without control characters."""
    line = " ".join(text.split())
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return cut_middle(clean, length)
