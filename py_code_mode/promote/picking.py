"""Which cells a skill is made of, parsed.

Place in the house: inside ``promote``. Sources are parsed, never run.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from py_code_mode.errors import SkillError
from py_code_mode.transcripts.cells import source_of
from py_code_mode.transcripts.entry import Entry

__all__ = ["Cell", "parsed", "pick"]

_IPYTHON = re.compile(
    r"[ \t]*(?:(?P<magic>%%?\w.*)|(?P<shell>!!?\S.*)|(?P<help>\?{1,2}\w.*|[\w.]+\?{1,2}[ \t]*)"
    r"|[\w.,\[\] ]+=[ \t]*(?:(?P<shell_value>!\S.*)|(?P<magic_value>%\w.*)))$",
    re.MULTILINE,
)
_WORDS = {
    "magic": "a magic",
    "magic_value": "a magic",
    "shell": "a shell command",
    "shell_value": "a shell command",
    "help": "a question for help",
}


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
        source = source_of(entry.code).replace("\r\n", "\n").replace("\r", "\n")
        label = f"cell {entry.result.execution_count}"
        cells.append(Cell(entry, source, _parse(source, label)))
    return cells


def _place(entries: Sequence[Entry], number: int) -> int:
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
    found = _IPYTHON.search(source)
    if found is None:
        raise SkillError(f"{label} is no plain Python; a skill must be")
    line = source.count("\n", 0, found.start()) + 1
    what = _WORDS[str(found.lastgroup)]
    raise SkillError(
        f"{label}, line {line}: `{found[0].strip()[:80]}` is {what} of IPython; a skill is plain "
        "Python: use subprocess, a tool, or leave the line out in a cell of its own"
    )


def parsed(source: str) -> ast.Module | None:
    """Parse code; None if it is no plain Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
