"""``py-code-mode skills test``: examples of skills, run where skills run.

Place in the house: inside ``cli``, above the executor.
"""

from __future__ import annotations

import argparse
from typing import Any

from py_code_mode.artifacts.file import FileArtifactStore
from py_code_mode.cli import loop
from py_code_mode.cli.output import show, show_json
from py_code_mode.executor import CodeExecutor
from py_code_mode.results import ExecutionResult
from py_code_mode.skills.library import SkillLibrary
from py_code_mode.tools.registry import ToolRegistry

__all__ = ["run_tests"]

_MARKS = {"passed": ".", "failed": "F", "skipped": "s"}


def run_tests(library: SkillLibrary, arguments: argparse.Namespace) -> int:
    """Run the examples of the named skills, of all without a name; return the exit code."""
    names = arguments.names or [skill.name for skill in library.list()]
    for name in names:
        library.find(name)
    reports = loop.run(_reports(library, names, arguments)) if names else []
    if not arguments.names:
        reports += [_failed(problem.skill, problem.reason) for problem in library.problems()]
    failed = sum(bool(report["failed"] or report["error"]) for report in reports)
    if arguments.json:
        show_json(reports)
    else:
        for report in reports:
            _show(report)
        show(f"{len(reports)} tested, {failed} failed")
    return 1 if failed else 0


async def _reports(
    library: SkillLibrary, names: list[str], arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    registry = None
    if arguments.tools is not None:
        registry = await ToolRegistry.from_dir(arguments.tools)
    artifacts = None if arguments.artifacts is None else FileArtifactStore(arguments.artifacts)
    async with CodeExecutor(registry, library, artifacts) as executor:
        return [
            _report(name, await executor.run(_code(name), timeout=arguments.timeout))
            for name in names
        ]


def _code(name: str) -> str:
    # A name is an identifier, or `find` had not known it.
    return f"skills.test({name!r})"


def _report(name: str, result: ExecutionResult) -> dict[str, Any]:
    """Return what came of a skill; the kernel is not trusted to say it in the right form."""
    if result.error is not None:
        return _failed(name, f"{result.error.name}: {result.error.message}")
    value = result.value
    try:
        return {
            "name": name,
            "passed": int(value["passed"]),
            "failed": int(value["failed"]),
            "results": [
                {
                    "line": int(each["line"]),
                    **{key: str(each[key]) for key in ("code", "expected", "got", "outcome")},
                }
                for each in value["results"]
            ],
            "error": "",
        }
    except (TypeError, KeyError, ValueError):
        return _failed(name, "the session gave no report")


def _failed(name: str, error: str) -> dict[str, Any]:
    return {"name": name, "passed": 0, "failed": 0, "results": [], "error": error}


def _show(report: dict[str, Any]) -> None:
    marks = "".join(_MARKS.get(each["outcome"], "?") for each in report["results"])
    show(f"{report['name']}: {marks or ('error' if report['error'] else 'no examples')}")
    if report["error"]:
        show(_indented(report["error"]))
    for each in report["results"]:
        if each["outcome"] == "failed":
            show(f"  line {each['line']}:\n{_indented(each['code'], '    >>> ')}")
            if each["expected"]:
                show(f"  expected:\n{_indented(each['expected'])}")
            show(f"  got:\n{_indented(each['got'] or 'nothing')}")


def _indented(text: str, prefix: str = "    ") -> str:
    return "\n".join(prefix + line for line in text.split("\n"))
