"""What a session's author wants done before the agent's code runs.

Place in the house: bottom of ``kernel``; a template does it once for all its kernels.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["run_preload"]


def run_preload(namespace: dict[str, Any], items: Sequence[str]) -> None:
    """Import modules, and run scripts in the session's namespace.

    Args:
        namespace: Where the names that scripts define go; imported modules get no name there.
        items: Names of modules, and paths of scripts, which end in ``.py``.

    Raises:
        ImportError: There is no such module.
        OSError: A script cannot be read.
        Exception: Whatever a module or script raises.
    """
    for item in items:
        if item.endswith(".py"):
            code = compile(Path(item).read_bytes(), item, "exec")
            exec(code, namespace)  # noqa: S102 - the author's own script
        else:
            importlib.import_module(item)
