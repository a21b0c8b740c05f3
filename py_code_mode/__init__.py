"""Code mode for LLM agents: agents write Python, a real IPython kernel runs it.

Everything public is importable from here. Names load on first use, so that importing the
package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from py_code_mode.artifacts.base import ArtifactInfo, ArtifactStore
    from py_code_mode.artifacts.file import FileArtifactStore
    from py_code_mode.artifacts.memory import MemoryArtifactStore
    from py_code_mode.artifacts.redis import RedisArtifactStore
    from py_code_mode.branches import Checkpoint, Trials
    from py_code_mode.config import KernelConfig, Limits, Sandbox
    from py_code_mode.errors import (
        ArtifactError,
        ArtifactNotFoundError,
        ArtifactWriteError,
        CodeModeError,
        ConfigError,
        ExecutionError,
        ExecutionTimeout,
        KernelDied,
        KernelError,
        KernelStartError,
        KernelUnresponsive,
        MissingPackagesError,
        PlacementError,
        PolicyError,
        ProtocolError,
        SessionClosed,
        SkillError,
        SkillNotFoundError,
        SkillValidationError,
        ToolCallError,
        ToolDeniedError,
        ToolError,
        ToolNotFoundError,
        ToolTimeoutError,
        ValueNotEncodableError,
    )
    from py_code_mode.events import (
        Cleared,
        Displayed,
        Event,
        Failed,
        Finished,
        Printed,
        Started,
        ToolCalled,
        ToolLogged,
        ToolProgressed,
        Updated,
    )
    from py_code_mode.executor import CodeExecutor
    from py_code_mode.governance.budget import Budget, ToolLimit
    from py_code_mode.governance.rules import Rule, Rules
    from py_code_mode.outputs import Media, Output, RemoteValue, ResourceLink
    from py_code_mode.packages import PackagePolicy
    from py_code_mode.parts import ContentPart, ImagePart, TextPart
    from py_code_mode.peek import Peek
    from py_code_mode.placement import Ray
    from py_code_mode.policy import Action, Decision, Policy
    from py_code_mode.results import Cut, ErrorInfo, ExecutionResult, StackFrame, ToolCall, Variable
    from py_code_mode.search.keeping import IndexKeeper
    from py_code_mode.search.local import SentenceTransformersEmbedder
    from py_code_mode.search.meaning import Embedder
    from py_code_mode.session import Session
    from py_code_mode.skills.file import FileSkillStore
    from py_code_mode.skills.found import FoundSkill
    from py_code_mode.skills.library import SkillLibrary, create_skill_library
    from py_code_mode.skills.memory import MemorySkillStore
    from py_code_mode.skills.redis import RedisSkillStore
    from py_code_mode.skills.skill import Skill, SkillExample, SkillParam
    from py_code_mode.skills.store import SkillStore, SkillUsage, SkillVersion
    from py_code_mode.skills.sync import SkillChange, SkillChanges
    from py_code_mode.stores import open_skill_store
    from py_code_mode.tools.base import StartingAdapter, ToolAdapter, ToolInfo, ToolParam
    from py_code_mode.tools.cli import CLIAdapter
    from py_code_mode.tools.found import FoundTool
    from py_code_mode.tools.functions import FunctionAdapter
    from py_code_mode.tools.http.adapter import HTTPAdapter
    from py_code_mode.tools.http.openapi import OpenAPIAdapter
    from py_code_mode.tools.mcp.adapter import MCPAdapter
    from py_code_mode.tools.registry import ToolRegistry
    from py_code_mode.tools.reports import report_log, report_progress
    from py_code_mode.tools.store import RedisToolStore, ToolStore

__version__ = "0.1.0"

_WHERE = {
    "artifacts.base": ("ArtifactInfo", "ArtifactStore"),
    "artifacts.file": ("FileArtifactStore",),
    "artifacts.memory": ("MemoryArtifactStore",),
    "artifacts.redis": ("RedisArtifactStore",),
    "branches": ("Checkpoint", "Trials"),
    "config": ("KernelConfig", "Limits", "Sandbox"),
    "errors": (
        "ArtifactError",
        "ArtifactNotFoundError",
        "ArtifactWriteError",
        "CodeModeError",
        "ConfigError",
        "ExecutionError",
        "ExecutionTimeout",
        "KernelDied",
        "KernelError",
        "KernelStartError",
        "KernelUnresponsive",
        "MissingPackagesError",
        "PlacementError",
        "PolicyError",
        "ProtocolError",
        "SessionClosed",
        "SkillError",
        "SkillNotFoundError",
        "SkillValidationError",
        "ToolCallError",
        "ToolDeniedError",
        "ToolError",
        "ToolNotFoundError",
        "ToolTimeoutError",
        "ValueNotEncodableError",
    ),
    "events": (
        "Cleared",
        "Displayed",
        "Event",
        "Failed",
        "Finished",
        "Printed",
        "Started",
        "ToolCalled",
        "ToolLogged",
        "ToolProgressed",
        "Updated",
    ),
    "executor": ("CodeExecutor",),
    "governance.budget": ("Budget", "ToolLimit"),
    "governance.rules": ("Rule", "Rules"),
    "outputs": ("Media", "Output", "RemoteValue", "ResourceLink"),
    "parts": ("ContentPart", "ImagePart", "TextPart"),
    "packages": ("PackagePolicy",),
    "placement": ("Ray",),
    "policy": ("Action", "Decision", "Policy"),
    "peek": ("Peek",),
    "results": ("Cut", "ErrorInfo", "ExecutionResult", "StackFrame", "ToolCall", "Variable"),
    "search.keeping": ("IndexKeeper",),
    "search.local": ("SentenceTransformersEmbedder",),
    "search.meaning": ("Embedder",),
    "session": ("Session",),
    "skills.file": ("FileSkillStore",),
    "skills.found": ("FoundSkill",),
    "skills.library": ("SkillLibrary", "create_skill_library"),
    "skills.memory": ("MemorySkillStore",),
    "skills.redis": ("RedisSkillStore",),
    "skills.skill": ("Skill", "SkillExample", "SkillParam"),
    "skills.store": ("SkillStore", "SkillUsage", "SkillVersion"),
    "skills.sync": ("SkillChange", "SkillChanges"),
    "stores": ("open_skill_store",),
    "tools.base": ("StartingAdapter", "ToolAdapter", "ToolInfo", "ToolParam"),
    "tools.cli": ("CLIAdapter",),
    "tools.found": ("FoundTool",),
    "tools.functions": ("FunctionAdapter",),
    "tools.http.adapter": ("HTTPAdapter",),
    "tools.http.openapi": ("OpenAPIAdapter",),
    "tools.mcp.adapter": ("MCPAdapter",),
    "tools.registry": ("ToolRegistry",),
    "tools.reports": ("report_log", "report_progress"),
    "tools.store": ("RedisToolStore", "ToolStore"),
}

_MODULE_OF = {name: f"py_code_mode.{module}" for module, names in _WHERE.items() for name in names}

__all__ = [
    "Action",
    "ArtifactError",
    "ArtifactInfo",
    "ArtifactNotFoundError",
    "ArtifactStore",
    "ArtifactWriteError",
    "Budget",
    "CLIAdapter",
    "Checkpoint",
    "Cleared",
    "CodeExecutor",
    "CodeModeError",
    "ConfigError",
    "ContentPart",
    "Cut",
    "Decision",
    "Displayed",
    "Embedder",
    "ErrorInfo",
    "Event",
    "ExecutionError",
    "ExecutionResult",
    "ExecutionTimeout",
    "Failed",
    "FileArtifactStore",
    "FileSkillStore",
    "Finished",
    "FoundSkill",
    "FoundTool",
    "FunctionAdapter",
    "HTTPAdapter",
    "ImagePart",
    "IndexKeeper",
    "KernelConfig",
    "KernelDied",
    "KernelError",
    "KernelStartError",
    "KernelUnresponsive",
    "Limits",
    "MCPAdapter",
    "Media",
    "MemoryArtifactStore",
    "MemorySkillStore",
    "MissingPackagesError",
    "OpenAPIAdapter",
    "Output",
    "PackagePolicy",
    "Peek",
    "PlacementError",
    "Policy",
    "PolicyError",
    "Printed",
    "ProtocolError",
    "Ray",
    "RedisArtifactStore",
    "RedisSkillStore",
    "RedisToolStore",
    "RemoteValue",
    "ResourceLink",
    "Rule",
    "Rules",
    "Sandbox",
    "SentenceTransformersEmbedder",
    "Session",
    "SessionClosed",
    "Skill",
    "SkillChange",
    "SkillChanges",
    "SkillError",
    "SkillExample",
    "SkillLibrary",
    "SkillNotFoundError",
    "SkillParam",
    "SkillStore",
    "SkillUsage",
    "SkillValidationError",
    "SkillVersion",
    "StackFrame",
    "Started",
    "StartingAdapter",
    "TextPart",
    "ToolAdapter",
    "ToolCall",
    "ToolCallError",
    "ToolCalled",
    "ToolDeniedError",
    "ToolError",
    "ToolInfo",
    "ToolLimit",
    "ToolLogged",
    "ToolNotFoundError",
    "ToolParam",
    "ToolProgressed",
    "ToolRegistry",
    "ToolStore",
    "ToolTimeoutError",
    "Trials",
    "Updated",
    "ValueNotEncodableError",
    "Variable",
    "create_skill_library",
    "open_skill_store",
    "report_log",
    "report_progress",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
