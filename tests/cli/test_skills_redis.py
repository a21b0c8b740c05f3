"""``py-code-mode skills`` on a real Redis server: a folder goes in, comes back, and is watched."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import py_code_mode
from tests.bootstrap.fakes import eventually

pytestmark = [
    pytest.mark.needs("redis-server", "redis-cli"),
    pytest.mark.skipif(
        not hasattr(py_code_mode, "RedisSkillStore"), reason="there is no RedisSkillStore yet"
    ),
]


@pytest.fixture
def url(tmp_path_factory) -> Iterator[str]:
    """A server on a socket of its own."""
    folder = tmp_path_factory.mktemp("redis")
    socket = folder / "r.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        eventually(lambda: _answers(socket), 20)
        yield f"unix://{socket}?prefix=my-agent"
        server.terminate()


def _answers(socket: Path) -> bool:
    ping = ["redis-cli", "-s", socket, "ping"]
    return subprocess.run(ping, check=False, capture_output=True).stdout == b"PONG\n"


def test_a_folder_and_redis_become_alike(cli, tmp_path, url):
    """A dry run and a diff between a folder and Redis tell what sync then does, either way."""
    folder = tmp_path / "skills"
    folder.mkdir()
    (folder / "one.py").write_text('"""Count words.\n\n>>> run()\n1\n"""\ndef run(): return 1\n')
    assert cli("skills", "sync", "skills", url, "--dry-run").out.startswith("added    one\n")
    assert cli("skills", "list", "--skills", url).out == ""
    assert cli("skills", "sync", "skills", url).code == 0
    assert cli("skills", "list", "--skills", url).out == "one  Count words.\n"
    assert cli("skills", "search", "words", "--skills", url).code == 0
    (folder / "one.py").write_text('"""Count words.\n\n>>> run()\n1\n"""\ndef run(): return 2\n')
    said = cli("skills", "sync", url, "skills", "--dry-run", "--diff")
    assert said.out.startswith("changed  one\n--- one.py\n+++ one.py\n")
    assert "-def run(): return 2\n+def run(): return 1\n" in said.out
    assert cli("skills", "sync", "skills", url).out.startswith("changed  one\n")
    data = cli("skills", "show", "one", "--skills", url, "--json").json
    assert [version["number"] for version in data["versions"]] == [2, 1]
    said = cli("skills", "test", "--skills", url)
    assert (said.code, said.out.splitlines()[0]) == (1, "one: F")
    assert cli("skills", "rm", "one", "--skills", url).out == "removed one\n"


def test_a_server_that_is_not_there_is_a_clear_error(cli, tmp_path):
    """Without a server a command ends with 1 and a sentence, which shows no password."""
    said = cli(
        "skills", "list", "--skills", f"redis://:secret@localhost:1/0?prefix={tmp_path.name}"
    )
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("py-code-mode: ")
    assert len(said.err.splitlines()) == 1
    assert "secret" not in said.err
