"""Reads code for names, in the order in which it runs.

Place in the house: inside ``promote``, below ``names``.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from py_code_mode.promote.later import read_later

__all__ = ["Reader", "is_known"]

_GIVEN = frozenset({"tools", "skills", "artifacts", "display", "__name__", "__file__"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


def is_known(name: str) -> bool:
    """Whether a skill sees the name without making it."""
    return name in _GIVEN or hasattr(builtins, name)


class Reader:
    """Reads code in the order in which it runs; bodies of functions run when they are used.

    Args:
        known: Names that are there before.
        is_class: Whether it is the body of a class, where annotations are evaluated.

    Attributes:
        made: The names that it makes where it stands, and the line of the first time.
        early: The names that it reads before, and where: ``place``, line.
        declared: The names that have annotations and no values.
        place: Which of several pieces of code is read.
    """

    def __init__(self, known: Iterable[str], *, is_class: bool = False) -> None:
        self.made: dict[str, int] = {}
        self.declared: set[str] = set()
        self.early: dict[str, tuple[int, int]] = {}
        self.place = 0
        self._known = {*known}
        self._later: dict[str, set[str]] = {}
        self._through: dict[str, tuple[int, int]] = {}
        self._saved: dict[str, tuple[int | None, bool, set[str] | None]] = {}
        self._is_in_call = False
        self._is_class = is_class

    def made_later(self) -> dict[str, tuple[int, int]]:
        """Return what functions read that were used before it was made."""
        return {name: at for name, at in self._through.items() if name in self.made}

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
            self._save(name)
            self.made.setdefault(name, getattr(node, "lineno", 0))
            self._known.add(name)
            self._later.pop(name, None)

    def _look_up(self, name: str, line: int) -> None:
        if name not in self._known:
            self.early.setdefault(name, (self.place, line))
        self._use(self._later.pop(name, ()), line)

    def _use(self, names: Iterable[str], line: int) -> None:
        """Look up what functions read, and those that they call; once is enough."""
        waiting = [*names]
        while waiting:
            name = waiting.pop()
            if name not in self._known:
                self._through.setdefault(name, (self.place, line))
            waiting += self._later.pop(name, ())

    def _name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._make(node.id, node)
        else:
            self._look_up(node.id, node.lineno)
            if isinstance(node.ctx, ast.Del) and is_known(node.id):
                self._save(node.id)
                self._known.discard(node.id)

    def _assign(self, node: ast.Assign) -> None:
        self._all(node.value, node.targets)
        for target in node.targets:
            self._keep(target, node.value)

    def _keep(self, name: ast.expr, value: ast.AST) -> None:
        """Remember what using a name reads, if it stands for functions."""
        if isinstance(name, ast.Name):
            self._later[name.id] = read_later(value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        # In a function the annotation of a variable is not evaluated.
        if node.value is not None:
            self._all(node.value, node.target)
            self._keep(node.target, node.value)
        elif isinstance(node.target, ast.Name):
            self.declared.add(node.target.id)
        if self._is_class:  # the value is stored before
            self.read(node.annotation)

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
        self._later[node.name] = read_later(node)

    def _lambda(self, node: ast.Lambda) -> None:
        self._all(node.args.defaults, node.args.kw_defaults)
        if self._is_in_call:
            self._use(read_later(node), node.lineno)

    def _call(self, node: ast.Call) -> None:
        """What is given to a function may be called by it."""
        before, self._is_in_call = self._is_in_call, True
        self._all(node.func, node.args, node.keywords)
        self._is_in_call = before

    def _class(self, node: ast.ClassDef) -> None:
        self._all(node.decorator_list)
        self._apart([*node.bases, *node.keywords, *node.body], node)
        self._make(node.name, node)
        self._later[node.name] = read_later(node)

    def _alias(self, node: Any) -> None:  # ast.TypeAlias, since Python 3.12
        self._make(node.name.id, node)
        self._apart([node.value], node)

    def _apart(self, body: Sequence[ast.AST | None], owner: ast.AST | None = None) -> None:
        """Read what has names of its own, which are gone afterwards; type parameters are some."""
        outside, self._saved = self._saved, {}
        for each in getattr(owner, "type_params", ()):
            self._save(each.name)
            self._known.add(each.name)
        self._all(body)
        saved, self._saved = self._saved, outside
        for name, (line, is_known_there, later) in saved.items():
            self.made.pop(name, None)
            self._later.pop(name, None)
            self._known.discard(name)
            if line is not None:
                self.made[name] = line
            if is_known_there:
                self._known.add(name)
            if later is not None:
                self._later[name] = later

    def _save(self, name: str) -> None:
        """Remember what is known of a name, once for all that is read apart."""
        if name not in self._saved:
            before = (self.made.get(name), name in self._known, self._later.get(name))
            self._saved[name] = before

    def _comprehension(self, node: _Comprehension) -> None:
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._apart([*node.generators, *values])
        for inner in ast.walk(node):
            if isinstance(inner, ast.NamedExpr):
                self._make(inner.target.id, inner)

    def _generator(self, node: ast.comprehension) -> None:
        self._all(node.iter, node.target, node.ifs)


_HANDLERS: dict[type, Callable[[Reader, Any], None]] = {
    ast.Name: Reader._name,
    ast.Assign: Reader._assign,
    ast.AnnAssign: Reader._annotated,
    ast.AugAssign: Reader._augmented,
    ast.NamedExpr: Reader._walrus,
    ast.Call: Reader._call,
    ast.For: Reader._for,
    ast.AsyncFor: Reader._for,
    ast.Import: Reader._import,
    ast.ImportFrom: Reader._import,
    ast.ExceptHandler: Reader._handler,
    ast.MatchAs: Reader._match_as,
    ast.MatchStar: Reader._match_star,
    ast.MatchMapping: Reader._match_mapping,
    ast.FunctionDef: Reader._function,
    ast.AsyncFunctionDef: Reader._function,
    ast.Lambda: Reader._lambda,
    ast.ClassDef: Reader._class,
    ast.ListComp: Reader._comprehension,
    ast.SetComp: Reader._comprehension,
    ast.GeneratorExp: Reader._comprehension,
    ast.DictComp: Reader._comprehension,
    ast.comprehension: Reader._generator,
}
if hasattr(ast, "TypeAlias"):
    _HANDLERS[ast.TypeAlias] = Reader._alias
