"""The work of ``py-code-mode run``.

Place in the house: inside ``cli``, above the executor.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from py_code_mode.cli import loop
from py_code_mode.cli.output import complain, note, show, show_json, stream
from py_code_mode.errors import ConfigError
from py_code_mode.events import Displayed, Event, Finished, Printed
from py_code_mode.executor import CodeExecutor
from py_code_mode.outputs import Output
from py_code_mode.project import project_of
from py_code_mode.results import ExecutionResult

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Run the cells; return the exit code.

    Raises:
        ConfigError: There is nothing to run, or a file cannot be read.
        CodeModeError: No kernel could be started, or a server not be reached.
    """
    cells = [*map(_read, arguments.files), *arguments.code]
    if not cells:
        raise ConfigError("there is nothing to run: give FILE, - for stdin, or -c CODE")
    return loop.run(_run(cells, arguments))


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8: {error}", file=file) from error


async def _run(cells: list[str], arguments: argparse.Namespace) -> int:
    project = project_of(arguments)
    timeout = project.timeout if arguments.timeout is None else arguments.timeout
    executor = await CodeExecutor.create(
        **project.options(),
        default_timeout=timeout or None,
        kernel=project.kernel,
        author="py-code-mode run",
    )
    async with executor:
        for problem in executor.problems:
            complain(str(problem))
        results = []
        for cell in cells:
            results.append(await _cell(executor, cell, is_shown=not arguments.json))
            if not results[-1].is_ok:
                break
        if arguments.notebook is not None:
            _export(executor, arguments.notebook)
    if arguments.json:
        show_json([result.to_dict() for result in results])
    return 0 if results[-1].is_ok else 1


def _export(executor: CodeExecutor, file: str) -> None:
    try:
        executor.export_notebook(file)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=file) from error


async def _cell(executor: CodeExecutor, code: str, *, is_shown: bool) -> ExecutionResult:
    async for event in executor.stream(code):
        if isinstance(event, Finished):
            if is_shown:
                _end(event.result)
            return event.result
        if is_shown:
            _tell(event)
    raise AssertionError("a stream ends with Finished")


def _tell(event: Event) -> None:
    if isinstance(event, Printed):
        stream(event.text, is_error=event.name == "stderr")
    elif isinstance(event, Displayed):
        show(_text(event.output))


def _text(output: Output) -> str:
    pictures = [mime for mime in output.data if mime.startswith("image/")]
    if pictures and output.kind != "result":
        return f"[{', '.join(pictures)}]"
    return output.text or f"[{', '.join(output.data)}]"


def _end(result: ExecutionResult) -> None:
    if result.error is not None:
        note(result.error.text)
    for cut in result.truncated:
        note(f"[cut: {cut}]")
