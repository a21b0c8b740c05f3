"""What cells showed, as far as it says what ``print`` and ``repr`` give in an example.

Place in the house: inside ``promote``, below ``example``. IPython shows classes, functions and some
collections in a way of its own, and a terminal draws over what was there. What may be such a form
is left open: an example that fails from the beginning is worse than one that says less.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from py_code_mode.promote.picking import Cell, parsed

__all__ = ["ANYTHING", "printed", "shown_value"]

ANYTHING = "..."
"""What ``doctest`` compares with any text."""

_COLLECTION = re.compile(r"[\w.]*[\[({]")
_OBJECT = re.compile(r"<[^<>]*>")
_MAX_DEPTH = 5
_ITS_OWN = re.compile(r"<(?:function|super:) ")
_OTHERWISE = frozenset({"defaultdict", "OrderedDict", "UserList", "UserDict", "UserString"})
"""IPython shows these as Python does not, or not each version of it."""

_NUMBERS = frozenset({"nan", "inf", "NaT"})
_MODULES = frozenset({"datetime", "np", "zoneinfo"})
"""Those that stand before a type's name in its own ``repr``."""

_PLAIN = (
    *(ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp, ast.BinOp, ast.Call),
    *(ast.keyword, ast.expr_context, ast.operator, ast.unaryop),
)
_REDRAWN = re.compile(r"[\r\b]")
_UNSEEN = frozenset(
    {
        *("subprocess", "system", "popen", "multiprocessing", "ProcessPoolExecutor", "__stdout__"),
        *("StreamHandler", "basicConfig", "clear_output"),
    }
)
"""Names in code whose output is not printed where an example looks, or takes back what was."""

_OWN_FORM = frozenset({"_repr_pretty_", "for_type", "for_type_by_name"})
_WHERE_MADE = frozenset({"__qualname__", "__module__", "getsource"})


def printed(cells: Sequence[Cell]) -> str:
    """Return what cells printed; ``...`` if that may not be what was seen."""
    text = "".join(
        output.text or ""
        for cell in cells
        for output in cell.entry.result.outputs
        if output.kind == "stream" and output.name == "stdout"
    )
    names = _names(cells)
    cuts = {cut.what for cell in cells for cut in cell.entry.result.truncated}
    if "clear_output" in names or not cuts.isdisjoint({"stdout", "outputs"}):
        return ANYTHING
    is_drawn = any(map(_is_redrawn, cells))
    return ANYTHING if text and (is_drawn or names & (_UNSEEN | _WHERE_MADE)) else text


def _names(cells: Sequence[Cell]) -> set[str]:
    """Return the names in code: of variables, attributes, functions and modules."""
    found: set[str] = set()
    for node in (node for cell in cells for node in ast.walk(cell.tree)):
        if isinstance(node, ast.alias):
            found |= {*node.name.split(".")}
        elif isinstance(node, ast.ImportFrom):
            found |= {*(node.module or "").split(".")}
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return found


def _is_redrawn(cell: Cell) -> bool:
    texts = (node.value for node in ast.walk(cell.tree) if isinstance(node, ast.Constant))
    return any(isinstance(text, str) and _REDRAWN.search(text) for text in texts)


def shown_value(cells: Sequence[Cell], *, alone: bool) -> str:
    """Return how the last cell's value shows; ``...`` if its ``repr`` may be another.

    Args:
        cells: The cells.
        alone: Whether nothing was printed: then a literal is compared as a value.
    """
    shown = [each for each in cells[-1].entry.result.outputs if each.kind == "result"]
    text = (shown[-1].text or "") if shown else ""
    if not text:
        return ANYTHING if shown else ""
    if not _names(cells).isdisjoint(_OWN_FORM | _WHERE_MADE) or _ITS_OWN.search(text):
        return ANYTHING
    is_table = "<table" in (shown[-1].html or "") or text.startswith("shape: (")
    return text if is_table or _is_repr(text, alone=alone) else ANYTHING


def _is_repr(text: str, *, alone: bool) -> bool:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        pass
    else:
        return (alone or not _has_set(text)) and "__main__" not in repr(value)
    tree = _expression(text)
    if _COLLECTION.match(text) or tree is not None:
        for _ in range(_MAX_DEPTH):  # objects may hold others
            text = _OBJECT.sub("None", text)
            tree = tree or _expression(text)
        return tree is not None and not _has_set(text) and _is_plain(tree)
    return text.startswith("<") or "dtype: " in text.rpartition("\n")[2]


def _expression(text: str) -> ast.expr | None:
    tree = parsed(text)
    only = tree.body[0] if tree is not None and len(tree.body) == 1 else None
    return only.value if isinstance(only, ast.Expr) else None


def _has_set(text: str) -> bool:
    """Whether there is an order that Python draws anew."""
    tree = _expression(text)
    nodes = () if tree is None else ast.walk(tree)
    return any(isinstance(node, ast.Set) and len(node.elts) > 1 for node in nodes)


def _is_plain(node: ast.AST) -> bool:
    """Whether an expression holds what ``repr`` and IPython show alike."""
    if isinstance(node, ast.Name):
        return node.id in _NUMBERS
    if isinstance(node, ast.keyword) and node.arg == "dtype":
        return True
    if isinstance(node, ast.Call):
        if not _is_own_name(node.func):
            return False
        return all(map(_is_plain, (*node.args, *node.keywords)))
    return isinstance(node, _PLAIN) and all(map(_is_plain, ast.iter_child_nodes(node)))


def _is_own_name(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return node.id not in _OTHERWISE
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in _MODULES
