"""The words of the command line: one parser, and the commands below it.

Place in the house: inside ``cli``, below ``main``. A command joins here: one line in ``COMMANDS``,
and a module with ``add_arguments(parser)``, which says what it takes and what to run.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Any

from py_code_mode import __version__

__all__ = ["COMMANDS", "make_parser"]

COMMANDS = {
    "artifacts": (
        "py_code_mode.cli.artifacts",
        "list, show, get, put, rm and search artifacts",
    ),
    "completion": ("py_code_mode.cli.completion", "print a script that completes words in a shell"),
    "console": ("py_code_mode.cli.console", "a terminal prompt on a session"),
    "demo": ("py_code_mode.cli.demo", "run a small agent script and show what comes back"),
    "deps": ("py_code_mode.cli.deps", "list, make and remove environments with packages"),
    "doctor": ("py_code_mode.cli.doctor", "check the installation"),
    "kernelspec": (
        "py_code_mode.cli.kernelspec",
        "install our kernel for JupyterLab, VS Code and others",
    ),
    "lab": ("py_code_mode.cli.lab", "open live sessions in JupyterLab"),
    "mcp": ("py_code_mode.cli.mcp", "serve clients of the Model Context Protocol"),
    "peek": ("py_code_mode.cli.peek", "look at what a live session is doing"),
    "replay": (
        "py_code_mode.cli.replay",
        "run a notebook's cells again, tools out of its recording",
    ),
    "run": ("py_code_mode.cli.run", "run Python as an agent's code would run"),
    "serve": ("py_code_mode.cli.serve", "run the session server: sessions over HTTP"),
    "skills": ("py_code_mode.cli.skills", "list, show, search, add, remove, test and sync skills"),
    "tools": ("py_code_mode.cli.tools", "list, search, show, call and check tools"),
}
"""Each command: the module that has it, imported when it is used, and a line of help.

A module's ``add_arguments(parser)`` sets a default ``run``: a function of the parsed arguments
that returns an exit code: 0 for yes and done, 1 for no and failed.
"""

_EPILOG = """\
`py-code-mode COMMAND --help` explains a command, and shows examples.

Where tools, skills and artifacts are is said by --tools, --skills and --artifacts, or by
PY_CODE_MODE_TOOLS, PY_CODE_MODE_SKILLS and PY_CODE_MODE_ARTIFACTS in the environment.

exit codes:
  0 yes, done   1 no, failed: the reason is on stderr   2 wrong words   130 interrupted"""


def make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; of the commands only the one that is wanted is filled in.

    Args:
        words: What will be parsed.
    """
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="py-code-mode",
        description="Code mode for LLM agents: agents write Python, a real IPython kernel runs it.",
        epilog=_EPILOG,
        formatter_class=layout,
    )
    parser.add_argument("--version", action="version", version=f"py-code-mode {__version__}")
    commands: Any = parser.add_subparsers(title="commands", metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, (module, line) in COMMANDS.items():
        command = commands.add_parser(
            name, help=line, description=line[0].upper() + line[1:] + ".", formatter_class=layout
        )
        if name == chosen:
            importlib.import_module(module).add_arguments(command)
    return parser
