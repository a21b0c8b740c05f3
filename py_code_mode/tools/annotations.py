"""Annotations of tools as source that stands on its own in a stub.

Place in the house: ``tools``, below ``stubs``. An annotation is text from a function, a server or
an API: it may name types nobody else knows, or be no Python at all. Here it is parsed, never
evaluated; names of the standard library are imported, others become aliases of ``Any`` that keep
their name.
"""

from __future__ import annotations

import ast
import builtins
import typing
from collections.abc import Callable, Iterable

__all__ = ["Names"]

_BUILTINS = frozenset(
    {
        *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list"),
        *("memoryview", "object", "range", "set", "slice", "str", "tuple", "type"),
    }
)
_TYPING = frozenset(typing.__all__)
_ABC = frozenset(
    {
        *("AsyncGenerator", "AsyncIterable", "AsyncIterator", "Awaitable", "Callable"),
        *("Collection", "Container", "Coroutine", "Generator", "Hashable", "Iterable", "Iterator"),
        *("Mapping", "MutableMapping", "MutableSequence", "MutableSet", "Sequence", "Set", "Sized"),
    }
)
_MODULES = frozenset({"datetime", "decimal", "enum", "fractions", "pathlib", "uuid"})
_HOMES = ("typing.", "typing_extensions.", "collections.abc.", "builtins.", "t.")
_LONGEST = 1_000


class Names:
    """The names of one stub: imports, aliases, classes, none of them twice.

    Args:
        members: Names that attributes of classes have; nothing at the top may hide behind them.

    Attributes:
        hidden: Names that mean something else where the next annotations will stand.
    """

    def __init__(self, members: Iterable[str]) -> None:
        self.hidden: frozenset[str] = frozenset()
        self._taken = {*members, *_TYPING, *vars(builtins), *_MODULES, "typing", "builtins"}
        self._imported: dict[str, set[str]] = {}
        self._aliases: dict[str, str] = {}

    def new(self, wanted: str) -> str:
        """Return ``wanted``, with a number behind it if that name is taken."""
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}{number}", number + 1
        self._taken.add(name)
        return name

    def name(self, name: str) -> str:
        """Return how a name of the standard library is written here, and import it."""
        home = "" if name in _BUILTINS else "collections.abc" if name in _ABC else "typing"
        if name in self.hidden:
            home = home or "builtins"
            self._imported.setdefault(home, set())
            return f"{home}.{name}"
        if home:
            self._imported.setdefault(home, set()).add(name)
        return name

    def clean(self, annotation: str) -> str:
        """Return an annotation, its names known in the stub; ``Any`` for what is none."""
        if len(annotation) > _LONGEST:
            return self.name("Any")
        try:
            return self._write(ast.parse(annotation.strip() or "Any", mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return self.name("Any")

    def _write(self, node: ast.expr) -> str:
        write: Callable[..., str] | None = _WRITERS.get(type(node))
        return self.name("Any") if write is None else write(self, node)

    def _dotted(self, node: ast.Name | ast.Attribute) -> str:
        text = ast.unparse(node)
        for home in _HOMES:
            text = text.removeprefix(home)
        module, _, name = text.rpartition(".")
        if module in _MODULES and name.isidentifier():
            self._imported.setdefault(module, set())
            return text
        if not module and name in _BUILTINS | _TYPING | _ABC:
            return self.name(name)
        if name == "NoneType":
            return "None"
        if text not in self._aliases:
            self._aliases[text] = self.new(name if name.isidentifier() else "Unknown")
            self.name("Any")
        return self._aliases[text]

    def _constant(self, node: ast.Constant) -> str:
        if isinstance(node.value, str):  # a forward reference
            return self.clean(node.value)
        return "None" if node.value is None else self.name("Any")

    def _union(self, node: ast.BinOp) -> str:
        if not isinstance(node.op, ast.BitOr):
            return self.name("Any")
        return f"{self._write(node.left)} | {self._write(node.right)}"

    def _subscript(self, node: ast.Subscript) -> str:
        base = self._write(node.value)
        last = base.rpartition(".")[2]
        if base in self._aliases.values() or last == "Any":
            return base
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if last == "Literal":
            return f"{base}[{', '.join(map(_literal, inside))}]"
        if last == "Annotated":
            return self._write(inside[0])
        return f"{base}[{', '.join(map(self._argument, inside)) or '()'}]"

    def _argument(self, node: ast.expr) -> str:
        if isinstance(node, ast.List):  # of a Callable
            return f"[{', '.join(map(self._write, node.elts))}]"
        if isinstance(node, ast.Constant) and node.value is Ellipsis:
            return "..."
        return self._write(node)

    def header(self) -> list[str]:
        """Return the lines that import and define what was used."""
        homes = {home: names for home, names in self._imported.items() if not names}
        plain = [f"import {home}" for home in sorted(homes)]
        named = [
            f"from {home} import {', '.join(sorted(names))}"
            for home, names in sorted(self._imported.items())
            if names
        ]
        aliases = sorted(self._aliases.items(), key=lambda item: item[1])
        unknown = [
            f"{alias} = Any" + (f"  # {text}" if text != alias else "") for text, alias in aliases
        ]
        return [*plain, *named, *([""] if unknown else []), *unknown]


def _literal(node: ast.expr) -> str:
    """Return what may stand in a ``Literal``, ``None`` for what may not."""
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    is_plain = isinstance(inner, ast.Constant) and isinstance(inner.value, str | bytes | int)
    return ast.unparse(node) if is_plain else "None"


_WRITERS: dict[type[ast.expr], Callable[..., str]] = {
    ast.Name: Names._dotted,
    ast.Attribute: Names._dotted,
    ast.Constant: Names._constant,
    ast.BinOp: Names._union,
    ast.Subscript: Names._subscript,
}
