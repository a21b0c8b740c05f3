"""The description of the server: true, as data and as a page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.server.conftest import error_of


@pytest.mark.timeout(120)
def test_schemathesis_finds_nothing(start, tmp_path):
    """Requests made from the description, right and wrong ones, get what it promises."""
    server = start(
        *(
            "--token",
            "the-token",
            "--artifacts",
            str(tmp_path / "artifacts"),
            "--max-sessions",
            "5",
        ),
        *("--cwd", str(tmp_path), "--default-timeout", "2", "--resume-seconds", "1"),
    )
    done = subprocess.run(
        [
            *(Path(sys.executable).parent / "st", "--config-file"),
            *(ROOT / "tests" / "server" / "schemathesis.toml", "run"),
            *(f"{server.url}/openapi.json", "-H", "Authorization: Bearer the-token"),
            *("--checks", "all", "--phases", "examples,coverage,stateful", "--max-examples", "3"),
            *("--seed", "1", "--generation-database", "none", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]


def test_the_page_shows_every_operation(alice):
    """The page has each method of each path, loads nothing, and runs nothing."""
    document = alice.get("/openapi.json").json()
    answer = alice.get("/docs")
    page = answer.text
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()}</span><code>{path}</code>" in page
            assert operation["summary"]
    assert "<script" not in page
    assert "http:" not in page
    assert "https:" not in page
    assert "script-src" not in (policy := answer.headers["content-security-policy"])
    assert "default-src 'none'" in policy


def test_paths_and_methods_that_are_none(alice):
    """An unknown path is 404, a wrong method 405 with those that are right, both in our form."""
    assert error_of(alice.get("/nope"), 404)["type"] == "not_found"
    assert error_of(alice.get("/sessions/"), 404)["type"] == "not_found"
    wrong = alice.patch("/sessions")
    assert error_of(wrong, 405)["type"] == "method_not_allowed"
    assert {*wrong.headers["allow"].split(", ")} == {"GET", "HEAD", "POST"}


def test_metrics_count(alice, session):
    """Runs, their outcomes and requests are counted in Prometheus' format."""
    alice.post(f"{session}/execute", json={"code": "1/0"})
    answer = alice.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    text = answer.text
    for line in (
        'py_code_mode_runs_total{outcome="error"}',
        'py_code_mode_http_requests_total{method="POST",path="/sessions/{id}/execute",status="200"}',
        "py_code_mode_run_seconds_bucket",
        "py_code_mode_sessions 1.0",
    ):
        assert line in text
