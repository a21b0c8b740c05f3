"""The README's lines for AutoGen run as printed, against a real session server."""

from __future__ import annotations

import dataclasses

from tests.container.conftest import ServerProcess
from tests.integrations.test_autogen import answers, calls, replay
from tests.test_readme import python_of, run_block


async def test_framework_integration_as_printed(tmp_path):
    """README.md's agent works on a server; only the server's name is another here."""
    server = ServerProcess(tmp_path, token="")
    server.start()
    try:
        block = python_of("Framework Integration")
        code = block.code.replace("http://session-server:8080", f"http://localhost:{server.port}")
        model = replay(calls("6 * 7"), "It is 42.")
        names = {"model": model}
        await run_block(dataclasses.replace(block, code=code), names)
        ended = await names["agent"].run(task="What is six times seven?")
        assert answers(ended.messages) == [("42", False)]
        await names["run_code"].aclose()
    finally:
        server.stop()
