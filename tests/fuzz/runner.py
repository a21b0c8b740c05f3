"""Runs a target in a process of its own, within bounds, and reads what came of it.

Place in the house: ``tests.fuzz``, above ``child``; ``__main__`` and the tests use it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Report", "is_available", "repeat", "run"]

ROOT = Path(__file__).resolve().parents[2]

PATIENCE = 25
"""Seconds that an input may take, on a machine that does other things, too."""

MEMORY = 3000
"""MiB that the process may take: libraries alone take some hundred."""

LONGEST = 512
"""Bytes of an input: choices of what to change, most of them; few of them are raw data."""

_COVERAGE = re.compile(r"^#\d+\s+\w+\s+cov: (\d+)", re.MULTILINE)
_DONE = re.compile(r"^stat::number_of_executed_units:\s*(\d+)|^#(\d+)", re.MULTILINE)
_FINDING = re.compile(r"Test unit written to (\S+)")
_REASON = re.compile(r" === Uncaught|ERROR: libFuzzer")


@dataclass(frozen=True)
class Report:
    """What came of a run.

    Attributes:
        target: Its name.
        inputs: How many were run.
        seconds: How long it took, start included.
        first_coverage: Places of the host's code that were reached by the first input.
        coverage: Places that were reached in the end.
        code: Exit code of the process; 0: nothing was found.
        finding: The input that showed a fault.
        said: What the process wrote.
    """

    target: str
    inputs: int
    seconds: float
    first_coverage: int
    coverage: int
    code: int
    finding: Path | None
    said: str

    @property
    def is_good(self) -> bool:
        """Whether nothing was found."""
        return self.code == 0 and self.finding is None

    @property
    def fault(self) -> str:
        """What was found, as Python or libFuzzer tell it."""
        lines = self.said.splitlines()
        starts = [at for at, line in enumerate(lines) if _REASON.search(line)]
        return "\n".join(lines[starts[0] : starts[0] + 60] if starts else lines[-30:])

    def __str__(self) -> str:
        rate = self.inputs / self.seconds if self.seconds else 0
        text = (
            f"{self.target}: {self.inputs:,} inputs in {self.seconds:,.1f} s, {rate:,.0f}/s, "
            f"coverage {self.first_coverage:,} -> {self.coverage:,}"
        )
        if self.is_good:
            return f"{text}, nothing found"
        text += f"\nFOUND (exit code {self.code}):\n{self.fault}"
        if self.finding is not None:
            again = ("python", "-m", "tests.fuzz", self.target, "--input", str(self.finding))
            text += f"\ninput: {self.finding}\nagain: {shlex.join(again)}"
        return text


def is_available() -> bool:
    """Whether atheris is installed: there are wheels for Linux on x86_64 alone."""
    return importlib.util.find_spec("atheris") is not None


def run(
    target: str,
    *,
    inputs: int,
    seconds: float = 0,
    seed: int = 0,
    findings: Path,
    patience: int = PATIENCE,
) -> Report:
    """Run a target.

    Args:
        target: Its name.
        inputs: How many inputs; 0: any number.
        seconds: After which no new input is begun; 0: none.
        seed: For the choice of inputs; 0 chooses one.
        findings: Folder in which an input goes that shows a fault, and what the process says.
        patience: Seconds that an input may take.
    """
    findings.mkdir(parents=True, exist_ok=True)
    name = target.rpartition(":")[2]
    options = [
        f"-runs={inputs or -1}",
        f"-max_total_time={int(seconds)}",
        f"-seed={seed}",
        f"-timeout={patience}",
        f"-report_slow_units={patience}",
        f"-rss_limit_mb={MEMORY}",
        f"-max_len={LONGEST}",
        "-len_control=0",  # long inputs from the start: they are choices, and change more
        "-print_final_stats=1",
        f"-artifact_prefix={findings.absolute()}/{name}-",
    ]
    return _started(target, options, findings / f"{name}.log")


def repeat(target: str, file: Path) -> Report:
    """Run a target with the one input that a file holds."""
    with tempfile.TemporaryDirectory() as folder:
        return _started(target, [str(file.absolute())], Path(folder) / "log")


def _started(target: str, options: list[str], log: Path) -> Report:
    command = [sys.executable, "-m", "tests.fuzz.child", target, *options]
    start = time.monotonic()
    # What a target leaves in temporary folders goes with this one; it is ended, it does not end.
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, log.open("wb") as said:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": folder},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            check=False,
        )
    return _report(target, time.monotonic() - start, done.returncode, log)


def _report(target: str, seconds: float, code: int, log: Path) -> Report:
    said = log.read_text(errors="replace")
    coverage = [int(number) for number in _COVERAGE.findall(said)] or [0]
    counts = [int(total or number) for total, number in _DONE.findall(said)] or [0]
    finding = _FINDING.search(said)
    return Report(
        target,
        inputs=max(counts),
        seconds=seconds,
        first_coverage=coverage[0],
        coverage=coverage[-1],
        code=code,
        finding=Path(finding[1]) if finding else None,
        said=said,
    )
