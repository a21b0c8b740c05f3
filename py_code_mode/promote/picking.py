"""Which cells a skill is made of, parsed.

Place in the house: inside ``promote``. Sources are parsed, never run.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

from py_code_mode.errors import SkillError
from py_code_mode.skills.parse import MAX_SOURCE
from py_code_mode.transcripts.entry import Entry

__all__ = ["Cell", "parsed", "pick"]

_ASSIGNED = re.compile(r"[\w.,\[\] ]{1,200}=[ \t]{0,20}([!%])\S")
_QUESTION = re.compile(r"\?{1,2}[\w.]{1,200}|[\w.]{1,200}\?{1,2}")
_WORDS = {"%": "a magic", "!": "a shell command", "?": "a question for help"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        entry: What is remembered of it.
        source: Its code without common indentation.
        tree: That, parsed.
    """

    entry: Entry
    source: str
    tree: ast.Module

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"cell {self.entry.result.execution_count}"


def pick(entries: Sequence[Entry], numbers: Sequence[int]) -> list[Cell]:
    """Return the cells of these numbers, in the order in which they ran.

    Raises:
        SkillError: One is not there, failed, or is not plain Python.
    """
    if not numbers:
        raise SkillError("no cells were named: cells=[1, 2] are those that show In [1] and In [2]")
    places = sorted({_place(entries, number) for number in numbers})
    cells = []
    for place in places:
        entry = entries[place]
        _check_good(entry)
        # As Python reads them: places are told in lines.
        source = _unindented(entry.code.replace("\r\n", "\n").replace("\r", "\n"))
        label = f"cell {entry.result.execution_count}"
        if len(source) > MAX_SOURCE:
            raise SkillError(f"{label} has more than the {MAX_SOURCE:,} characters of a skill")
        cells.append(Cell(entry, source, _parse(source, label)))
    return cells


def _unindented(code: str) -> str:
    """Take the first line's indentation from all lines, as kernels do: texts keep theirs."""
    lines = code.split("\n")
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip(" \t"))]
    return "\n".join(line.removeprefix(indent) for line in lines).strip("\n")


def _number(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, Integral):
        raise SkillError(
            f"{given!r:.200} is no cell: cells are numbered, as in cells=[1, 2] for those that "
            "show In [1] and In [2], or -1 for the last"
        )
    return int(given)


def _place(entries: Sequence[Entry], given: object) -> int:
    number = _number(given)
    if -len(entries) <= number < 0:
        return len(entries) + number
    counts = [entry.result.execution_count for entry in entries]
    if number > 0 and number in counts:
        return len(counts) - 1 - counts[::-1].index(number)
    there = ", ".join(str(count) for count in dict.fromkeys(counts[-50:]) if count) or "none"
    raise SkillError(
        f"there is no cell {number} in the transcript; there are: {there} (or -1 for the last)"
    )


def _check_good(entry: Entry) -> None:
    error, number = entry.result.error, entry.result.execution_count
    if error is not None:
        raise SkillError(
            f"cell {number} failed ({error.name}: {error.message[:200]}); a skill is made of cells "
            "that ran to their end"
        )


def _parse(source: str, label: str) -> ast.Module:
    tree = parsed(source)
    if tree is not None:
        return tree
    for number, line in enumerate(source.split("\n"), 1):
        what = _ipython(line.strip())
        if what:
            raise SkillError(
                f"{label}, line {number}: `{line.strip()[:80]}` is {what} of IPython; a skill is "
                "plain Python: use subprocess, a tool, or leave the line out in a cell of its own"
            )
    raise SkillError(f"{label} is no plain Python; a skill must be")


def _ipython(line: str) -> str:
    """Say what of IPython a line is; empty if it may be Python."""
    if line[:1] in {"%", "!"}:
        return _WORDS[line[0]]
    if _QUESTION.fullmatch(line):
        return _WORDS["?"]
    found = _ASSIGNED.match(line)
    return "" if found is None else _WORDS[found[1]]


def parsed(source: str) -> ast.Module | None:
    """Parse code; None if it is no plain Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
