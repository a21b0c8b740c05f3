"""How many examples Hypothesis tries: few in the suite, as many as ``EXAMPLES`` says in the night.

Place in the house: helps tests of what reads hostile input; ``make fuzz`` runs them, see
docs/security.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

__all__ = ["NIGHT", "examples"]

Test = TypeVar("Test", bound=Callable[..., object])

NIGHT = int(os.environ.get("EXAMPLES", "0"))
"""Examples of each test of the night; 0: it is day."""


def examples(few: int = 100) -> Callable[[Test], Test]:
    """Mark a test as one of the night, and say how many examples it tries.

    Args:
        few: In the suite, where all of them may take as long as a test may.
    """
    chosen = settings(
        max_examples=NIGHT or few,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )

    def mark(test: Test) -> Test:
        marked: Any = pytest.mark.night(chosen(test))
        return pytest.mark.timeout(0)(marked) if NIGHT else marked

    return mark
