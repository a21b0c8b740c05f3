"""How much text a model can take: an estimate of tokens, and cutting text to it.

Place in the house: ground layer; ``formodel`` fits results with it.

No model's tokenizer is asked: each has another, and most are not public. Bytes of UTF-8 are
counted instead: an ASCII letter or a blank is a third of a token, any other ASCII character two
thirds, a byte of any other character half a token. Beside the one tokenizer of Anthropic's that
was published (with ``anthropic`` 0.38) that is 1.1 to 1.7 times the real number for prose, code,
JSON, tables of numbers, Russian and Chinese, and 0.9 times for emoji, hexadecimal digits and
nothing but punctuation.
"""

from __future__ import annotations

import string

__all__ = ["cut_to_tokens", "estimate_tokens", "take_head", "well_formed"]

_LETTERS = (string.ascii_letters + string.whitespace).encode()
_BEYOND_ASCII = bytes(range(128, 256))
_PARTS = 6  # of a token: a letter takes 2 of them, other ASCII 4, a byte beyond ASCII 3
_MOST_CHARS = 3
"""Characters that a token has at most, by this estimate."""


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has; see the module's docstring."""
    return -(-_measure(text) // _PARTS)


def _measure(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    others = data.translate(None, _LETTERS)
    ascii_others = others.translate(None, _BEYOND_ASCII)
    letters, beyond = len(data) - len(others), len(others) - len(ascii_others)
    return 2 * letters + 4 * len(ascii_others) + 3 * beyond


def well_formed(text: str) -> str:
    """Return text that is UTF-8: half a character, as names of files may have it, is a ``?``."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def take_head(text: str, tokens: int) -> str:
    """Return the longest beginning that has at most so many tokens."""
    return _take(text, tokens, from_end=False)


def _take(text: str, tokens: int, *, from_end: bool) -> str:
    most = max(0, tokens) * _MOST_CHARS
    text = text[len(text) - min(most, len(text)) :] if from_end else text[:most]
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        part = text[len(text) - middle :] if from_end else text[:middle]
        low, high = (middle, high) if estimate_tokens(part) <= tokens else (low, middle - 1)
    return text[len(text) - low :] if from_end else text[:low]


def cut_to_tokens(text: str, tokens: int, *, where: str = "", head_share: float = 0.5) -> str:
    """Return text of at most so many tokens: head and tail, and how much was cut between them.

    Args:
        text: Any text.
        tokens: What it may have.
        where: What the line between them says after that: where all of it is.
        head_share: How much of what is kept is the beginning.
    """
    if estimate_tokens(text) <= tokens:
        return text
    room = tokens - estimate_tokens(_cut_line(len(text), len(text), where))
    if room < tokens // 4:
        return take_head(text, tokens)
    head = _to_line_end(_take(text, int(room * head_share), from_end=False))
    tail = _take(text, room - estimate_tokens(head), from_end=True)
    cut, _, rest = tail.partition("\n")
    tail = rest if len(cut) < len(tail) // 4 else tail
    line = _cut_line(len(text) - len(head) - len(tail), len(text), where)
    return head + line + tail


def _to_line_end(head: str) -> str:
    """Leave out a last line that was cut, if that is little."""
    end = head.rfind("\n")
    return head[:end] if end > len(head) * 3 // 4 else head


def _cut_line(cut: int, total: int, where: str) -> str:
    return f"\n[... {cut:,} of {total:,} characters left out{where} ...]\n"
