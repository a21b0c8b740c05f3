"""Secrets of the host that tool files name: filled in here, and taken out of all that leaves.

Place in the house: values layer. A file says ``${API_KEY}``; what that stands for comes from a
mapping or from the host's environment. It goes to servers and commands, never to a kernel: every
result, error and log line of a tool passes ``redact``.
"""

from __future__ import annotations

import html
import json
import os
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, islice
from operator import itemgetter
from typing import Any
from urllib.parse import quote, quote_plus

from py_code_mode.errors import CodeModeError, ConfigError

__all__ = ["HIDDEN", "Secrets"]

HIDDEN = "***"
"""What stands where a secret was."""

_SHORTEST = 4
"""Shorter values are not hidden: ``1`` or ``on`` stand in every other text."""

_TELLING = 24
"""Characters of a longer secret that tell it, where its end may have been cut."""

_NAMED = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _forms(secret: str) -> set[str]:
    """Return how a text can show it: as it is, in source, JSON, HTML, or an address."""
    return {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
        quote(secret, safe="", errors="replace"),
        quote(secret, errors="replace"),
        quote_plus(secret, errors="replace"),
    }


class Secrets:
    """What ``${NAME}`` stands for, and what must not be seen.

    Args:
        values: Secrets by name; what is not in it is looked up in the host's environment.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})
        self._hidden: set[str] = {v for v in self._values.values() if len(v) >= _SHORTEST}
        self._pattern: re.Pattern[str] | None = None
        self._compile()

    def fill(self, text: str) -> str:
        """Replace each ``${NAME}`` and ``${NAME:-default}``; ``$$`` is a dollar sign.

        What comes from the mapping or the environment is hidden from now on.

        Raises:
            ConfigError: A name has no value and no default.
        """
        return _NAMED.sub(self._value_of, text)

    def _value_of(self, found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        if name is None:
            return "$"
        value = self._values.get(name, os.environ.get(name))
        if value is None and default is None:
            raise ConfigError(f"${{{name}}} is not set, neither in secrets nor in the environment")
        if value is None:
            return str(default)
        if len(value) >= _SHORTEST and value not in self._hidden:
            self._hidden.add(value)
            self._compile()
        return value

    def _compile(self) -> None:
        # The longest first: one secret may be part of another.
        forms = {form for secret in self._hidden for form in _forms(secret)}
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    @property
    def any(self) -> bool:
        """Whether there is anything to hide."""
        return self._pattern is not None

    def redact(self, value: Any) -> Any:
        """Return ``value`` with every secret in its texts hidden.

        Args:
            value: Text, bytes, or lists, tuples and dicts of those; anything else is returned as
                it is. Nothing is copied that holds no secret.
        """
        if self._pattern is None:
            return value
        return self._redacted(value)

    def redact_pieces(self, pieces: Sequence[str]) -> list[str]:
        """Hide secrets in a text that came in pieces, also those that go over a border.

        Args:
            pieces: The text.

        Returns:
            As many pieces; what is hidden stands in the one where the secret began.
        """
        if self._pattern is None:
            return [*pieces]
        starts = [0, *accumulate(map(len, pieces))]
        found = [match.span() for match in self._pattern.finditer("".join(pieces))]
        return [
            self._without_spans(piece, start, found)
            for piece, start in zip(pieces, starts, strict=False)
        ]

    @staticmethod
    def _without_spans(piece: str, at: int, spans: Sequence[tuple[int, int]]) -> str:
        """Hide spans of a whole text in the piece of it that begins ``at`` there."""
        first = bisect_right(spans, at, key=itemgetter(1))
        kept, done = [], 0
        for start, end in islice(spans, first, None):
            if start >= at + len(piece):
                break
            kept += [piece[done : max(start - at, 0)], HIDDEN if start >= at else ""]
            done = end - at
        return "".join([*kept, piece[done:]])

    def redact_preview(self, text: str) -> str:
        """Hide secrets in the repr of something, or in a part of it that ends amid one."""
        if self._pattern is None:
            return text
        text = self._pattern.sub(HIDDEN, text)
        for secret in self._hidden:
            shown = repr(secret)[1:-1]
            if len(shown) > _TELLING:
                text = re.sub(re.escape(shown[:_TELLING]) + r"[^\s'\"]*", HIDDEN, text)
        return text

    def without(self, error: CodeModeError) -> CodeModeError:
        """Return an error whose message and details show no secret; itself, if it shows none."""
        message, details = self.redact(error.message), self.redact(error.details)
        if (message, details) == (error.message, error.details):
            return error
        return type(error)(message, **details)

    def _redacted(self, value: Any) -> Any:
        assert self._pattern is not None
        if isinstance(value, str):
            return self._pattern.sub(HIDDEN, value)
        if type(value) is bytes:
            text = value.decode("utf-8", "surrogateescape")
            found = self._pattern.sub(HIDDEN, text)
            return value if found == text else found.encode("utf-8", "surrogateescape")
        if type(value) in (list, tuple):
            items = [self._redacted(item) for item in value]
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else type(value)(items)
        if type(value) is dict:
            pairs = {self._redacted(key): self._redacted(item) for key, item in value.items()}
            return pairs if pairs != value else value
        return value

    def __repr__(self) -> str:
        return f"<Secrets: {len(self._hidden)} hidden>"
