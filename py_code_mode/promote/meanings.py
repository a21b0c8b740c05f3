"""Names that mean one thing at the top level of a session, and another in a function.

Place in the house: inside ``promote``, above ``names``. A session looks a name up when it is
needed; in a function it is a variable of the function everywhere, or nowhere.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from py_code_mode.errors import SkillError
from py_code_mode.promote.names import bound_names, early_in_class, read_before_made
from py_code_mode.promote.picking import Cell
from py_code_mode.promote.reader import is_known

__all__ = ["check_meanings"]


def check_meanings(cells: Sequence[Cell], params: Sequence[str]) -> None:
    """Check that names mean the same in a function.

    Args:
        cells: The cells as they ran.
        params: Names of the parameters.

    Raises:
        SkillError: One would not; the message says where, and what would help.
    """
    early = read_before_made([cell.tree for cell in cells], params)
    for name, (place, line) in early.items():
        raise SkillError(
            f"{cells[place].label}, line {line}: {name!r} is used before the cells make a variable "
            f"of that name; in a skill it is that variable everywhere, and has no value yet. Run "
            f"them with another name for the variable, such as {name}_"
        )
    made = {name for cell in cells for name in bound_names(cell.tree)}.union(params)
    for cell in cells:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.ClassDef):
                _check_class(cell, node, made)


def _check_class(cell: Cell, node: ast.ClassDef, made: set[str]) -> None:
    """Refuse a body that takes a variable's value for its own of that name."""
    for name, line in early_in_class(node).items():
        if name in made or not is_known(name):
            raise SkillError(
                f"{cell.label}, line {line}: the class {node.name!r} reads {name!r} and makes "
                f"{name!r} itself, which then is not found in a function. Run it with another name "
                f"for the variable, as in {name} = {name}_"
            )
