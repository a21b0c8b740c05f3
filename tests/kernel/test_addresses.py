"""Addresses of a front end: read from its connection file, taken when nobody listens there."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import AsyncKernelManager

from py_code_mode.errors import KernelStartError
from py_code_mode.kernel import addresses
from py_code_mode.kernel.addresses import take_addresses

PORTS = {f"{name}_port": number for number, name in enumerate(addresses.CHANNELS, 1)}


def connection_file(folder: Path, **said: Any) -> Path:
    """Write a connection file."""
    file = folder / "kernel.json"
    file.write_text(
        json.dumps({"ip": str(folder / "s"), "key": "k", "transport": "ipc"} | PORTS | said)
    )
    return file


async def test_a_manager_takes_what_the_file_says(tmp_path):
    """Transport, addresses and key are the file's, and the file stays as it is."""
    file = connection_file(tmp_path, key="secret", signature_scheme="hmac-sha512")
    before = file.read_text()
    manager = AsyncKernelManager(connection_file=str(tmp_path / "ours.json"))
    await take_addresses(manager, file)
    info = manager.get_connection_info()
    assert (info["transport"], info["ip"], info["hb_port"]) == ("ipc", str(tmp_path / "s"), 5)
    assert (info["key"], info["signature_scheme"]) == (b"secret", "hmac-sha512")
    assert file.read_text() == before


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
async def test_addresses_are_waited_for(tmp_path, monkeypatch, transport):
    """A former kernel may take a moment to go; a program that stays is named."""
    family = socket.AF_INET if transport == "tcp" else socket.AF_UNIX
    with socket.socket(family) as other:
        other.bind(("127.0.0.1", 0) if transport == "tcp" else str(tmp_path / "s-1"))
        other.listen()
        place = {"transport": transport}
        if transport == "tcp":
            port = other.getsockname()[1]
            place |= {"ip": "127.0.0.1", **dict.fromkeys(PORTS, port)}
        file = connection_file(tmp_path, **place)
        monkeypatch.setattr(addresses, "FREE_SECONDS", 0.1)
        with pytest.raises(KernelStartError, match=r"another program listens .*: shell at"):
            await take_addresses(AsyncKernelManager(), file)
        monkeypatch.setattr(addresses, "FREE_SECONDS", 60)
        waiting = asyncio.create_task(take_addresses(AsyncKernelManager(), file))
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"transport": "inproc"}, "transport must be tcp or ipc"),
        ({"key": None}, "key must be text"),
        ({"shell_port": 0}, "shell_port must be a positive number"),
        ({"iopub_port": "7"}, "iopub_port must be a positive number"),
    ],
)
async def test_what_is_no_connection_file(tmp_path, said, why):
    """The error names the file and what is wrong in it."""
    with pytest.raises(KernelStartError, match=why):
        await take_addresses(AsyncKernelManager(), connection_file(tmp_path, **said))
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(KernelStartError, match="must be a JSON object"):
        await take_addresses(AsyncKernelManager(), tmp_path / "list.json")
    with pytest.raises(KernelStartError, match="cannot be read"):
        await take_addresses(AsyncKernelManager(), tmp_path / "none.json")
