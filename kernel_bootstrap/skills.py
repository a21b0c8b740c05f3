"""Compile a skill once per digest and run it with the three namespaces in its globals.

Place in the house: beside ``namespaces``, above ``link``. A skill sees ``tools``, ``skills``
and ``artifacts`` and nothing else of the session; its tracebacks show its own source.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import linecache
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from kernel_bootstrap.functions import SourceText, signature_of
from kernel_bootstrap.link import Link
from kernel_bootstrap.packages import require_packages
from kernel_bootstrap.wire import errors
from kernel_bootstrap.wire.messages import Method

__all__ = ["SkillView", "Skills"]

Rows = list[dict[str, Any]]
"""What ``list`` and ``search`` return; named, because methods called ``list`` hide the type."""

MAX_DEPTH = 50
"""Skills may call skills this deep; beyond it is a runaway recursion."""

_depth: ContextVar[int] = ContextVar("py_code_mode_skill_depth", default=0)


@dataclass(frozen=True, slots=True)
class SkillView:
    """A skill as ``skills.get`` shows it.

    Attributes:
        name: Its name.
        description: First line of its documentation.
        documentation: The rest of it.
        params: Parameters of ``run``: dicts with name, annotation, required, default.
        is_async: Whether ``run`` is ``async def``.
        source: Its Python source.
        digest: SHA-256 of the source, hex.
        packages: Packages it needs: requirements of PEP 508.
    """

    name: str
    description: str
    documentation: str
    params: list[dict[str, Any]]
    is_async: bool
    source: str = field(repr=False)
    digest: str = field(repr=False)
    packages: list[str] = field(default_factory=list)


class Skills:
    """Reusable recipes in Python: ``skills.name(**arguments)``.

    ``skills.search("what for")`` and ``skills.list()`` find skills, ``skills.get(name).source``
    shows one, ``skills.create(name, code, description)`` keeps a new one. Failures of the
    machinery raise ``skills.SkillError`` or a subclass; the skill's own errors pass through.
    """

    __slots__ = ("_code", "_globals", "_link")

    SkillError = errors.SkillError
    SkillNotFoundError = errors.SkillNotFoundError
    SkillValidationError = errors.SkillValidationError

    def __init__(self, link: Link, **namespaces: Any) -> None:
        self._link = link
        self._globals = {**namespaces, "skills": self}
        self._code: dict[tuple[str, str], CodeType] = {}

    def list(self) -> Rows:
        """List all skills: dicts with ``name``, ``description``, ``params``."""
        found: Rows = self._link.call(Method.SKILLS_LIST)
        return found

    def search(self, query: str, limit: int = 5) -> Rows:
        """Find skills by what they do, best first."""
        found: Rows = self._link.call(Method.SKILLS_SEARCH, query=query, limit=limit)
        return found

    def get(self, name: str) -> SkillView | None:
        """Return a skill with its source, or None if there is none of that name."""
        data = self._link.call(Method.SKILLS_GET, name=name)
        return None if data is None else _view(data)

    def create(
        self, name: str, code: str, description: str = "", *, replace: bool = False
    ) -> SkillView:
        """Keep a new skill; the code needs a ``def run(...)``.

        Raises:
            SkillValidationError: The name or the code is not acceptable, or the name is taken
                and ``replace`` is false.
        """
        return _view(
            self._link.call(
                Method.SKILLS_CREATE,
                name=name,
                code=code,
                description=description,
                replace=replace,
            )
        )

    def delete(self, name: str) -> bool:
        """Delete a skill; False if there was none."""
        return bool(self._link.call(Method.SKILLS_DELETE, name=name))

    def invoke(self, name: str, /, **arguments: Any) -> Any:
        """Run a skill and return what it returns; an ``async def run`` is run to its end."""
        return self._run(self._fetch(name), (), arguments)

    async def ainvoke(self, name: str, /, **arguments: Any) -> Any:
        """Run a skill from async code: an ``async def run`` is awaited in place."""
        result = self._start(self._fetch(name), (), arguments)
        return await result if inspect.isawaitable(result) else result

    def _fetch(self, name: str) -> SkillView:
        found = self.get(name)
        if found is None:
            raise errors.SkillNotFoundError(
                f"no skill named {name!r}; skills.list() and skills.search() show what there is"
            )
        return found

    def _start(self, skill: SkillView, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        depth = _depth.get()
        if depth >= MAX_DEPTH:
            raise errors.SkillError(f"skills call each other more than {MAX_DEPTH} levels deep")
        token = _depth.set(depth + 1)
        try:
            namespace = {**self._globals, "__name__": f"skill_{skill.name}"}
            exec(self._compiled(skill), namespace)  # noqa: S102 - a kernel is where skills run
            result = namespace["run"](*args, **kwargs)
        finally:
            _depth.reset(token)
        return _as_deep(result, depth + 1) if inspect.iscoroutine(result) else result

    def _run(self, skill: SkillView, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        result = self._start(skill, args, kwargs)
        return _to_end(result) if inspect.iscoroutine(result) else result

    def _compiled(self, skill: SkillView) -> CodeType:
        key = (skill.name, skill.digest)
        code = self._code.get(key)
        if code is None:
            require_packages(skill.name, skill.packages)
            filename = f"<skill {skill.name} {skill.digest[:8]}>"
            # linecache never checks entries whose mtime is None, so tracebacks find the source.
            # Lines as Python counts them: `splitlines` knows more line ends.
            lines = io.StringIO(skill.source, newline=None).readlines()
            linecache.cache[filename] = (len(skill.source), None, lines, filename)
            code = compile(skill.source, filename, "exec", dont_inherit=True)
            self._code[key] = code
        return code

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._function(self._fetch(name))

    def _function(self, skill: SkillView) -> Callable[..., Any]:
        def function(*args: Any, **kwargs: Any) -> Any:
            return self._run(skill, args, kwargs)

        signature = signature_of([_with_source_default(param) for param in skill.params], "")
        function.__name__ = skill.name
        function.__qualname__ = f"skills.{skill.name}"
        function.__doc__ = "\n\n".join(filter(None, (skill.description, skill.documentation)))
        function.__signature__ = signature  # type: ignore[attr-defined]
        return function

    def __dir__(self) -> Iterable[str]:
        verbs = [name for name in vars(type(self)) if not name.startswith("_")]
        return sorted({*verbs, *(skill["name"] for skill in self.list())})

    def __repr__(self) -> str:
        return "<skills: list, search, get, create, delete, invoke>"


def _view(data: Mapping[str, Any]) -> SkillView:
    return SkillView(
        **{name: data[name] for name in SkillView.__dataclass_fields__ if name in data}
    )


def _with_source_default(param: Mapping[str, Any]) -> dict[str, Any]:
    # Defaults of skills travel as source text: they are shown, never evaluated here.
    plain = {name: value for name, value in param.items() if name != "default"}
    return plain if param["required"] else {**plain, "default": SourceText(param["default"])}


async def _as_deep(coroutine: Coroutine[Any, Any, Any], depth: int) -> Any:
    """Await a skill's coroutine at its own depth, so that async recursion is bounded too."""
    token = _depth.set(depth)
    try:
        return await coroutine
    finally:
        _depth.reset(token)


def _to_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine from sync code.

    The cell's own loop is busy with that code, so it gets a loop of its own in a thread.
    """
    outcome: list[Any] = []
    failure: list[BaseException] = []
    context = copy_context()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def main() -> Any:
        task = asyncio.current_task()
        assert task is not None
        running.append((asyncio.get_running_loop(), task))
        return await coroutine

    def target() -> None:
        try:
            outcome.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=lambda: context.run(target), name="async skill", daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        for loop, task in running:
            loop.call_soon_threadsafe(task.cancel)
        raise
    if failure:
        raise failure[0]
    return outcome[0]
