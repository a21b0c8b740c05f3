"""All the tools a host offers, by name.

Place in the house: top of ``tools``. The executor pushes its catalogue into kernels and the
dispatcher calls through it; adapters know nothing of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from py_code_mode.errors import ConfigError, ToolCallError
from py_code_mode.search import CachedIndex, Document
from py_code_mode.tools.base import ToolAdapter, ToolInfo
from py_code_mode.tools.functions import FunctionAdapter
from py_code_mode.tools.loader import load_directory
from py_code_mode.tools.names import check_name, clean_name, not_found

__all__ = ["ToolRegistry"]

_log = logging.getLogger(__name__)

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tool and where it came from."""

    info: ToolInfo
    clean: str
    adapter: ToolAdapter
    origin: str


@dataclass(slots=True)
class _Shelf:
    """What a registry and its scoped views share.

    Attributes:
        entries: By exact name.
        names: Every exact and every clean name, and whose it is.
        adapters: In order of registration.
        functions: The adapter behind ``add``.
        version: Grows with every change.
        index: For searches of the whole registry... 
    """
