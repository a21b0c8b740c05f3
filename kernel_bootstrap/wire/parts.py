"""The form in which every type reaches the codec: a tag, fields, and bulk bytes.

Place in the house: bottom of the codec. ``standard``, ``arrays``, ``frames`` and
``polars_frames`` say how one value becomes a ``Packed`` and back; only ``encoder`` and
``decoder`` walk into the fields. So the parts know nothing of JSON, of numbers of buffers, of
depth or of paths.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kernel_bootstrap.wire.errors import ProtocolError

__all__ = [
    "MAX_DEPTH",
    "Buffer",
    "Library",
    "Packed",
    "Plain",
    "Refused",
    "TooDeep",
    "Unpack",
    "check_hashes",
    "expect",
    "shown",
    "step",
    "type_name",
    "well_formed",
]

Buffer = bytes | bytearray | memoryview

MAX_DEPTH = 100
"""Values may sit this many containers deep. A tree has at most twice as many levels: that is
below orjson's limit of 254, with room for the message around it."""

Unpack = Callable[[dict[str, Any]], Any]
"""Rebuild a value from its decoded fields. It may raise anything: the decoder makes that a
``ProtocolError``. It must not trust the fields: their types and sizes come from a hostile side."""

_STEPS = 12  # of a path are shown


@dataclass(slots=True)
class Packed:
    """One value taken apart.

    Attributes:
        tag: Its name on the wire.
        fields: What the codec encodes in turn; a list here adds no level of its own. The name
            ``b`` is reserved for the buffers.
        buffers: Bulk bytes; the unpacker finds them as memoryviews in the field ``b``.
        labels: Keys to name the items of the field ``v`` by in an error message.
        hashed: Name of the field whose items must differ on the other side too.
    """

    tag: str
    fields: dict[str, Any] = field(default_factory=dict)
    buffers: list[Buffer] = field(default_factory=list)
    labels: Sequence[Any] = ()
    hashed: str = ""


@dataclass(slots=True)
class Plain:
    """``value`` is sent in the place of the one asked for."""

    value: Any


class Library(Protocol):
    """What a module of this package knows of one outside library."""

    def owns(self, kind: type) -> bool:
        """Tell whether ``kind`` is a type that ``pack`` takes."""

    def nbytes(self, value: Any) -> float:
        """Return about how many bytes ``value`` takes, cheaply."""

    def pack(self, value: Any) -> Packed:
        """Take ``value`` apart, or raise ``Refused``."""


class Refused(Exception):  # noqa: N818 - an answer on its way up, never seen outside the codec
    """A value cannot cross; the walk adds where it sat while the exception rises.

    Args:
        what: What is refused, as in "cannot send <what>".
        why: The reason, where the type alone does not say it.
    """

    def __init__(self, what: str, why: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self._path: list[str] = []
        self._owners: list[int] = []

    @classmethod
    def of_type(cls, kind: type, why: str = "") -> Refused:
        """Refuse a value for its type."""
        return cls(f"a value of type '{type_name(kind)}'", why)

    def passed(self, at: str = "", owner: object = None) -> None:
        """Note that the refusal rose from the step ``at``, and out of the value ``owner``."""
        self._path.append(at)
        if owner is not None:
            self._owners.append(id(owner))

    def sentence(self) -> str:
        """Return the whole message."""
        steps = [at for at in reversed(self._path) if at]
        where = "".join(steps[:_STEPS]) + (" …" if len(steps) > _STEPS else "")
        text = f"cannot send {self.what}{where and f' at {where}'}{self.why and f': {self.why}'}"
        return well_formed(text)

    def is_circle(self) -> bool:
        """Tell whether the refusal rose through the same object twice."""
        return len(set(self._owners)) < len(self._owners)


class TooDeep(Refused):
    """A value sits more than ``MAX_DEPTH`` containers deep; most often it contains itself."""

    def __init__(self) -> None:
        super().__init__(f"a value nested deeper than {MAX_DEPTH} levels")

    def sentence(self) -> str:
        """Return the whole message."""
        if self.is_circle():
            self.what = "a value that contains itself"
        return super().sentence()


def type_name(kind: type) -> str:
    """Return the qualified name of ``kind``; builtins go without their module."""
    # A class may put anything under these names: user code decides, so nothing is trusted.
    try:
        module, name = kind.__module__, str(kind.__qualname__)
    except Exception:  # noqa: BLE001 - a metaclass may raise what it likes
        module, name = None, str(type.__dict__["__name__"].__get__(kind))
    text = name if module == "builtins" or type(module) is not str else f"{module}.{name}"
    return well_formed(text)[:200]


def well_formed(text: str) -> str:
    """Return ``text`` with lone surrogates escaped: messages travel as plain JSON."""
    return text.encode("utf-8", "backslashreplace").decode()


def shown(value: object) -> str:
    """Return data of a hostile side as a message shows it: whole if it is flat, else its type.

    What writes nested data goes as deep as the data, and JSON is read deeper than a stack lasts
    that is not empty.
    """
    if isinstance(value, str):
        return well_formed(f"{value[:80]!r}")
    flat = value is None or isinstance(value, bool | float)
    if flat or (isinstance(value, int) and value.bit_length() < 100):  # noqa: PLR2004
        return repr(value)
    return f"a value of type {type_name(type(value))}"


def step(key: object) -> str:
    """Return ``key`` as it appears in a path; the reprs of users' own types are not asked."""
    if type(key) is str:
        return f"[{key[:40]!r}]"
    if type(key) in {bool, float, type(None)} or (type(key) is int and key.bit_length() < 100):  # noqa: PLR2004
        return f"[{key!r}]"
    return f"[<{type_name(type(key))}>]"


def expect(fields: dict[str, Any], name: str, *kinds: type) -> Any:
    """Return the field ``name`` if its type is exactly one of ``kinds``.

    Raises:
        ProtocolError: It is missing or of another type.
    """
    value = fields.get(name)
    if type(value) not in kinds:
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise ProtocolError(f"field {name!r} must be {wanted}, not {type(value).__name__}")
    return value


def check_hashes(items: Collection[Hashable]) -> None:
    """Refuse keys made to collide: a set of them takes quadratic time to build.

    Python randomizes the hashes of strings only; equal hashes of numbers and tuples are easy to
    make up. Real data stays far below the bound.

    Raises:
        ValueError: Too many of ``items`` have the same hash.
    """
    if len(items) < 300:  # noqa: PLR2004 - too few to cost anything worth counting
        return
    work = sum(count * count for count in Counter(map(hash, items)).values())
    if work > 100_000 + 64 * len(items):
        raise ValueError("too many keys with the same hash")
