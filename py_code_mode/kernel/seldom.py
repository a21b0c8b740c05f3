"""Warnings about what a kernel does, which it could do a million times.

Place in the house: bottom of ``kernel``.
"""

from __future__ import annotations

import logging

__all__ = ["Seldom"]

_ALL = 8
"""Warnings of one kind that are all logged; of later ones every second, fourth, eighth, ..."""


class Seldom:
    """Logs warnings, ever fewer of them.

    Args:
        log: Where to.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._count = 0

    def __call__(self, message: str, *arguments: object) -> None:
        """Log a warning, if it is one of the first, or its turn."""
        self._count += 1
        if self._count <= _ALL:
            self._log.warning(message, *arguments)
        elif self._count & (self._count - 1) == 0:
            self._log.warning(f"{message} (%s times by now)", *arguments, self._count)
