"""The order of a dict's keys, which writers of notebooks sort.

Place in the house: inside ``transcripts``. The codec has a form for dicts that are no plain JSON
objects, of keys and values in two lists: an answer whose order would be lost is kept in that.
"""

from __future__ import annotations

from typing import Any

__all__ = ["keep_order", "plain_order"]


def keep_order(tree: Any) -> Any:
    """Return a codec's tree whose dicts come back in their order from sorted JSON."""
    if isinstance(tree, list):
        return [keep_order(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    kept = {key: keep_order(item) for key, item in tree.items()}
    if "$" in tree or list(tree) == sorted(tree):
        return kept
    return {"$": "dict", "k": list(kept), "v": list(kept.values())}


def plain_order(tree: Any) -> Any:
    """Return a tree as a reader wants to see it."""
    if isinstance(tree, list):
        return [plain_order(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if tree.get("$") == "dict" and all(isinstance(key, str) for key in tree["k"]):
        return dict(zip(tree["k"], map(plain_order, tree["v"]), strict=True))
    return {key: plain_order(item) for key, item in tree.items()}
