"""Which names code reads before it has made them, and which it makes.

Place in the house: inside ``promote``. The code of cells becomes the body of a function: what it
takes from elsewhere in the session it would not find there.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Callable, Iterable, Sequence
from typing import Any

__all__ = ["awaits", "bound_names", "free_names", "is_known", "uses_name"]

_GIVEN = frozenset({"tools", "skills", "artifacts", "display", "__name__", "__file__"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Scope = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


def is_known(name: str) -> bool:
    """Whether a skill sees the name without making it."""
    return name in _GIVEN or hasattr(builtins, name)


def bound_names(tree: ast.AST) -> dict[str, int]:
    """Return the names that code makes where it stands, and the line of the first time."""
    reader = _Reader(())
    reader.read(tree)
    return reader.made


def uses_name(statements: Sequence[ast.stmt], name: str) -> bool:
    """Whether statements make a name, or read it where they stand: functions run later."""
    made = bound_names(ast.Module([*statements], []))
    # Python's own names mean something in functions that ran before, too.
    stop = () if hasattr(builtins, name) else _Scope
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
    return bool(found) or any(
        awaits(child) for child in ast.iter_child_nodes(tree) if not isinstance(child, _Scope)
    )


def free_names(trees: Sequence[ast.Module], known: Iterable[str], source: str) -> list[str]:
    """Return the names that cells read and neither make before nor are given.

    Args:
        trees: The cells, in order.
        known: Names of the parameters.
        source: The skill that was made of the cells.
    """
    reader = _Reader(known)
    for tree in trees:
        reader.read(tree)
    later = _global_names(symtable.symtable(source, "<skill>", "exec"))
    missing = [*reader.missing, *(name for name in sorted(later) if name != "run")]
    return [name for name in dict.fromkeys(missing) if not is_known(name)]


def _global_names(table: symtable.SymbolTable) -> set[str]:
    """Return what functions look for outside of all of them: it may be read much later."""
    found = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if table.get_type() != "module" and symbol.is_global() and symbol.is_referenced()
    }
    return found.union(*map(_global_names, table.get_children()))


class _Reader:
    """Reads code in the order in which it runs; bodies of functions run later."""

    def __init__(self, known: Iterable[str]) -> None:
        self.made: dict[str, int] = {}
        self.missing: dict[str, int] = {}
        self._known = {*known}

    def read(self, node: ast.AST) -> None:
        """Read a node and what is in it."""
        handler = _HANDLERS.get(type(node))
        if handler is None:
            self._all(*ast.iter_child_nodes(node))
        else:
            handler(self, node)

    def _all(self, *nodes: ast.AST | Sequence[ast.AST | None] | None) -> None:
        for node in nodes:
            if isinstance(node, ast.AST):
                self.read(node)
            elif node is not None:
                self._all(*node)

    def _make(self, name: str | None, node: ast.AST) -> None:
        if name is not None:
            self.made.setdefault(name, getattr(node, "lineno", 0))
            self._known.add(name)

    def _look_up(self, name: str, line: int) -> None:
        if name not in self._known and not is_known(name):
            self.missing.setdefault(name, line)

    def _name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._make(node.id, node)
        else:
            self._look_up(node.id, node.lineno)

    def _assign(self, node: ast.Assign) -> None:
        self._all(node.value, node.targets)

    def _annotated(self, node: ast.AnnAssign) -> None:
        # In a function the annotation of a variable is not evaluated.
        if node.value is not None:
            self._all(node.value, node.target)

    def _augmented(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._look_up(node.target.id, node.lineno)
        self._all(node.value, node.target)

    def _walrus(self, node: ast.NamedExpr) -> None:
        self._all(node.value, node.target)

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self._all(node.iter, node.target, node.body, node.orelse)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self._make(alias.asname or alias.name.partition(".")[0], node)

    def _handler(self, node: ast.ExceptHandler) -> None:
        self._all(node.type)
        self._make(node.name, node)
        self._all(node.body)

    def _match_as(self, node: ast.MatchAs) -> None:
        self._all(node.pattern)
        self._make(node.name, node)

    def _match_star(self, node: ast.MatchStar) -> None:
        self._make(node.name, node)

    def _match_mapping(self, node: ast.MatchMapping) -> None:
        self._all(node.keys, node.patterns)
        self._make(node.rest, node)

    def _function(self, node: _Function) -> None:
        arguments = node.args
        self._all(node.decorator_list, arguments.defaults, arguments.kw_defaults)
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        annotations = [arg.annotation for arg in every]
        self._apart([*annotations, node.returns], node)
        self._make(node.name, node)

    def _lambda(self, node: ast.Lambda) -> None:
        self._all(node.args.defaults, node.args.kw_defaults)

    def _class(self, node: ast.ClassDef) -> None:
        self._all(node.decorator_list)
        self._apart([*node.bases, *node.keywords, *node.body], node)
        self._make(node.name, node)

    def _alias(self, node: Any) -> None:  # ast.TypeAlias, since Python 3.12
        self._make(node.name.id, node)
        self._apart([node.value], node)

    def _apart(self, body: Sequence[ast.AST | None], owner: ast.AST | None = None) -> None:
        """Read what has names of its own, which are gone afterwards; type parameters are some."""
        made, known = dict(self.made), {*self._known}
        self._known |= {each.name for each in getattr(owner, "type_params", ())}
        self._all(body)
        self.made, self._known = made, known

    def _comprehension(self, node: _Comprehension) -> None:
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._apart([*node.generators, *values])
        for inner in ast.walk(node):
            if isinstance(inner, ast.NamedExpr):
                self._make(inner.target.id, inner)

    def _generator(self, node: ast.comprehension) -> None:
        self._all(node.iter, node.target, node.ifs)


_HANDLERS: dict[type, Callable[[_Reader, Any], None]] = {
    ast.Name: _Reader._name,
    ast.Assign: _Reader._assign,
    ast.AnnAssign: _Reader._annotated,
    ast.AugAssign: _Reader._augmented,
    ast.NamedExpr: _Reader._walrus,
    ast.For: _Reader._for,
    ast.AsyncFor: _Reader._for,
    ast.Import: _Reader._import,
    ast.ImportFrom: _Reader._import,
    ast.ExceptHandler: _Reader._handler,
    ast.MatchAs: _Reader._match_as,
    ast.MatchStar: _Reader._match_star,
    ast.MatchMapping: _Reader._match_mapping,
    ast.FunctionDef: _Reader._function,
    ast.AsyncFunctionDef: _Reader._function,
    ast.Lambda: _Reader._lambda,
    ast.ClassDef: _Reader._class,
    ast.ListComp: _Reader._comprehension,
    ast.SetComp: _Reader._comprehension,
    ast.GeneratorExp: _Reader._comprehension,
    ast.DictComp: _Reader._comprehension,
    ast.comprehension: _Reader._generator,
}
if hasattr(ast, "TypeAlias"):
    _HANDLERS[ast.TypeAlias] = _Reader._alias
