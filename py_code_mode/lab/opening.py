"""Open sessions in JupyterLab: a notebook with the cells so far, on the live kernel.

Place in the house: top of ``lab``.
"""

from __future__ import annotations

import json
import time
import uuid
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from py_code_mode.errors import KernelError
from py_code_mode.lab.server import LabServer, start_server
from py_code_mode.live import LiveSession, fetch_notebook

if TYPE_CHECKING:
    import httpx

__all__ = ["LabPage", "open_sessions"]

_OURS = ("%debug",)
"""Cells that were put there for a person to run."""

FIND_SECONDS = 15.0
"""How long the server may take to find a kernel."""


@dataclass(frozen=True, slots=True)
class LabPage:
    """A session's page in JupyterLab.

    Attributes:
        session: The session's id, as ``py-code-mode lab`` lists it.
        url: The page, with the server's token.
        notebook: The notebook's file.
        server: The server's process.
    """

    session: str
    url: str
    notebook: Path
    server: int


def open_sessions(
    sessions: Sequence[LiveSession], *, browser: bool = True, then: str = ""
) -> list[LabPage]:
    """Give each session a notebook in JupyterLab that is attached to its live kernel.

    JupyterLab is started if it does not run. A notebook that is open in it is left as it is; one
    with cells of a person's own, which the session does not know, is kept beside the new one.

    Args:
        sessions: Which; may be another program's.
        browser: Whether to open the first one's page in a browser.
        then: Code of a last cell, for a person to run.

    Raises:
        ConfigError: JupyterLab is not installed.
        KernelError: It did not come up, or a session's program does not answer.
    """
    import httpx

    server = start_server()
    headers = {"Authorization": f"token {server.token}"}
    # Nothing of the environment: a proxy has no business on loopback.
    with httpx.Client(base_url=server.url, headers=headers, timeout=30, trust_env=False) as client:
        try:
            pages = [_open(client, server, session, then) for session in sessions]
        except httpx.HTTPError as error:
            raise KernelError(f"JupyterLab at {server.url} does not answer: {error}") from error
    if browser and pages:
        webbrowser.open(pages[0].url)
    return pages


def _open(client: httpx.Client, server: LabServer, session: LiveSession, then: str) -> LabPage:
    path = f"{session.id}.ipynb"
    file = server.folder.notebooks / path
    kernel_id = _kernel_of(client, session)
    shown = next((each for each in _get(client, "api/sessions") if each["path"] == path), None)
    if shown is None or not shown["kernel"]["connections"]:
        _write(file, _with_cell(fetch_notebook(session), then))
    if shown is None:
        wanted = {"path": path, "name": path, "type": "notebook", "kernel": {"id": kernel_id}}
        client.post("api/sessions", json=wanted).raise_for_status()
    elif shown["kernel"]["id"] != kernel_id:
        change = {"kernel": {"id": kernel_id}}
        client.patch(f"api/sessions/{shown['id']}", json=change).raise_for_status()
    url = f"{server.url}lab/tree/{quote(path)}?token={server.token}"
    return LabPage(session.id, url, file, server.pid)


def _get(client: httpx.Client, path: str) -> Any:
    return client.get(path).raise_for_status().json()


def _kernels(client: httpx.Client) -> Any:
    answer = client.get("api/kernels")
    # The server stumbles over a session that ends, any program's, as it reads its file.
    return [] if answer.is_server_error else answer.raise_for_status().json()


def _kernel_of(client: httpx.Client, session: LiveSession) -> str:
    """Return the id that the server has given a session's kernel."""
    until = time.monotonic() + FIND_SECONDS
    while time.monotonic() < until:
        for kernel in _kernels(client):
            if kernel["name"] == session.id:
                return str(kernel["id"])
        time.sleep(0.05)
    raise KernelError(f"JupyterLab does not find the kernel of session {session.id}")


def _with_cell(notebook: dict[str, Any], code: str) -> dict[str, Any]:
    if not code:
        return notebook
    empty: dict[str, Any] = {"execution_count": None, "metadata": {}, "outputs": []}
    cell = {"cell_type": "code", "id": uuid.uuid4().hex[:8], "source": code, **empty}
    return {**notebook, "cells": [*notebook["cells"], cell]}


def _write(file: Path, notebook: dict[str, Any]) -> None:
    if file.exists() and _has_own_cells(file, notebook):
        names = (file.with_stem(f"{file.stem}-{number}") for number in range(1, 10_000))
        file.rename(next(name for name in names if not name.exists()))
    new = file.with_name(f".{file.name}")
    new.write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8", errors="replace")
    new.replace(file)


def _has_own_cells(file: Path, notebook: dict[str, Any]) -> bool:
    """Whether a person has written something that the session's own notebook lacks."""
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        known = {"", *_OURS, *map(_text, notebook["cells"])}
        return not known.issuperset(map(_text, cells))
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"]).strip()
