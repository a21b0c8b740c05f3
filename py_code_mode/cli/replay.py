"""``py-code-mode replay``: run a transcript's cells again and tell where they differ.

Place in the house: inside ``cli``, above ``py_code_mode.replay``.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from py_code_mode.cli import loop
from py_code_mode.cli.output import note, show, show_json
from py_code_mode.cli.where import add_json

if TYPE_CHECKING:
    from py_code_mode.replay.report import CellReport, Difference

__all__ = ["add_arguments"]

_DESCRIPTION = """\
Run the cells of a transcript again in a fresh kernel. Tools answer out of the recording: none runs,
and no server is asked. What differs is shown: - as recorded, + as it is now."""

_EPILOG = """\
examples:
  py-code-mode run -c 'tools.wc(file="a.txt")' --tools ./tools --notebook run.ipynb
  py-code-mode replay run.ipynb
  py-code-mode replay run.ipynb --json

exit codes:
  0 all cells are as recorded   1 one differs, or the file is no transcript   2 wrong words
  130 interrupted"""

_LINES = 20
"""Lines of a difference that are shown; --json has all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("file", metavar="FILE", help="a notebook: run --notebook, export_notebook")
    parser.add_argument(
        "--python", metavar="PATH", help="interpreter of the kernel (default: ours)"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        metavar="S",
        help="seconds each cell may take (default: 60, or ten times what it took)",
    )
    add_json(parser, "print the report as JSON, and nothing else")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from py_code_mode.config import KernelConfig
    from py_code_mode.replay import replay

    kernel = KernelConfig(python=arguments.python)
    report = loop.run(replay(arguments.file, timeout=arguments.timeout, kernel=kernel))
    if arguments.json:
        show_json(report.to_dict())
        return 0 if report.same else 1
    for each in report.notes:
        note(f"note: {each}")
    for cell in report.cells:
        _show(cell)
    differ = sum(not cell.same for cell in report.cells)
    show(f"{len(report.cells)} replayed, {differ} differ")
    return 0 if report.same else 1


def _show(cell: CellReport) -> None:
    how = f"skipped, {cell.skipped}" if cell.skipped else "same" if cell.same else "differs"
    show(f"cell {cell.number}: {how}")
    for difference in cell.differences:
        _show_difference(difference)


def _show_difference(difference: Difference) -> None:
    show(f"  {difference.what}" + (f", {difference.note}" if difference.note else ""))
    for mark, text in (("-", difference.recorded), ("+", difference.replayed)):
        lines = text.rstrip("\n").split("\n") if text else []
        for line in lines[:_LINES]:
            show(f"    {mark} {line}")
        if len(lines) > _LINES:
            show(f"    {mark} ... {len(lines) - _LINES} more lines")
