"""Runs a transcript's cells again.

Place in the house: top of ``replay``. The session is a fresh one: its tools answer out of the
recording, its skills and artifacts are what the cells found when they were recorded.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from py_code_mode.artifacts.memory import MemoryArtifactStore
from py_code_mode.config import KernelConfig
from py_code_mode.errors import CodeModeError, ConfigError
from py_code_mode.executor import CodeExecutor
from py_code_mode.replay.compare import STOPPED, differences
from py_code_mode.replay.recorded import RecordedCell, RecordedRun, read_run
from py_code_mode.replay.refusals import Refusals
from py_code_mode.replay.report import CellReport, Difference, ReplayReport
from py_code_mode.replay.tools import RecordedTools
from py_code_mode.secrets import Secrets
from py_code_mode.skills.library import create_skill_library
from py_code_mode.tools.registry import ToolRegistry
from py_code_mode.transcripts.cells import outputs_of

__all__ = ["replay"]

_LEAST, _TIMES = 60.0, 10.0
"""A cell may take so many seconds, or so many times what it took when it was recorded."""

_MOST = 86_400.0
"""Whatever the file says it took."""


async def replay(
    path: str | os.PathLike[str],
    *,
    timeout: float | None = None,
    kernel: KernelConfig | None = None,
) -> ReplayReport:
    """Run a transcript's cells again, in order, and tell where they differ.

    No tool is run and no server is asked: tools answer as they did, errors included. The code
    itself does run, in a kernel: files and networks that it uses without a tool it uses again.

    Args:
        path: A notebook that ``export_notebook`` wrote.
        timeout: Seconds each cell may take; None: a minute, or ten times what it took.
        kernel: How the kernel is started.

    Raises:
        ConfigError: The file is no transcript; the message names the cell.
        KernelStartError: No kernel came up.
    """
    run = await asyncio.to_thread(read_run, Path(path))
    tools = RecordedTools(run.tools)
    refusals, cells = Refusals(), list[CellReport]()
    async with _session(run, tools, refusals, kernel) as executor:
        for cell in run.cells:
            if cell.new_kernel:
                await executor.reset()
            tools.begin(cell.calls, is_stopped=_ended(cell) in STOPPED)
            refusals.begin(cell)
            cells.append(await _again(cell, executor, tools, timeout))
    return ReplayReport(run.path, tuple(cells), run.notes)


@asynccontextmanager
async def _session(
    run: RecordedRun, tools: RecordedTools, refusals: Refusals, kernel: KernelConfig | None
) -> AsyncIterator[CodeExecutor]:
    registry, library, artifacts = ToolRegistry(), create_skill_library(), MemoryArtifactStore()
    try:
        registry.register_adapter(tools, origin=str(run.path))
        for skill in run.skills:
            library.store.save(skill)
        for each in run.artifacts:
            artifacts.save_packed(each.name, each.kind, each.data, each.details)
    except ConfigError as error:
        raise ConfigError(f"its tools: {error}", file=run.path) from error
    except CodeModeError as error:
        raise ConfigError(f"its metadata: {error}", file=run.path) from error
    executor = CodeExecutor(registry, library, artifacts, kernel=kernel, policy=refusals)
    async with executor:
        yield executor


async def _again(
    cell: RecordedCell, executor: CodeExecutor, tools: RecordedTools, timeout: float | None
) -> CellReport:
    if cell.execution_count is None and cell.state_lost:
        await executor.reset()
        return CellReport(cell.number, None, skipped="its kernel had died, so it was not run")
    result = await executor.run(cell.source, timeout=_limit(cell, timeout))
    found: list[Difference] = [
        *tools.differences(),
        *differences(cell.outputs, outputs_of(result, Secrets())),
    ]
    if cell.state_lost and not result.state_lost:
        await executor.reset()
    return CellReport(cell.number, cell.execution_count, round(result.seconds, 6), tuple(found))


def _ended(cell: RecordedCell) -> str:
    """Return the name of the error that a cell ended with."""
    error = next((each for each in cell.outputs if each["output_type"] == "error"), None)
    return "" if error is None else str(error["ename"])


def _limit(cell: RecordedCell, timeout: float | None) -> float:
    if _ended(cell) in STOPPED:
        # It would go on for ever, or until somebody comes: as long as it had, and no longer.
        return min(max(1.0, cell.seconds or 0.0), _MOST)
    return timeout or min(max(_LEAST, _TIMES * (cell.seconds or 0.0)), _MOST)
