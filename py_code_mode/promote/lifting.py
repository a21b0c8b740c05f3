"""Literals and assignments that become parameters.

Place in the house: inside ``promote``. Sources are changed as text, at the places where the parser
found something, so that comments and layout stay.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from py_code_mode.errors import SkillError
from py_code_mode.promote.picking import Cell, parsed

__all__ = ["Edit", "Param", "apply", "lift"]

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
class Edit:
    """Text of a source to be replaced: from the place ``start`` to before ``end``."""

    start: int
    end: int
    text: str


def lift(
    cells: Sequence[Cell], params: Mapping[str, Any] | Sequence[str]
) -> tuple[list[Param], list[list[Edit]], set[str]]:
    """Find what becomes a parameter.

    Returns:
        The parameters; the edits of each cell; and the names of parameters that stand for no
        literal of the cells, so must be what they read.

    Raises:
        SkillError: A name cannot be one, or there is nothing that it could stand for.
    """
    edits: list[list[Edit]] = [[] for _ in cells]
    if isinstance(params, str):
        raise SkillError(f"params must be a list of names or a dict: [{params!r}]")
    for name in params:
        _check(name)
    if not isinstance(params, Mapping):
        return [_assigned(cells, name, edits) for name in params], edits, set()
    found, unseen = [], set()
    for name, value in params.items():
        _check_literal(name, value)
        if not _replace_literals(cells, name, value, edits):
            unseen.add(name)
        found.append(Param(name, value))
    return found, edits, unseen


def _check(name: Any) -> None:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise SkillError(f"{name!r} cannot be a parameter: it is no Python identifier")
    if name in {"tools", "skills", "artifacts"}:
        raise SkillError(f"{name!r} cannot be a parameter: the skill has {name} anyway")


def _check_literal(name: str, value: Any) -> None:
    try:
        good = _same(ast.literal_eval(repr(value)), value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        good = False
    if not good:
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
    if isinstance(node, ast.MatchValue):
        return
    found = _value(node)
    if found is not None and _same(found[0], value):
        assert isinstance(node, ast.expr)
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from _literals(child, value)


def _replace_literals(
    cells: Sequence[Cell], name: str, value: Any, edits: list[list[Edit]]
) -> bool:
    """Put the name in the place of each such literal; return whether there was one."""
    count = 0
    for cell, mine in zip(cells, edits, strict=True):
        for statement in cell.tree.body:
            if _assigns(statement, name, value):
                mine.append(_without(cell.source, statement))
                count += 1
                continue
            for node in _literals(statement, value):
                if count >= MAX_PLACES:
                    raise SkillError(
                        f"the literal {value!r:.200} is in more than {MAX_PLACES} places"
                    )
                mine.append(_named(cell, node, Param(name, value)))
                count += 1
    if not count:
        _tell_where_it_is_part(cells, name, value)
    return bool(count)


def _tell_where_it_is_part(cells: Sequence[Cell], name: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) < _SHORTEST:
        return
    for cell in cells:
        for node in ast.walk(cell.tree):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and value in text:
                raise SkillError(
                    f"{cell.label}, line {getattr(node, 'lineno', 1)}: {value!r} is only part of a "
                    f"text there, and is not lifted out of it; run it as an f-string with a "
                    f"variable {name!r}, and say params=[{name!r}]"
                )


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


def _assigned(cells: Sequence[Cell], name: str, edits: list[list[Edit]]) -> Param:
    for cell, mine in zip(cells, edits, strict=True):
        for statement in cell.tree.body:
            found = _assignment(statement, name)
            if found is not None:
                mine.append(_without(cell.source, statement))
                return Param(name, found[0])
    raise SkillError(
        f"the cells assign no literal to {name!r} at top level; "
        f"params={{{name!r}: value}} lifts a literal wherever it stands"
    )


def _place(source: str, line: int, column: int) -> int:
    """Turn the parser's line and UTF-8 column into an index."""
    lines = source.split("\n")
    before = sum(len(each) + 1 for each in lines[: line - 1])
    return before + len(lines[line - 1].encode()[:column].decode())


def span(source: str, node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return where a node begins and ends in its source."""
    start = _place(source, node.lineno, node.col_offset)
    return start, _place(source, node.end_lineno or node.lineno, node.end_col_offset or 0)


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


def _without(source: str, statement: ast.stmt) -> Edit:
    """Take a statement out: with its lines, if nothing else is on them."""
    start, end = span(source, statement)
    line_start = source.rfind("\n", 0, start) + 1
    line_end = source.find("\n", end)
    line_end = len(source) if line_end < 0 else line_end
    rest = source[end:line_end].strip()
    if source[line_start:start].strip() or (rest and not rest.startswith("#")):
        return Edit(start, end, "pass")
    return Edit(line_start, min(line_end + 1, len(source)), "")


def apply(source: str, edits: Sequence[Edit]) -> str:
    """Return the source with the edits made."""
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        source = source[: edit.start] + edit.text + source[edit.end :]
    return source


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
