"""Tests of commands as tools, with real processes."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import stat
import threading
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from py_code_mode.errors import (
    ConfigError,
    ToolCallError,
    ToolError,
    ToolNotFoundError,
    ToolTimeoutError,
)
from py_code_mode.tools import CLIAdapter
from tests import descriptors

FAMILY = """
    import os, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(
        [sys.executable, "-S", "-c",
         "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])
    with open(sys.argv[1] + ".new", "w") as file:
        print(os.getpid(), child.pid, file=file)
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    print("started", flush=True)
    time.sleep(600)
"""
"""A tool and a child of its own, both deaf to SIGTERM; their pids go into a file."""


async def test_stdout_is_the_value(cli):
    """A command gives its standard output, exactly as it printed it."""
    echo = cli("echo", args="{words}")
    assert await echo.call("echo", {"words": ["a  b", "c"]}) == "a  b c\n"


async def test_argv_is_exact(python):
    """A real child sees exactly the arguments the rules say, whatever they hold."""
    tool = python("import json, sys; print(json.dumps(sys.argv[1:]))", "-x {flags} --y={y} {z}")
    nasty = "a b; $(touch x) `id` 'q' \"r\" \\ \n*"
    out = await tool.call("tool", {"flags": "-a 'b c'", "y": nasty, "z": [nasty, "2"]})
    assert json.loads(out) == ["-x", "-a", "b c", f"--y={nasty}", nasty, "2"]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.one_of(st.text(), st.lists(st.text(), max_size=3), st.integers(), st.floats()))
@example("$(id)")
@example("a\nb; 'c")
@example("x\0")
@example("\udcff")
@example("\ud800")
async def test_never_a_shell(cli, value):
    """Any value reaches a real child as it is, or is a ``ToolError``."""
    tool = cli("show", command="printf", args="'%s\\0' '' {value}")
    items = [str(item) for item in (value if isinstance(value, list) else [value])]
    try:
        out = await tool.call("show", {"value": value})
    except ToolError:
        assert any(item.startswith("-") or "\0" in item or "\ud800" in item for item in items)
    else:
        assert out.split("\0")[1:-1] == items


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.dictionaries(st.text(), st.recursive(st.none() | st.text(), st.lists), max_size=3))
async def test_any_arguments_give_a_value_or_a_tool_error(cli, arguments):
    """Whatever is passed under whatever names, the answer is text or a ``ToolError``."""
    try:
        out = await cli("true", args="{a} {flags}").call("true", arguments)
    except ToolError:
        return
    assert out == ""


async def test_failure_tells_what_stderr_said(cli):
    """A non-zero exit raises with the stderr text; code and both streams are kept."""
    tool = cli("fail", command="sh", args="-c 'echo out; echo gone wrong >&2; exit 3'")
    with pytest.raises(ToolCallError, match="tool 'fail' exited with code 3: gone wrong") as caught:
        await tool.call("fail", {})
    assert caught.value.exit_code == 3
    assert caught.value.stderr == "gone wrong\n"
    assert caught.value.stdout == "out\n"


async def test_failure_without_stderr_tells_stdout(cli):
    """A command that complains on its standard output is heard, too."""
    tool = cli("fail", command="sh", args="-c 'echo complaint; exit 1'")
    with pytest.raises(ToolCallError, match="code 1: complaint"):
        await tool.call("fail", {})


async def test_long_stderr_is_cut_in_the_message(cli):
    """A message carries the end of a long stderr, the error all that was kept of it."""
    tool = cli("fail", command="sh", args="-c 'seq 100000 >&2; exit 1'")
    with pytest.raises(ToolCallError) as caught:
        await tool.call("fail", {})
    assert len(str(caught.value)) < 2500
    assert str(caught.value).endswith("100000")
    assert len(caught.value.stderr) > 500_000


async def test_death_by_signal_is_named(cli):
    """A command that a signal killed says which."""
    tool = cli("dies", command="sh", args="-c 'kill -SEGV $$'")
    with pytest.raises(ToolCallError, match="killed by signal SIGSEGV"):
        await tool.call("dies", {})


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("no-such-program-here", "'no-such-program-here' is not installed or not on PATH"),
        ("/no/such/program", "not installed"),
        ("/etc/passwd", "could not be started: Permission denied"),
        ("/etc", "could not be started: Permission denied"),
    ],
)
async def test_command_that_cannot_start(cli, command: str, message: str):
    """A command that is not there or is no program is named."""
    with pytest.raises(ToolCallError) as caught:
        await cli(command=command).call("tool", {})
    assert message in str(caught.value)


async def test_script_without_its_interpreter(cli, tmp_path: Path):
    """A script whose interpreter is missing is not said to be missing itself."""
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(ToolCallError, match="interpreter"):
        await cli(command=str(script)).call("tool", {})


async def test_arguments_that_are_too_long(cli):
    """Arguments beyond what the system takes are a clear error, not a crash."""
    with pytest.raises(ToolCallError, match="too long: 1000006 bytes in 2 arguments"):
        await cli("true", args="{x}").call("true", {"x": "y" * 1_000_000})


async def test_stdin_is_empty(cli):
    """A tool reads an end of file, never the host's input."""
    assert await cli("cat").call("cat", {}) == ""


async def test_secrets_stay_here(cli, monkeypatch: pytest.MonkeyPatch):
    """Of the host's environment a tool gets what programs need, not what may be a secret."""
    monkeypatch.setenv("API_KEY", "secret")
    monkeypatch.setenv("https_proxy", "http://me:secret@proxy")
    monkeypatch.setenv("http_proxy", "http://proxy")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    out = await cli("env").call("env", {})
    assert "secret" not in out
    assert {"http_proxy=http://proxy", "LC_ALL=C.UTF-8"} <= set(out.splitlines())
    assert f"PATH={os.environ['PATH']}" in out


async def test_output_that_is_no_utf8(python):
    """Bytes that are not UTF-8 survive, and so does the text around them."""
    tool = python(r"import sys; sys.stdout.buffer.write(b'caf\xc3\xa9 \xff\xfe\x00 end')")
    out = await tool.call("tool", {})
    assert out.encode("utf-8", "surrogateescape") == b"caf\xc3\xa9 \xff\xfe\x00 end"


async def test_stderr_that_is_no_utf8_can_be_shown(python):
    """An error's message can be printed anywhere, whatever bytes stderr held."""
    tool = python(r"import sys; sys.stderr.buffer.write(b'bad \xff'); sys.exit(1)")
    with pytest.raises(ToolCallError) as caught:
        await tool.call("tool", {})
    str(caught.value).encode()
    assert caught.value.stderr == "bad \udcff"


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 101, 5000])
@pytest.mark.parametrize("size", [50, 5000, 200_000])
async def test_output_is_bounded(python, limit: int, size: int):
    """Head and tail of long output are kept, no character is cut, and one line tells the rest."""
    text = ("é日-" * size)[:size]
    tool = python(
        f"import sys; sys.stdout.buffer.write(('é日-' * {size})[:{size}].encode())",
        max_output=limit,
    )
    out = await tool.call("tool", {})
    total = len(text.encode())
    if total <= limit:
        assert out == text
        return
    head, marker, tail = out.split("\n")
    assert text.startswith(head)
    assert text.endswith(tail)
    kept = len(head.encode()) + len(tail.encode())
    assert marker == f"[... {total - kept} of {total} bytes cut ...]"
    assert limit - 6 <= kept <= limit


@pytest.mark.alone
async def test_flood(cli):
    """A flood is read to its end and neither fills the memory nor holds up the loop."""
    tool = cli("flood", command="sh", args="-c 'head -c 50000000 /dev/zero; echo end'")
    before = psutil.Process().memory_info().rss
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - start)

    watcher = asyncio.create_task(watch())
    out = await tool.call("flood", {})
    watcher.cancel()
    assert out.endswith("\0end\n")
    assert len(out) < 1_100_000
    assert psutil.Process().memory_info().rss - before < 20_000_000
    assert longest < 0.2


async def test_timeout(python, tmp_path: Path, eventually, is_running):
    """A tool that takes too long is killed with all its children; what it printed is kept."""
    tool = python(FAMILY, "{file}", timeout=0.5)
    with pytest.raises(ToolTimeoutError, match=r"longer than its limit of 0\.5 s") as caught:
        await tool.call("tool", {"file": str(tmp_path / "pids")})
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.stdout == "started\n"
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    await eventually(lambda: not any(map(is_running, pids)))


async def test_cancellation_kills_the_group(python, tmp_path: Path, eventually, is_running):
    """Cancelling a call kills the tool and its children, even those that ignore SIGTERM."""
    tool, file = python(FAMILY, "{file}"), tmp_path / "pids"
    call = asyncio.create_task(tool.call("tool", {"file": str(file)}))
    await eventually(file.exists)
    parent, child = map(int, file.read_text().split())
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not psutil.pid_exists(parent)  # waited for, no zombie
    await eventually(lambda: not is_running(child))


async def test_cancelled_twice(python, tmp_path: Path, eventually):
    """A second cancellation while the first is at work leaves nothing behind either."""
    tool, file = python(FAMILY, "{file}"), tmp_path / "pids"
    call = asyncio.create_task(tool.call("tool", {"file": str(file)}))
    await eventually(file.exists)
    parent, _ = map(int, file.read_text().split())
    call.cancel()
    asyncio.get_running_loop().call_soon(call.cancel)
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not psutil.pid_exists(parent)


async def test_background_child_does_not_outlive_the_call(
    cli, tmp_path: Path, eventually, is_running
):
    """What a tool leaves running in its process group ends with the call."""
    file = tmp_path / "pid"
    tool = cli("sh", args="-c 'sleep 600 >/dev/null 2>&1 & echo $! > \"$0\"' {file}")
    await tool.call("sh", {"file": str(file)})
    await eventually(lambda: not is_running(int(file.read_text())))


@pytest.mark.alone
async def test_grandchild_that_holds_the_pipe(cli, tmp_path: Path, eventually, is_running):
    """A grandchild that keeps the output open does not hold up the call, and loses nothing."""
    file = tmp_path / "pid"
    tool = cli("sh", args="-c 'sleep 600 & echo $! > \"$0\"; echo said' {file}")
    start = time.monotonic()
    assert await tool.call("sh", {"file": str(file)}) == "said\n"
    assert time.monotonic() - start < 2
    await eventually(lambda: not is_running(int(file.read_text())))


@pytest.mark.alone
async def test_daemon_that_holds_the_pipe(python, tmp_path: Path, eventually, is_running):
    """Not even one that left the process group holds up the call."""
    file = tmp_path / "pid"
    tool = python(
        """
        import os, sys, time
        if os.fork() == 0:
            os.setsid()
            open(sys.argv[1], "w").write(str(os.getpid()))
            time.sleep(600)
        print("said")
        """,
        "{file}",
    )
    start = time.monotonic()
    assert await tool.call("tool", {"file": str(file)}) == "said\n"
    assert time.monotonic() - start < 2
    await eventually(lambda: file.exists() and file.read_text())
    psutil.Process(int(file.read_text())).kill()


async def test_closing_ends_running_calls(python, tmp_path: Path, eventually, is_running):
    """Closing kills what runs; its calls fail, and so do later ones."""
    tool, file = python(FAMILY, "{file}"), tmp_path / "pids"
    call = asyncio.create_task(tool.call("tool", {"file": str(file)}))
    await eventually(file.exists)
    await tool.aclose()
    pids = [int(pid) for pid in file.read_text().split()]
    await eventually(lambda: not any(map(is_running, pids)))
    with pytest.raises(ToolCallError, match="closed while it ran"):
        await call
    with pytest.raises(ToolCallError, match="is closed"):
        await tool.call("tool", {})


async def test_nothing_leaks():
    """Two hundred calls, some of them cancelled, leave no descriptor and no process behind."""
    me = psutil.Process()
    at_first = set(me.children()), descriptors.count()
    tool = CLIAdapter("sh", args="-c {script}")
    await tool.call("sh", {"script": "true"})
    with_reaper = descriptors.count()
    children = me.children()
    for number in range(200):
        call = asyncio.create_task(tool.call("sh", {"script": "exit $(( $$ % 2 ))"}))
        if number % 10 == 0:
            await asyncio.sleep(0)
            call.cancel()
        await asyncio.wait([call])
        assert call.cancelled() or call.exception() is None or call.exception().exit_code == 1
    assert descriptors.count() <= with_reaper
    assert me.children() == children  # the reaper
    await tool.aclose()
    assert set(me.children()) <= at_first[0]
    assert descriptors.count() <= at_first[1]


async def test_without_pidfd(
    cli, monkeypatch: pytest.MonkeyPatch, python, tmp_path: Path, eventually
):
    """Where there is no pidfd, a thread tells of the exit, and all the same holds."""
    monkeypatch.delattr(os, "pidfd_open")
    assert await cli("echo", args="{x}").call("echo", {"x": "a"}) == "a\n"
    with pytest.raises(ToolCallError, match="code 1"):
        await cli("false").call("false", {})
    tool, file = python(FAMILY, "{file}"), tmp_path / "pids"
    call = asyncio.create_task(tool.call("tool", {"file": str(file)}))
    await eventually(file.exists)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not psutil.pid_exists(int(file.read_text().split()[0]))


async def test_no_thread_left(cli, monkeypatch: pytest.MonkeyPatch):
    """When the system gives no thread to wait with, the call fails and leaves no process."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    tool = cli("sleep", args="{x}")
    with monkeypatch.context() as patch:
        patch.delattr(os, "pidfd_open")
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(ToolCallError, match="could not be started: can't start new thread"):
            await tool.call("sleep", {"x": 600})
    assert "sleep" not in [each.name() for each in psutil.Process().children()]


async def test_no_descriptor_left(cli):
    """When descriptors run out a call fails or works, nothing leaks, and later ones work."""
    tool = cli("echo", args="{x}")
    await tool.call("echo", {"x": 1})
    # The limit is on a descriptor's number: fill the holes that earlier tests left below.
    fillers = [os.dup(1)]
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    while fillers[-1] < highest:
        fillers.append(os.dup(1))
    before, (soft, hard) = descriptors.count(), resource.getrlimit(resource.RLIMIT_NOFILE)
    outcomes = set()
    for more in range(12):
        resource.setrlimit(resource.RLIMIT_NOFILE, (fillers[-1] + 1 + more, hard))
        try:
            outcomes.add(await tool.call("echo", {"x": 1}))
        except ToolCallError as error:
            outcomes.add(error.message)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert descriptors.count() <= before
    for filler in fillers:
        os.close(filler)
    text = "tool 'echo': command 'echo' could not be started: Too many open files"
    assert outcomes == {text, "1\n"}


async def test_fifty_at_once(cli):
    """Fifty calls at once overlap and each gets its own output."""
    tool = cli("sh", args="-c 'sleep 0.3; echo \"$0\"' {word}")
    start = time.monotonic()
    outs = await asyncio.gather(*(tool.call("sh", {"word": n}) for n in range(50)))
    assert outs == [f"{n}\n" for n in range(50)]
    assert time.monotonic() - start < 5


async def test_unknown_name(cli):
    """A command answers to its tool's name alone."""
    with pytest.raises(ToolNotFoundError):
        await cli("true").call("false", {})


def test_info():
    """The tool is described by its template; placeholders are its parameters."""
    adapter = CLIAdapter("nmap", args="{flags} {target}", description=" Scan \n", tags=["recon"])
    (info,) = adapter.tools()
    assert (info.name, info.description, info.tags) == ("nmap", "Scan", {"recon"})
    assert [param.name for param in info.params] == ["flags", "target"]
    assert info.returns == "str"


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"name": ""}, "name"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"max_output": 0}, "max_output"),
        ({"command": "git log"}, "command"),
        ({"command": ""}, "command"),
        ({"args": "{"}, "args"),
        ({"allow_options": ["x"]}, "allow_options"),
    ],
)
def test_bad_settings(settings: dict, key: str):
    """A setting that makes no sense is refused when the adapter is made, naming its key."""
    with pytest.raises(ConfigError) as caught:
        CLIAdapter(**{"name": "tool", **settings})
    assert caught.value.key == key


@pytest.fixture
def nmap() -> CLIAdapter:
    if shutil.which("nmap") is None and os.environ.get("CI") != "true":
        pytest.skip("nmap is not installed")
    return CLIAdapter("nmap", args="{flags} {target}", timeout=60)


async def test_real_nmap(nmap: CLIAdapter):
    """The README's nmap scans this machine, with flags and without."""
    async with asyncio.TaskGroup() as group:
        listed = group.create_task(nmap.call("nmap", {"target": "127.0.0.1", "flags": "-sL -n"}))
        scanned = group.create_task(nmap.call("nmap", {"target": "127.0.0.1"}))
    assert "Nmap scan report for 127.0.0.1" in listed.result()
    assert "Host is up" in scanned.result()
    with pytest.raises(ToolCallError, match="must not begin with '-'"):
        await nmap.call("nmap", {"target": "-iL/etc/passwd"})
    await nmap.aclose()
