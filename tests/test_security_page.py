"""SECURITY.md: what it points at is there."""

from __future__ import annotations

import re

from tests.conftest import ROOT


def test_every_promise_names_tests_that_exist():
    """Each row of promises names files or folders of tests, and all of them exist."""
    text = (ROOT / "SECURITY.md").read_text()
    rows = [line for line in text.splitlines() if "`tests/" in line]
    assert len(rows) >= 9
    named = re.findall(r"`(tests/[\w/.]+)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
