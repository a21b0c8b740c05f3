"""Tools as a Python stub: what a type checker, or a model, reads to know how they are called.

Place in the house: ``tools``, above ``base``; knows no registry. The text depends on the tools
alone, not on the order they came in, and has nothing of the moment in it: prompt caches keep it.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterable, Mapping
from typing import Any

from py_code_mode.tools.annotations import Names
from py_code_mode.tools.base import NO_DEFAULT, ToolInfo, ToolParam
from py_code_mode.tools.names import clean_name
from py_code_mode.tools.typeddicts import TypedDicts, camel, one_line

__all__ = ["stub_of"]

_DESCRIPTION = 600  # characters of a tool's description
_PARAM = 200  # of a parameter's
_DEFAULT = 60  # of a default value

_NO_TOOLS = "class Tools: ...\n\ntools: Tools\n"

Tree = dict[str, "Tree | ToolInfo"]
"""Tools by the parts of their paths."""


def stub_of(infos: Iterable[ToolInfo]) -> str:
    """Return the stub of these tools: a class for each server, and ``tools``.

    Types of objects are TypedDict classes. Those whose names begin with ``Observed`` were learned
    from results and are not promised.
    """
    tree: Tree = {}
    members = set()
    for info in sorted(infos, key=lambda info: clean_name(info.name)):
        *groups, last = clean_name(info.name).split(".")
        members.update([*groups, last])
        here = tree
        for group in groups:
            below = here.setdefault(group, {})
            assert isinstance(below, dict)  # the registry lets no name be both
            here = below
        here[last] = info
    return _Stub(members).text(tree) if tree else _NO_TOOLS


class _Stub:
    """One stub on its way."""

    def __init__(self, members: Iterable[str]) -> None:
        self._names = Names(members)
        self._root = self._names.new("Tools")
        self._dicts = TypedDicts(self._names)
        self._classes: list[str] = []

    def text(self, tree: Tree) -> str:
        self._group(tree, self._root, "")
        blocks = ["\n".join(self._names.header()), *self._dicts.classes, *self._classes]
        return "\n\n".join([*filter(None, blocks), f"tools: {self._root}\n"])

    def _group(self, tree: Tree, name: str, prefix: str) -> None:
        lines = []
        for key, below in tree.items():
            if not isinstance(below, ToolInfo):
                group = self._names.new(prefix + camel(key) + "Tools")
                self._group(below, group, prefix + camel(key))
                lines.append(f"    {key}: {group}")
        self._names.hidden = frozenset(tree)  # a method `list` stands before the type
        for key, below in tree.items():
            if isinstance(below, ToolInfo):
                lines += self._method(below, key, prefix + camel(key))
        self._classes.append("\n".join([f"class {name}:", *lines]))

    def _method(self, info: ToolInfo, name: str, hint: str) -> list[str]:
        params = ", ".join([_receiver(info), *self._params(info, hint)])
        note = "  # observed, not promised" if info.observed is not None else ""
        head = f"    def {name}({params}) -> {self._returns(info, hint)}:"
        said = _docstring(info)
        return [f"{head}{note}", *said] if said else [f"{head} ...{note}"]

    def _returns(self, info: ToolInfo, hint: str) -> str:
        if info.output_schema is not None:
            known = self._dicts.annotation(info.output_schema, f"{hint}Result")
            if known is not None:
                return known
        if info.observed is not None:
            known = self._dicts.annotation(info.observed, f"Observed{hint}Result")
            return known or self._names.clean(_plain(info.observed))
        return self._names.clean(info.returns)

    def _params(self, info: ToolInfo, hint: str) -> list[str]:
        texts, optional_seen, more, names_only = [], False, False, False
        for param in info.params:
            if not param.name.isidentifier() or keyword.iskeyword(param.name):
                more = True
                continue
            is_optional = not param.required or param.default is not NO_DEFAULT
            if optional_seen and not is_optional and not names_only:
                texts.append("*")
                names_only = True
            optional_seen = optional_seen or is_optional
            texts.append(self._param(param, hint, is_optional=is_optional))
        if more:
            taken = {param.name for param in info.params}
            rest = next(name for name in ("more", "more_", "more__", "_more") if name not in taken)
            texts.append(f"**{rest}: {self._names.name('Any')}")
        return texts

    def _param(self, param: ToolParam, hint: str, *, is_optional: bool) -> str:
        kind = None
        if param.schema is not None:
            kind = self._dicts.annotation(param.schema, hint + camel(param.name))
        kind = kind or self._names.clean(param.annotation)
        if not is_optional:
            return f"{param.name}: {kind}"
        if param.default is None and not {"None", "Any", "object"} & set(kind.split(" | ")):
            kind += " | None"
        return f"{param.name}: {kind} = {_default(param.default)}"


def _plain(schema: Mapping[str, Any]) -> str:
    from py_code_mode.tools.jsonschema import annotation_of

    return annotation_of(schema)


def _receiver(info: ToolInfo) -> str:
    taken = {param.name for param in info.params}
    return next(name for name in ("self", "_self", "self_", "__self") if name not in taken)


def _default(value: Any) -> str:
    """Return a default as source; ``...`` for what is long, or not known, or no literal."""
    text = repr(value)
    if value is NO_DEFAULT or len(text) > _DEFAULT:
        return "..."
    try:
        ast.literal_eval(text)  # not so: nan, inf, an empty set
    except (ValueError, SyntaxError):
        return "..."
    return text


def _docstring(info: ToolInfo) -> list[str]:
    """Return the lines of a docstring, none where there is nothing to say."""
    said = _escaped(one_line(info.description, _DESCRIPTION))
    notes = [
        _escaped(f"{one_line(param.name, _PARAM)}: {one_line(param.description, _PARAM)}")
        for param in info.params
        if param.description.strip()
    ]
    indent = " " * 8
    if not notes:
        return [f'{indent}"""{said}"""'] if said else []
    return [f'{indent}"""{said}', "", *(indent + note for note in notes), f'{indent}"""']


def _escaped(text: str) -> str:
    """Return text for a docstring: it cannot end it, nor escape anything."""
    plain = text.replace("\\", "\\\\").replace('"""', "'''")
    return plain + " " if plain.endswith('"') else plain
