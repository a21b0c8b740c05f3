"""The README's lines for a session server run as printed, against a real one."""

from __future__ import annotations

import dataclasses

import pytest

from tests.container.conftest import ServerProcess
from tests.test_readme import python_of, run_block, write_files


@pytest.mark.needs("nmap")
async def test_container_isolation_as_printed(tmp_path):
    """A scan runs on a server that has the README's tools; only port and target are others here."""
    write_files(tmp_path, "Quick Start")
    server = ServerProcess(tmp_path, token="")
    server.start()
    try:
        block = python_of("Container Isolation")
        code = block.code.replace(":8080", f":{server.port}").replace(
            "scanme.nmap.org", "127.0.0.1"
        )
        printed = await run_block(dataclasses.replace(block, code=code), {})
        assert "Nmap scan report for" in printed
    finally:
        server.stop()
