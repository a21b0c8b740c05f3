"""The kernel as front ends start it that know no provisioners: an argv and a connection file."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import psutil

from py_code_mode import live
from tests.bootstrap.fakes import eventually
from tests.kernelspec.conftest import FrontEnd, front_end, gone


def kernel_of(front: FrontEnd) -> psutil.Process:
    """The kernel's process, by the number it tells."""
    return psutil.Process(int(front.run("import os; os.getpid()").value))


def test_a_notebook_s_cells_have_the_project_s_names(project):
    """Early cells run in order, with all a person is used to; and the host ends as its kernel."""
    with front_end(project / "notebooks") as front:
        early = front.client.execute("first = tools.wc(file='words.txt')")
        early_reply = front.client.execute("second = first + '!'")
        for id_ in (early, early_reply):
            reply = front.client.get_shell_msg(timeout=60)
            assert (reply["parent_header"]["msg_id"], reply["content"]["status"]) == (id_, "ok")
        front.hears()  # or what the next cell shows, and that it ended, may be sent to nobody
        shown = front.run(
            "import os\n"
            "artifacts.save('n', skills.count(text='a b'))\n"
            "second, artifacts.load('n'), os.environ['MODE'], os.path.basename(os.getcwd())"
        )
        assert shown.value == r"('3 words.txt\n!', 2, 'demo', 'notebooks')"
        assert (project / "data").is_dir()
        matches = front.client.complete("tools.w", reply=True, timeout=30)["content"]["matches"]
        assert matches == ["wc"]
        told = front.client.inspect("tools.wc", reply=True, timeout=30)["content"]
        assert "Count the words of a file" in told["data"]["text/plain"]
        assert front.run("input('who? ')", answer=lambda: "Ada").value == "'Ada'"
        _try_a_comm(front)
        _try_interrupts(front)
        _try_a_flood(front)
        kernel = kernel_of(front)
        kernel.kill()
        assert front.process.wait(30) == 128 + signal.SIGKILL
        assert "was killed by SIGKILL" in front.log.read_text()


def _try_a_comm(front: FrontEnd) -> None:
    """A widget's comm is opened by the front end, and answers."""
    front.run(
        "def opened(comm, message):\n"
        "    comm.on_msg(lambda message: comm.send({'echo': message['content']['data']}))\n"
        "get_ipython().kernel.comm_manager.register_target('echo', opened)"
    )
    session, channel = front.client.session, front.client.shell_channel
    channel.send(session.msg("comm_open", {"comm_id": "c", "target_name": "echo", "data": {}}))
    channel.send(session.msg("comm_msg", {"comm_id": "c", "data": 7}))
    while (message := front.client.get_iopub_msg(timeout=30))["msg_type"] != "comm_msg":
        pass
    assert message["content"]["data"] == {"echo": 7}


def _try_a_flood(front: FrontEnd) -> None:
    """What a person prints is the front end's to keep: the host soon forgets it."""
    assert len(front.run("print('x' * 5_000_000)").text()) == 5_000_001
    front.run("'small'")
    session = next(each for each in live.live_sessions() if each.pid == front.process.pid)

    def kept() -> list[str]:
        return ["".join(cell["source"]) for cell in live.fetch_notebook(session)["cells"]]

    eventually(lambda: kept()[-1:] == ["'small'"], 10)
    assert kept() == ["'small'"]


def _try_interrupts(front: FrontEnd) -> None:
    """The front end's message breaks code and a tool call that blocks; so does SIGINT to us."""
    for code, breaks in (
        ("import time\nopen('at', 'w').close()\ntime.sleep(100)", "message"),
        ("open('at', 'w').close()\ntools.slow(seconds=100)", "message"),
        ("open('at', 'w').close()\nwhile True: pass", "signal"),
    ):
        mark = front.folder / "at"
        id_ = front.client.execute(code, stop_on_error=False)
        eventually(mark.exists, 30)
        mark.unlink()
        started = time.monotonic()
        if breaks == "message":
            front.ask_control("interrupt_request")
        else:
            front.process.send_signal(signal.SIGINT)
        reply = front.client.get_shell_msg(timeout=30)
        assert reply["parent_header"]["msg_id"] == id_
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert time.monotonic() - started < 10
    eventually(
        lambda: (
            not [
                p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "100"]
            ]
        ),
        10,
    )


def test_a_killed_host_takes_the_kernel_along_and_is_started_again(project):
    """After kill -9 nothing is left, and the same addresses serve the next kernel at once."""
    with front_end(project, transport="ipc") as front:
        front.ready()
        front.run("x = 1\nimport subprocess\nchild = subprocess.Popen(['sleep', '1000'])")
        kernel, child = kernel_of(front), psutil.Process(int(front.run("child.pid").value))
        front.process.kill()
        front.process.wait(10)
        front.client.stop_channels()
        front.start()
        front.ready()
        assert front.run("x").reply["ename"] == "NameError"
        assert gone(kernel)
        assert gone(child)
        assert front.run("tools.wc(file='notebooks/words.txt').split()[0]").value == "'3'"
        other = kernel_of(front)
        front.process.send_signal(signal.SIGTERM)
        assert front.process.wait(30) == 128 + signal.SIGTERM
        eventually(lambda: gone(other), 10)


def test_what_is_wrong_is_said_in_the_notebook(project):
    """An unknown key is told, and nothing is used instead; the kernel ends with its front end."""
    (project / "py-code-mode.toml").write_text('tools = "my_tools"\n\n[kernel]\npyton = "x"\n')
    with ExitStack() as stack:
        parent = stack.enter_context(subprocess.Popen(["sleep", "1000"]))
        stack.callback(parent.kill)  # a failure must not wait for its end
        front = stack.enter_context(front_end(project, parent=parent.pid))
        front.ready()  # or what the first cell says may go out before anybody listens
        first = front.run("print(1 + 1)")
        assert first.text() == "2\n"
        assert "py-code-mode.toml:4: key 'kernel.pyton'" in first.text("stderr")
        assert "did you mean" not in front.run("2").text("stderr")
        for code in ("artifacts.save('a', 1)", "skills.list()"):
            failed = front.run(code).reply
            assert (failed["status"], "kernel.pyton" in failed["evalue"]) == ("error", True)
        assert "kernel.pyton" in front.log.read_text()
        kernel = kernel_of(front)
        parent.kill()
        assert front.process.wait(30) == 0
        eventually(lambda: gone(kernel), 10)


def test_a_file_that_is_no_connection_file(tmp_path):
    """The host ends with 1 and says what is wrong, where front ends show their log."""
    (tmp_path / "k.json").write_text('{"ip": 1}')
    done = subprocess.run(
        [sys.executable, "-m", "py_code_mode.kernelspec", "-f", "k.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "k.json is no connection file: its ip" in done.stderr) == (1, True)
