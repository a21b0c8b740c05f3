"""Ask a deployed session server to run something; exit with 0 if it did.

Usage: SESSION_URL=... SESSION_TOKEN=... python check.py
"""

import asyncio
import os
import sys

from py_code_mode.container import RemoteError, SessionClient

CODE = """
import platform
print(platform.python_version(), "on", platform.machine())
[tool["name"] for tool in tools.list()]
"""


async def main() -> int:
    """Run one cell in a session of its own, which ends with it."""
    if not os.environ.get("SESSION_URL"):
        print("usage: SESSION_URL=... SESSION_TOKEN=... python check.py", file=sys.stderr)
        return 2
    token = os.environ.get("SESSION_TOKEN")
    try:
        async with SessionClient(os.environ["SESSION_URL"], token) as client:
            result = await client.run(CODE)
    except RemoteError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(result.text)
    return 0 if result.is_ok else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
