"""The kernelspec in programs that run notebooks: nbclient, papermill, nbconvert, jupyter_client."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
from jupyter_client import KernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook, new_output

from py_code_mode import CodeExecutor, KernelConfig

CELLS = (
    "counted = tools.wc(file='words.txt')",
    "artifacts.save('n', skills.count(text=counted))\nprint(artifacts.load('n'))",
)
PRINTED = new_output("stream", name="stdout", text="2\n")


def notebook(*cells: str) -> nbformat.NotebookNode:
    """Make a notebook of our kernel."""
    made = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    made.metadata.kernelspec = {"name": "py-code-mode", "display_name": "", "language": "python"}
    return made


def test_nbclient_runs_a_notebook(project, jupyter):
    """With no further code, in the notebook's folder; a broken tool is told, the others work."""
    (project / "my_tools" / "broken.yaml").write_text("name: broken\n  x")
    ran = notebook(*CELLS)
    client = NotebookClient(ran, resources={"metadata": {"path": str(project / "notebooks")}})
    client.execute()
    told, printed = ran.cells[0].outputs, ran.cells[1].outputs
    assert [output.name for output in told] == ["stderr"]
    assert "left out" in told[0].text
    assert "broken.yaml" in told[0].text
    assert printed == [PRINTED]


def test_papermill_runs_a_notebook(project, jupyter):
    """Parameters arrive, and what the cells showed is written down."""
    folder = project / "notebooks"
    made = notebook("file = 'none'", "tools.wc(file=file)", CELLS[1].replace("counted", "file"))
    made.cells[0].metadata.tags = ["parameters"]
    nbformat.write(made, folder / "in.ipynb")
    papermill.execute_notebook(
        folder / "in.ipynb",
        folder / "out.ipynb",
        {"file": "words.txt"},
        cwd=folder,
        progress_bar=False,
    )
    out = nbformat.read(folder / "out.ipynb", 4)
    assert "3 words.txt" in out.cells[2].outputs[0].data["text/plain"]


async def test_nbconvert_runs_an_exported_notebook(project, jupyter, monkeypatch):
    """What a session exports is a notebook of our kernel: it runs again, with the project's tools."""
    folder, file = project / "notebooks", project / "notebooks" / "exported.ipynb"
    monkeypatch.chdir(folder)  # where commands run
    async with await CodeExecutor.create(
        tools=project / "my_tools",
        skills=project / "my_skills",
        artifacts=project / "data",
        kernel=KernelConfig(cwd=folder),
    ) as executor:
        for cell in CELLS:
            assert (await executor.run(cell)).is_ok
        executor.export_notebook(file)
    nbformat.validate(nbformat.read(file, 4))
    command = (sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", "--inplace")
    await asyncio.to_thread(
        subprocess.run, [*command, file.name], cwd=folder, check=True, timeout=90, env=os.environ
    )
    again = nbformat.read(file, 4)
    assert again.cells[1].outputs == [PRINTED]
    nbformat.validate(again)


def test_a_manager_restarts_the_kernel(project, jupyter, monkeypatch):
    """Same connection file and keys, a new kernel, none of the former names."""
    monkeypatch.chdir(project)
    manager = KernelManager(kernel_name="py-code-mode")
    if hasattr(manager, "transport_encryption"):  # encrypted where the kernel can
        manager.transport_encryption = "auto"
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        file = Path(manager.connection_file).read_text()
        can = "supported_encryption" in manager.kernel_spec.metadata
        assert ("curve_publickey" in file) is (can and hasattr(manager, "transport_encryption"))
        client.execute("x = 1", reply=True, timeout=30)
        manager.restart_kernel()
        client.wait_for_ready(timeout=60)
        reply = client.execute("tools.wc, x", reply=True, timeout=30)
        assert reply["content"]["ename"] == "NameError"
        assert Path(manager.connection_file).read_text() == file
    finally:
        client.stop_channels()
        client.context.term()
        manager.shutdown_kernel()
        manager.context.term()
