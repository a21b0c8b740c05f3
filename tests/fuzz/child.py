"""The process in which a target runs: it instruments the host and never comes back.

Place in the house: ``tests.fuzz``, started by ``runner``. libFuzzer ends the process itself, at a
finding and at the end. Nothing of the host may be imported here before it is instrumented.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

PREFIX = "-artifact_prefix="
FAULT = 77
"""Exit code after a fault; libFuzzer has others for what takes too long or too much memory."""

WARMING = 100

INSTRUMENTED = ["py_code_mode", "kernel_bootstrap"]
"""What is watched: the host, not the libraries below it."""


def main(name: str, options: list[str]) -> None:
    """Run one target.

    Args:
        name: Its name.
        options: Arguments of libFuzzer.
    """
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import TARGETS, load

        target = load(name)
        chance = random.Random(0)
        # What loads with the first use loads now: it is instrumented, and no input waits for it.
        for _ in range(WARMING if name in TARGETS else 0):
            target(chance.randbytes(60))
    # Only what is raised is a finding; a million warnings would be all there is to read.
    warnings.simplefilter("ignore")
    prefixes = (each for each in options if each.startswith(PREFIX))
    atheris.Setup([sys.argv[0], *options], watched(target, next(prefixes, "")[len(PREFIX) :]))
    atheris.Fuzz()


def watched(target: Callable[[bytes], None], prefix: str) -> Callable[[bytes], None]:
    """Return the target, ended with the first fault, and what shows it written to a file.

    libFuzzer does that too, but it leaves through the exit handlers of all libraries first, where
    those with threads hang.
    """

    def run(data: bytes) -> None:
        try:
            target(data)
        except BaseException:  # noqa: BLE001 - also SystemExit, which no input may cause
            sys.stderr.write(f"\n === Uncaught Python exception: ===\n{traceback.format_exc()}\n")
            if prefix:
                file = Path(f"{prefix}{hashlib.sha256(data).hexdigest()[:16]}")
                file.write_bytes(data)
                sys.stderr.write(f"Test unit written to {file}\n")
            sys.stderr.flush()
            os._exit(FAULT)

    return run


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
