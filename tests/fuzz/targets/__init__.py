"""What reads hostile input, one function for each area.

Place in the house: ``tests.fuzz``, above ``draw`` and ``seeds``. A target takes bytes, feeds host
code, and catches what that code's documentation says it raises. Everything else is a finding: any
other exception, ``RecursionError`` among them, and an invariant that does not hold. Targets are
loaded by name, because the child loads them, and with them the host, under instrumentation.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

__all__ = ["TARGETS", "Target", "load"]

Target = Callable[[bytes], None]

TARGETS = {
    "values": "tests.fuzz.targets.wire",
    "frames": "tests.fuzz.targets.wire",
    "messages": "tests.fuzz.targets.wire",
    "artifacts": "tests.fuzz.targets.wire",
    "settings": "tests.fuzz.targets.files",
    "skills": "tests.fuzz.targets.skills",
    "recording": "tests.fuzz.targets.transcripts",
    "notebook": "tests.fuzz.targets.transcripts",
    "page": "tests.fuzz.targets.pages",
}
"""Names of the targets, and the modules where they are."""


def load(name: str) -> Target:
    """Return a target, or any other function that is named as ``module:function``."""
    module, _, function = name.rpartition(":")
    target: Target = getattr(importlib.import_module(module or TARGETS[name]), function)
    return target
