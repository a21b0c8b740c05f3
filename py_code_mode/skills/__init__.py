"""Reusable recipes in Python: parsed here, never run; they run in kernels.

Place in the house: stores layer. ``skill`` is what one is, ``parse`` reads it from its source,
``store`` is the seam behind which ``memory``, ``redis`` and ``file`` (over ``history``,
``parsed``, ``scan`` and ``disk``) keep them, ``library`` is what the executor holds.
"""

from py_code_mode.skills.file import FileSkillStore
from py_code_mode.skills.library import SkillLibrary, create_skill_library
from py_code_mode.skills.memory import MemorySkillStore
from py_code_mode.skills.parse import parse_skill
from py_code_mode.skills.redis import RedisSkillStore
from py_code_mode.skills.skill import Skill, SkillExample, SkillParam
from py_code_mode.skills.store import SkillStore, SkillUsage, SkillVersion
from py_code_mode.skills.sync import SkillChange, SkillChanges

__all__ = [
    "FileSkillStore",
    "MemorySkillStore",
    "RedisSkillStore",
    "Skill",
    "SkillChange",
    "SkillChanges",
    "SkillExample",
    "SkillLibrary",
    "SkillParam",
    "SkillStore",
    "SkillUsage",
    "SkillVersion",
    "create_skill_library",
    "parse_skill",
]
