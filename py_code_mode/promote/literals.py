"""Literals: where they stand in code, what they are worth, and how a parameter stands for them.

Place in the house: inside ``promote``, below ``lifting``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Literal",
    "annotation_of",
    "copied",
    "is_fixed",
    "is_infinite",
    "is_written",
    "literals",
    "same",
    "value_of",
]

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Loop = ast.For | ast.AsyncFor | ast.While
_Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
_BEHIND = " \t)"
_COPIES: dict[type, str] = {list: "[*{}]", set: "{{*{}}}", dict: "{{**{}}}"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A place where a literal stands.

    Attributes:
        node: It.
        is_repeated: Whether it may be evaluated more than once: each time it is a new object.
        is_read: Whether its contents alone are used, so that it does not matter which object it is.
    """

    node: ast.expr
    is_repeated: bool
    is_read: bool


def literals(
    node: ast.AST, value: Any, lines: Sequence[str], *, repeated: bool = False, read: bool = False
) -> Iterator[Literal]:
    """Yield the places where a literal stands and a name can.

    Not parts of patterns, where a name would be bound; nor docstrings; nor ``f"{'a'=}"``, which
    shows the code itself.
    """
    if isinstance(node, ast.pattern):
        return
    found = value_of(node)
    if found is not None and same(found[0], value):
        assert isinstance(node, ast.expr)
        yield Literal(node, repeated, read)
        return
    for child, inside, is_read in _children(node, lines):
        yield from literals(child, value, lines, repeated=repeated or inside, read=is_read)


def _children(node: ast.AST, lines: Sequence[str]) -> Iterator[tuple[ast.AST, bool, bool]]:
    """Yield what is in a node: whether it is repeated there, and whether it is only read."""
    if isinstance(node, ast.JoinedStr):
        parts = (part for part in node.values if isinstance(part, ast.FormattedValue))
        yield from ((part.value, False, True) for part in parts if not _is_shown(part.value, lines))
        return
    docstring = _docstring(node)
    body = {*map(id, _repeated(node))}
    for child in ast.iter_child_nodes(node):
        if child is not docstring:
            yield child, id(child) in body, _is_read(node, child)


def _docstring(node: ast.AST) -> ast.stmt | None:
    if isinstance(node, _Function | ast.ClassDef) and ast.get_docstring(node, clean=False):
        return node.body[0]
    return None


def _repeated(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a node that may run more often than the node."""
    if isinstance(node, _Function):
        return [*node.body]
    if isinstance(node, _Loop):
        return [*node.body, *([node.test] if isinstance(node, ast.While) else [])]
    if isinstance(node, ast.Lambda):
        return [node.body]
    return [*ast.iter_child_nodes(node)] if isinstance(node, _Comprehension) else []


def _is_read(node: ast.AST, child: ast.AST) -> bool:
    if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        return child is node.iter
    if isinstance(node, ast.keyword):
        return node.arg is None
    if isinstance(node, ast.AugAssign):
        return child is node.value
    return isinstance(node, ast.Subscript | ast.Compare | ast.BinOp | ast.Starred)


def _is_shown(value: ast.expr, lines: Sequence[str]) -> bool:
    """Whether an f-string shows the code beside the value: ``f"{x=}"``."""
    end, column = value.end_lineno or value.lineno, value.end_col_offset or 0
    after = lines[end - 1].encode()[column:].decode(errors="ignore").lstrip(_BEHIND)
    while not after and end < len(lines):
        after = lines[end].lstrip(_BEHIND)
        end += 1
    return after.startswith("=")


def value_of(node: ast.AST) -> tuple[Any] | None:
    """Return a literal's value in a tuple; None for what is no literal."""
    if not isinstance(node, ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.Set | ast.UnaryOp):
        return None
    if isinstance(getattr(node, "ctx", None), ast.Store):
        return None
    try:
        return (ast.literal_eval(node),)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None


def same(one: Any, other: Any) -> bool:
    """Whether two literals are the same, types included: True is not 1."""
    return type(one) is type(other) and one == other and repr(one) == repr(other)


def is_written(value: Any) -> bool:
    """Whether Python can write a value as a literal; infinity it cannot."""
    try:
        return same(ast.literal_eval(repr(value)), value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False


def is_infinite(value: Any) -> bool:
    """Whether a literal holds infinity, such as 1e999: its repr is a name that no code knows."""
    names = (node for node in ast.walk(ast.parse(repr(value))) if isinstance(node, ast.Name))
    return any(node.id != "Ellipsis" for node in names)


def is_fixed(value: Any) -> bool:
    """Whether nothing can change a literal's value, so that one object serves everywhere."""
    if isinstance(value, tuple):
        return all(map(is_fixed, value))
    return not isinstance(value, list | dict | set)


def copied(name: str, value: Any) -> str:
    """Return the code for a new object like the parameter's; empty if that takes more."""
    parts = value.values() if isinstance(value, dict) else value
    pattern = _COPIES.get(type(value), "")
    return pattern.format(name) if all(map(is_fixed, parts)) else ""


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
