"""What a result looks like: IPython's formatters, with a short way for plain values.

Place in the house: bottom of ``kernel``; ``shell`` makes one. IPython asks a dozen formatters,
each with several questions, how to show ``2``. Only the one for plain text ever has an answer
for a builtin type, unless somebody registers another.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from contextlib import nullcontext
from typing import Any

from IPython.core import formatters
from IPython.core.formatters import DisplayFormatter

__all__ = ["SessionFormatter"]

_PLAIN = frozenset(
    {bool, bytes, complex, dict, float, frozenset, int, list, range, set, str, tuple, type(None)}
)
_TEXT = "text/plain"
_VEGALITE = "application/vnd.vegalite.v"
_VEGALITE_5 = f"{_VEGALITE}5+json"
_Formats = tuple[dict[str, Any], dict[str, Any]]
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
    ) -> _Formats:
        """Return an object's formats and their metadata."""
        module: object = type(obj).__module__
        if isinstance(module, str) and module.startswith("altair."):
            return self._format_chart(obj, include, exclude)
        if type(obj) not in _PLAIN or include or exclude or self._somebody_formats(obj):
            formats: _Formats = super().format(obj, include, exclude)
            return formats
        text = self.formatters[_TEXT](obj)
        return ({} if text is None else {_TEXT: text}), {}

    def _format_chart(
        self, chart: Any, include: Collection[str] | None, exclude: Collection[str] | None
    ) -> _Formats:
        """Return altair's charts as data, unless the user has chosen another renderer.

        Altair's own choice is a page that loads Vega from the network, which models cannot read
        and JupyterLab shows only of notebooks it trusts. JupyterLab 4 draws the data, if they are
        called those of version 5; it takes newer ones.
        """
        renderers = getattr(sys.modules.get("altair"), "renderers", None)
        is_default = getattr(renderers, "active", None) == "default"
        with renderers.enable("mimetype") if is_default and renderers else nullcontext():
            formats, metadata = super().format(chart, include, exclude)
        found = [mime for mime in formats if mime.startswith(_VEGALITE)]
        if found and _VEGALITE_5 not in formats:
            formats = {_VEGALITE_5: formats[found[0]], **formats}
        return formats, metadata

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
