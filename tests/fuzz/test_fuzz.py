"""A short run of each target, and that the runner notices faults."""

from __future__ import annotations

import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import CI, ROOT
from tests.fuzz.runner import Report, is_available, repeat, run
from tests.fuzz.targets import TARGETS

INPUTS = 300
"""Of each target; Hypothesis tries some, too, and the night a million."""

HAS_WHEELS = sys.platform == "linux" and platform.machine() == "x86_64"


@pytest.fixture(scope="module", autouse=True)
def _atheris() -> None:
    if is_available():
        return
    if CI and HAS_WHEELS:
        pytest.fail("atheris is not installed, and CI installs everything")
    pytest.skip("atheris is not installed: it has wheels for CPython on Linux x86_64")


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> dict[str, Report]:
    """A short run of every target; two beside each other, for most of it they load libraries."""

    def short(target: str) -> Report:
        return run(target, inputs=INPUTS, seed=1, findings=folders[target])

    folders = {target: tmp_path_factory.mktemp(target) for target in TARGETS}
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(TARGETS, pool.map(short, TARGETS), strict=True))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run_finds_nothing(target, reports):
    """Real data, changed in many ways, shows no fault, and reaches more code than one input does."""
    report = reports[target]
    assert report.is_good, str(report)
    assert report.inputs >= INPUTS, report.said
    assert report.coverage > report.first_coverage > 0, report.said


def test_a_fault_is_noticed(tmp_path):
    """An exception that no documentation names ends the run, and its input shows it again."""
    report = run("tests.fuzz.faulty:raises", inputs=1_000_000, seed=1, findings=tmp_path)
    assert not report.is_good
    assert report.finding is not None
    assert b"!" in report.finding.read_bytes()
    assert "LookupError: a fault that was put here" in str(report)
    again = repeat("tests.fuzz.faulty:raises", report.finding)
    assert not again.is_good
    assert "LookupError" in again.fault
    report.finding.write_bytes(b"nothing")
    assert repeat("tests.fuzz.faulty:raises", report.finding).is_good


def test_an_input_that_takes_too_long_is_noticed(tmp_path):
    """An input that does not end is a finding, too."""
    report = run("tests.fuzz.faulty:hangs", inputs=1_000_000, seed=1, findings=tmp_path, patience=1)
    assert not report.is_good
    assert report.finding is not None
    assert "timeout" in report.fault


def test_the_command_says_what_there_is(tmp_path):
    """A target that does not exist is refused with the names of those that do."""
    command = [sys.executable, "-m", "tests.fuzz", "nothing"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert all(name in done.stderr for name in TARGETS)
