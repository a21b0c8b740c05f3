"""``python -m py_code_mode.kernelspec -f {connection_file}``: what a kernelspec starts.

Place in the house: top of ``kernelspec``. A front end needs to know nothing of us: it starts this
program as it starts any kernel, and finds a kernel at the addresses it has chosen.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from py_code_mode.errors import CodeModeError
from py_code_mode.project import add_project_arguments


def main() -> int:
    """Run a kernel and be its host until it ends; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m py_code_mode.kernelspec",
        description="Start a kernel for a Jupyter front end, and be its host.",
    )
    parser.add_argument(
        "-f", dest="connection_file", required=True, metavar="FILE", help="the connection file"
    )
    add_project_arguments(parser)
    arguments = parser.parse_args()
    logging.basicConfig(format="[py-code-mode] %(levelname)s: %(message)s")
    from py_code_mode.kernelspec.host import serve

    try:
        return asyncio.run(serve(arguments))
    except CodeModeError as error:
        sys.stderr.write(f"py-code-mode: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
