"""What Python's compiler refuses and its parser does not: a ``return`` outside of a function.

Place in the house: inside ``skills``, below ``parse``. The compiler itself is asked, which runs
nothing, as long as there is no ``finally``: that is compiled for each way out of its ``try``, so
that a hostile source of a few lines, ``finally`` within ``finally``, keeps it busy for minutes.
With one the statements are looked at here, in linear time. Two rarities pass then, and fail when
they are run: an argument named twice in a call, and ``__debug__`` as a name of one's own.
"""

from __future__ import annotations

import ast
import itertools
import symtable
from collections.abc import Iterable
from typing import Literal, cast

__all__ = ["check_grammar"]

_Place = Literal["module", "class", "def", "async def"]

_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def check_grammar(source: str, tree: ast.Module) -> None:
    """Accept a source that parses if it would compile, too.

    Args:
        source: The source.
        tree: What the parser made of it.

    Raises:
        SyntaxError: It would not; with the line.
        RecursionError: It is nested too deeply.
    """
    if "finally" not in source:
        compile(source, "<skill>", "exec", dont_inherit=True)
        return
    symtable.symtable(source, "<skill>", "exec")  # names: arguments given twice, ``nonlocal``
    has_expressions = "await" in source or "yield" in source  # else statements are all there is
    start = ast.get_docstring(tree, clean=False) is not None
    rest = itertools.dropwhile(_is_future, tree.body[start:])
    left: list[tuple[ast.AST, _Place, bool]] = [(node, "module", False) for node in rest]
    while left:
        node, place, in_loop = left.pop()
        problem = _problem(node, place, in_loop=in_loop)
        if problem:
            raise SyntaxError(problem, ("<skill>", getattr(node, "lineno", None), None, None))
        inside = _inside(node, place, in_loop=in_loop)
        left += inside if has_expressions else (each for each in inside if _holds(each[0]))


def _is_future(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__" and not node.level


def _holds(node: ast.AST) -> bool:
    """Whether there may be statements in a node."""
    return isinstance(node, ast.stmt | ast.excepthandler | ast.match_case)


def _problem(node: ast.AST, place: _Place, *, in_loop: bool) -> str:
    match node:
        case ast.ImportFrom() if _is_future(node):
            return "from __future__ imports must occur at the beginning of the file"
        case ast.Break() if not in_loop:
            return "'break' outside loop"
        case ast.Continue() if not in_loop:
            return "'continue' not properly in loop"
        case ast.Return() if place in ("module", "class"):
            return "'return' outside function"
        case ast.Yield() | ast.YieldFrom() if place in ("module", "class"):
            return "'yield' outside function"
        case ast.YieldFrom() if place == "async def":
            return "'yield from' inside async function"
        case ast.Await() if place != "async def":
            return "'await' outside async function"
        case ast.AsyncFor() if place != "async def":
            return "'async for' outside async function"
        case ast.AsyncWith() if place != "async def":
            return "'async with' outside async function"
    return ""


def _inside(
    node: ast.AST, place: _Place, *, in_loop: bool
) -> Iterable[tuple[ast.AST, _Place, bool]]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            kinds = {ast.FunctionDef: "def", ast.AsyncFunctionDef: "async def"}
            inner = cast("_Place", kinds.get(type(node), "class"))
            # Decorators, defaults and bases belong to the place around it.
            body = {id(each) for each in node.body}
            for child in ast.iter_child_nodes(node):
                if id(child) in body:
                    yield child, inner, False
                else:
                    yield child, place, in_loop
        case ast.For() | ast.AsyncFor() | ast.While():
            body = {id(each) for each in node.body}
            for child in ast.iter_child_nodes(node):
                yield child, place, in_loop or id(child) in body
        case ast.Lambda():
            yield node.args, place, in_loop
            yield node.body, "def", False
        case _ if isinstance(node, _COMPREHENSIONS):
            return  # no statements; what may be awaited in them is a chapter of its own
        case _:
            for child in ast.iter_child_nodes(node):
                yield child, place, in_loop
