"""What the tools of the server take and give, as JSON schemas and the checks that go with them.

Place in the house: bottom of ``mcp_server``'s handlers.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "CreateSkill",
    "ListSkills",
    "ListTools",
    "NoArguments",
    "OfSession",
    "RunCode",
    "Search",
    "SkillRows",
    "ToolRows",
    "VariableRows",
    "input_schema_of",
    "output_schema_of",
]

MAX_TIMEOUT = 3600.0


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NoArguments(_Arguments):
    """Takes nothing."""


class OfSession(_Arguments):
    """Takes a session's handle, from clients whose sessions have handles."""

    session: Annotated[
        str | None,
        Field(description="Handle of the session, as run_code gave it; leave out for a new one"),
    ] = None


class RunCode(OfSession):
    """Takes a cell."""

    code: Annotated[str, Field(description="Python, as IPython takes it: magics and await, too")]
    timeout: Annotated[
        float | None,
        Field(description="Seconds it may take", gt=0, le=MAX_TIMEOUT),
    ] = None


class Search(_Arguments):
    """Takes what is looked for."""

    query: Annotated[str, Field(description="What it should do, in plain words; or a name")]
    limit: Annotated[int, Field(description="How many at most", ge=1, le=100)] = 10


class _Page(_Arguments):
    offset: Annotated[int, Field(description="How many to skip", ge=0)] = 0
    limit: Annotated[int, Field(description="How many at most", ge=1, le=1000)] = 100


class ListTools(_Page):
    """Takes a page of the tools."""


class ListSkills(_Page):
    """Takes a page of the skills."""


class CreateSkill(_Arguments):
    """Takes a skill."""

    name: Annotated[str, Field(description="What it is called by, an identifier")]
    code: Annotated[
        str, Field(description="Python that defines `def run(...)`; it may use `tools`")
    ]
    description: Annotated[str, Field(description="One line: what it does")] = ""
    replace: Annotated[bool, Field(description="Replace one of the same name")] = False


class _Row(BaseModel):
    name: str
    call: Annotated[str, Field(description="How code calls it")]
    description: str


class ToolRows(BaseModel):
    """Gives tools."""

    tools: list[_Row]
    total: int
    problems: list[str] = []


class _SkillRow(_Row):
    tags: list[str]


class SkillRows(BaseModel):
    """Gives skills."""

    skills: list[_SkillRow]
    total: int
    problems: list[str] = []


class _VariableRow(BaseModel):
    name: str
    type: str
    shape: list[int] | None
    length: int | None
    size: int
    preview: str


class VariableRows(BaseModel):
    """Gives variables."""

    variables: list[_VariableRow]


def input_schema_of(model: type[BaseModel], *, without: str = "") -> dict[str, Any]:
    """Return what a tool takes as JSON schema, without what only costs a model's attention.

    Args:
        model: What is described.
        without: A property to leave out.
    """
    schema = output_schema_of(model)
    for name, value in [*schema.setdefault("properties", {}).items()]:
        if name == without:
            del schema["properties"][name]
        elif value.get("default", ...) is None:
            # What may be left out is not null as well: models and forms do better without.
            kind, _ = value.pop("anyOf")
            del value["default"]
            value.update(kind)
    return schema


def output_schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return what a tool gives as JSON schema."""
    schema: dict[str, Any] = _trimmed(model.model_json_schema())
    schema.pop("description", None)  # the model's docstring is for us
    return schema


def _trimmed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_trimmed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    # "title" with a string is pydantic's; one with a schema would be a property of that name.
    return {
        key: _trimmed(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
