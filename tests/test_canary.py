"""A variable of the host's environment gets nowhere: it is looked for in all that there is."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.conftest import ROOT
from tests.serving import serving

NAMES = ("CANARY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "GITHUB_TOKEN")

HOST = """
import asyncio, json, logging, os, sys, traceback
from pathlib import Path

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)

from py_code_mode import (CLIAdapter, CodeExecutor, FileArtifactStore, FileSkillStore, KernelConfig,
                          MCPAdapter, ToolRegistry, create_skill_library)

folder, server = Path(sys.argv[1]), sys.argv[2]

CELLS = [
    "import os, subprocess, sys\\n"
    "print(dict(os.environ))\\n"
    "print(subprocess.run([sys.executable, '-c', 'import os; print(dict(os.environ))'],"
    " capture_output=True, text=True).stdout)\\n"
    "!env\\n"
    "dict(os.environ)",
    "print(tools.env())\\ntools.odd.environment()",
    "import glob\\n"
    "seen = []\\n"
    "for name in glob.glob('/proc/[0-9]*/environ') if confined else ['/proc/self/environ']:\\n"
    "    try:\\n"
    "        seen.append(open(name, 'rb').read().decode('utf-8', 'replace'))\\n"
    "    except OSError as error:\\n"
    "        print(error)\\n"
    "print(seen)",
    "artifacts.save('environment', dict(os.environ))\\nartifacts.load('environment')",
    "skills.create('look', 'import os\\\\ndef run():\\\\n    return dict(os.environ)\\\\n', 'Look', "
    "replace=True)\\nskills.look()",
    "def fail(environment):\\n    raise ValueError(environment)\\nfail(dict(os.environ))",
    "tools.broken()",
    "tools.nothing_of_that_name()",
    "print(tools.describe('env', detail='full')); tools.search('environment')",
]

def broken() -> None:
    "Fail on the host, in a function with the environment at hand."
    environment = dict(os.environ)
    raise RuntimeError(f"{len(environment)} variables")

async def look(what):
    print(f"LOOK {what}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

async def life(name, config):
    registry = ToolRegistry()
    registry.register_adapter(CLIAdapter(name="env", command="env", args="", description="Print it"))
    registry.register_adapter(CLIAdapter(name="nap", command="sleep", args="{seconds}"))
    odd = MCPAdapter("odd", command=sys.executable, args=[server, "fine", "0"])
    registry.register_adapter(odd)
    await odd.start()
    registry.add(broken)
    library = create_skill_library(FileSkillStore(folder / "skills"))
    store = FileArtifactStore(folder / "artifacts")
    async with CodeExecutor(registry, library, store, kernel=config) as executor:
        await executor.default.set_variable("confined", config.sandbox.level != "none")
        for code in CELLS:
            result = await executor.run(code)
            print(result.to_dict(), result.text, result.for_model(), result._repr_mimebundle_())
        branch = await executor.default.fork()
        print((await branch.run(CELLS[0])).to_dict())
        task = asyncio.create_task(executor.run("tools.nap(seconds='30')"))
        while not (await executor.default.peek()).calls:
            await asyncio.sleep(0.01)
        print(await executor.default.peek())
        await look(name)
        await executor.default.interrupt()
        await task
        print(executor.system_prompt(), executor.stubs(), await executor.default.variables())
        executor.export_notebook(folder / f"{name}.ipynb")
        executor.export_notebook(folder / f"{name}.html")
        if name == "template":
            from py_code_mode.lab import stop_server
            await executor.open_lab(browser=False)
            await look("lab")
            stop_server()
    await odd.aclose()

async def main():
    await life("template", KernelConfig())
    await life("plain", KernelConfig(provisioner="py-code-mode-local"))
    await life("confined", KernelConfig(sandbox="landlock"))
    try:
        async with CodeExecutor(kernel=KernelConfig(python="/no/such/python")) as executor:
            await executor.run("1")
    except Exception:
        traceback.print_exc()

asyncio.run(main())
"""


@pytest.fixture
def canary() -> str:
    """A word that is nowhere else."""
    return f"canary{secrets.token_hex(16)}"


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for sockets, so that it is not passed by."""
    with tempfile.TemporaryDirectory(prefix="c", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def environment(canary: str, short: Path) -> dict[str, str]:
    """The host's: it has the canary in several variables, and writes to folders of its own."""
    own = {}
    for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        (short / name.lower()).mkdir()
        own[name] = str(short / name.lower())
    return {**os.environ, **own, **dict.fromkeys(NAMES, f"postgres://me:{canary}@db")}


def _find_in_files(folder: Path, canary: str) -> list[str]:
    return [str(f) for f in folder.rglob("*") if f.is_file() and canary.encode() in f.read_bytes()]


def _descendants(pid: int) -> Iterator[tuple[str, str]]:
    """Command and environment of each process below one."""
    for child in psutil.Process(pid).children(recursive=True):
        try:
            environ = Path(f"/proc/{child.pid}/environ").read_bytes().decode("utf-8", "replace")
            yield " ".join(child.cmdline()), environ
        except (OSError, psutil.NoSuchProcess):
            continue


KINDS = {
    "kernel": "kernel_bootstrap",
    "template": "--template",
    "tool": "sleep 30",
    "server of tools": "odd_server",
    "reaper": "reaping.py",
    "lab": "jupyterlab",
}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_variable_of_the_host_gets_nowhere(canary, environment, tmp_path, short):
    """Not into kernels, children, results, errors, logs, spans, transcripts, stores, nor files."""
    (tmp_path / "host.py").write_text(HOST)
    (tmp_path / "out").mkdir()
    odd = ROOT / "tests/tools/servers/odd_server.py"
    command = [sys.executable, "-u", str(tmp_path / "host.py"), str(tmp_path / "out"), str(odd)]
    seen, said = Counter[str](), []
    with (tmp_path / "stderr").open("wb") as stderr:
        host = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
            cwd=ROOT,
        )
    with host:
        assert host.stdin is not None
        assert host.stdout is not None
        for line in host.stdout:
            said.append(line)
            if line.startswith("LOOK "):
                for words, environ in _descendants(host.pid):
                    assert canary not in environ, words
                    assert canary not in words
                    seen.update(kind for kind, word in KINDS.items() if word in words)
                host.stdin.write("\n")
                host.stdin.flush()
    log = (tmp_path / "stderr").read_text()
    assert host.returncode == 0, log[-4000:]
    assert set(seen) == set(KINDS)
    text = "".join(said)
    assert text.count("'PATH'") > 10  # so environments were really shown
    assert len(log) > 1000
    assert canary not in text
    assert canary not in log
    assert len([*(tmp_path / "out").rglob("*")]) > 8
    assert _find_in_files(tmp_path, canary) + _find_in_files(short, canary) == []


def test_a_variable_of_a_server_gets_nowhere(canary, environment, tmp_path, short):
    """Not into answers, errors, metrics, descriptions, nor files of a session server."""
    variables = {name: environment[name] for name in (*NAMES, "TMPDIR", "HOME", "XDG_STATE_HOME")}
    texts, others = [], set(psutil.Process().children())
    with (
        serving(PY_CODE_MODE_TOKEN="secret", **variables) as url,
        httpx.Client(base_url=url, headers={"Authorization": "Bearer secret"}) as client,
    ):
        made = client.post("/sessions", json={}).json()["id"]
        codes = ("import os\nprint(dict(os.environ))\ndict(os.environ)", "!env", "1 / 0")
        runs = f"/sessions/{made}/execute"
        texts += [client.post(runs, json={"code": code}, timeout=60).text for code in codes]
        paths = ("/metrics", "/openapi.json", "/sessions", "/no/such/path", "/readyz")
        texts += [client.get(path).text for path in paths]
        (server,) = set(psutil.Process().children()) - others
        for words, environ in _descendants(server.pid):
            assert canary not in environ, words
    assert sum("PATH" in text for text in texts) >= 2
    assert not any(canary in text for text in texts)
    assert _find_in_files(tmp_path, canary) + _find_in_files(short, canary) == []


def test_the_command_line_tells_nothing_of_the_environment(canary, environment, tmp_path, short):
    """``run --json``, a notebook it exports, ``doctor`` and a failure show nothing of it."""
    until = time.monotonic() + 200
    for words in (
        ["run", "-", "--json", "--notebook", str(tmp_path / "run.ipynb")],
        ["run", "-", "--sandbox", "landlock"],
        ["doctor", "--json"],
        ["tools", "list", "--tools", "/no/such/folder"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "py_code_mode", *words],
            input="import os\nprint(dict(os.environ))\n1 / 0\n",
            capture_output=True,
            text=True,
            env=environment,
            timeout=until - time.monotonic(),
            check=False,
        )
        assert done.stdout + done.stderr
        assert canary not in done.stdout + done.stderr
    assert _find_in_files(tmp_path, canary) + _find_in_files(short, canary) == []
