"""Figures of matplotlib: in which format they are shown, and that each is shown once.

Place in the house: bottom of ``kernel``; ``app`` and ``display`` use it. Nothing here loads
matplotlib: its inline backend reads IPython's settings when the first figure is made.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["forget_figure", "set_figure_format"]

_BACKEND, _SETTINGS = "matplotlib_inline.backend_inline", "matplotlib_inline.config"
_DEFAULT = {"png"}


def set_figure_format(shell: Any, name: str) -> None:
    """Show figures in that format, unless code has chosen one already.

    Args:
        shell: The session's shell.
        name: As IPython's ``InlineBackend.figure_formats`` has it: ``retina``, ``svg``, ...
    """
    shell.config.InlineBackend.figure_formats = {name}
    backend = sys.modules.get(_SETTINGS) and sys.modules[_SETTINGS].InlineBackend
    # In a fork a figure may have been made before.
    if backend and backend.initialized() and backend.instance().figure_formats == _DEFAULT:
        backend.instance().figure_formats = {name}


def forget_figure(value: Any) -> None:
    """Leave a figure that was a cell's result out of those that are shown at its end."""
    inline, module = sys.modules.get(_BACKEND), sys.modules.get("matplotlib.figure")
    if inline is None or module is None or not isinstance(value, module.Figure):
        return
    if inline.InlineBackend.instance().close_figures:
        inline.Gcf.destroy_fig(value)
    elif value in inline.show._to_draw:
        inline.show._to_draw.remove(value)
