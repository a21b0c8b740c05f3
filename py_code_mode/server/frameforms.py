"""Forms of variables and of the frames they belong to, in the server's answers.

Place in the house: inside ``server``, below ``answers``.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

__all__ = ["FrameForm", "StackForm", "VariableForm"]


class VariableForm(BaseModel):
    """A variable."""

    name: str
    type: str
    shape: list[int] | None
    length: int | None
    size: int | None
    preview: str


class FrameForm(BaseModel):
    """Where code is, and its variables there."""

    file: str
    line: int
    function: str
    code: str
    locals: list[VariableForm]
    omitted: int = Field(description="how many variables there are beyond those")


class StackForm(BaseModel):
    """What a task or a thread beside the cell does."""

    name: str
    stack: list[FrameForm] = Field(description="outermost first")
