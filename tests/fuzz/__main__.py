"""The command: ``python -m tests.fuzz [TARGET ...] [--inputs N] [--seconds S] [--seed K]``.

Place in the house: top of ``tests.fuzz``. Without a target all of them run, as many beside each
other as there are processors. The exit code is 1 if something was found.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.fuzz.runner import ROOT, Report, is_available, repeat, run
from tests.fuzz.targets import TARGETS

FINDINGS = ROOT / ".fuzz"
"""Where inputs go that show a fault; git does not see it."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--inputs", type=int, default=100_000, help="of each target")
    parser.add_argument("--seconds", type=float, default=0, help="of each target, at most")
    parser.add_argument("--seed", type=int, default=0, help="for the choice of inputs")
    parser.add_argument("--beside", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--input", type=Path, help="run one target with what this file holds")
    arguments = parser.parse_args()
    unknown = {*arguments.targets} - {*TARGETS}
    if unknown:
        parser.error(
            f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}"
        )
    if arguments.input is not None and len(arguments.targets) != 1:
        parser.error("--input is for one target")
    return arguments


def _told(report: Report) -> bool:
    print(report, flush=True)
    return report.is_good


def main() -> int:
    """Run what the command line says; return the exit code."""
    arguments = _arguments()
    if not is_available():
        print("atheris is not installed: it has wheels for CPython on Linux x86_64. Nothing ran.")
        return 2
    if arguments.input is not None:
        return 0 if _told(repeat(arguments.targets[0], arguments.input)) else 1
    with ThreadPoolExecutor(arguments.beside) as pool:
        runs = [
            pool.submit(
                run,
                target,
                inputs=arguments.inputs,
                seconds=arguments.seconds,
                seed=arguments.seed,
                findings=FINDINGS,
            )
            for target in arguments.targets or TARGETS
        ]
        good = [_told(each.result()) for each in as_completed(runs)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
