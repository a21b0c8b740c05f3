"""What comes in, as data with types: bodies and queries are checked against these.

Place in the house: bottom of ``server``; the OpenAPI document is made of these and of ``answers``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "ArtifactQuery",
    "ArtifactsQuery",
    "Empty",
    "InterruptRequest",
    "Kind",
    "Maker",
    "RunRequest",
    "SkillSearchQuery",
    "StreamQuery",
    "StreamRequest",
    "ToolsQuery",
    "ValueRequest",
]

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Kind = Literal["json", "text", "bytes", "value", "npy", "parquet", "media", "bundle"]


RunName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


class _In(BaseModel):
    """What a client sends: nothing unknown, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Query(BaseModel):
    """Parameters of a query; all of them are text on the wire."""

    model_config = ConfigDict(extra="forbid")


class Empty(_Query):
    """No parameters."""


class Maker(_In):
    """How a new session is to be called."""

    name: Name | None = Field(None, description="a name of the client's own; by default the id")


class RunRequest(_In):
    """A cell to run."""

    code: str = Field(description="Python as IPython takes it", examples=["1 + 1"])
    timeout: Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)] | None = Field(
        None, description="seconds it may take; null: the server's default"
    )


class StreamRequest(RunRequest):
    """A cell to run and to tell of."""

    run: RunName | None = Field(
        None,
        description="what the ids of its events are to begin with, chosen by the client: so it "
        "can come back to the run, or stop it, whatever becomes of its request; by default the "
        "server chooses",
    )


class StreamQuery(_Query):
    """Which of a run's events."""

    events: str = Field(
        "",
        max_length=200,
        pattern=r"^[a-z_]*(,[a-z_]+)*$",
        description="types that are wanted, with commas between them; by default all. The last "
        "event always comes",
        examples=["finished"],
    )


class InterruptRequest(_In):
    """What to break."""

    run: RunName | None = Field(
        None, description="this run only, whether it runs or waits; by default what runs now"
    )


class ToolsQuery(_Query):
    """Which tools."""

    search: str | None = Field(None, min_length=1, max_length=1000, description="plain words")


class SkillSearchQuery(_Query):
    """Which skills."""

    q: str = Field(min_length=1, max_length=1000, description="plain words")
    limit: int = Field(5, ge=1, le=100, description="how many at most")


class ArtifactsQuery(_Query):
    """Which artifacts."""

    prefix: str = Field("", max_length=512, description="how their names begin")
    tag: str | None = Field(None, min_length=1, max_length=200, description="a tag they have")


class ArtifactQuery(_Query):
    """What is said of an artifact."""

    description: str = Field("", max_length=2000, description="one line or a few")
    kind: Kind | None = Field(
        None, description="how kernels load it; by default its content type and content say"
    )


Base64 = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")
]


class PackedRequest(_In):
    """A value as the codec packs it."""

    tree: Any = Field(description="see Packed")
    base64: list[Base64] = Field(description="buffers the tree refers to by number")


class ValueRequest(_In):
    """A value for a variable."""

    value: PackedRequest
