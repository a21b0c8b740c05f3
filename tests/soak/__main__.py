"""``python -m tests.soak [--minutes M] [--seed K] [--out DIR]``; exit code 1 with violations."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import warnings
from pathlib import Path

from tests.soak.journal import Journal
from tests.soak.plot import plot
from tests.soak.report import machine, write
from tests.soak.rounds import Plan, soak


def main() -> int:
    """Soak, write what was observed, and say in one line what came of it."""
    arguments = _arguments()
    warnings.simplefilter("error")  # one that is raised where nobody can take it is printed
    plan = Plan(arguments.minutes, arguments.seed, arguments.workers, arguments.round)
    journal = Journal()
    print(f"seed {plan.seed}, {plan.minutes:g} minutes", flush=True)
    grown = asyncio.run(soak(plan, journal))
    warnings.simplefilter("default")  # matplotlib's are its own
    write(arguments.out, journal, plan, machine(), grown)
    plot(journal, arguments.out / "soak.png")
    print(f"{journal.actions:,} actions; {arguments.out / 'report.md'}")
    for each in journal.violations:
        print(f"violation: {each.kind}: {each.action}: {each.text.splitlines()[0]}")
    return 1 if journal.violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long, about")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10**6), help="of all that is random"
    )
    parser.add_argument("--out", type=Path, default=Path("soak-output"), help="the folder to write")
    parser.add_argument("--workers", type=int, default=4, help="actions at once")
    parser.add_argument("--round", type=float, default=25.0, help="seconds between quiet points")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
