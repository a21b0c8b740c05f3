"""Variables, and the frames of code they belong to, as a kernel describes them.

Place in the house: values layer, below ``results``. All of it is text and numbers; what a kernel
sends is checked and bounded here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kernel_bootstrap.wire.limits import cut_text
from py_code_mode.errors import ProtocolError
from py_code_mode.jsonform import read_fields

__all__ = ["StackFrame", "Variable", "hide_in_frame", "read_frame", "read_frames"]

MAX_LOCALS = 100
MAX_FRAMES = 100
MAX_NAME = 1_000
MAX_PREVIEW = 120
MAX_SENT = 500
"""Characters of a preview as it comes, so that whole secrets can be found in it."""

_WHOLE = 1 << 62


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a session, or of a frame.

    Attributes:
        name: Its name.
        type: Qualified name of its type.
        shape: Shape of an array or frame, else None.
        length: ``len()`` of it, else None.
        size: Bytes it takes, as far as can be told cheaply; None if it cannot.
        preview: One line.
    """

    name: str
    type: str
    shape: tuple[int, ...] | None
    length: int | None
    size: int | None
    preview: str

    @classmethod
    def from_dict(cls, data: Any) -> Variable:
        """Rebuild from untrusted JSON data.

        Raises:
            ProtocolError: It is malformed.
        """
        number = (int, type(None))
        found = read_fields(
            "a variable",
            data,
            name=str,
            type=str,
            shape=(list, tuple, type(None)),
            length=number,
            size=number,
            preview=str,
        )
        if found["shape"] is not None:
            if not all(type(side) is int for side in found["shape"]):
                raise ProtocolError("the shape of a variable must be integers")
            found["shape"] = tuple(found["shape"])
        return cls(**found)

    def __str__(self) -> str:
        length = "" if self.length is None or self.shape else f" of {self.length:,}"
        return f"{self.name}: {self.type.rpartition('.')[2]}{length} = {self.preview}"


@dataclass(frozen=True, slots=True)
class StackFrame:
    """Where code is, and its variables there.

    Attributes:
        file: ``"Cell In[3]"``, or a file.
        line: Line in it, from 1.
        function: Name of the function; ``"<module>"`` outside of one.
        code: That line.
        locals: Variables, those of the line first; of a cell's own frame those that it names.
            Empty in libraries.
        omitted: How many there are beyond those.
    """

    file: str
    line: int
    function: str
    code: str
    locals: tuple[Variable, ...] = ()
    omitted: int = 0

    @property
    def where(self) -> str:
        """``"clean, line 3 of Cell In[2]"``."""
        function = "" if self.function == "<module>" else f"{self.function}, "
        return f"{function}line {self.line} of {self.file}"

    @classmethod
    def from_dict(cls, data: Any) -> StackFrame:
        """Rebuild from untrusted JSON data.

        Raises:
            ProtocolError: It is malformed.
        """
        kinds: dict[str, Any] = {"file": str, "line": int, "function": str, "code": str}
        found = read_fields("a frame", data, **kinds, locals=(list, tuple), omitted=int)
        return cls(**{**found, "locals": tuple(map(Variable.from_dict, found["locals"]))})

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.code}", *(f"  {each}" for each in self.locals)]
        if self.omitted:
            lines.append(f"  and {self.omitted:,} more variables")
        return "\n".join(lines)


def read_frame(data: Any) -> StackFrame | None:
    """Return a frame as a kernel describes it, within bounds; None if it is no frame."""
    try:
        found = StackFrame.from_dict({**data, "locals": data["locals"][:MAX_LOCALS]})
    except (ProtocolError, TypeError, KeyError):
        return None
    return replace(
        found,
        file=cut_text(found.file, MAX_NAME),
        line=min(max(found.line, 0), _WHOLE),
        function=cut_text(found.function, MAX_NAME),
        code=cut_text(found.code, MAX_NAME),
        locals=tuple(map(_bounded, found.locals)),
        omitted=min(max(found.omitted, 0), _WHOLE),
    )


def read_frames(data: Any) -> tuple[StackFrame, ...]:
    """Return a stack as a kernel describes it, within bounds; what is no frame is left out."""
    found = map(read_frame, data[:MAX_FRAMES] if isinstance(data, list) else [])
    return tuple(frame for frame in found if frame is not None)


def hide_in_frame(frame: StackFrame, hide: Callable[[str], str]) -> StackFrame:
    """Return a frame whose texts have passed ``hide``, with previews of their final length."""
    return replace(
        frame,
        code=hide(frame.code),
        locals=tuple(
            replace(each, preview=_shortened(hide(each.preview), MAX_PREVIEW))
            for each in frame.locals
        ),
    )


def _bounded(variable: Variable) -> Variable:
    shape = variable.shape
    numbers = (*(shape or ()), variable.length or 0, variable.size or 0)
    if len(numbers) > MAX_LOCALS or any(abs(number) > _WHOLE for number in numbers):
        variable = replace(variable, shape=None, length=None, size=None)
    return replace(
        variable,
        name=cut_text(variable.name, MAX_NAME),
        type=cut_text(variable.type, MAX_NAME),
        preview=_shortened(" ".join(variable.preview.split()), MAX_SENT),
    )


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
