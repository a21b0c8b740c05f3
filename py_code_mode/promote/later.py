"""Which names functions make for themselves, and which they look for outside when they run.

Place in the house: bottom of ``promote``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["own_names", "read_later"]

_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def own_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names that code makes, in whichever function, class or comprehension."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            yield node.name or ""
        elif isinstance(node, ast.MatchMapping):
            yield node.rest or ""


def read_later(node: ast.AST) -> set[str]:
    """Return the names that the functions in code read outside of themselves, when they run."""
    if not isinstance(node, _Scope):
        return set().union(*map(read_later, ast.iter_child_nodes(node)))
    names = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    own = {*own_names(node)}
    if not isinstance(node, ast.Lambda):
        own.discard(node.name)
    return {each.id for each in names if isinstance(each.ctx, ast.Load)} - own
