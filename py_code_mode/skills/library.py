"""The skills of an executor: find, search, create, update and delete, over any store.

Place in the house: top of ``skills``. Methods block on the store and may be called from any
thread; async code calls them through ``asyncio.to_thread``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from py_code_mode.errors import (
    ConfigError,
    SkillError,
    SkillNotFoundError,
    SkillValidationError,
)
from py_code_mode.search import Document, Embedder, Index, near_names
from py_code_mode.skills.file import FileSkillStore
from py_code_mode.skills.found import FoundSkill
from py_code_mode.skills.memory import MemorySkillStore
from py_code_mode.skills.parse import invalid, parse_skill, revised
from py_code_mode.skills.skill import Skill
from py_code_mode.skills.store import (
    IndexedStore,
    ReadsAtOnce,
    SkillStore,
    SkillUsage,
    SkillVersion,
)
from py_code_mode.skills.sync import SkillChanges, compare, sync

__all__ = ["SkillLibrary", "create_skill_library"]

_log = logging.getLogger(__name__)

Skills = list[Skill]
"""Named, because a method called ``list`` hides the type."""

Versions = list[SkillVersion]
"""Named for the same reason."""

FoundSkills = list[FoundSkill]
"""Named for the same reason."""


class SkillLibrary:
    """Finds and keeps skills.

    What others change in the store shows at the next call. Parsed skills and the search index
    are kept until the store says that something changed.

    Args:
        store: Where the skills are kept, and beside them the search index, if it can.
        embedder: Finds skills by meaning, too, if there is one.
    """

    def __init__(self, store: SkillStore, *, embedder: Embedder | None = None) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._seen: tuple[object, tuple[Skill, ...], tuple[SkillValidationError, ...]] | None = None
        keeper = store.index_keeper() if isinstance(store, IndexedStore) else None
        self._index = Index(keeper=keeper, embedder=embedder)
        self._indexed: dict[str, Skill] = {}
        self._indexed_version: object = None

    def list(self) -> Skills:
        """Return all good skills by name."""
        _, skills, _ = self._look()
        return [*skills]

    def problems(self) -> tuple[SkillValidationError, ...]:
        """Return what is wrong with the others, by name."""
        _, _, problems = self._look()
        return problems

    def get(self, name: str, version: int | None = None) -> Skill | None:
        """Return a skill, or None if there is none of that name.

        Args:
            name: Its name.
            version: Number of a kept version; None: the present one.

        Raises:
            SkillValidationError: It is there, but broken.
        """
        return self.store.load(name) if version is None else self.store.load(name, version)

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

    def search(self, query: str, limit: int = 5) -> FoundSkills:
        """Find skills by what they do, best first.

        Args:
            query: Plain words, or a name or its beginning.
            limit: How many to return at most.

        Returns:
            Those that have something to do with the query, with scores and the words that
            matched; maybe none.
        """
        version, skills, _ = self._look()
        with self._lock:
            if self._indexed_version is None or self._indexed_version != version:
                self._bring_up_to_date(skills)
                self._indexed_version = version
            indexed = self._indexed
        hits = self._index.search(query, limit)
        # Another thread may have put others into the index meanwhile.
        return [FoundSkill.of(indexed[hit.name], hit) for hit in hits if hit.name in indexed]

    def create(
        self,
        name: str,
        code: str,
        description: str = "",
        *,
        replace: bool = False,
        creator: str = "",
    ) -> Skill:
        """Keep a new skill.

        Args:
            name: What it is to be called by, an identifier.
            code: Python with a ``run`` function.
            description: One line; takes the place of the first line of the code's docstring.
            replace: Whether it may take the place of one of the same name.
            creator: Who makes it.

        Returns:
            The skill as the store keeps it, which may have the description in its docstring.

        Raises:
            SkillValidationError: The name or the code is not acceptable, or the name is taken
                and ``replace`` is false.
            SkillError: The store could not write it.
        """
        skill = parse_skill(name, code, description=description)
        if not self.store.save(skill, replace=replace, creator=creator):
            raise invalid(name, "there is a skill of that name already; replace=True replaces it")
        return self.store.load(name) or skill

    def update(
        self, name: str, code: str | None = None, description: str = "", *, creator: str = ""
    ) -> Skill:
        """Change a skill's code, its description, or both; the former version is kept.

        Args:
            name: The skill.
            code: The new code; None: it stays. Without a docstring the skill keeps the one it has.
            description: The new description; empty: that of the code, or else it stays.
            creator: Who changes it.

        Raises:
            SkillNotFoundError: There is none of that name.
            SkillValidationError: The code is not acceptable; or there is none, and the skill is
                broken.
            SkillError: The store could not write it.
        """
        try:
            old: Skill | None = self.find(name)
        except SkillValidationError:
            if code is None:
                raise
            old = None  # broken, and about to be replaced
        skill = revised(name, old, code, description)
        self.store.save(skill, creator=creator)
        return self.store.load(name) or skill

    def delete(self, name: str) -> bool:
        """Remove a skill, broken or not, and its former versions; False if there was none."""
        return self.store.delete(name)

    def versions(self, name: str) -> Versions:
        """Return the kept versions of a skill, the present one first; none for no skill."""
        return self.store.versions(name)

    def usage(self, *names: str) -> dict[str, SkillUsage]:
        """Return how often these skills, or all, were used; those that never were are left out."""
        return self.store.usage(*names)

    def count(self, used: Mapping[str, SkillUsage]) -> None:
        """Add runs to the counts; a store that cannot is no error, only in the log."""
        try:
            self.store.add_usage(used)
        except SkillError as error:
            _log.info("uses of skills were not counted: %s", error)

    def import_from(
        self, path: Path | str, *, dry_run: bool = False, delete: bool = False, creator: str = ""
    ) -> SkillChanges:
        """Take over the skills of a folder.

        Args:
            path: The folder.
            dry_run: Whether only to say what would change.
            delete: Whether skills go that are not in the folder.
            creator: Who imports them; empty: whoever the folder says made them.

        Raises:
            ConfigError: There is no such folder.
        """
        if not Path(path).is_dir():
            raise ConfigError("there is no such folder of skills", file=path)
        folder = FileSkillStore(path)
        if dry_run:
            return compare(folder, self.store, delete=delete)
        return sync(folder, self.store, delete=delete, creator=creator)

    def export_to(
        self, path: Path | str, *, dry_run: bool = False, delete: bool = False
    ) -> SkillChanges:
        """Write the skills into a folder, a file each; what is the same is not touched.

        Args:
            path: The folder; made if it does not exist.
            dry_run: Whether only to say what would change.
            delete: Whether files of other skills go.
        """
        if dry_run:
            # A folder that is not there must not be made by looking.
            there = FileSkillStore(path) if Path(path).is_dir() else MemorySkillStore()
            return compare(self.store, there, delete=delete)
        return sync(self.store, FileSkillStore(path), delete=delete)

    def _look(self) -> tuple[object, tuple[Skill, ...], tuple[SkillValidationError, ...]]:
        with self._lock:
            # Asked before the skills are read: a change meanwhile shows at the next call.
            version = self.store.version()
            if self._seen is None or self._seen[0] != version:
                self._seen = version, *self._load_all()
            return self._seen

    def _bring_up_to_date(self, skills: tuple[Skill, ...]) -> None:
        """Tell the index what changed; a skill that did not is the same object as before."""
        former, self._indexed = self._indexed, {skill.name: skill for skill in skills}
        self._index.remove(name for name in former if name not in self._indexed)
        new = (skill for skill in skills if former.get(skill.name) is not skill)
        self._index.put(map(_document, new))

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


def create_skill_library(
    store: SkillStore | None = None, *, embedder: Embedder | None = None
) -> SkillLibrary:
    """Make a library.

    Args:
        store: Where the skills are kept; without one they live in memory.
        embedder: Finds skills by meaning, too, e.g. ``SentenceTransformersEmbedder(path)``.
    """
    return SkillLibrary(MemorySkillStore() if store is None else store, embedder=embedder)


def _document(skill: Skill) -> Document:
    params = [f"{param.name} {param.annotation} {param.description}" for param in skill.params]
    return Document(
        skill.name,
        skill.description,
        skill.documentation,
        parameters="\n".join([*params, skill.returns]),
        tags="\n".join(skill.tags),
        source=skill.source,
    )
