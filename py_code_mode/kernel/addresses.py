"""A kernel at addresses of the network, or at those its front end has chosen.

Place in the house: inside ``kernel``, below ``launch``. A front end's connection file stays the
front end's, which may start the next kernel with it; the kernel gets a copy in its private
directory.
"""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import time
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.manager import AsyncKernelManager

from kernel_bootstrap.wire.birth import CHANNELS as GIVEN
from py_code_mode.errors import KernelStartError

__all__ = ["open_addresses", "take_addresses"]

CHANNELS = ("shell", "iopub", "stdin", "control", "hb")

BACKLOG = 128

FREE_SECONDS = 5.0
"""How long a former kernel that was killed may take to be gone."""


def open_addresses(manager: AsyncKernelManager, ip: str) -> list[socket.socket]:
    """Let a manager's kernel listen at an address of the network, where all is encrypted.

    The sockets are opened here and given to the kernel: nobody else can take a port meanwhile,
    and a kernel that may open none itself can be reached.

    Args:
        manager: The kernel's.
        ip: An address of this machine.

    Returns:
        The sockets, in the order in which a kernel is given them.

    Raises:
        OSError: It is no address of this machine.
    """
    listeners: list[socket.socket] = []
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        for name in GIVEN:
            listener = socket.socket(family)
            listeners.append(listener)
            listener.bind((ip, 0))
            listener.listen(BACKLOG)
            setattr(manager, f"{name}_port", listener.getsockname()[1])
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    manager.transport, manager.ip, manager.cache_ports = "tcp", ip, False
    manager.curve_publickey, manager.curve_secretkey = zmq.curve_keypair()
    manager.transport_encryption = "required"
    return listeners


async def take_addresses(manager: AsyncKernelManager, connection_file: str | Path) -> None:
    """Let a manager's kernel listen where a connection file says, with the key it has.

    Returns when nobody listens there any more.

    Raises:
        KernelStartError: The file is none, or somebody else listens there.
    """
    info = _read(Path(connection_file))
    manager.load_connection_info(info)  # type: ignore[arg-type]
    manager.cache_ports = False
    until = time.monotonic() + FREE_SECONDS
    while taken := [name for name in CHANNELS if not _is_free(info, name)]:
        if time.monotonic() > until:
            where = ", ".join(f"{name} at {_shown(info, name)}" for name in taken)
            raise KernelStartError(f"another program listens where the kernel should: {where}")
        await asyncio.sleep(0.02)


def _read(file: Path) -> dict[str, Any]:
    try:
        info = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise KernelStartError(f"{file} cannot be read: {error}") from error
    problem = _problem(info)
    if problem:
        raise KernelStartError(f"{file} is no connection file: {problem}")
    if info["transport"] == "ipc":
        info["ip"] = str(Path(info["ip"]).absolute())
    return dict(info)


def _problem(info: Any) -> str:
    if not isinstance(info, dict):
        return "it must be a JSON object"
    if info.setdefault("transport", "tcp") not in ("tcp", "ipc"):
        return f"its transport must be tcp or ipc, not {info['transport']!r}"
    for key in ("ip", "key"):
        if not isinstance(info.get(key), str):
            return f"its {key} must be text"
    for name in CHANNELS:
        port = info.get(f"{name}_port")
        if type(port) is not int or port <= 0:
            return f"its {name}_port must be a positive number"
    return ""


def _shown(info: dict[str, Any], name: str) -> str:
    between = ":" if info["transport"] == "tcp" else "-"
    return f"{info['ip']}{between}{info[name + '_port']}"


def _is_free(info: dict[str, Any], name: str) -> bool:
    if info["transport"] == "ipc":
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(_shown(info, name)) in (errno.ECONNREFUSED, errno.ENOENT)
    host = "0.0.0.0" if info["ip"] == "*" else info["ip"]  # noqa: S104 - the front end's choice
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As zmq does: what lingers of former connections is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, info[f"{name}_port"]))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True
