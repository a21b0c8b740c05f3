"""The process in which a target runs: it instruments the host and never comes back.

Place in the house: ``tests.fuzz``, started by ``runner``. libFuzzer ends the process itself, at a
finding and at the end. Nothing of the host may be imported here before it is instrumented.
"""

from __future__ import annotations

import sys
import warnings

import atheris

INSTRUMENTED = ["py_code_mode", "kernel_bootstrap"]
"""What is watched: the host, not the libraries below it."""


def main(name: str, options: list[str]) -> None:
    """Run one target.

    Args:
        name: Its name.
        options: Arguments of libFuzzer.
    """
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import load

        target = load(name)
        target(b"")  # what loads with the first use is instrumented, too
    # Only what is raised is a finding; a million warnings would be all there is to read.
    warnings.simplefilter("ignore")
    atheris.Setup([sys.argv[0], *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
