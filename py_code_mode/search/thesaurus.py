"""Words of like meaning: which others may be said for a word, and how alike they are.

Place in the house: bottom of ``search``.

``thesaurus.txt`` has a line for each stem: the stem, then the stems it is like, each with how alike
they are, in hundredths. It was made from the word vectors of all-MiniLM-L6-v2 (Apache License 2.0)
for the words of that model's vocabulary, which are the frequent ones of English;
``benchmarks/search_thesaurus.py`` makes it anew. What programmers write for short is no English,
and stands here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from py_code_mode.search.words import stem as stem_of

__all__ = ["FILE", "synonyms"]

_SHORT = """
addr address, app application, arg argument, attr attribute, auth authentication, avg average,
calc calculate, cert certificate, cfg configuration, char character, cmd command, col column, conf
configuration, config configuration, ctx context, db database, desc description, dest destination,
dir directory, doc document, elem element, env environment, err error, exec execute, func
function, gen generate, idx index, img image, info information, init initialize, lang language,
lib library, max maximum, mem memory, min minimum, msg message, num number, obj object, org
organization, param parameter, perm permission, pkg package, proc process, prop property, ref
reference, repo repository, req request, resp response, spec specification, str string, sync
synchronize, tmp temporary, txt text, usr user, util utility, var variable
"""
"""Short, then long."""

FILE = Path(__file__).with_suffix(".txt")


def synonyms(stem: str) -> list[tuple[str, float]]:
    """Return the stems that mean nearly the same as one, and how alike they are, 1 at most."""
    told = _lines().get(stem, "").split()
    others = zip(told[::2], told[1::2], strict=True)
    found = [(other, int(alike) / 100) for other, alike in others]
    return [*((other, 1.0) for other in _abbreviations().get(stem, ())), *found]


@cache
def _lines() -> dict[str, str]:
    """Return the lines by the stems they are of; taken apart only when asked for."""
    found = (line.partition(" ") for line in FILE.read_text("utf-8").splitlines())
    return {stem: others for stem, _, others in found}


@cache
def _abbreviations() -> dict[str, list[str]]:
    """Return what stems are short for, and what is short for them."""
    found: dict[str, list[str]] = {}
    for pair in _SHORT.split(","):
        short, long = map(stem_of, pair.split())
        found.setdefault(short, []).append(long)
        found.setdefault(long, []).append(short)
    return found
