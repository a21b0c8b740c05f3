"""What may stand in a tool file, one pydantic model for each type of tool.

Place in the house: ``tools``. Only the loader's factories import it, when there is a file to
read: pydantic takes a tenth of a second to load.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CLIFile", "ToolFile"]


class ToolFile(BaseModel):
    """The keys every tool file has.

    Attributes:
        name: Name of the tool.
        type: Which kind of tool; a key of ``loader.TYPES``.
        description: What it does, for agents.
        tags: Labels for scoping.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str
    type: str = "cli"
    description: str = ""
    tags: list[str] = []


class CLIFile(ToolFile):
    """A command.

    Attributes:
        command: Program to run, a name on the PATH or a path, relative to the file's
            directory; the tool's name if not given.
        args: Template of its arguments, see ``argv``.
        timeout: Seconds a call may take.
        allow_options: Placeholders whose plain values may begin with ``-``; true for all.
        max_output: Bytes kept of each output stream.
    """

    command: str | None = None
    args: str = ""
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    allow_options: bool | list[str] = False
    max_output: Annotated[int, Field(ge=1)] = 1024 * 1024
