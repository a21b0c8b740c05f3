"""Words of the command line in, exit code out.

Place in the house: top of ``cli``. A command joins here: one line in ``COMMANDS``, and a module
with ``add_arguments(parser)``, which says what it takes and what to run.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from py_code_mode import __version__
from py_code_mode.cli.output import complain
from py_code_mode.errors import CodeModeError

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "artifacts": (
        "py_code_mode.cli.artifacts",
        "list, show, get, put, rm and search artifacts",
    ),
    "deps": ("py_code_mode.cli.deps", "list, make and remove environments with packages"),
    "demo": ("py_code_mode.cli.demo", "run a small agent script and show what comes back"),
    "serve": ("py_code_mode.cli.serve", "run the session server: sessions over HTTP"),
    "skills": ("py_code_mode.cli.skills", "list, show, search, add, remove, test and sync skills"),
}
"""Each command: the module that has it, imported when it is used, and a line of help.

A module's ``add_arguments(parser)`` sets a default ``run``: a function of the parsed arguments
that returns an exit code: 0 for yes and done, 1 for no and failed.
"""

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Its words; None: those this process was started with.

    Returns:
        0 done, 1 failed (the reason is on stderr), 130 interrupted. Wrong words end in
        ``SystemExit(2)``, and help in ``SystemExit(0)``, as ever with argparse.
    """
    words = sys.argv[1:] if argv is None else [*argv]
    parser = _parser(words)
    arguments = parser.parse_args(words)
    run: Callable[[argparse.Namespace], int] | None = getattr(arguments, "run", None)
    if run is None:
        parser.print_help()
        return 0
    try:
        return run(arguments)
    except CodeModeError as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has enough (`| head`). Python would complain again at its own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="py-code-mode",
        description="Code mode for LLM agents: agents write Python, a real IPython kernel runs it.",
    )
    parser.add_argument("--version", action="version", version=f"py-code-mode {__version__}")
    commands: Any = parser.add_subparsers(title="commands", metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, (module, line) in COMMANDS.items():
        command = commands.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        if name == chosen:
            importlib.import_module(module).add_arguments(command)
    return parser
