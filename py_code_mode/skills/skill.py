"""What a skill is: its source and what can be read from it without running it.

Place in the house: bottom of ``skills``; the parser makes these, the stores keep them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["ParamKind", "Skill", "SkillExample", "SkillParam"]

ParamKind = Literal[
    "positional_only", "positional_or_keyword", "var_positional", "keyword_only", "var_keyword"
]
"""How a parameter may be given; the names are those of ``inspect.Parameter``, in lower case."""


@dataclass(frozen=True, slots=True)
class SkillParam:
    """One parameter of a skill's ``run``.

    Attributes:
        name: Its name; ``*args`` and ``**kwargs`` keep their stars.
        annotation: Its type as Python source, empty when there is none.
        required: Whether a call without it fails.
        default: Its default as Python source, empty when there is none.
        description: One line, from the ``Args:`` of a docstring.
        kind: How it may be given. ``skills.name(**arguments)`` cannot reach a
            ``positional_only`` one.
    """

    name: str
    annotation: str = ""
    required: bool = False
    default: str = ""
    description: str = ""
    kind: ParamKind = "positional_or_keyword"

    def __str__(self) -> str:
        annotation = f": {self.annotation}" if self.annotation else ""
        return self.name + annotation + (f" = {self.default}" if self.default else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the wire."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SkillExample:
    """One ``>>>`` example of a docstring.

    Attributes:
        code: What is typed.
        expected: What must come back, as it would be shown; empty: nothing needs to.
        line: Its line in the source, from 1.
    """

    code: str
    expected: str = ""
    line: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the wire."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Skill:
    """A reusable recipe in Python.

    Attributes:
        name: What it is called by, an identifier.
        description: One line: what it does.
        documentation: The rest of its docstring.
        source: Its Python source.
        params: Parameters of ``run`` in signature order.
        is_async: Whether ``run`` is ``async def``.
        digest: SHA-256 of the source in UTF-8, hex; what compiled code is kept under.
        returns: Return annotation of ``run`` as Python source, empty when there is none.
        tags: Words to find it by, as its docstring says.
        version: Its version, as its docstring says; the store counts in ``number``.
        tools: Names of tools it needs, as its docstring says.
        packages: Packages it needs: requirements of PEP 508, as its docstring says.
        examples: Its examples, as its docstring says.
        number: Number of this version in its store, from 1; 0: not out of a store.
        creator: Who saved its first version; empty when nobody said.
        created: When that was, in seconds since 1970 (UTC).
        modified: When this version was saved, in seconds since 1970 (UTC).
    """

    name: str
    description: str
    documentation: str
    source: str = field(repr=False)
    params: tuple[SkillParam, ...] = ()
    is_async: bool = False
    digest: str = field(default="", repr=False)
    returns: str = ""
    tags: tuple[str, ...] = ()
    version: str = ""
    tools: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    examples: tuple[SkillExample, ...] = ()
    # What a store knows; two skills of one source are equal wherever they are kept.
    number: int = field(default=0, compare=False)
    creator: str = field(default="", compare=False)
    created: float = field(default=0.0, compare=False)
    modified: float = field(default=0.0, compare=False)

    @property
    def call(self) -> str:
        """How it is called, as Python: ``scan(target: str, ports: list[int] = [22]) -> dict``."""
        returns = f" -> {self.returns}" if self.returns else ""
        return f"{self.name}({', '.join(map(str, self.params))}){returns}"

    def to_dict(self, *, source: bool = False) -> dict[str, Any]:
        """Plain data for the wire.

        Args:
            source: Whether source and examples go along; a listing of many leaves them out.
        """
        data: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "documentation": self.documentation,
            "params": [param.to_dict() for param in self.params],
            "is_async": self.is_async,
            "digest": self.digest,
            "returns": self.returns,
            "tags": [*self.tags],
            "version": self.version,
            "tools": [*self.tools],
            "packages": [*self.packages],
            "number": self.number,
            "creator": self.creator,
            "created": self.created,
            "modified": self.modified,
        }
        if source:
            data["source"] = self.source
            data["examples"] = [example.to_dict() for example in self.examples]
        return data
