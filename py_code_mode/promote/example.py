"""The recorded example: the call with the real arguments, and what came of it.

Place in the house: inside ``promote``. It is compared as ``doctest`` does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from py_code_mode.promote.lifting import Param
from py_code_mode.promote.literals import annotation_of
from py_code_mode.promote.picking import Cell
from py_code_mode.promote.shown import ANYTHING, printed, shown_value

__all__ = ["example_call", "expected_of", "value_type"]

MAX_EXPECTED = 2_000
"""Characters of what must come back; of more the beginning, which is what is compared then."""

_AT = re.compile(r" at 0x[0-9a-fA-F]{6,16}\b")
_MADE = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_NAMELESS = ("<lambda>", "<genexpr>")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")


def example_call(params: Sequence[Param]) -> str:
    """Return the call as it is typed."""
    return f"run({', '.join(f'{param.name}={param.value!r}' for param in params)})"


def _value_text(cell: Cell) -> str:
    shown = [each.text for each in cell.entry.result.outputs if each.kind == "result"]
    return (shown[-1] or "") if shown else ""


def value_type(cell: Cell) -> str:
    """Return the type of what a cell gave, as Python source; empty if that is not known."""
    try:
        return annotation_of(ast.literal_eval(_value_text(cell)))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return ""


def expected_of(cells: Sequence[Cell], *, returns: bool) -> str:
    """Return what the example must show: what the cells printed, and the last one's value.

    Args:
        cells: The cells.
        returns: Whether the skill returns a value.

    Returns:
        The text, with ``...`` for what is not known; empty where nothing can be expected.
    """
    text = printed(cells)
    text += shown_value(cells, alone=not text) if returns else ""
    text = text.strip("\n")
    if len(text) > MAX_EXPECTED:
        text = text[:MAX_EXPECTED].rpartition("\n")[0] or text[:MAX_EXPECTED]
        text += ANYTHING
    text = _opened(text, cells)
    lines = [line.rstrip() or "<BLANKLINE>" for line in text.split("\n")] if text else []
    # What looks like a prompt would be read as one.
    if any(line.lstrip().startswith(">>>") for line in lines) or text.lstrip().startswith(ANYTHING):
        return ""
    return "\n".join(lines)


def _opened(text: str, cells: Sequence[Cell]) -> str:
    """Leave open what differs from run to run, and where a class or function was made.

    In a skill it is ``run.<locals>.A``, and IPython shows ``<A at 0x7f...>`` where Python says
    ``<A object at 0x7f...>``.
    """
    text = _ADDRESS.sub("...", _AT.sub("... at ...", text)).replace("__main__.", "...")
    nodes = (node for cell in cells for node in ast.walk(cell.tree))
    made = {node.name for node in nodes if isinstance(node, _MADE)}
    names = "|".join([*_NAMELESS, *(rf"\b{re.escape(name)}" for name in sorted(made))])
    return re.sub(rf"(?<!\.)(?:{names})(?=[(.>]| object|\.\.\. at )", r"...\g<0>", text)
