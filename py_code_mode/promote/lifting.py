"""Literals and assignments that become parameters.

Place in the house: inside ``promote``, above ``edits``.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from py_code_mode.errors import SkillError
from py_code_mode.promote.edits import Edit, span, without
from py_code_mode.promote.literals import (
    Literal,
    annotation_of,
    copied,
    is_fixed,
    is_infinite,
    is_written,
    literals,
    same,
    value_of,
)
from py_code_mode.promote.names import bound_names
from py_code_mode.promote.picking import Cell, parsed

__all__ = ["Lifted", "Param", "lift"]

MAX_PLACES = 1_000

_SHORTEST = 4
"""Texts shorter than this are in many others; where they are part of one is not told."""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter.

    Attributes:
        name: Its name.
        value: Its default, a literal.
    """

    name: str
    value: Any

    @property
    def annotation(self) -> str:
        """Its type as Python source; empty for None."""
        return annotation_of(self.value)


@dataclass(frozen=True, slots=True)
class Lifted:
    """What of the cells became a parameter.

    Attributes:
        param: The parameter.
        assigned: Its first assignment, which is taken out: which of the cells, and which of its
            statements; None: there is none.
        literals: How many literals it stands for elsewhere.
    """

    param: Param
    assigned: tuple[int, int] | None = None
    literals: int = 0


def lift(
    cells: Sequence[Cell], params: Mapping[str, Any] | Sequence[str]
) -> tuple[list[Lifted], list[list[Edit]]]:
    """Find what becomes a parameter.

    Returns:
        The parameters, and the edits of each cell.

    Raises:
        SkillError: A name cannot be one, or there is nothing that it could stand for.
    """
    edits: list[list[Edit]] = [[] for _ in cells]
    if isinstance(params, str):
        raise SkillError(f"params must be a list of names or a dict: [{params!r}]")
    for name in params:
        _check(name)
    if not isinstance(params, Mapping):
        return [_assigned(cells, name, edits) for name in params], edits
    for name, value in params.items():
        _check_literal(name, value)
    lifted = [_replace(cells, Param(name, value), edits) for name, value in params.items()]
    _check_apart(cells, edits)
    return lifted, edits


def _check(name: Any) -> None:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise SkillError(f"{name!r} cannot be a parameter: it is no Python identifier")
    if name in {"tools", "skills", "artifacts"}:
        raise SkillError(f"{name!r} cannot be a parameter: the skill has {name} anyway")


def _check_literal(name: str, value: Any) -> None:
    if not is_written(value):
        raise SkillError(
            f"params[{name!r}] is a {type(value).__name__}: only what Python can write as a "
            "literal can be lifted out of code"
        )


def _replace(cells: Sequence[Cell], param: Param, edits: list[list[Edit]]) -> Lifted:
    """Take the assignments of a literal out, and put the name in the place of each other one."""
    removed = _to_remove(cells, param)
    found: list[tuple[int, Literal]] = []
    for place, (cell, mine) in enumerate(zip(cells, edits, strict=True)):
        lines = cell.source.split("\n")
        for index, statement in enumerate(cell.tree.body):
            if (place, index) in removed:
                mine.append(without(cell.source, statement))
                continue
            for each in literals(statement, param.value, lines):
                if len(found) >= MAX_PLACES:
                    raise SkillError(
                        f"the literal {param.value!r:.200} is in more than {MAX_PLACES} places"
                    )
                found.append((place, each))
    for place, each in found:
        text = _text(cells[place], each, param, alone=len(found) == 1, assigned=bool(removed))
        edits[place].append(_named(cells[place], each.node, param, text))
    if not found and not removed:
        _tell_where_it_is_part(cells, param.name, param.value)
    return Lifted(param, next(iter(removed), None), len(found))


def _text(cell: Cell, literal: Literal, param: Param, *, alone: bool, assigned: bool) -> str:
    """Return what stands for a literal: the name, or where it must be an object of its own a copy.

    Raises:
        SkillError: The parameter's own object may have been changed, or is no flat collection.
    """
    name, value = param.name, param.value
    if is_fixed(value) or (alone and not literal.is_repeated and not assigned):
        return name
    where = f"{cell.label}, line {literal.node.lineno}: {value!r:.200}"
    if assigned:
        raise SkillError(
            f"{where} is another object than {name!r}, which the code may change; give the "
            f"parameter another name, or say params=[{name!r}], which lifts nothing but the first "
            "assignment"
        )
    copy = copied(name, value)
    if not copy:
        raise SkillError(
            f"{where} is made anew there each time, and a parameter is one object; "
            f"run it with {name} = {value!r:.200} before, and copy.deepcopy({name}) there"
        )
    return name if literal.is_read else copy


def _to_remove(cells: Sequence[Cell], param: Param) -> list[tuple[int, int]]:
    """Return the places of ``name = value`` that say no more than the parameter does.

    Behind another assignment, or what may have changed the value itself, one makes it anew.
    """
    places = [
        (place, index)
        for place, cell in enumerate(cells)
        for index, statement in enumerate(cell.tree.body)
        if _assigns(statement, param.name, param.value)
    ]
    others = (
        statement
        for place, cell in enumerate(cells)
        for index, statement in enumerate(cell.tree.body)
        if (place, index) not in places
    )
    is_made = param.name in bound_names(ast.Module([*others], []))
    return places if is_fixed(param.value) and not is_made else places[:1]


def _check_apart(cells: Sequence[Cell], edits: list[list[Edit]]) -> None:
    """Refuse two parameters for one literal, or for a part of it."""
    for cell, mine in zip(cells, edits, strict=True):
        ordered = sorted(mine, key=lambda edit: (edit.start, edit.end))
        for edit, following in pairwise(ordered):
            if following.start < edit.end:
                what = cell.source[following.start : following.end].strip()
                line = cell.source.count("\n", 0, following.start) + 1
                raise SkillError(
                    f"{cell.label}, line {line}: two parameters would stand for {what:.200}; "
                    "leave one out, or give it a variable and say params=[...]"
                )


def _tell_where_it_is_part(cells: Sequence[Cell], name: str, value: Any) -> None:
    advice = f"run it as an f-string with a variable {name!r}, and say params=[{name!r}]"
    for cell in cells:
        for node in ast.walk(cell.tree):
            if not isinstance(node, ast.Constant):
                continue
            where = f"{cell.label}, line {node.lineno}: {value!r:.200} is only part of a"
            if same(node.value, value):  # nothing else was left alone
                raise SkillError(
                    f"{where} pattern, docstring or f-string there, where no name can stand"
                )
            if not isinstance(value, str) or len(value) < _SHORTEST:
                continue
            if isinstance(node.value, str) and value in node.value:
                raise SkillError(f"{where} text there, and is not lifted out of it; {advice}")


def _assigns(statement: ast.stmt, name: str, value: Any) -> bool:
    found = _assignment(statement, name)
    return found is not None and same(found[0], value)


def _assignment(statement: ast.stmt, name: str) -> tuple[Any] | None:
    """Return the literal that a statement gives a name, in a tuple."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return None
    if not isinstance(target, ast.Name) or target.id != name or statement.value is None:
        return None
    return value_of(statement.value)


def _assigned(cells: Sequence[Cell], name: str, edits: list[list[Edit]]) -> Lifted:
    for place, (cell, mine) in enumerate(zip(cells, edits, strict=True)):
        for index, statement in enumerate(cell.tree.body):
            found = _assignment(statement, name)
            if found is None:
                continue
            if is_infinite(found[0]):
                raise SkillError(
                    f"{cell.label}, line {statement.lineno}: {name!r} is {found[0]!r:.200}, which "
                    "cannot be a default: Python writes no literal for it; run it with float('inf')"
                )
            mine.append(without(cell.source, statement))
            return Lifted(Param(name, found[0]), (place, index))
    raise SkillError(
        f"the cells assign no literal to {name!r} at top level; "
        f"params={{{name!r}: value}} lifts a literal wherever it stands"
    )


def _named(cell: Cell, node: ast.expr, param: Param, text: str) -> Edit:
    source = cell.source
    start, end = span(source, node)
    tree = parsed(f"({source[start:end]})")
    found = (
        None if tree is None or not tree.body else value_of(getattr(tree.body[0], "value", tree))
    )
    if found is None or not same(found[0], param.value):
        # Inside of f-strings older Pythons tell wrong places.
        raise SkillError(
            f"{cell.label}, line {node.lineno}: {param.value!r:.200} cannot be lifted out of this "
            f"f-string; run it with a variable {param.name!r}, and say params=[{param.name!r}]"
        )
    before = " " if source[start - 1 : start].isidentifier() and start else ""
    after = " " if source[end : end + 1].isidentifier() else ""
    return Edit(start, end, f"{before}{text}{after}")
