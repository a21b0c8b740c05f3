"""What a result looks like: IPython's formatters, with a short way for plain values.

Place in the house: bottom of ``kernel``; ``shell`` makes one. IPython asks a dozen formatters,
each with several questions, how to show ``2``. Only the one for plain text ever has an answer
for a builtin type, unless somebody registers another.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from IPython.core import formatters
from IPython.core.formatters import DisplayFormatter

__all__ = ["SessionFormatter"]

_PLAIN = frozenset(
    {bool, bytes, complex, dict, float, frozenset, int, list, range, set, str, tuple, type(None)}
)
_TEXT = "text/plain"
_STANDARD = frozenset(
    kind
    for name, kind in vars(formatters).items()
    if name.endswith("Formatter") and kind.__module__ == formatters.__name__
)
"""IPython's own formatters; of others nothing is known."""


class SessionFormatter(DisplayFormatter):  # type: ignore[misc]
    """``DisplayFormatter``; instances of builtin types are asked for their text only."""

    def format(
        self,
        obj: Any,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return an object's formats and their metadata."""
        if type(obj) not in _PLAIN or include or exclude or self._somebody_formats(obj):
            formats: tuple[dict[str, Any], dict[str, Any]] = super().format(obj, include, exclude)
            return formats
        text = self.formatters[_TEXT](obj)
        return ({} if text is None else {_TEXT: text}), {}

    def _somebody_formats(self, obj: Any) -> bool:
        """Whether anything but text was registered for a builtin object or its types."""
        kinds = type(obj).__mro__
        names = [(kind.__module__, kind.__name__) for kind in kinds]
        first = (self.ipython_display_formatter, self.mimebundle_formatter)
        for formatter in (*first, *self.formatters.values()):
            if type(formatter) is formatters.PlainTextFormatter:
                continue
            if type(formatter) not in _STANDARD:
                return True
            by_type, by_name = formatter.type_printers, formatter.deferred_printers
            if any(kind in by_type for kind in kinds) or any(name in by_name for name in names):
                return True
            if id(obj) in formatter.singleton_printers:
                return True
        return False
