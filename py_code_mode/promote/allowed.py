"""What works in a session, or means something else there, and is refused in a skill.

Place in the house: inside ``promote``, above ``picking``. A skill is a function of a module of its
own: the session's variables, and what looks at them, are not there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from py_code_mode.errors import SkillError
from py_code_mode.promote.later import own_names
from py_code_mode.promote.picking import Cell

__all__ = ["check_allowed"]

_MODULE = frozenset({"__name__", "__file__", "__doc__", "__package__", "__loader__", "__spec__"})
_VARIABLES = "a skill has no variables of the session"
_NAMESPACES = {"globals": 0, "locals": 0, "vars": 1, "dir": 1, "eval": 2, "exec": 2}
"""With fewer arguments these look at the variables of whoever calls them."""


def check_allowed(cells: Sequence[Cell]) -> None:
    """Check that cells hold nothing that only a session has.

    Raises:
        SkillError: One does; the message says where, and why.
    """
    own = {name for cell in cells for name in own_names(cell.tree)}
    for cell in cells:
        for node, what in _found(cell.tree, own):
            line = getattr(node, "lineno", 1)
            raise SkillError(f"{cell.label}, line {line}: a skill cannot hold {what}")


def _found(tree: ast.AST, own: set[str]) -> Iterator[tuple[ast.AST, str]]:
    """Yield what is refused; names that the code makes are its own."""
    called: set[ast.AST] = set()
    for node in ast.walk(tree):
        what = ""
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Global):
            what = _statement(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called.add(node.func)  # which comes after its call
            what = "" if node.func.id in own else _call(node, node.func.id)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in own:
            what = _name(node.id, is_called=node in called)
        if what:
            yield node, what


def _statement(node: ast.Import | ast.ImportFrom | ast.Global) -> str:
    if isinstance(node, ast.Global):
        return f"`global {', '.join(node.names)}`: {_VARIABLES}"
    module = node.module if isinstance(node, ast.ImportFrom) else None
    names = {alias.name for alias in node.names}
    if module == "__future__":
        return "an import from __future__"
    if module == "__main__" or (module is None and "__main__" in names):
        return f"an import of __main__: {_VARIABLES}"
    return f"`from {module} import *`: name what is needed" if "*" in names else ""


def _call(node: ast.Call, name: str) -> str:
    given = len(node.args) + len(node.keywords)
    least = _NAMESPACES.get(name, 0)
    if not least or given >= least:
        return ""
    if name in {"eval", "exec"}:
        return (
            f"`{name}` without a namespace: {_VARIABLES}; give it one, as in "
            f"{name}(code, {{'x': x}})"
        )
    return f"`{name}()`: {_VARIABLES}; write out which are meant, as in {{'x': x}}"


def _name(name: str, *, is_called: bool) -> str:
    if name == "get_ipython":
        return "`get_ipython`: a skill is plain Python"
    if name == "__annotations__":
        return f"`__annotations__`: {_VARIABLES}"
    if name in _MODULE:
        return f"`{name}`: a skill is a module of its own, where it is another"
    if name in {"globals", "locals"}:
        return f"`{name}`: {_VARIABLES}; write out which are meant, as in {{'x': x}}"
    if name in {"eval", "exec"} and not is_called:
        return f"`{name}` without a namespace: {_VARIABLES}"
    return ""
