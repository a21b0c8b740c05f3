"""What the next word of a command line can be.

Place in the house: inside ``cli``, beside ``completion``. The parsers themselves are asked, so a
new command or flag completes without more ado; names come from the stores a command would use.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from py_code_mode.cli.parser import COMMANDS, make_parser
from py_code_mode.cli.where import default_of
from py_code_mode.errors import CodeModeError

__all__ = ["candidates"]


def candidates(words: Sequence[str]) -> list[str]:
    """Return what the last word can become, sorted.

    Args:
        words: All words up to the cursor, without the program's own; the last one may be empty.

    Returns:
        Candidates; none where a file is wanted, which shells complete themselves.
    """
    *before, last = words
    parser = make_parser(before)
    flags: dict[str, argparse.Action] = {}
    pending: argparse.Action | None = None
    path: list[str] = []
    for word in before:
        flags = _flags(parser)
        if pending is not None:
            pending = None
        elif word in flags:
            pending = flags[word] if _takes_value(flags[word]) else None
        else:
            below = _commands(parser).get(word)
            if below is not None:
                parser, path = below, [*path, word]
    found = _possible(parser, path, pending, last)
    return sorted({word for word in found if word.startswith(last)})


def _possible(
    parser: argparse.ArgumentParser, path: list[str], pending: argparse.Action | None, last: str
) -> Iterable[str]:
    if pending is not None:
        return map(str, pending.choices or ())
    if last.startswith("-"):
        return _flags(parser)
    commands = _commands(parser)
    if commands:
        return commands
    chosen = [each for each in _positionals(parser) if each.choices]
    if chosen:
        return map(str, chosen[0].choices or ())
    if any(each.metavar in ("NAME", "PREFIX") for each in _positionals(parser)):
        return _names(path[0])
    return ()


def _flags(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {flag: action for action in parser._actions for flag in action.option_strings}


def _positionals(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if not action.option_strings]


def _takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _names(command: str) -> list[str]:
    """Names in the store that a command would use, if it is a folder; servers are not asked."""
    where = default_of(command) or command
    if command not in _LISTS or not Path(where).is_dir():
        return []
    try:
        return _LISTS[command](where)
    except CodeModeError:
        return []


def _skills(where: str) -> list[str]:
    return [path.stem for path in Path(where).glob("*.py")]


def _artifacts(where: str) -> list[str]:
    from py_code_mode.stores import open_artifact_store

    return [info.name for info in open_artifact_store(where, make=False).list()]


def _tools(where: str) -> list[str]:
    return [path.stem for path in Path(where).glob("*.yaml")]


_LISTS: dict[str, Callable[[str], list[str]]] = {
    "artifacts": _artifacts,
    "skills": _skills,
    "tools": _tools,
}
assert _LISTS.keys() <= COMMANDS.keys()
