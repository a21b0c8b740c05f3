"""What can be done with the cells that ran: the transcript, a file of it, a skill made of them.

Place in the house: executor layer, below ``session``. A session has these methods, and its
executor repeats them for the default one; both say only whose cells are meant.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from py_code_mode.notebook import Notebook
from py_code_mode.settings import SessionSettings
from py_code_mode.skills.skill import Skill

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Transcribed"]


class Transcribed(ABC):
    """Has a transcript."""

    @abstractmethod
    def _record(self) -> tuple[str, Notebook, SessionSettings]:
        """Return the session's name, its cells, and what it shares with others."""

    @property
    def transcript(self) -> NotebookNode:
        """The cells run so far with their outputs, as an nbformat notebook (4.5).

        The metadata of each cell say when it ran, which tools and skills it used, and what tools
        answered. No secret of the tools is in it.
        """
        name, notebook, settings = self._record()
        return notebook.build(name, secrets=settings.secrets, tools=settings.tools.list_tools())

    def export_notebook(self, path: str | Path) -> Path:
        """Write the transcript to a file; return its path.

        Args:
            path: Where to; a path that ends in ``.html`` becomes a page to be read, which needs
                nbconvert (the extra ``lab``). It runs nothing and loads nothing.

        Raises:
            ConfigError: A page is wanted, and nbconvert is not installed.
        """
        from py_code_mode.transcripts.files import write_notebook

        return write_notebook(self.transcript, Path(path))

    async def save_skill_from(
        self,
        cells: int | Sequence[int],
        name: str,
        params: Mapping[str, Any] | Sequence[str] = (),
        description: str = "",
        *,
        replace: bool = False,
    ) -> Skill:
        """Make a skill of cells that ran, and keep it; it can be called at once.

        What the last of them gave is what the skill returns. Arguments and value as they were
        become its example, which ``skills.test`` runs.

        Args:
            cells: Which cells, as numbered in the transcript (``result.execution_count``); of
                several with one number the last counts. Negative numbers count from the end.
            name: What the skill is to be called by.
            params: Its parameters. ``{"target": "10.0.0.1"}`` puts ``target`` in the place of each
                such literal; ``["target"]`` makes a parameter of what the cells assign at top
                level. What was there is the default.
            description: One line; empty: one is made.
            replace: Whether it may take the place of one of the same name.

        Raises:
            SkillError: A cell is not there, failed, or holds what no skill can: the message says
                which, and what would help.
            SkillValidationError: The name or the code is not acceptable, or the name is taken.
        """
        from py_code_mode.promote import promote

        session, notebook, settings = self._record()
        source = await asyncio.to_thread(
            promote,
            notebook.cells,
            [cells] if isinstance(cells, int) else [*cells],
            params,
            description or f"Made of cells of the session {session!r}.",
            tools=settings.tools,
            secrets=settings.secrets,
        )
        creator = (settings.author or session)[:200]
        return await asyncio.to_thread(
            settings.skills.create, name, source, replace=replace, creator=creator
        )
