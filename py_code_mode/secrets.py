"""Secrets of the host that tool files name: filled in here, and taken out of all that leaves.

Place in the house: values layer. A file says ``${API_KEY}``; what that stands for comes from a
mapping or from the host's environment. It goes to servers and commands, never to a kernel: every
result, error and log line of a tool passes ``redact``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from py_code_mode.errors import CodeModeError, ConfigError

__all__ = ["HIDDEN", "Secrets"]

HIDDEN = "***"
"""What stands where a secret was."""

_SHORTEST = 4
"""Shorter values are not hidden: ``1`` or ``on`` stand in every other text."""

_TELLING = 24
"""Characters of a longer secret that tell it, where its end may have been cut."""

_NAMED = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


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
        ordered = sorted(self._hidden, key=len, reverse=True)
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

    def redact_preview(self, text: str) -> str:
        """Hide secrets in the repr of something, or in a part of it that ends amid one."""
        if self._pattern is None:
            return text
        text = self._pattern.sub(HIDDEN, text)
        for secret in self._hidden:
            shown = repr(secret)[1:-1]
            text = text.replace(shown, HIDDEN)
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
            for secret in self._hidden:
                value = value.replace(secret.encode(), HIDDEN.encode())
            return value
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
