"""Text and identifiers as words: split, without function words, inflections taken off.

Place in the house: bottom of ``search``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

__all__ = ["content", "name_forms", "near_names", "split", "stem", "terms_of"]

_MAX_NAME = 200
"""Characters of a mistyped name that are looked at: comparing is quadratic."""

_MAX_WORD = 64
"""Characters of a word that are kept: base64 in a source is no vocabulary."""

_BOUNDARY = re.compile(
    r"[\W_]+"
    r"|(?<=[a-z])(?=[A-Z])"  # scanPorts
    r"|(?<=[A-Z])(?=[A-Z][a-z])"  # HTTPServer
    r"|(?<=[^\W\d])(?=\d)|(?<=\d)(?=[^\W\d])"  # base64
)

# Function words, and what people say around a request. scikit-learn's own list also drops
# "find", "show", "move" and "system", which are what tools are named after.
_FUNCTION_WORDS = """
a about all also am an and any are as at be because been being between both but by can could d
did do does doing don each every for from had has have having he her here hers him his how i if
in into is it its just let ll m many me might more most much must my no nor not now of on once
only or other our ours out over own please re s shall she should since so some such t than that
the their theirs them then there these they this those through to too under until up us ve very
want was we were what when where which while who whom whose why will with would you your yours
anybody anyone anything else everybody everyone everything nobody nothing somebody someone something
able assist curious give hello help hey hi hoping interested kindly know like looking need
possible possibly provide recommend suggest sure tell thank thanks trying wish wondering
"""
_STOP_WORDS = frozenset(_FUNCTION_WORDS.split())

_SHORTEST = 4
"""Letters of a word that is stemmed: ``gas`` is no plural."""

_VOWEL = re.compile("[aeiou]|(?<=[^aeiou])y")
_SYLLABLE = re.compile("(?:[aeiou]|(?<=[^aeiou])y)+(?:[^aeiouy]|(?<![^aeiou])y)+")
_SHORT = re.compile("[^aeiou][aeiouy][^aeiouwxy]$")
"""A consonant, a vowel, a consonant."""


def split(text: str) -> list[str]:
    """Split text and identifiers into lower-case words."""
    return _BOUNDARY.sub(" ", text).lower().split()


def content(words: Iterable[str]) -> list[str]:
    """Return the words that say what something is about."""
    return [word[:_MAX_WORD] for word in words if word not in _STOP_WORDS]


def terms_of(token: str) -> list[str]:
    """Return the stems of what stands between two blanks."""
    return list(map(stem, content(split(token))))


def stem(word: str) -> str:
    """Take off the endings of plurals and of verbs: steps 1 and 5a of Porter's algorithm.

    Porter, "An algorithm for suffix stripping", Program 14.3 (1980). The steps between, which make
    one word of ``operate`` and ``operator``, gain nothing here.
    """
    if len(word) < _SHORTEST or not word.isalpha():
        return word
    if word.endswith(("sses", "ies")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ed", "ing"):
        if word.endswith(ending) and not word.endswith("eed"):
            word = _without(word, ending)
            break
    if word.endswith("y") and len(word) >= _SHORTEST and _VOWEL.search(word[:-1]):
        word = word[:-1] + "i"
    if len(word) < _SHORTEST:
        return word  # using: use
    if word.endswith("e") and (_syllables(word[:-1]) > 1 or _is_cut_short(word)):
        word = word[:-1]
    return word


def _without(word: str, ending: str) -> str:
    """Take off ``ed`` or ``ing``."""
    rest = word.removesuffix(ending)
    if not _VOWEL.search(rest):
        return word  # bring, red
    if rest.endswith(("at", "bl", "iz")) or len(rest) < _SHORTEST - 1:
        return rest + "e"  # updating, using
    if rest[-1] == rest[-2:-1] and rest[-1] not in "lszaeiou":
        return rest[:-1]  # planned
    return rest + "e" if _syllables(rest) == 1 and _SHORT.search(rest) else rest  # noted


def _is_cut_short(word: str) -> bool:
    """Whether a word of one syllable is the same without its ``e``: ``cache``, not ``wine``."""
    return _syllables(word[:-1]) == 1 and not _SHORT.search(word[:-1])


def _syllables(word: str) -> int:
    """Count the vowels that consonants follow: Porter's measure."""
    return len(_SYLLABLE.findall(word))


def name_forms(name: str) -> tuple[str, str]:
    """A name in words, and its last part: people say ``get_alerts`` for ``weather.get_alerts``."""
    whole = " ".join(split(name))
    last = name.rpartition(".")[2]
    return whole, whole if last == name else " ".join(split(last))


def near_names(name: str, names: Iterable[str], limit: int = 3) -> list[str]:
    """Return the ``names`` someone who wrote ``name`` may have meant, most alike first."""
    return difflib.get_close_matches(name[:_MAX_NAME], names, n=limit)
