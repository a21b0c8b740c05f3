"""A session whose cells come from a Jupyter front end: a notebook, a console.

Place in the house: executor layer, above ``session``. The front end has chosen the addresses of the
kernel (``KernelConfig.connection_file``) and sends its cells straight to it; this program answers
what the cells ask of tools, skills and artifacts, as the host of any session does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kernel_bootstrap.wire.limits import MIB, Limits
from kernel_bootstrap.wire.messages import Query
from py_code_mode.session import Session

if TYPE_CHECKING:
    from py_code_mode.kernel.process import KernelProcess

__all__ = ["LIMITS", "begin", "follow_tools"]

LIMITS = Limits(
    stream_chars=16 * MIB,
    text_chars=4 * MIB,
    output_bytes=64 * MIB,
    outputs=1_000,
    outputs_bytes=256 * MIB,
    recorded_bytes=0,  # the front end's notebook is what is kept, and it has none of them
)
"""A person may look at more than a model; a flood still does not fill the notebook."""

TRANSCRIPT_BYTES = 4 * MIB
"""Cells that the host keeps for ``py-code-mode lab``; the front end has its own notebook."""

FOLLOW_SECONDS = 1.0


async def begin(session: Session, *, notice: str = "", refusal: str = "") -> KernelProcess:
    """Start a session's kernel, and let the front end's cells run.

    Args:
        session: Of an executor whose kernels take a front end's addresses.
        notice: What the first cell says on stderr.
        refusal: Why nothing is answered that cells ask of tools, skills and artifacts.

    Returns:
        Its kernel.

    Raises:
        KernelStartError: It did not come up, or another program listens where it should.
        KernelDied: It ended at once.
    """
    cells = session._cells
    cells.notebook.max_bytes = TRANSCRIPT_BYTES
    if refusal:
        cells.refuse(refusal)
    kernel = await cells.slot.ready()
    await kernel.query(Query.BEGIN, notice=notice)
    return kernel


async def follow_tools(session: Session) -> None:
    """Tell the kernel of tools that come and go, as those of MCP servers do, until cancelled.

    A session does so before each cell that it sends; a front end's cells it does not see coming.

    Raises:
        KernelDied: The kernel has ended.
    """
    while True:
        await asyncio.sleep(FOLLOW_SECONDS)
        await session._cells.slot.ready()
