"""The notebooks: run, with outputs that are the same each time, and rendered as pages of the docs.

``make notebooks`` (``python -m tests.notebooks``) does all three after a notebook was changed; the
tests do the first, and compare.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = ROOT / "docs" / "notebooks"

SAME = {
    r"<span>[\d.]+ m?s</span>": "<span>… ms</span>",
    r"\b0x[0-9a-f]{6,}\b": "0x…",
    r"127\.0\.0\.1:\d+": "127.0.0.1:…",
}
"""What differs from run to run, and what stands in its place."""

_PICTURE = re.compile(r"data:image/png;base64,([\w+/=]+)")
_PRE = re.compile(r"<pre[^>]*>.*?</pre>", re.DOTALL)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


async def execute(path: Path, folder: Path) -> NotebookNode:
    """Run a notebook from top to bottom, in a folder, without its kept outputs."""
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", resources=resources)
    # Under pytest ipykernel leaves its streams without a descriptor.
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    await client.async_execute(env=environment)
    return clean(notebook)


def clean(notebook: NotebookNode) -> NotebookNode:
    """Replace what differs from run to run, and from machine to machine."""
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "outputs" in cell:
            cell.outputs = _joined(cell.outputs)
        for output in cell.get("outputs", ()):
            if "text" in output:
                output.text = _same(output.text)
            for mime, text in output.get("data", {}).items():
                if mime.startswith("text/"):
                    output.data[mime] = _same(text)
    return notebook


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of a stream, which come as they come."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if joined and output.get("name", "") == joined[-1].get("name", None):
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _same(text: str) -> str:
    for pattern, instead in SAME.items():
        text = re.sub(pattern, instead, text)
    return text


def told(notebook: NotebookNode) -> dict[str, list[dict[str, str]]]:
    """The outputs of each code cell, by its id; of pictures only that they are there."""
    return {
        cell.id: [_told(output) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


def _told(output: NotebookNode) -> dict[str, str]:
    if "data" not in output:
        return {"kind": output.output_type, "text": str(output.get("text", output.get("evalue")))}
    data = {
        mime: "picture" if mime.startswith("image/") else _PICTURE.sub("picture", str(content))
        for mime, content in output.data.items()
    }
    return {"kind": output.output_type, **data}


def render(notebook: NotebookNode, name: str) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as a page of the docs, and the pictures beside it."""
    from nbconvert import MarkdownExporter

    notebook, pictures = nbformat.from_dict(notebook), {}
    for cell in notebook.cells:
        cell.source = cell.source.replace("](../docs/", "](../")
        for output in cell.get("outputs", ()):
            page = output.get("data", {}).get("text/html")
            if page is None:
                continue

            def beside(match: re.Match[str], id_: str = cell.id) -> str:
                path = f"{name}_files/{id_}-{len(pictures)}.png"
                pictures[path] = base64.b64decode(match[1])
                return path

            page = re.sub(r' style="[^"]*"', "", _PICTURE.sub(beside, page))
            # An empty line would end the block of HTML in Markdown.
            page = _PRE.sub(lambda match: match[0].replace("\n", "&#10;"), page)
            output.data = {"text/html": page}
    text, _ = MarkdownExporter().from_notebook_node(notebook)
    made = f"<!-- Made by `make notebooks` of notebooks/{name}.ipynb -->\n\n"
    parts = text.split("```")  # every second one is code, whose empty lines are its own
    parts[::2] = [re.sub(r"\n{3,}", "\n\n", part) for part in parts[::2]]
    return made + "```".join(parts).strip() + "\n", pictures


async def main(names: list[str]) -> None:
    """Run, clean and render the notebooks of these names; without any, all of them."""
    PAGES.mkdir(exist_ok=True)
    for path in NOTEBOOKS:
        if names and path.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            notebook = await execute(path, Path(folder))
        nbformat.write(notebook, path)
        page, pictures = render(read(path), path.stem)
        (PAGES / f"{path.stem}.md").write_text(page)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(PAGES / f"{path.stem}_files")
        for name, data in pictures.items():
            (PAGES / name).parent.mkdir(exist_ok=True)
            (PAGES / name).write_bytes(data)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
