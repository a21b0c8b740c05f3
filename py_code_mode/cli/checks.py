"""The work of ``py-code-mode doctor``: one function a check, nothing assumed, everything tried.

Place in the house: inside ``cli``, above the executor.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
import shutil
import time
from dataclasses import asdict, dataclass
from typing import Literal

from py_code_mode import __version__
from py_code_mode.cli import loop
from py_code_mode.cli.output import show, show_json, show_table
from py_code_mode.cli.toolverbs import open_registry
from py_code_mode.config import KernelConfig
from py_code_mode.errors import CodeModeError
from py_code_mode.executor import CodeExecutor
from py_code_mode.kernel.launch import sandbox_level
from py_code_mode.tools.registry import ToolRegistry

__all__ = ["check"]

Verdict = Literal["ok", "failed", "missing"]

_STYLES = {"ok": "green", "failed": "red", "missing": "yellow"}

_EXTRAS = {
    "redis": ("redis", "stores in Redis"),
    "mcp": ("mcp", "tools of MCP servers, and py-code-mode-mcp"),
    "http": ("httpx", "tools of HTTP APIs"),
    "embed": ("tokenizers", "search by meaning"),
    "images": ("PIL", "pictures scaled down for models"),
    "container": ("httpx", "SessionClient"),
    "server": ("prometheus_client", "the session server"),
    "lab": ("jupyterlab", "JupyterLab"),
    "autogen": ("autogen_core", "AutoGen"),
    "otel": ("opentelemetry", "traces"),
    "ray": ("ray", "sessions on the machines of a cluster"),
}
_PROGRAMS = {
    "git": "requirements that are git repositories",
    "uv": "environments with packages, made fast",
    "npx": "MCP servers from npm",
    "redis-server": "a Redis server of your own",
    "docker": "the container image",
    "podman": "the container image",
}
_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        verdict: ``ok``; ``failed``: it must work and does not; ``missing``: it could be there.
        what: What was checked.
        detail: What was found.
    """

    verdict: Verdict
    what: str
    detail: str


def check(arguments: argparse.Namespace) -> int:
    """Check everything and tell; return the exit code."""
    findings = [_versions(), *loop.run(_kernel(arguments.python)), _sandbox(arguments.python)]
    if arguments.tools is not None:
        findings += loop.run(_tools(arguments.tools))
    findings += [*map(_extra, _EXTRAS), *map(_program, _PROGRAMS)]
    failed = [finding for finding in findings if finding.verdict == "failed"]
    if arguments.json:
        show_json({"ok": not failed, "findings": [asdict(each) for each in findings]})
    else:
        show_table(((each.verdict, each.what, each.detail) for each in findings), styles=_STYLES)
        show(f"\n{len(failed)} failed" if failed else "\nwhat must work works")
    return 1 if failed else 0


def _versions() -> Finding:
    versions = {"py-code-mode": __version__, "Python": platform.python_version()}
    for name in ("ipykernel", "jupyter_client"):
        versions[name] = importlib.metadata.version(name)
    return Finding("ok", "versions", ", ".join(f"{name} {x}" for name, x in versions.items()))


async def _kernel(python: str | None) -> list[Finding]:
    """Start a kernel, run a cell, call a tool from it, break a cell."""
    registry = ToolRegistry()

    def echo(value: int) -> int:
        """Return the value."""
        return value

    registry.add(echo)
    found: list[Finding] = []
    try:
        async with CodeExecutor(registry, kernel=KernelConfig(python=python)) as executor:
            started = time.monotonic()
            await executor.start()
            found.append(Finding("ok", "kernel", f"up after {time.monotonic() - started:.2f} s"))
            found.append(await _cell(executor, "cells", "40 + 2", 42))
            found.append(await _cell(executor, "comm", "tools.echo(value=42)", 42))
            found.append(await _interrupt(executor))
    except (CodeModeError, OSError) as error:
        found.append(Finding("failed", "kernel", str(error)))
    return found


def _sandbox(python: str | None) -> Finding:
    try:
        level = sandbox_level(KernelConfig(python=python, sandbox="auto"))
    except CodeModeError as error:
        return Finding("missing", "sandbox", str(error))
    return Finding("missing" if level.name == "none" else "ok", "sandbox", str(level))


async def _cell(executor: CodeExecutor, what: str, code: str, wanted: object) -> Finding:
    result = await executor.run(code, timeout=_TIMEOUT)
    if result.error is not None or result.value != wanted:
        return Finding("failed", what, result.text)
    return Finding("ok", what, f"{code} gave {result.value!r} in {result.seconds * 1000:.0f} ms")


async def _interrupt(executor: CodeExecutor) -> Finding:
    result = await executor.run("while True: pass", timeout=0.2)
    if result.error is None or result.error.name != "ExecutionTimeout" or result.state_lost:
        return Finding("failed", "interrupt", result.text or "an endless cell ended by itself")
    late = max(result.seconds - 0.2, 0.0)
    return Finding("ok", "interrupt", f"an endless cell was broken, {late * 1000:.0f} ms late")


async def _tools(where: str) -> list[Finding]:
    try:
        async with await open_registry(where) as registry:
            found = [Finding("ok", "tools", f"{len(registry.list_tools())} in {where}")]
            return found + [Finding("failed", "tools", str(each)) for each in registry.problems]
    except (CodeModeError, OSError) as error:
        return [Finding("failed", "tools", str(error))]


def _extra(name: str) -> Finding:
    module, use = _EXTRAS[name]
    if importlib.util.find_spec(module) is None:
        return Finding("missing", f"extra {name}", f"{use}: pip install 'py-code-mode[{name}]'")
    return Finding("ok", f"extra {name}", use)


def _program(name: str) -> Finding:
    path = shutil.which(name)
    return Finding("missing" if path is None else "ok", name, path or _PROGRAMS[name])
