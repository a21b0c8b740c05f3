"""Parameters that would change what the code means, and those that stand for nothing.

Place in the house: inside ``promote``, above ``lifting`` and ``names``.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence

from py_code_mode.errors import SkillError
from py_code_mode.promote.lifting import Lifted
from py_code_mode.promote.names import bound_names, uses_name
from py_code_mode.promote.picking import Cell
from py_code_mode.promote.reader import is_known

__all__ = ["check_params"]

_ANOTHER = "give the parameter another name"


def check_params(
    lifted: Sequence[Lifted], cells: Sequence[Cell], trees: Sequence[ast.Module]
) -> None:
    """Check the parameters against the code.

    Args:
        lifted: The parameters.
        cells: The cells as they ran.
        trees: The same, with the parameters.

    Raises:
        SkillError: With one of them the code would do something else than it did.
    """
    for each in lifted:
        _check_used(each, trees)
        _check_made(each, cells, trees)
        if each.assigned is not None:
            _check_before(each.param.name, each.assigned, cells)
        _check_hidden(each, cells, trees)


def _check_used(lifted: Lifted, trees: Sequence[ast.Module]) -> None:
    param = lifted.param
    if lifted.assigned is not None or lifted.literals:
        return
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name))
    if not any(node.id == param.name and isinstance(node.ctx, ast.Load) for node in nodes):
        raise SkillError(
            f"nothing for the parameter {param.name!r}: the cells hold no literal "
            f"{param.value!r:.200} and read no variable of that name"
        )


def _check_made(lifted: Lifted, cells: Sequence[Cell], trees: Sequence[ast.Module]) -> None:
    """Refuse a name for literals that the code gives another value."""
    name = lifted.param.name
    if lifted.assigned is not None and not lifted.literals:
        return  # it begins with the parameter's value, and may change
    for place, (cell, tree) in enumerate(zip(cells, trees, strict=True)):
        if name not in _made_or_deleted(tree):
            continue
        # Lines are those of the cell as it ran.
        ran = [each for i, each in enumerate(cell.tree.body) if (place, i) != lifted.assigned]
        line = _made_or_deleted(ast.Module(ran, []))[name]
        where = f"{cell.label}, line {line}: the code makes {name!r} itself"
        if lifted.assigned is None:
            raise SkillError(f"{where}; {_ANOTHER}")
        raise SkillError(
            f"{where}, and {lifted.param.value!r:.200} stands elsewhere, too; {_ANOTHER}, or "
            f"say params=[{name!r}], which lifts nothing but the first assignment"
        )


def _made_or_deleted(tree: ast.Module) -> dict[str, int]:
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    deleted = {node.id: node.lineno for node in names if isinstance(node.ctx, ast.Del)}
    return {**deleted, **bound_names(tree)}


def _check_before(name: str, assigned: tuple[int, int], cells: Sequence[Cell]) -> None:
    """Refuse an assignment that is not where the name begins: before it stood for another value."""
    place, index = assigned
    before = [statement for cell in cells[:place] for statement in cell.tree.body]
    before += cells[place].tree.body[:index]
    if uses_name(before, name):
        line = cells[place].tree.body[index].lineno
        raise SkillError(
            f"{cells[place].label}, line {line}: {name!r} had another value before; {_ANOTHER}, "
            "or leave out the cells that use it before"
        )


def _check_hidden(lifted: Lifted, cells: Sequence[Cell], trees: Sequence[ast.Module]) -> None:
    """Refuse a parameter that would mean something else in parts of the code."""
    name = lifted.param.name
    is_new = lifted.assigned is None and is_known(name)
    for cell, tree in zip(cells, trees, strict=True):
        names = (node.id for node in ast.walk(cell.tree) if isinstance(node, ast.Name))
        if is_new and name in names:
            why = f"the code uses {'Python' if hasattr(builtins, name) else 'the skill'}'s own"
        elif lifted.literals and name in _inner_names(tree):
            why = "a function or loop in the code has a name like that of its own"
        else:
            continue
        raise SkillError(
            f"{cell.label}: the parameter {name!r} would hide another meaning: {why}; {_ANOTHER}"
        )


def _inner_names(tree: ast.Module) -> set[str]:
    """Return the names that functions, lambdas and comprehensions bind for themselves."""
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    names = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    inner: list[ast.AST] = [node for node in ast.walk(tree) if isinstance(node, scopes)]
    inner += [node.target for node in ast.walk(tree) if isinstance(node, ast.comprehension)]
    return names | {
        node.id
        for part in inner
        for node in ast.walk(part)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
