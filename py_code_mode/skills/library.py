"""The skills of an executor: list, find, search, create and delete, over any store.

Place in the house: top of ``skills``. Methods block on the store and may be called from any
thread; async code calls them through ``asyncio.to_thread``.
"""

from __future__ import annotations

import threading

from py_code_mode.errors import SkillNotFoundError, SkillValidationError
from py_code_mode.search import CachedIndex, Document, near_names
from py_code_mode.skills.memory import MemorySkillStore
from py_code_mode.skills.parse import invalid, parse_skill
from py_code_mode.skills.skill import Skill
from py_code_mode.skills.store import ReadsAtOnce, SkillStore

__all__ = ["SkillLibrary", "create_skill_library"]

Skills = list[Skill]
"""Named, because a method called ``list`` hides the type."""


class SkillLibrary:
    """Finds and keeps skills.

    What others change in the store shows at the next call. Parsed skills and the search index
    are kept until the store says that something changed.

    Args:
        store: Where the skills are kept.
    """

    def __init__(self, store: SkillStore) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._seen: tuple[object, tuple[Skill, ...], tuple[SkillValidationError, ...]] | None = None
        self._index = CachedIndex()

    def list(self) -> Skills:
        """Return all good skills by name."""
        _, skills, _ = self._look()
        return [*skills]

    def problems(self) -> tuple[SkillValidationError, ...]:
        """Return what is wrong with the others, by name."""
        _, _, problems = self._look()
        return problems

    def get(self, name: str) -> Skill | None:
        """Return a skill, or None if there is none of that name.

        Raises:
            SkillValidationError: It is there, but broken.
        """
        return self.store.load(name)

    def find(self, name: str) -> Skill:
        """Return a skill that must be there.

        Raises:
            SkillNotFoundError: There is none of that name; the message and ``near`` give those
                that may have been meant.
            SkillValidationError: It is there, but broken.
        """
        skill = self.store.load(name)
        if skill is not None:
            return skill
        near = near_names(name, self.store.names())
        hint = f"did you mean {' or '.join(near)}?" if near else "skills.list() shows what there is"
        raise SkillNotFoundError(f"no skill named {name[:100]!r}; {hint}", near=near)

    def search(self, query: str, limit: int = 5) -> Skills:
        """Find skills by what they do, best first.

        Args:
            query: Plain words, or a name or its beginning.
            limit: How many to return at most.

        Returns:
            Those that have something to do with the query; maybe none.
        """
        version, skills, _ = self._look()
        index = self._index.get(version, lambda: [_document(skill) for skill in skills])
        return [skills[position] for position, _ in index.search(query, limit)]

    def create(
        self, name: str, code: str, description: str = "", *, replace: bool = False
    ) -> Skill:
        """Keep a new skill.

        Args:
            name: What it is to be called by, an identifier.
            code: Python with a ``run`` function.
            description: One line; takes the place of the first line of the code's docstring.
            replace: Whether it may take the place of one of the same name.

        Returns:
            The skill as the store keeps it, which may have the description in its docstring.

        Raises:
            SkillValidationError: The name or the code is not acceptable, or the name is taken
                and ``replace`` is false.
            SkillError: The store could not write it.
        """
        skill = parse_skill(name, code, description=description)
        if not self.store.save(skill, replace=replace):
            raise invalid(name, "there is a skill of that name already; replace=True replaces it")
        return self.store.load(name) or skill

    def delete(self, name: str) -> bool:
        """Remove a skill, broken or not; False if there was none."""
        return self.store.delete(name)

    def _look(self) -> tuple[object, tuple[Skill, ...], tuple[SkillValidationError, ...]]:
        with self._lock:
            # Asked before the skills are read: a change meanwhile shows at the next call.
            version = self.store.version()
            if self._seen is None or self._seen[0] != version:
                self._seen = version, *self._load_all()
            return self._seen

    def _load_all(self) -> tuple[tuple[Skill, ...], tuple[SkillValidationError, ...]]:
        skills, problems = [], []
        if isinstance(self.store, ReadsAtOnce):
            read = self.store.load_all()
            problems = [each for each in read if isinstance(each, SkillValidationError)]
            return tuple(each for each in read if isinstance(each, Skill)), tuple(problems)
        for name in self.store.names():
            try:
                skill = self.store.load(name)
            except SkillValidationError as error:
                problems.append(error)
            else:
                if skill is not None:  # None: deleted since
                    skills.append(skill)
        return tuple(skills), tuple(problems)

    def __repr__(self) -> str:
        return f"SkillLibrary({self.store!r})"


def create_skill_library(store: SkillStore | None = None) -> SkillLibrary:
    """Make a library over ``store``; without one the skills live in memory."""
    return SkillLibrary(MemorySkillStore() if store is None else store)


def _document(skill: Skill) -> Document:
    params = [f"{param.name} {param.annotation} {param.description}" for param in skill.params]
    text = "\n".join([skill.documentation, *params, skill.returns, skill.source])
    return Document(skill.name, skill.description, text)
