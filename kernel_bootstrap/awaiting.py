"""Whether the code that calls a function wants something to await, or the value.

Place in the house: below ``skills``; knows nothing of skills. Code calls a skill without knowing
whether it is async, so the call has to find out what is wanted of it. Two things tell, both
looked at once for each place in the code:

1. The next instruction: ``await f(...)``.
2. The source, where there is one: the result goes into something that must be awaitable, such as
   ``asyncio.gather(f(...), g(...))``; or into a variable that is awaited, or given to such a
   function, in the same scope.

Where neither says so, the value is wanted.
"""

from __future__ import annotations

import ast
import dis
import functools
import itertools
import linecache
from collections.abc import Mapping
from types import CodeType, FrameType

__all__ = ["is_awaited"]

_TAKE_AWAITABLES = frozenset(
    {
        *("gather", "wait_for", "shield", "wait", "as_completed", "create_task", "ensure_future"),
        *("run_until_complete", "run_coroutine_threadsafe"),
    }
)
"""Functions of asyncio, of its loops and task groups, that are given what is to be awaited."""

_PASSED_ON = (
    *(ast.List, ast.Tuple, ast.Set, ast.Starred, ast.keyword, ast.IfExp, ast.NamedExpr),
    *(ast.ListComp, ast.SetComp, ast.GeneratorExp),
)
"""What holds a value and goes on with it. The source of a comprehension is not directly in it."""

_Parents = Mapping[ast.AST, ast.AST]


def is_awaited(caller: FrameType) -> bool:
    """Whether what ``caller`` is in the middle of calling has to be awaitable."""
    return _wants_awaitable(caller.f_code, caller.f_lasti)


@functools.lru_cache(maxsize=1024)
def _wants_awaitable(code: CodeType, offset: int) -> bool:
    return _await_follows(code, offset) or _source_says_so(code, offset)


def _await_follows(code: CodeType, offset: int) -> bool:
    following = False
    for instruction in dis.get_instructions(code):
        if instruction.offset > offset:
            return following and instruction.opname == "GET_AWAITABLE"
        following = True
    return False


def _source_says_so(code: CodeType, offset: int) -> bool:
    lines = linecache.getlines(code.co_filename)
    place = next(itertools.islice(code.co_positions(), offset // 2, None), None)
    if not lines or place is None:
        return False
    calls, parents = _read("".join(lines))
    _, end_line, _, end_column = place
    call = calls.get((end_line, end_column))
    return call is not None and _is_awaited_later(call, parents)


@functools.lru_cache(maxsize=32)
def _read(source: str) -> tuple[dict[tuple[int | None, int | None], ast.AST], _Parents]:
    """Return the calls of a source by where they end, and what each node of it is in."""
    try:
        nodes = [*ast.walk(ast.parse(source))]
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # not what was compiled
        return {}, {}
    parents = {child: node for node in nodes for child in ast.iter_child_nodes(node)}
    calls = (node for node in nodes if isinstance(node, ast.Call))
    return {(call.end_lineno, call.end_col_offset): call for call in calls}, parents


def _is_awaited_later(node: ast.AST, parents: _Parents) -> bool:
    parent = parents.get(node)
    while isinstance(parent, _PASSED_ON) and node is not getattr(parent, "test", None):
        node, parent = parent, parents.get(parent)
    match parent:
        case ast.Await():
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append")):
            return _is_awaited_by_name(name, parent, parents)
        case ast.Call():
            return node is not parent.func and _takes_awaitables(parent)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return _is_awaited_by_name(name, parent, parents)
    return False


def _takes_awaitables(call: ast.Call) -> bool:
    called = call.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in _TAKE_AWAITABLES


def _is_awaited_by_name(name: str, node: ast.AST, parents: _Parents) -> bool:
    """Whether a variable is awaited in the scope of a node, or given to what awaits it."""
    scope = node
    while scope in parents and not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        scope = parents[scope]
    for each in ast.walk(scope):
        if isinstance(each, ast.Await) and _names(each.value) == name:
            return True
        if isinstance(each, ast.Call) and _takes_awaitables(each):
            given = [*each.args, *(keyword.value for keyword in each.keywords)]
            if any(_names(argument) == name for argument in given):
                return True
    return False


def _names(node: ast.expr) -> str | None:
    """The variable that an argument is, starred or not."""
    value = node.value if isinstance(node, ast.Starred) else node
    return value.id if isinstance(value, ast.Name) else None
