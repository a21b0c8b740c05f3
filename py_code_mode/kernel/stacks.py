"""Read the stack dump of a kernel that could not be interrupted.

Place in the house: inside ``kernel``, no I/O.
"""

from __future__ import annotations

import re

__all__ = ["readable_stack"]

_OURS = re.compile(r'File ".*/(?:ipykernel|IPython|tornado|asyncio|kernel_bootstrap|zmq)/')
_CELL_FILE = re.compile(r'File ".*/ipykernel_\d+/\d+\.py"')


def readable_stack(dump: str) -> str:
    """Keep of a faulthandler dump what the user's code did in the main thread, outermost first."""
    threads = re.split(r"\n(?=(?:Current thread|Thread) 0x)", dump.strip())
    frames = [line for line in threads[-1].splitlines() if line.startswith("  File ")]
    own = [_CELL_FILE.sub('File "<cell>"', line) for line in reversed(frames)]
    cell = next((i for i, line in enumerate(own) if '"<cell>"' in line), None)
    if cell is not None:
        own = own[cell:]
    kept = [line for line in own if not _OURS.search(line)]
    return "Stack when it was stopped (most recent call last):\n" + "\n".join(kept)
