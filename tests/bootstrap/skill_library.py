"""A host that has skills: the real library and the real answers, on a link without a kernel."""

from __future__ import annotations

import asyncio

from kernel_bootstrap.skills import Skills
from py_code_mode import create_skill_library
from py_code_mode.requests import MODELS
from py_code_mode.skillcalls import SkillAnswers
from py_code_mode.toolcalls import Origin
from tests.bootstrap.fakes import HOLD


class Library:
    """A host with a real skill library and one tool, ``double``; it answers as the real one does."""

    def __init__(self) -> None:
        self.library = create_skill_library()
        self.answers = 1_000
        self.held = 0

    def add(self, name: str, source: str) -> None:
        self.library.create(name, source, replace=True)

    def __call__(self, request):
        verb, params = request.method, dict(request.params)
        if verb == "tools.call":
            if params["name"] == "hold":
                self.held += 1
                return HOLD
            return 2 * params["arguments"]["n"]
        if verb == "skills.get":
            self.answers -= not params.get("usage", True)
            assert self.answers >= 0, "nobody may ask so often"
        params = MODELS[verb](**params)
        answer = getattr(SkillAnswers(self.library), verb.partition(".")[2])
        return asyncio.run(answer(Origin("a session"), params))


def counts(skills: Skills, name: str) -> tuple[int, int]:
    """How often a skill ran, and how often it failed, as an agent sees it."""
    found = skills.get(name)
    assert found is not None
    return found.uses, found.failures
