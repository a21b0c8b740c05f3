"""What may stand in a tool file, one pydantic model for each type of tool.

Place in the house: ``tools``. Only the loader's factories import it, when there is a file to
read: pydantic takes a tenth of a second to load.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CLIFile", "CLIItem", "CLIParam", "CLIRecipe", "ToolFile"]


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


class CLIItem(BaseModel):
    """The items of a parameter that is a list; the keys are those of ``CLIParam``."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: str | None = None
    choices: list[str | int | float] | None = None
    enum: list[str | int | float] | None = None
    pattern: str | None = None
    outside: bool = False


class CLIParam(CLIItem):
    """A parameter of a command.

    Attributes:
        type: string, integer, number, boolean, enum, path or list.
        required: Whether it must be given.
        default: What is used when it is not.
        description: What it is, for agents.
        choices: All values there are; ``enum`` is the same.
        pattern: What a value must match as a whole.
        items: The type of a list's items.
        outside: Whether a path may lead out of the working directory.
        flag: The arguments it becomes, e.g. ``-p {port}``.
    """

    required: bool = False
    default: Any = None
    description: str = ""
    items: str | CLIItem | None = None
    flag: str | None = None


class _CLIKeys(BaseModel):
    command: str | None = None
    args: str = ""
    params: dict[str, CLIParam] = {}
    stdin: str = ""
    env: dict[str, str] = {}
    cwd: str | None = None
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    allow_options: bool | list[str] = False
    max_output: Annotated[int, Field(ge=1)] = 1024 * 1024
    ok_exit_codes: list[int] = [0]
    parse: str = "text"


class CLIRecipe(_CLIKeys):
    """One of several tools a command is; its keys override the file's."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    description: str = ""
    tags: list[str] = []


class CLIFile(_CLIKeys, ToolFile):
    """A command.

    Attributes:
        command: Program to run, a name on the PATH or a path, relative to the file's
            directory; the tool's name if not given.
        args: Template of its arguments, see ``cli.argv``.
        params: Its parameters by name; a placeholder need not be among them.
        stdin: What it reads: text with placeholders.
        env: Variables added to its environment; ``${NAME}`` in a value is filled in.
        cwd: Where it works, relative to the file's directory; by default where the host does.
        timeout: Seconds a call may take.
        allow_options: Placeholders whose plain values may begin with ``-``; true for all.
        max_output: Bytes kept of each output stream.
        ok_exit_codes: Exit codes that are no failure.
        parse: text, json, jsonl, lines or csv.
        recipes: Tools below this one's name, each with keys of its own.
    """

    recipes: dict[str, CLIRecipe] | None = None
