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
from py_code_mode.secretparts import hide_in_parts, join_pairs

__all__ = ["HIDDEN", "Secrets"]

HIDDEN = "***"
"""What stands where a secret was."""

_SHORTEST = 4
"""Shorter values are not hidden: ``1`` or ``on`` stand in every other text."""

_TELLING = 24
"""Characters of a longer secret that tell it, where its end may have been cut."""

_CUT = re.compile(r"(\n?\.\.\.(?: [\d,]+ characters cut \.\.\.\n)?)")
"""What stands where a text was shortened."""

_NAMED = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _forms(secret: str) -> set[str]:
    """Return how a text can show it: as it is, in source, JSON, HTML, or an address."""
    data = secret.encode("utf-8", "replace")
    said = json.dumps(secret)[1:-1]
    page = html.escape(secret)
    forms = {
        *(secret, repr(secret)[1:-1], ascii(secret)[1:-1], repr(data)[2:-1]),
        *(said, json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(said)[1:-1]),
        *(said.replace("/", "\\/"), said.translate(_IN_SCRIPTS)),
        *(page, html.escape(secret, quote=False)),
        page.replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
        page.replace("&#x27;", "&apos;"),
        quote_plus(data),
    }
    for safe in ("", "/", "!'()*", "!#$%&'()*+,/:;=?@[]~"):
        coded = quote(data, safe=safe)
        forms |= {coded, _PERCENT.sub(lambda found: found[0].lower(), coded)}
    return forms


_IN_SCRIPTS = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_PERCENT = re.compile(r"%[0-9A-F]{2}")


def _least(form: str) -> int:
    """Return how many characters tell a secret of which only the beginning or the end is there."""
    return max(_SHORTEST, min(12, len(form) // 2))


class Secrets:
    """What ``${NAME}`` stands for, and what must not be seen.

    Args:
        values: Secrets by name; what is not in it is looked up in the host's environment.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})
        self._hidden: set[str] = {v for v in self._values.values() if len(v) >= _SHORTEST}
        self._pattern: re.Pattern[str] | None = None
        self._forms: list[str] = []
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
        self._forms = ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    @property
    def any(self) -> bool:
        """Whether there is anything to hide."""
        return self._pattern is not None

    def redact(self, value: Any) -> Any:
        """Return ``value`` with every secret in its texts hidden.

        Args:
            value: Anything that can cross to a kernel, and containers of it. Nothing is copied
                that holds no secret.
        """
        if self._pattern is None:
            return value
        return self._redacted(value)

    def redact_values(self, data: Any) -> Any:
        """Hide secrets as ``redact`` does, but not in the keys of dicts: they are names of ours."""
        if isinstance(data, dict):
            return {key: self.redact_values(item) for key, item in data.items()}
        if isinstance(data, list):
            return [self.redact_values(item) for item in data]
        return self.redact(data)

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
            self._without_cut(self._without_spans(piece, start, found))
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
            found = self._without_cut(self._pattern.sub(HIDDEN, value))
            return value if found == value else found
        if type(value) is bytes:
            text = value.decode("utf-8", "surrogateescape")
            found = self._pattern.sub(HIDDEN, text)
            return value if found == text else found.encode("utf-8", "surrogateescape")
        if type(value) in (list, tuple):
            items = [self._redacted(item) for item in value]
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else type(value)(items)
        if type(value) is dict:
            pairs = [(self._redacted(key), self._redacted(item)) for key, item in value.items()]
            old = value.items()
            same = all(a is c and b is d for (a, b), (c, d) in zip(pairs, old, strict=True))
            return value if same else join_pairs(pairs)
        if value is None or isinstance(value, bool | int | float | complex):
            return value
        return hide_in_parts(value, self._redacted, self._forms, HIDDEN)

    def _without_cut(self, text: str) -> str:
        """Hide what stands of a secret where a text was shortened in its midst."""
        if "..." not in text:
            return text
        head, *rest = _CUT.split(text)
        for mark, tail in zip(rest[::2], rest[1::2], strict=True):
            head = self._without_end(head) + mark + self._without_beginning(tail)
        return head

    def _without_end(self, text: str) -> str:
        for form in self._forms:
            at = text.find(form[: _least(form)], max(0, len(text) - len(form)))
            while at >= 0:
                if form.startswith(text[at:]):
                    return text[:at] + HIDDEN
                at = text.find(form[: _least(form)], at + 1)
        return text

    def _without_beginning(self, text: str) -> str:
        for form in self._forms:
            least = _least(form)
            at = text.rfind(form[-least:], 0, len(form))
            while at >= 0:
                if form.endswith(text[: at + least]):
                    return HIDDEN + text[at + least :]
                at = text.rfind(form[-least:], 0, at + least - 1)
        return text

    def __repr__(self) -> str:
        return f"<Secrets: {len(self._hidden)} hidden>"
