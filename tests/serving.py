"""A real session server in a process of its own, as ``py-code-mode serve`` starts it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_LISTENING = re.compile(r"listening on (http://\S+)")


@asynccontextmanager
async def serving(*flags: str, **environment: str) -> AsyncIterator[str]:
    """Run a session server; yield its address."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PY_CODE_MODE_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "py_code_mode", "serve"),
        *(flags if "--port" in flags else ("--port", "0", *flags)),
        env={**clean, **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    told: list[str] = []
    reading = None
    try:
        async with asyncio.timeout(60):
            while not (found := _LISTENING.search("".join(told[-1:]))):
                line = (await process.stderr.readline()).decode()
                assert line, f"the server ended: {''.join(told)}"
                told.append(line)
        reading = asyncio.create_task(process.stderr.read())  # a full pipe would stop it
        yield found[1]
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 30)
        if reading is not None:
            await reading
