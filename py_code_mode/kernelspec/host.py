"""The host of a front end's kernel: from the connection file to the kernel's end.

Place in the house: inside ``kernelspec``, below ``__main__``. Front ends know only this process:
they wait for its end, kill it, start it again with the same connection file. So the kernel is
this program's child, ends with it (see ``reaper``), and lends it its exit code.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from pathlib import Path

from py_code_mode.config import KernelConfig
from py_code_mode.errors import CodeModeError
from py_code_mode.executor import CodeExecutor
from py_code_mode.frontend import LIMITS, begin, follow_tools
from py_code_mode.kernel.waiting import readable
from py_code_mode.project import PROJECT_FILE, Project, project_of

__all__ = ["serve"]

SIGNALLED = 128
"""Exit codes from here on name the signal that ended a process, as in shells."""

PARENT_SECONDS = 1.0
"""Between looks at the front end, where its end is not told."""

log = logging.getLogger(__name__)


async def serve(arguments: argparse.Namespace) -> int:
    """Start the kernel and be its host until it ends, or this program is told to.

    Args:
        arguments: ``connection_file``, and those of ``add_project_arguments``.

    Returns:
        The kernel's exit code.

    Raises:
        CodeModeError: The kernel did not come up.
    """
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGHUP):
        _on_signal(number, told)
    # Before there is a kernel an interrupt has nothing to break.
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
    executor, notice, refusal = await _open(arguments)
    async with executor:
        kernel = await begin(executor.default, notice=notice, refusal=refusal)
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGINT, lambda: asyncio.ensure_future(kernel.interrupt())
        )
        following = asyncio.create_task(follow_tools(executor.default))
        left = asyncio.create_task(_front_end_left())
        ends: set[asyncio.Future[object]] = {kernel.died, told, left}  # type: ignore[arg-type]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in (following, left):
            task.cancel()
        await asyncio.wait((following, left))
        if not kernel.died.done():
            return told.result() if told.done() else 0
        code = kernel.exit_code or 0
        if code:
            log.error("%s", kernel.how_it_ended())
        return code if code >= 0 else SIGNALLED - code


def _on_signal(number: signal.Signals, told: asyncio.Future[int]) -> None:
    def tell() -> None:
        if not told.done():
            told.set_result(SIGNALLED + number)

    asyncio.get_running_loop().add_signal_handler(number, tell)


async def _open(arguments: argparse.Namespace) -> tuple[CodeExecutor, str, str]:
    """Make the executor of the project.

    Returns:
        It, what the person must know, and why nothing can be used; both may be empty.
    """
    try:
        project = project_of(arguments)
        executor = await _executor(project, arguments.connection_file)
    except CodeModeError as error:
        log.error("%s", error)  # noqa: TRY400 - a person's mistake needs no stack
        refusal = f"py-code-mode: {error}"
        notice = f"{refusal}\nTools, skills and artifacts cannot be used until that is right."
        bare = CodeExecutor(
            kernel=KernelConfig(connection_file=arguments.connection_file), limits=LIMITS
        )
        return bare, notice, refusal
    return executor, _notice(project, executor), ""


async def _executor(project: Project, connection_file: str) -> CodeExecutor:
    import dataclasses

    return await CodeExecutor.create(
        **project.options(),
        kernel=dataclasses.replace(project.kernel, connection_file=connection_file),
        default_timeout=None,
        limits=LIMITS,
        author="notebook",
    )


def _notice(project: Project, executor: CodeExecutor) -> str:
    if project.file is None and not any((project.tools, project.skills, project.artifacts)):
        return (
            f"py-code-mode: there is no {PROJECT_FILE} in {Path.cwd()} or above it, so there are "
            "no tools, and skills and artifacts are kept only as long as this kernel runs."
        )
    return "\n".join(f"py-code-mode: left out: {problem}" for problem in executor.problems)


async def _front_end_left() -> None:
    """Return when the program that started us is gone, if it wants to be outlived by nothing."""
    named = os.environ.get("JPY_PARENT_PID", "")
    if not named.isdecimal() or int(named) <= 1:
        await asyncio.get_running_loop().create_future()
    try:
        process = os.pidfd_open(int(named))
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # not Linux, or one that has none of these
        await _is_gone(int(named))
        return
    try:
        await readable(process)
    finally:
        os.close(process)


async def _is_gone(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass  # it is there
        await asyncio.sleep(PARENT_SECONDS)
