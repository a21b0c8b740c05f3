"""The client for programs without an event loop does what the other one does."""

from __future__ import annotations

import threading

import nbformat
import pytest

from py_code_mode.container import ServerUnreachable, SyncSessionClient
from py_code_mode.errors import ConfigError, KernelError, SessionClosed
from py_code_mode.events import Finished, Printed
from tests.container.conftest import TOKEN


def test_a_session_without_an_event_loop(server, tmp_path):
    """Each verb of the default session works without awaiting it, and nothing stays behind."""
    threads = threading.active_count()
    with SyncSessionClient(server.url, TOKEN) as client:
        client.start()
        assert client.execute("x = {1}\nx").value == {1}
        events = [*client.stream("print('a')\n2")]
        assert [event.text for event in events if isinstance(event, Printed)] == ["a\n"]
        assert isinstance(events[-1], Finished)
        client.set_variable("y", (1, 2))
        assert client.get_variable("y") == (1, 2)
        assert {variable.name for variable in client.variables()} == {"x", "y"}
        with pytest.raises(KernelError):
            client.get_variable("z")
        assert len(client.transcript().cells) == 2
        assert nbformat.read(client.export_notebook(tmp_path / "a.ipynb"), as_version=4)
        for event in client.stream("import time\nprint('begun')\ntime.sleep(60)\nleft = 1"):
            if isinstance(event, Printed):
                break
        assert client.run("'left' in dir()").value is False
        client.interrupt()
        client.reset()
        assert client.run("'x' in dir()").value is False
    with pytest.raises(SessionClosed):
        client.run("1")
    client.close()
    assert threading.active_count() == threads


def test_what_goes_wrong_without_an_event_loop():
    """Errors are those of the other client, and leave nothing open."""
    with pytest.raises(ConfigError), SyncSessionClient("nowhere"):
        pass
    with pytest.raises(SessionClosed, match="with"):
        SyncSessionClient("http://localhost:1").run("1")
    with SyncSessionClient("http://localhost:1") as client, pytest.raises(ServerUnreachable):
        client.run("1")
