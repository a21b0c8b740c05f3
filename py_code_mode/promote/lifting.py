"""Literals and assignments that become parameters.

Place in the house: inside ``promote``, above ``edits``.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import NoneType
from typing import Any

from py_code_mode.errors import SkillError
from py_code_mode.promote.edits import Edit, span, without
from py_code_mode.promote.names import bound_names
from py_code_mode.promote.picking import Cell, parsed

__all__ = ["Lifted", "Param", "annotation_of", "lift"]

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


def _is_written(value: Any) -> bool:
    """Whether Python can write a value as a literal; infinity it cannot."""
    try:
        return _same(ast.literal_eval(repr(value)), value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False


def _check_literal(name: str, value: Any) -> None:
    if not _is_written(value):
        raise SkillError(
            f"params[{name!r}] is a {type(value).__name__}: only what Python can write as a "
            "literal can be lifted out of code"
        )


def _same(one: Any, other: Any) -> bool:
    """Whether two literals are the same, types included: True is not 1."""
    return type(one) is type(other) and one == other and repr(one) == repr(other)


def _value(node: ast.AST) -> tuple[Any] | None:
    """Return a literal's value in a tuple; None for what is no literal."""
    if not isinstance(node, ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.Set | ast.UnaryOp):
        return None
    if isinstance(getattr(node, "ctx", None), ast.Store):
        return None
    try:
        return (ast.literal_eval(node),)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None


def _literals(node: ast.AST, value: Any) -> Iterator[ast.expr]:
    """Yield the places where a literal stands; not parts of f-strings, nor of patterns."""
    if isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _literals(part.value, value)
        return
    if isinstance(node, ast.pattern):  # a name there would be bound, not compared
        return
    found = _value(node)
    if found is not None and _same(found[0], value):
        assert isinstance(node, ast.expr)
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from _literals(child, value)


def _replace(cells: Sequence[Cell], param: Param, edits: list[list[Edit]]) -> Lifted:
    """Take the assignments of a literal out, and put the name in the place of each other one."""
    removed = _to_remove(cells, param)
    count = 0
    for place, (cell, mine) in enumerate(zip(cells, edits, strict=True)):
        for index, statement in enumerate(cell.tree.body):
            if (place, index) in removed:
                mine.append(without(cell.source, statement))
                continue
            for node in _literals(statement, param.value):
                if count >= MAX_PLACES:
                    raise SkillError(
                        f"the literal {param.value!r:.200} is in more than {MAX_PLACES} places"
                    )
                mine.append(_named(cell, node, param))
                count += 1
    if not count and not removed:
        _tell_where_it_is_part(cells, param.name, param.value)
    return Lifted(param, next(iter(removed), None), count)


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
    is_fixed = isinstance(param.value, str | bytes | int | float | complex | NoneType)
    return places if is_fixed and not is_made else places[:1]


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
            if _same(node.value, value):  # nothing else was left alone
                raise SkillError(f"{where} pattern or f-string there, where no name can stand")
            if not isinstance(value, str) or len(value) < _SHORTEST:
                continue
            if isinstance(node.value, str) and value in node.value:
                raise SkillError(f"{where} text there, and is not lifted out of it; {advice}")


def _assigns(statement: ast.stmt, name: str, value: Any) -> bool:
    found = _assignment(statement, name)
    return found is not None and _same(found[0], value)


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
    return _value(statement.value)


def _assigned(cells: Sequence[Cell], name: str, edits: list[list[Edit]]) -> Lifted:
    for place, (cell, mine) in enumerate(zip(cells, edits, strict=True)):
        for index, statement in enumerate(cell.tree.body):
            found = _assignment(statement, name)
            if found is None:
                continue
            if not _is_written(found[0]):
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


def _named(cell: Cell, node: ast.expr, param: Param) -> Edit:
    source = cell.source
    start, end = span(source, node)
    tree = parsed(f"({source[start:end]})")
    found = None if tree is None or not tree.body else _value(getattr(tree.body[0], "value", tree))
    if found is None or not _same(found[0], param.value):
        # Inside of f-strings older Pythons tell wrong places.
        raise SkillError(
            f"{cell.label}, line {node.lineno}: {param.value!r:.200} cannot be lifted out of this "
            f"f-string; run it with a variable {param.name!r}, and say params=[{param.name!r}]"
        )
    before = " " if source[start - 1 : start].isidentifier() and start else ""
    after = " " if source[end : end + 1].isidentifier() else ""
    return Edit(start, end, f"{before}{param.name}{after}")


def annotation_of(value: Any) -> str:
    """Return the type of a literal as Python source; empty if it says nothing."""
    kind = type(value)
    if kind in (str, int, float, bool, bytes, complex):
        return kind.__name__
    if kind in (list, set):
        inner = {annotation_of(each) for each in value}
        only = inner.pop() if len(inner) == 1 else ""
        return f"{kind.__name__}[{only}]" if only else kind.__name__
    if kind is dict:
        keys = {annotation_of(each) for each in value}
        values = {annotation_of(each) for each in value.values()}
        if len(keys) == len(values) == 1 and all((*keys, *values)):
            return f"dict[{keys.pop()}, {values.pop()}]"
    return kind.__name__ if kind in (dict, tuple) else ""
