"""Docstrings of skills: what they say, and how a description is written into a source.

Place in the house: inside ``skills``, below ``parse``; text in, text out.
"""

from __future__ import annotations

import ast
import inspect
import re

__all__ = ["arg_descriptions", "insert_docstring", "split_docstring"]

_ARGS_HEADER = re.compile(r"(args|arguments|parameters|params):\s*", re.IGNORECASE)
_ARG = re.compile(r"(\*{0,2}\w+)\s*(?:\(.*?\))?\s*:(?:\s+(.*))?$")
_BLANK_ENDS = re.compile(r"\A(?:[^\S\n]*\n)+|\s+\Z")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")  # str.splitlines splits at more than the parser
_HEAD_COMMENT = re.compile(r"#!|[ \t\f]*#.*?coding[:=]")  # PEP 263


def split_docstring(text: str | None) -> tuple[str, str]:
    """Return the first line of a docstring and the rest of it."""
    first, _, rest = inspect.cleandoc(text or "").partition("\n")
    # Whole blank lines go; the indentation of the first line left is meant.
    return first.strip(), _BLANK_ENDS.sub("", rest)


def arg_descriptions(text: str | None) -> dict[str, str]:
    """Read the ``Args:`` section of a Google-style docstring: parameter name to one line."""
    found: dict[str, str] = {}
    section: int | None = None  # how far the section's header is indented
    entry: int | None = None  # how far its entries are
    current = ""
    for line in inspect.cleandoc(text or "").splitlines():
        stripped = line.strip()
        indent = len(line) - len(line.lstrip())
        if section is None:
            section = indent if _ARGS_HEADER.fullmatch(stripped) else None
        elif not stripped:
            continue
        elif indent <= section:
            section = entry = None
        elif entry is None or indent <= entry:
            entry, match = indent, _ARG.match(stripped)
            current = match[1] if match else ""
            if match:
                found[current] = match[2] or ""
        elif current:
            found[current] = f"{found[current]} {stripped}".strip()
    return found


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
