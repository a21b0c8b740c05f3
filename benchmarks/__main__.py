"""``python -m benchmarks [--quick] [--only NAME ...] [--json PATH] [--plot PATH]``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.plot import plot
from benchmarks.report import as_json, machine, table, write
from benchmarks.rows import Row
from benchmarks.topics import TOPICS

RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> int:
    """Measure, print the table, write the JSON; return the exit code."""
    arguments = _arguments()
    # Whoever ends us politely gets the same clean-up as Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    about = {**machine(), "quick": arguments.quick}
    found: dict[str, list[Row]] = {}
    started = time.monotonic()
    try:
        with asyncio.Runner() as runner:
            bench = Bench(runner, quick=arguments.quick)
            for topic in arguments.only or TOPICS:
                bench.say(f"{topic} ({time.monotonic() - started:.0f} s)")
                found[topic] = TOPICS[topic](bench)
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    about["seconds"] = time.monotonic() - started
    write(arguments.json, as_json(about, found))
    rows = [row for part in found.values() for row in part]
    print(table(rows))
    if arguments.plot is not None:
        plot(rows, arguments.plot)
    print(f"\n{about['seconds']:.0f} s; everything measured is in {arguments.json}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure less, in about a minute")
    parser.add_argument(
        "--only", nargs="+", choices=TOPICS, metavar="NAME", help=f"some of: {', '.join(TOPICS)}"
    )
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="PATH", help="the file")
    parser.add_argument("--plot", type=Path, metavar="PATH", help="also draw a PNG")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
