"""The parameters of each request a kernel may make, validated.

Place in the house: beside ``dispatch``, which loads it with the first request: pydantic takes
a moment to import.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from kernel_bootstrap.wire.messages import Method
from kernel_bootstrap.wire.packing import KINDS
from kernel_bootstrap.wire.pieces import Piece

__all__ = ["MODELS"]

Name = Annotated[str, Field(min_length=1, max_length=1_000)]
ArtifactName = Annotated[str, Field(max_length=10_000)]  # the store says which there can be
Text = Annotated[str, Field(max_length=100_000)]
Count = Annotated[int, Field(ge=0, lt=1 << 63)]


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)


class _None(_Params):
    pass


class _Named(_Params):
    name: Name


class _Call(_Params):
    name: Name
    arguments: dict[str, Any]


class _Search(_Params):
    query: Text
    limit: Annotated[int, Field(ge=0, le=10_000)]


class _CreateSkill(_Params):
    name: Name
    code: Annotated[str, Field(max_length=1_000_000)]
    description: Text = ""
    replace: bool = False


class _GetSkill(_Params):
    name: Name
    version: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    usage: bool = True


class _UpdateSkill(_Params):
    name: Name
    code: Annotated[str, Field(max_length=1_000_000)] | None = None
    description: Text = ""


_Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
_Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class _UsedSkills(_Params):
    used: Annotated[dict[Name, tuple[_Count, _Count, _Seconds]], Field(max_length=10_000)]


class _NamedArtifact(_Params):
    name: ArtifactName


class _BeginArtifact(_NamedArtifact):
    kind: Annotated[str, Field(pattern="^(" + "|".join(KINDS) + ")$")]
    description: Text = ""
    metadata: dict[str, Any] = {}
    type_name: Annotated[str, Field(max_length=500)] = ""
    content_type: Annotated[str, Field(max_length=200)] = ""
    tags: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)] = []
    ttl: Annotated[float, Field(allow_inf_nan=False)] | None = None


class _SaveArtifact(_BeginArtifact):
    data: bytes


class _LoadArtifact(_NamedArtifact):
    most: Count


class _ReadArtifact(_NamedArtifact):
    offset: Count
    size: Count
    sha256: Annotated[str, Field(max_length=64)]


class _ListArtifacts(_Params):
    prefix: Annotated[str, Field(max_length=1_000)] = ""
    tag: Annotated[str, Field(max_length=200)] | None = None


class _Upload(_Params):
    id: Count


class _WriteArtifact(_Upload):
    offset: Count
    data: Piece


class _CommitArtifact(_Upload):
    size: Count


class _Command(_Params):
    command: Annotated[str, Field(max_length=1_000_000)]


class _Spill(_Params):
    cell: Annotated[str, Field(max_length=200)]
    what: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9./+_-]*$")]
    number: Annotated[int, Field(ge=1, le=10_000)]
    whole: bool


MODELS: dict[str, type[BaseModel]] = {
    Method.TOOLS_CALL: _Call,
    Method.TOOLS_LIST: _None,
    Method.TOOLS_SEARCH: _Search,
    Method.SKILLS_LIST: _None,
    Method.SKILLS_SEARCH: _Search,
    Method.SKILLS_GET: _GetSkill,
    Method.SKILLS_CREATE: _CreateSkill,
    Method.SKILLS_UPDATE: _UpdateSkill,
    Method.SKILLS_DELETE: _Named,
    Method.SKILLS_VERSIONS: _Named,
    Method.SKILLS_USED: _UsedSkills,
    Method.ARTIFACTS_SAVE: _SaveArtifact,
    Method.ARTIFACTS_LOAD: _LoadArtifact,
    Method.ARTIFACTS_GET: _NamedArtifact,
    Method.ARTIFACTS_LIST: _ListArtifacts,
    Method.ARTIFACTS_SEARCH: _Search,
    Method.ARTIFACTS_EXISTS: _NamedArtifact,
    Method.ARTIFACTS_DELETE: _NamedArtifact,
    Method.ARTIFACTS_BEGIN: _BeginArtifact,
    Method.ARTIFACTS_WRITE: _WriteArtifact,
    Method.ARTIFACTS_COMMIT: _CommitArtifact,
    Method.ARTIFACTS_ABORT: _Upload,
    Method.ARTIFACTS_READ: _ReadArtifact,
    Method.SHELL_CHECK: _Command,
    Method.OUTPUT_SPILL: _Spill,
}
