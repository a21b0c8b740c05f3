"""Which names code reads before it has made them, and which it makes.

Place in the house: inside ``promote``. The code of cells becomes the body of a function: what it
takes from elsewhere in the session it would not find there.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable, Iterator, Sequence

from py_code_mode.promote.reader import Reader, is_known

__all__ = [
    "awaits",
    "bound_names",
    "early_in_class",
    "free_names",
    "late_names",
    "read_before_made",
    "uses_name",
]

_Scope = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def bound_names(tree: ast.AST) -> dict[str, int]:
    """Return the names that code makes where it stands, and the line of the first time."""
    reader = Reader(())
    reader.read(tree)
    return reader.made


def uses_name(statements: Sequence[ast.stmt], name: str) -> bool:
    """Whether statements make a name, or read it where they stand: functions run later."""
    made = bound_names(ast.Module([*statements], []))
    # What is there anyway means something in functions that ran before, too.
    stop = () if is_known(name) else _Scope
    return name in made or any(_reads(each, name, stop) for each in statements)


def _reads(node: ast.AST, name: str, stop: tuple[type[ast.AST], ...]) -> bool:
    if isinstance(node, ast.Name) and node.id == name:
        return True
    if isinstance(node, stop):
        return False
    return any(_reads(child, name, stop) for child in ast.iter_child_nodes(node))


def awaits(tree: ast.AST) -> bool:
    """Whether code awaits something itself, not in a function of its own."""
    found = isinstance(tree, ast.Await | ast.AsyncFor | ast.AsyncWith) or (
        isinstance(tree, ast.comprehension) and tree.is_async
    )
    return bool(found) or any(map(awaits, _where_it_stands(tree)))


def _where_it_stands(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a node but the body of a function: its defaults do not belong to that."""
    if isinstance(node, ast.Lambda):
        yield node.args
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from (*node.decorator_list, node.args, *([node.returns] if node.returns else []))
    else:
        yield from ast.iter_child_nodes(node)


def free_names(trees: Sequence[ast.Module], known: Iterable[str], source: str) -> list[str]:
    """Return the names that cells read and neither make before nor are given.

    Args:
        trees: The cells, in order.
        known: Names of the parameters.
        source: The skill that was made of the cells.
    """
    reader = Reader(known)
    for tree in trees:
        reader.read(tree)
    # The skill is a function `run`, too, but that is none of the cells'.
    later = _global_names(symtable.symtable(source, "<skill>", "exec"))
    missing = dict.fromkeys([*reader.early, *sorted(later)])
    return [name for name in missing if not is_known(name)]


def late_names(trees: Sequence[ast.Module], known: Iterable[str]) -> list[str]:
    """Return the names that functions read which may have been used before cells made them."""
    reader = Reader(known)
    for tree in trees:
        reader.read(tree)
    return [name for name in reader.made_later() if not is_known(name)]


def read_before_made(
    trees: Sequence[ast.Module], known: Iterable[str]
) -> dict[str, tuple[int, int]]:
    """Return what cells read before they make it and is there anyway: which cell, which line.

    In a session it is Python's own then; a function's variable has no value.
    """
    reader = Reader(known)
    for reader.place, tree in enumerate(trees):
        reader.read(tree)
    early = {**reader.made_later(), **reader.early}
    return {name: at for name, at in early.items() if is_known(name) and name in reader.made}


def early_in_class(node: ast.ClassDef) -> dict[str, int]:
    """Return the names that a class's body reads before it makes them, and the lines."""
    reader = Reader((), is_class=True)
    for statement in node.body:
        reader.read(statement)
    own = reader.made.keys() | reader.declared
    return {name: line for name, (_, line) in reader.early.items() if name in own}


def _global_names(table: symtable.SymbolTable) -> set[str]:
    """Return what functions look for outside of all of them: it may be read much later."""
    found = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if table.get_type() != "module" and symbol.is_global() and symbol.is_referenced()
    }
    return found.union(*map(_global_names, table.get_children()))
