"""What can be found, and what was found.

Place in the house: bottom of ``search``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from operator import attrgetter

from py_code_mode.search.words import split

__all__ = ["FIELDS", "Document", "Hit"]

FIELDS = {
    "name": 2.0,
    "description": 1.0,
    "documentation": 0.5,
    "parameters": 0.5,
    "tags": 0.5,
    "source": 0.5,
}
"""How much a word weighs in each field of a document."""

_fields = attrgetter(*FIELDS)


@dataclass(frozen=True, slots=True)
class Document:
    """What can be found.

    Attributes:
        name: Identifier, possibly dotted, of its own within an index; weighs most.
        description: One line or a few.
        documentation: What else there is to say.
        parameters: Names, types and descriptions of what it takes.
        tags: Its labels.
        source: Its code.
    """

    name: str
    description: str = ""
    documentation: str = ""
    parameters: str = ""
    tags: str = ""
    source: str = ""

    @property
    def digest(self) -> str:
        """Of all its fields, hex: what is known of a document is kept under it."""
        data = "\0".join(_fields(self)).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, digest_size=16).hexdigest()

    @property
    def text(self) -> str:
        """All of it, the most telling first, as an embedder reads it."""
        return ". ".join(filter(None, [" ".join(split(self.name)), *_fields(self)[1:]]))


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found.

    Attributes:
        name: The document's name.
        score: How well it fits. Below 1 it is the part of the best fit there could be; above,
            its name begins with the query (1) or is the query (2).
        terms: The words of the query it has, in the query's order. Empty when it only means the
            same.
    """

    name: str
    score: float
    terms: tuple[str, ...] = ()
