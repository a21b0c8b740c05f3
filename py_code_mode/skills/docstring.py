"""Docstrings of skills: what they say, and how a description is written into a source.

Place in the house: inside ``skills``, below ``parse``; text in, text out. Sources come from
agents and may be hostile: no pattern here takes more than linear time.
"""

from __future__ import annotations

import ast
import inspect
import re

__all__ = ["insert_docstring", "split_docstring"]

_BLANK_START = re.compile(r"(?:[^\S\n]*+\n)++")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")  # str.splitlines splits at more than the parser
_HEAD_COMMENT = re.compile(r"#!|[ \t\f]*#.*?coding[:=]")  # PEP 263


def split_docstring(text: str | None) -> tuple[str, str]:
    """Return the first line of a docstring and the rest of it.

    What all lines of the rest are indented by goes: as a docstring they would lose it, too.
    """
    # What separates files and groups is blank, too, but not for cleandoc.
    first, _, rest = _without_blank_start(inspect.cleandoc(text or "")).partition("\n")
    # Whole blank lines go; the indentation of the first line left is meant.
    rest = _without_blank_start(rest)
    return first.strip(), inspect.cleandoc(f"\n{rest}").rstrip()


def _without_blank_start(text: str) -> str:
    blank = _BLANK_START.match(text)
    return text[blank.end() if blank else 0 :]


def insert_docstring(source: str, text: str, old: ast.Expr | None) -> str:
    """Give a module a docstring and leave its code as it is.

    Args:
        source: The module; it parses.
        text: The docstring's text.
        old: The statement that is its docstring now, to be replaced.
    """
    literal = _literal(text)
    if old is not None:
        start, end = _offset(source, old, end=False), _offset(source, old, end=True)
        return source[:start] + literal + source[end:]
    lines = _LINE.findall(source)
    # Interpreter and encoding lines count only as the first two lines of a file.
    head = 0
    while head < min(2, len(lines)) and _HEAD_COMMENT.match(lines[head]):
        head += 1
    return "".join(lines[:head]) + literal + "\n\n" + "".join(lines[head:])


def _literal(text: str) -> str:
    shown = all(char.isprintable() or char == "\n" for char in text)
    if not shown or '"""' in text or text.endswith('"'):
        return repr(text)
    text = text.replace("\\", "\\\\")
    return f'"""{text}\n"""' if "\n" in text else f'"""{text}"""'


def _offset(source: str, node: ast.Expr, *, end: bool) -> int:
    """Turn the parser's line and UTF-8 column into an index of ``source``."""
    line, column = (node.end_lineno, node.end_col_offset) if end else (node.lineno, node.col_offset)
    assert line is not None
    assert column is not None
    lines = _LINE.findall(source)
    before = sum(len(text) for text in lines[: line - 1])
    return before + len(lines[line - 1].encode()[:column].decode())
