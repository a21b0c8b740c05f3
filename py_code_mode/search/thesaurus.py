"""Words of like meaning: which others may be said for a word, and how alike they are.

Place in the house: bottom of ``search``.

``thesaurus.txt`` has a line for each stem: the stem, then the stems it is like, each with how alike
they are, in hundredths. It was made from the word vectors of all-MiniLM-L6-v2 (Apache License 2.0)
for the words of that model's vocabulary, which are the frequent ones of English;
``benchmarks/search_thesaurus.py`` makes it anew.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

__all__ = ["FILE", "synonyms"]

FILE = Path(__file__).with_suffix(".txt")


def synonyms(stem: str) -> list[tuple[str, float]]:
    """Return the stems that mean nearly the same as one, and how alike they are, 1 at most."""
    told = _lines().get(stem, "").split()
    return [(other, int(alike) / 100) for other, alike in zip(told[::2], told[1::2], strict=True)]


@cache
def _lines() -> dict[str, str]:
    """Return the lines by the stems they are of; taken apart only when asked for."""
    found = (line.partition(" ") for line in FILE.read_text("utf-8").splitlines())
    return {stem: others for stem, _, others in found}
