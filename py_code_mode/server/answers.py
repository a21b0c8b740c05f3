"""What goes out, described: the engine's own ``to_dict`` makes it, the OpenAPI document shows it.

Place in the house: inside ``server``, above ``forms``.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from py_code_mode.server.forms import Kind
from py_code_mode.server.frameforms import FrameForm, StackForm, VariableForm

__all__ = [
    "ArtifactForm",
    "ArtifactList",
    "ErrorAnswer",
    "Health",
    "PeekAnswer",
    "Readiness",
    "ResultAnswer",
    "SessionAnswer",
    "SessionList",
    "SimpleAnswer",
    "SkillList",
    "ToolList",
    "ValueAnswer",
    "VariableList",
]


class ErrorBody(BaseModel):
    """What went wrong; further members depend on the type."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="our name for it", examples=["session_not_found"])
    message: str = Field(description="what is wrong, and what would be right")


class ErrorAnswer(BaseModel):
    """An error."""

    error: ErrorBody


class SessionAnswer(BaseModel):
    """A session."""

    id: str
    name: str
    state: Literal["starting", "idle", "running"]
    created: str = Field(json_schema_extra={"format": "date-time"})
    last_used: str = Field(json_schema_extra={"format": "date-time"})
    execution_count: int = Field(ge=0, description="IPython's number of the last cell")
    expires: str | None = Field(
        description="when it ends if nobody uses it; null: never, or it is in use"
    )
    warnings: list[str] = Field(description="what a branch lacks of the session it was made of")


class SessionList(BaseModel):
    """Sessions."""

    sessions: list[SessionAnswer]


class Packed(BaseModel):
    """Any value the codec carries: a tree of JSON, and buffers in base64."""

    model_config = ConfigDict(extra="forbid")

    tree: Any = Field(
        description="plain JSON, or objects with the key `$` that say what they are; see the "
        "codec, kernel_bootstrap.wire.codec"
    )
    base64: list[str] = Field(description="buffers the tree refers to by number")


class Remote(BaseModel):
    """A value that stays in the kernel."""

    type_name: str
    repr: str
    reason: str
    handle: str
    data: dict[str, Any]


class RemoteHolder(BaseModel):
    """In the place of a value that cannot cross."""

    remote: Remote


class ValueAnswer(BaseModel):
    """The value of a variable."""

    value: Packed | RemoteHolder


class OutputForm(BaseModel):
    """One thing the code showed, in Jupyter's terms."""

    kind: Literal["result", "display", "stream", "error"]
    data: dict[str, Any] = Field(description="MIME type -> content")
    metadata: dict[str, Any]
    display_id: str | None
    name: str | None


class ErrorForm(BaseModel):
    """Why code failed."""

    name: str
    message: str
    traceback: str
    frame: FrameForm | None = Field(description="the innermost frame of the user's own code")


class CallForm(BaseModel):
    """One call of a tool."""

    tool: str
    arguments: Packed
    seconds: float
    outcome: Literal["ok", "error", "denied", "cancelled", "running"]
    bytes: int
    error: str
    waited: float


class CutForm(BaseModel):
    """What was cut, and where the whole of it is."""

    what: str
    kept: int
    total: int
    unit: str
    artifact: str | None
    whole: bool


class ResultAnswer(BaseModel):
    """What a run returned and showed; `ExecutionResult.from_dict` rebuilds it."""

    value: Packed | RemoteHolder
    stdout: str
    stderr: str
    outputs: list[OutputForm]
    error: ErrorForm | None
    tool_calls: list[CallForm]
    seconds: float
    execution_count: int
    state_lost: bool = Field(description="the kernel was replaced: its variables are gone")
    truncated: list[CutForm]
    new_variables: list[str]


class SimpleAnswer(BaseModel):
    """What a run returned, in short."""

    value: Any = Field(description="plain JSON; what is none as its repr")
    stdout: str
    error: str | None
    execution_time_ms: float = Field(ge=0)
    session_id: str
    created: bool = Field(description="whether this call made the session")


class PeekAnswer(BaseModel):
    """A look at a running cell; `Peek.from_dict` rebuilds it."""

    running: bool
    code: str
    origin: Literal["agent", "jupyter"] = Field(description="who sent it")
    seconds: float
    stack: list[FrameForm]
    others: list[StackForm]
    calls: list[CallForm]
    stdout: str = Field(description="the end of what it printed")
    stderr: str
    trace: str = Field(description="the stack as text, where `stack` cannot be had")


class VariableList(BaseModel):
    """Variables."""

    variables: list[VariableForm]


class ArtifactForm(BaseModel):
    """What is known of an artifact; times are in seconds since 1970."""

    name: str
    description: str
    kind: Kind
    size: int
    sha256: str
    created: float
    modified: float
    metadata: dict[str, Any]
    type_name: str
    content_type: str
    tags: list[str]
    session: str
    author: str
    expires: float | None


class ArtifactList(BaseModel):
    """Artifacts."""

    artifacts: list[ArtifactForm]


class ParamForm(BaseModel):
    """A parameter of a tool or skill."""

    model_config = ConfigDict(extra="allow")

    name: str
    annotation: str
    required: bool
    description: str


class ToolForm(BaseModel):
    """A tool."""

    model_config = ConfigDict(extra="allow")

    name: str
    description: str
    params: list[ParamForm]
    tags: list[str]
    returns: str


class ToolList(BaseModel):
    """Tools."""

    tools: list[ToolForm]


class SkillForm(BaseModel):
    """A skill."""

    model_config = ConfigDict(extra="allow")

    name: str
    description: str
    params: list[ParamForm]
    tags: list[str]


class SkillList(BaseModel):
    """Skills."""

    skills: list[SkillForm]


class Health(BaseModel):
    """The server lives."""

    status: Literal["ok"]
    version: str


class Readiness(BaseModel):
    """Whether it can take work."""

    ready: bool
    reasons: list[str]
