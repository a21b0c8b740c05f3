"""Words of the command line in, exit code out.

Place in the house: top of ``cli``; ``parser`` knows the commands.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from py_code_mode.cli.output import complain
from py_code_mode.cli.parser import make_parser
from py_code_mode.errors import CodeModeError

__all__ = ["main"]

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
    parser = make_parser(words)
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
