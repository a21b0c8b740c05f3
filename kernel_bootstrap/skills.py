"""Compile a skill once per digest and run it with the three namespaces in its globals.

Place in the house: beside ``namespaces``, above ``link``. A skill sees ``tools``, ``skills``
and ``artifacts`` and nothing else of the session; its tracebacks show its own source.
"""

from __future__ import annotations

import inspect
import io
import linecache
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextvars import ContextVar
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from kernel_bootstrap.awaiting import is_awaited
from kernel_bootstrap.catalogue import Catalogue
from kernel_bootstrap.coroutines import to_end
from kernel_bootstrap.link import Link
from kernel_bootstrap.packages import require_packages
from kernel_bootstrap.skillview import SkillView, signature_of, view
from kernel_bootstrap.uses import Use, Uses, uncounted
from kernel_bootstrap.wire import errors
from kernel_bootstrap.wire.messages import Method

if TYPE_CHECKING:
    from kernel_bootstrap.examples import SkillTest

__all__ = ["Skills"]

Rows = list[dict[str, Any]]
"""What ``list`` and ``search`` return; named, because methods called ``list`` hide the type."""

MAX_DEPTH = 50
"""Skills may call skills this deep; beyond it is a runaway recursion."""

_depth: ContextVar[int] = ContextVar("py_code_mode_skill_depth", default=0)


class Skills:
    """Reusable recipes in Python: ``skills.name(**arguments)``.

    ``skills.search("what for")`` and ``skills.list()`` find skills, ``skills.get(name).source``
    shows one, ``skills.create(name, code, description)`` keeps a new one,
    ``skills.update(name, code)`` a better one, ``skills.test(name)`` runs its examples. ``await
    skills.name(...)`` does not block. Failures of the machinery raise ``skills.SkillError`` or a
    subclass; the skill's own errors pass through.
    """

    __slots__ = ("_catalogue", "_code", "_globals", "_link", "_uses")

    SkillError = errors.SkillError
    SkillNotFoundError = errors.SkillNotFoundError
    SkillValidationError = errors.SkillValidationError

    def __init__(
        self,
        link: Link,
        *,
        catalogue: Catalogue | None = None,
        uses: Uses | None = None,
        **namespaces: Any,
    ) -> None:
        self._link = link
        self._catalogue = Catalogue() if catalogue is None else catalogue
        self._uses = Uses(link) if uses is None else uses
        self._globals = {**namespaces, "skills": self}
        self._code: dict[tuple[str, str], CodeType] = {}

    def list(self) -> Rows:
        """List all skills: dicts with ``name``, ``description``, ``params``, ``uses``, ..."""
        self._uses.send(wait=True)
        found: Rows = self._link.call(Method.SKILLS_LIST)
        return found

    def search(self, query: str, limit: int = 5) -> Rows:
        """Find skills by what they do, best first.

        Returns:
            Dicts as in ``list`` with ``score`` and ``terms``, the words of the query that
            matched; none if nothing has to do with the query.
        """
        found: Rows = self._link.call(Method.SKILLS_SEARCH, query=query, limit=limit)
        return found

    def get(self, name: str, version: int | None = None) -> SkillView | None:
        """Return a skill with its source, or None if there is none of that name.

        Args:
            name: Its name.
            version: A former version, a number of ``skills.versions(name)``.
        """
        self._uses.send(wait=True)
        data = self._link.call(Method.SKILLS_GET, name=name, version=version)
        return None if data is None else view(data)

    def create(
        self, name: str, code: str, description: str = "", *, replace: bool = False
    ) -> SkillView:
        """Keep a new skill; the code needs a ``def run(...)``.

        Raises:
            SkillValidationError: The name or the code is not acceptable, or the name is taken
                and ``replace`` is false.
        """
        return view(
            self._link.call(
                Method.SKILLS_CREATE,
                name=name,
                code=code,
                description=description,
                replace=replace,
            )
        )

    def update(self, name: str, code: str | None = None, description: str = "") -> SkillView:
        """Change a skill's code, its description, or both; the former version is kept.

        Raises:
            SkillNotFoundError: There is none of that name.
            SkillValidationError: The code is not acceptable.
        """
        return view(
            self._link.call(Method.SKILLS_UPDATE, name=name, code=code, description=description)
        )

    def delete(self, name: str) -> bool:
        """Delete a skill with its former versions; False if there was none."""
        return bool(self._link.call(Method.SKILLS_DELETE, name=name))

    def versions(self, name: str) -> Rows:
        """List a skill's kept versions, newest first: dicts with ``number``, ``time``, ..."""
        found: Rows = self._link.call(Method.SKILLS_VERSIONS, name=name)
        return found

    def test(self, name: str, /) -> SkillTest:
        """Run the ``>>>`` examples in a skill's docstrings, and compare what they give.

        They see the skill's own ``run`` beside ``tools``, ``skills`` and ``artifacts``.
        """
        from kernel_bootstrap.examples import run_examples  # loads doctest

        skill = self._fetch(name)
        self._check(skill)
        token = uncounted.set(True)
        try:
            return run_examples(name, skill.examples, self._loaded(skill))
        finally:
            uncounted.reset(token)

    def invoke(self, name: str, /, **arguments: Any) -> Any:
        """Run a skill and return what it returns; an ``async def run`` is run to its end."""
        skill = self._fetch(name)
        if is_awaited(sys._getframe(1)):
            return self._arun(skill, (), arguments)
        return self._run(skill, (), arguments)

    async def ainvoke(self, name: str, /, **arguments: Any) -> Any:
        """Run a skill from async code: an ``async def run`` is awaited in place."""
        data = await self._link.acall(Method.SKILLS_GET, name=name, usage=False)
        return await self._arun(view(data), (), arguments)

    def _fetch(self, name: str) -> SkillView:
        return view(self._link.call(Method.SKILLS_GET, name=name, usage=False))

    def _run(self, skill: SkillView, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        self._check(skill)
        with self._uses.of(skill.name) as use:
            result = self._start(skill, args, kwargs, use)
            return to_end(result) if inspect.iscoroutine(result) else result

    async def _arun(
        self, skill: SkillView, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        self._check(skill)
        with self._uses.of(skill.name) as use:
            result = self._start(skill, args, kwargs, use)
            return await result if inspect.isawaitable(result) else result

    def _check(self, skill: SkillView) -> None:
        """Refuse what cannot run here; it is no run, so it is not counted."""
        if _depth.get() >= MAX_DEPTH:
            raise errors.SkillError(f"skills call each other more than {MAX_DEPTH} levels deep")
        self._check_tools(skill)
        if (skill.name, skill.digest) not in self._code:
            require_packages(skill.name, skill.packages)

    def _start(
        self, skill: SkillView, args: tuple[Any, ...], kwargs: Mapping[str, Any], use: Use
    ) -> Any:
        depth = _depth.get() + 1
        token = _depth.set(depth)
        try:
            run = self._loaded(skill)["run"]
            try:
                result = run(*args, **kwargs)
            except TypeError as error:
                if _fit(run, args, kwargs):
                    raise
                use.counts = False  # whoever calls it so has failed, not the skill
                said = str(error).replace("run()", f"skills.{skill.name}()", 1)
                call = f"{skill.name}{signature_of(skill)}"
                raise TypeError(f"{said}; the signature is {call}") from None
        finally:
            _depth.reset(token)
        return _as_deep(result, depth) if inspect.iscoroutine(result) else result

    def _loaded(self, skill: SkillView) -> dict[str, Any]:
        """Return globals in which the skill's source has run."""
        code = self._compiled(skill)
        module = _SkillModule(f"skill_{skill.name}")
        namespace = vars(module)
        namespace.update(self._globals, __file__=code.co_filename)
        # Dataclasses, type hints and pickles look for the module of a class by its name.
        if isinstance(sys.modules.get(module.__name__, module), _SkillModule):
            sys.modules[module.__name__] = module
        exec(code, namespace)  # noqa: S102 - a kernel is where skills run
        return namespace

    def _check_tools(self, skill: SkillView) -> None:
        missing = [name for name in skill.tools if not self._catalogue.knows(name)]
        if missing:
            names = ", ".join(map(repr, missing))
            raise errors.SkillError(
                f"skill {skill.name!r} needs {'tools' if missing[1:] else 'the tool'} {names}, "
                "which this session does not have; tools.list() shows what it has",
                missing=missing,
            )

    def _compiled(self, skill: SkillView) -> CodeType:
        key = (skill.name, skill.digest)
        code = self._code.get(key)
        if code is None:
            filename = f"<skill {skill.name}.py {skill.digest[:8]}>"
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
            if is_awaited(sys._getframe(1)):
                return self._arun(skill, args, kwargs)
            return self._run(skill, args, kwargs)

        async def awaitable(*args: Any, **kwargs: Any) -> Any:
            return await self._arun(skill, args, kwargs)

        signature = signature_of(skill)
        made: Any
        for made, suffix in ((function, ""), (awaitable, ".acall")):
            made.__name__ = skill.name
            made.__qualname__ = f"skills.{skill.name}{suffix}"
            made.__doc__ = "\n\n".join(filter(None, (skill.description, skill.documentation)))
            made.__signature__ = signature
        function.acall = awaitable  # type: ignore[attr-defined]
        return function

    def __dir__(self) -> Iterable[str]:
        verbs = [name for name in vars(type(self)) if not name.startswith("_")]
        return sorted({*verbs, *(skill["name"] for skill in self.list())})

    def __repr__(self) -> str:
        return "<skills: list, search, get, create, update, delete, versions, test, invoke>"


class _SkillModule(ModuleType):
    """What a skill's source runs in, anew each time."""


def _fit(run: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a skill's ``run`` takes these arguments."""
    try:
        inspect.signature(run).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:  # it does not say what it takes
        return True
    return True


async def _as_deep(coroutine: Coroutine[Any, Any, Any], depth: int) -> Any:
    """Await a skill's coroutine at its own depth, so that async recursion is bounded too."""
    token = _depth.set(depth)
    try:
        return await coroutine
    finally:
        _depth.reset(token)
