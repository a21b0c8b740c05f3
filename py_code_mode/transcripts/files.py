"""A notebook written to a file: as it is, or as a page.

Place in the house: inside ``transcripts``, above ``page``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["write_notebook"]


def write_notebook(notebook: NotebookNode, path: Path) -> Path:
    """Write a notebook to ``path``, whole or not at all; return the path.

    Args:
        notebook: The notebook.
        path: Where to; one that ends in ``.html`` becomes a page of HTML.

    Raises:
        ConfigError: A page is wanted, and nbconvert is not installed.
    """
    import nbformat

    if path.suffix.lower() in {".html", ".htm"}:
        from py_code_mode.transcripts.page import to_page

        text = to_page(notebook, path.stem)
    else:
        text = nbformat.writes(notebook) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path
