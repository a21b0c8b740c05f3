"""What leaves the kernel as a value, and what is said of objects that stay.

Place in the house: runs in the kernel only, above ``wire``. A value crosses exactly (see
``wire.codec``) or stays here, and the host gets a summary with an expression that reaches it.

All of this looks at objects of users, whose attributes and reprs are code: it may fail, lie or
take long. So nothing here raises for them, and nothing asks a large builtin container, array or
frame for its whole repr. An interrupt always passes.
"""

from __future__ import annotations

import operator
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kernel_bootstrap.wire.codec import Buffer, encode
from kernel_bootstrap.wire.errors import ValueNotEncodableError
from kernel_bootstrap.wire.parts import type_name, well_formed

__all__ = ["FAILURES", "Summary", "bounded_repr", "cut_middle", "outgoing"]

REPR_CHARS = 2000

_VERSION = 1
_DEPTH = 30  # of containers that are shown; the stack is not endless
_CLOSING = 32  # characters kept back for what ends a repr
_BIG_INT_BITS = 14_000  # Python refuses to write larger ones in decimal
FAILURES = (Exception, SystemExit)
"""What looking at objects of users may raise: exit() in a property must not end the kernel."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the host learns of an object that stays in the kernel.

    Attributes:
        type_name: Qualified, such as ``sklearn.linear_model._base.LinearRegression``.
        repr: At most 2000 characters of it.
        reason: Why it cannot cross.
        handle: An expression that reaches the object in the kernel.
    """

    type_name: str
    repr: str
    reason: str
    handle: str

    @classmethod
    def of(cls, value: Any, *, reason: str, handle: str) -> Summary:
        """Summarize ``value``."""
        return cls(type_name(type(value)), bounded_repr(value), reason, handle)

    def to_wire(self) -> dict[str, str]:
        """Return it as plain data."""
        return {
            "type": self.type_name,
            "repr": self.repr,
            "reason": self.reason,
            "handle": self.handle,
        }


def outgoing(
    value: Any, *, handle: str, libraries: frozenset[str] | None, max_bytes: int
) -> tuple[dict[str, Any], list[Buffer]]:
    """Return what goes under the value MIME type, and its buffers.

    Args:
        value: The value to send.
        handle: An expression that reaches it in the kernel.
        libraries: Which of numpy, pandas and polars the host has; None is all of them.
        max_bytes: A value that would take about more than this stays here.

    Returns:
        ``{"v": 1, "value": tree}``, or ``{"v": 1, "remote": summary}`` if it cannot cross.
    """
    try:
        tree, buffers = encode(value, libraries=libraries, max_bytes=max_bytes)
    except ValueNotEncodableError as error:
        summary = Summary.of(value, reason=error.message, handle=handle)
        return {"v": _VERSION, "remote": summary.to_wire()}, []
    return {"v": _VERSION, "value": tree}, buffers


# --- reprs ---------------------------------------------------------------------------------


def bounded_repr(value: Any, limit: int = REPR_CHARS, *, ask: bool = True) -> str:
    """Return ``repr(value)``, or its head and tail if it has more than ``limit`` characters.

    Builtin containers are not asked for all of it first. The text is well-formed, whatever the
    object returns; a repr that raises is reported in its place.

    Args:
        value: Any object.
        limit: Characters, at most.
        ask: Whether classes of users are asked, which runs their code; else they are only named.
    """
    return cut_middle(well_formed(cut_middle(_Sketch(limit, ask=ask).of(value), limit)), limit)


def cut_middle(text: str, limit: int) -> str:
    """Return ``text``, or its head and tail around an ellipsis if it is longer."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    return f"{text[: limit - tail - 1]}…{text[len(text) - tail :]}"


class _Sketch:
    """Writes the repr of one value, and stops when ``limit`` characters are nearly used up."""

    def __init__(self, limit: int, *, ask: bool) -> None:
        self._limit = limit
        self._ask = ask
        self._room = max(limit - _CLOSING, limit // 2)
        self._inside: list[int] = []

    def of(self, value: Any) -> str:
        try:
            # By repr and not by type: a subclass without a repr of its own looks like its base.
            form = _FORMS.get(type(value).__repr__)
            if form is not None and form.size(value):
                if id(value) in self._inside or len(self._inside) == _DEPTH:
                    return f"{form.opening}...{form.closing}"
                return self._container(value, form)
            text = self._leaf(value)
        except FAILURES as error:
            text = f"<{type_name(type(value))} object whose repr raised {type_name(type(error))}>"
        self._room -= len(text)
        return text

    def _container(self, value: Any, form: _Form) -> str:
        self._inside.append(id(value))
        parts: list[str] = []
        for item in form.items(value):
            if self._room <= 0:
                parts.append(f"… {form.size(value) - len(parts):,} more")
                break
            self._room -= 2
            is_pair = form.is_dict
            parts.append(f"{self.of(item[0])}: {self.of(item[1])}" if is_pair else self.of(item))
        self._inside.pop()
        before, after = form.around(value)
        if isinstance(value, tuple) and form.size(value) == 1:
            after = f",{after}"
        return f"{before}{', '.join(parts)}{after}"

    def _leaf(self, value: Any) -> str:
        room = max(self._room, _CLOSING) if self._inside else self._limit
        method: Any = type(value).__repr__
        if not (self._ask or method in _FORMS or _is_plain(type(value))):
            return f"<{type_name(type(value))} object>"
        base = _TEXTS.get(method)
        if base is not None and base.__len__(value) > room:
            # Where the two ends meet is in the middle, which is cut out.
            ends = slice(None, room), slice(-room, None)
            value = base.__getitem__(value, ends[0]) + base.__getitem__(value, ends[1])
        if method is _INT_REPR and int.bit_length(value) > _BIG_INT_BITS:
            return cut_middle(int.__format__(value, "#x"), room)
        # A subclass of str may be returned, with a length of its own.
        return cut_middle(str.__getitem__(repr(value), slice(None)), room)


@dataclass(frozen=True, slots=True)
class _Form:
    """How a builtin container is written: with its name in front, unless the name is empty."""

    opening: str
    closing: str
    items: Callable[[Any], Iterable[Any]]
    size: Callable[[Any], int]
    named: bool = False
    is_dict: bool = False

    def around(self, value: Any) -> tuple[str, str]:
        """Return what stands before and after the items."""
        if not self.named or type(value) is set:
            return self.opening, self.closing
        first, last = "", ""
        if isinstance(value, defaultdict):
            first = f"{value.default_factory!r}, "
        elif isinstance(value, array):
            first = f"{value.typecode!r}, "
        elif isinstance(value, deque) and value.maxlen is not None:
            last = f", maxlen={value.maxlen}"
        name = type(value).__name__
        return f"{name}({first}{self.opening}", f"{self.closing}{last})"


_VIEWS: tuple[Any, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_FORMS: dict[Any, _Form] = {
    list.__repr__: _Form("[", "]", list.__iter__, list.__len__),
    tuple.__repr__: _Form("(", ")", tuple.__iter__, tuple.__len__),
    dict.__repr__: _Form("{", "}", dict.items, dict.__len__, is_dict=True),
    set.__repr__: _Form("{", "}", set.__iter__, set.__len__, named=True),
    frozenset.__repr__: _Form("{", "}", frozenset.__iter__, frozenset.__len__, named=True),
    deque.__repr__: _Form("[", "]", deque.__iter__, deque.__len__, named=True),
    array.__repr__: _Form("[", "]", array.__iter__, array.__len__, named=True),
    **{
        kind.__repr__: _Form("{", "}", dict.items, dict.__len__, named=True, is_dict=True)
        for kind in (OrderedDict, defaultdict, Counter)
    },
    **{view.__repr__: _Form("[", "]", iter, len, named=True) for view in _VIEWS},
}
_TEXTS: dict[Any, Any] = {base.__repr__: base for base in (str, bytes, bytearray)}
_INT_REPR: Any = int.__repr__
_PLAIN = frozenset(
    {int, float, complex, bool, str, bytes, bytearray, range, slice, type, type(None), type(...)}
    | {type(print), type(bounded_repr), type(operator)}
)
_PLAIN_MODULES = frozenset({"datetime", "decimal", "fractions", "pathlib", "uuid", "numpy"})


def _is_plain(kind: type) -> bool:
    """Whether the reprs of a class run no code of users."""
    return kind in _PLAIN or getattr(kind, "__module__", None) in _PLAIN_MODULES
