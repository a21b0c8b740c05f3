"""Puts the skill together.

Place in the house: top of ``promote``.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from py_code_mode.errors import SkillError
from py_code_mode.promote.allowed import check_allowed
from py_code_mode.promote.clashes import check_params
from py_code_mode.promote.edits import Edit, apply, span
from py_code_mode.promote.example import example_call, expected_of, value_type
from py_code_mode.promote.lifting import Param, lift
from py_code_mode.promote.meanings import check_meanings
from py_code_mode.promote.names import awaits, bound_names, free_names, late_names
from py_code_mode.promote.picking import Cell, parsed, pick
from py_code_mode.promote.used import needed_tools
from py_code_mode.secrets import Secrets
from py_code_mode.skills.docstring import insert_docstring
from py_code_mode.skills.parse import parse_skill
from py_code_mode.toolcalls import ToolSource
from py_code_mode.transcripts.cells import source_of
from py_code_mode.transcripts.entry import Entry

__all__ = ["promote"]

_ANY_NAME = "promoted"


def promote(
    entries: Sequence[Entry],
    numbers: Sequence[int],
    params: Mapping[str, Any] | Sequence[str],
    description: str,
    *,
    tools: ToolSource,
    secrets: Secrets,
) -> str:
    """Return the source of a skill that does what cells did.

    Args:
        entries: The cells of the session.
        numbers: Which of them, see ``Session.save_skill_from``.
        params: What becomes a parameter, see there.
        description: What it does, first line first.
        tools: The tools of the session.
        secrets: What no source may hold.

    Raises:
        SkillError: The cells cannot be a skill; the message says why and what would help.
    """
    try:
        return _promoted(pick(entries, numbers), entries, params, description, tools, secrets)
    except (RecursionError, MemoryError) as error:
        raise SkillError("the cells are nested too deeply to be looked through") from error
    except SyntaxError as error:
        raise SkillError(f"as a function the cells are no Python: {error.msg}") from error


def _promoted(
    cells: Sequence[Cell],
    entries: Sequence[Entry],
    params: Mapping[str, Any] | Sequence[str],
    description: str,
    tools: ToolSource,
    secrets: Secrets,
) -> str:
    check_allowed(cells)
    lifted, edits = lift(cells, params)
    found = [each.param for each in lifted]
    returned = _returned(cells[-1])
    if returned is not None:
        edits[-1].append(returned)
    sources = [apply(cell.source, mine) for cell, mine in zip(cells, edits, strict=True)]
    trees = [_parsed(source) for source in sources]
    check_params(lifted, cells, trees)
    code = _function(found, sources, trees, value_type(cells[-1]) if returned else "")
    names = [param.name for param in found]
    check_meanings(cells, names)
    missing = _makers(free_names(trees, names, code), cells, entries)
    # Where no other cell made them, the functions cannot have needed them before.
    late = _makers(late_names(trees, names), cells, entries).items()
    missing |= {name: numbers for name, numbers in late if numbers}
    if missing:
        raise SkillError(_explain(missing))
    expected = expected_of(cells, returns=returned is not None)
    source = _documented(code, description, needed_tools(cells, tools), found, expected)
    if secrets.redact(source) != source:
        raise SkillError("the cells show a secret of the tools, which no skill may hold")
    return source


def _returned(cell: Cell) -> Edit | None:
    """Return the edit that has the last expression returned; None if there is no value."""
    last = cell.tree.body[-1] if cell.tree.body else None
    if not isinstance(last, ast.Expr):
        return None
    start, end = span(cell.source, last)
    if cell.source[end:].lstrip(" \t").startswith(";"):
        return None  # as in a notebook, which then shows nothing
    return Edit(start, start, "return ")


def _parsed(source: str) -> ast.Module:
    tree = parsed(source)
    if tree is None:
        raise SkillError("with its parameters the code would be no Python any more")
    return tree


def _function(
    params: Sequence[Param], sources: Sequence[str], trees: Sequence[ast.Module], returns: str
) -> str:
    signature = ", ".join(
        f"{param.name}: {param.annotation} = {param.value!r}"
        if param.annotation
        else f"{param.name}={param.value!r}"
        for param in params
    )
    kind = "async def" if any(map(awaits, trees)) else "def"
    bodies = [
        _indented(source, tree).strip("\n") for source, tree in zip(sources, trees, strict=True)
    ]
    if not any(tree.body for tree in trees):
        bodies.append("    pass")
    arrow = f" -> {returns}" if returns else ""
    head = f"{kind} run({signature}){arrow}:"
    return "\n".join([head, *(body for body in bodies if body.strip()), ""])


def _indented(source: str, tree: ast.Module) -> str:
    """Indent code, but not the lines inside of a text: they belong to it."""
    inside = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
        for line in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)
    }
    return "\n".join(
        line if number in inside or not line.strip() else f"    {_unfed(line)}"
        for number, line in enumerate(source.split("\n"), 1)
    )


def _unfed(line: str) -> str:
    """Take form feeds from a line's indentation, which Python counts from the last of them."""
    code = line.lstrip(" \t\f")
    return line[: -len(code)].rpartition("\f")[2] + code


def _documented(
    code: str, description: str, tools: Sequence[str], params: Sequence[Param], expected: str
) -> str:
    """Give the skill its docstring, and an example that is read as it is meant."""
    call = example_call(params)
    for wanted in (expected, ""):
        lines = [description.strip(), ""]
        lines += [f"Tools: {', '.join(tools)}", ""] if tools else []
        lines += ["Examples:", f"    >>> {call}"]
        lines += [f"    {line}" for line in wanted.split("\n")] if wanted else []
        source = insert_docstring(code, "\n".join(lines), None)
        examples = parse_skill(_ANY_NAME, source).examples
        if [each.code for each in examples] == [call] and examples[0].expected == wanted:
            return source
    return insert_docstring(code, "\n".join(lines[:-2]).strip(), None)


def _makers(
    names: Sequence[str], cells: Sequence[Cell], entries: Sequence[Entry]
) -> dict[str, list[int]]:
    """Return which of the other cells make names."""
    chosen = {id(cell.entry) for cell in cells}
    places: dict[str, list[int]] = {name: [] for name in names}
    for entry in entries if names else ():
        tree = None if id(entry) in chosen else parsed(source_of(entry.code))
        made = {} if tree is None else bound_names(tree)
        for name in places.keys() & made.keys():
            places[name].append(entry.result.execution_count)
    return places


def _explain(missing: Mapping[str, Sequence[int]]) -> str:
    """Say which names are missing, and which cells make them."""
    said = [f"{name!r}, which {_cells(numbers)}" for name, numbers in missing.items()]
    return (
        f"the cells use {'; '.join(said)}. Add the cells that make what is missing, or make it a "
        f"parameter: params={{{next(iter(missing))!r}: ...}}"
    )


def _cells(numbers: Sequence[int]) -> str:
    if not numbers:
        return "no cell of the session makes"
    shown = ", ".join(map(str, dict.fromkeys(numbers)))
    return f"cell {shown} makes" if len({*numbers}) == 1 else f"cells {shown} make"
