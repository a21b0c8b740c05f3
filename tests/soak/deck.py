"""The actions there are, and in which order they come.

Place in the house: below the actions, which put themselves in here. Actions are dealt like cards:
each comes as often as it has copies before the deck is shuffled again, so none is ever missing.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from tests.soak.turn import Hand

__all__ = ["ACTIONS", "Action", "Deck", "action"]

Action = Callable[[Hand], Awaitable[None]]

ACTIONS: dict[str, tuple[Action, int]] = {}


def action(copies: int = 1) -> Callable[[Action], Action]:
    """Put an action into the deck, under its function's name.

    Args:
        copies: How often it comes before the deck is shuffled again.
    """

    def put(function: Action) -> Action:
        ACTIONS[function.__name__] = function, copies
        return function

    return put


class Deck:
    """Deals the names of actions.

    Args:
        seed: Of the order.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"deck {seed}")
        self._cards: list[str] = []
        self._dealt = 0

    def deal(self) -> tuple[str, int]:
        """Return the next action's name, and which one of all it is."""
        if not self._cards:
            self._cards = [name for name, (_, copies) in ACTIONS.items() for _ in range(copies)]
            self._random.shuffle(self._cards)
        self._dealt += 1
        return self._cards.pop(), self._dealt
