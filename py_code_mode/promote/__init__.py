"""Cells that ran, made into a skill: the source of one, with parameters and an example.

Place in the house: executor layer, below ``session``, above skills and ``transcripts``. Whatever
cells hold is parsed and changed as text; nothing of it ever runs here. ``picking`` chooses the
cells, ``lifting`` makes parameters, ``names`` finds what would be missing, ``used`` the tools,
``example`` the test, ``writing`` puts it together.
"""

from __future__ import annotations

from py_code_mode.promote.writing import promote

__all__ = ["promote"]
