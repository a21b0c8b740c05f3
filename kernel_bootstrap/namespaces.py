"""``tools`` as the agent sees it.

Place in the house: above ``link`` and ``functions``, beside ``skills``; knows no transport.
These objects live among names a model chose, so everything of ours on them is either a
documented verb or begins with an underscore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from kernel_bootstrap.catalogue import Catalogue
from kernel_bootstrap.describing import describe, describe_group
from kernel_bootstrap.functions import build_function
from kernel_bootstrap.link import Link
from kernel_bootstrap.mapping import Batch, arun, run
from kernel_bootstrap.wire import errors
from kernel_bootstrap.wire.messages import Method

__all__ = ["ToolGroup", "Tools"]

Rows = list[dict[str, Any]]
"""What ``list`` and ``search`` return; named, because methods called ``list`` hide the type."""

Results = list[Any]
"""What ``map`` returns; named for the same reason."""

_SHOWN = 20
"""Names that a repr shows."""


class ToolGroup:
    """Tools below one attribute: ``tools`` itself, or a server's such as ``tools.weather``."""

    __slots__ = ("_catalogue", "_link", "_prefix")

    def __init__(self, link: Link, catalogue: Catalogue, prefix: str = "") -> None:
        self._link = link
        self._catalogue = catalogue
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        # Underscore names are probed by IPython, copy, pickle and the like: no tools, but for
        # `_3d` and `_x_`, the clean names of `3d` and `_x`.
        if name.startswith(("__", "_repr_", "_ipython_")):
            raise AttributeError(name)
        if name.startswith("_") and not (name[1:2].isdigit() or name.endswith("_")):
            raise AttributeError(name)
        path = self._prefix + name
        function = self._catalogue.functions.get(path)
        if function is not None:
            return function
        info = self._catalogue.by_path.get(path)
        if info is not None:
            function = build_function(info, self._invoke, self._ainvoke)
            self._catalogue.functions[path] = function
            return function
        if path in self._catalogue.groups:
            return ToolGroup(self._link, self._catalogue, path + ".")
        raise self._catalogue.missing(path)

    def _invoke(self, name: str, arguments: Mapping[str, Any]) -> Any:
        return self._link.call(Method.TOOLS_CALL, name=name, arguments=dict(arguments))

    async def _ainvoke(self, name: str, arguments: Mapping[str, Any]) -> Any:
        return await self._link.acall(Method.TOOLS_CALL, name=name, arguments=dict(arguments))

    def _paths(self) -> list[str]:
        return list(self._catalogue.below(self._prefix))

    def __dir__(self) -> Iterable[str]:
        verbs = [name for name in vars(type(self)) if not name.startswith("_")]
        return sorted({*verbs, *(path.partition(".")[0] for path in self._paths())})

    def __repr__(self) -> str:
        paths = self._paths()
        names = ", ".join(paths[:_SHOWN]) + (", ..." if len(paths) > _SHOWN else "")
        return f"<{'tools.' + self._prefix[:-1] if self._prefix else 'tools'}: {names or 'none'}>"


class _GroupText:
    """The docstring of a group: of the class its own, of a group the tools below it.

    ``tools.weather?`` and ``help(tools.weather)`` show an object's ``__doc__``.
    """

    def __init__(self, own: str | None) -> None:
        self._own = own

    def __get__(self, group: ToolGroup | None, owner: type[ToolGroup]) -> str | None:
        if group is None:
            return self._own
        path = group._prefix[:-1]
        return describe_group(path, group._catalogue.below(group._prefix))


ToolGroup.__doc__ = _GroupText(ToolGroup.__doc__)  # type: ignore[assignment]


class Tools(ToolGroup):
    """Tools that run on the host: ``tools.name(**arguments)``.

    ``tools.list()`` and ``tools.search("what for")`` find tools, ``tools.describe(name)``
    explains one, ``tools.name?`` and ``help(tools.name)`` work too. ``await
    tools.name.acall(...)`` does not block. Failures raise ``tools.ToolError`` or one of its
    subclasses (``ToolNotFoundError``, ``ToolCallError``, ``ToolTimeoutError``,
    ``ToolDeniedError``).
    """

    __slots__ = ()

    ToolError = errors.ToolError
    ToolNotFoundError = errors.ToolNotFoundError
    ToolCallError = errors.ToolCallError
    ToolTimeoutError = errors.ToolTimeoutError
    ToolDeniedError = errors.ToolDeniedError

    def call(self, name: str, arguments: Mapping[str, Any] | None = None, /) -> Any:
        """Call a tool by its exact name with a dict of arguments."""
        return self._invoke(name, arguments or {})

    async def acall(self, name: str, arguments: Mapping[str, Any] | None = None, /) -> Any:
        """Call a tool by its exact name, awaitable."""
        return await self._ainvoke(name, arguments or {})

    def map(
        self,
        name: str,
        calls: Iterable[Mapping[str, Any]],
        /,
        concurrency: int = 8,
        retries: int = 0,
        progress: bool | None = None,  # noqa: FBT001 - nobody gives it by position
    ) -> Results:
        """Call one tool many times, some at once.

        Args:
            name: The tool.
            calls: Arguments of each call; of a generator no more is taken than can run.
            concurrency: How many may run at once.
            retries: How often a call is made again, after a pause, that failed in a way that
                may pass: it took too long, or the tool failed. Never after a denial, an unknown
                tool or wrong arguments.
            progress: Whether to show a bar on stderr; None: when it takes longer than half a
                second.

        Returns:
            One value per call, in order; a call that failed has its ``ToolError`` in place. If an
            interrupt or time limit ends it, what is done is in the exception's ``results``:
            ``sys.last_value.results`` in the next cell.
        """
        batch = Batch(name, calls, concurrency=concurrency, retries=retries, progress=progress)
        return run(batch, self._beginner(name))

    async def amap(
        self,
        name: str,
        calls: Iterable[Mapping[str, Any]],
        /,
        concurrency: int = 8,
        retries: int = 0,
        progress: bool | None = None,  # noqa: FBT001 - nobody gives it by position
    ) -> Results:
        """Call one tool many times, awaitable; all else is as for ``map``."""
        batch = Batch(name, calls, concurrency=concurrency, retries=retries, progress=progress)
        return await arun(batch, self._beginner(name))

    def _beginner(self, name: str) -> Callable[[Mapping[str, Any]], Future[Any]]:
        def begin(arguments: Mapping[str, Any]) -> Future[Any]:
            return self._link.request(Method.TOOLS_CALL, name=name, arguments=dict(arguments))

        return begin

    def list(self) -> Rows:
        """List all tools: dicts with ``name``, ``description``, ``params``."""
        return [_brief(info) for info in self._catalogue.by_name.values()]

    def search(self, query: str, limit: int = 10) -> Rows:
        """Find tools by what they do, best first.

        Returns:
            Dicts as in ``list`` with ``score`` and ``terms``, the words of the query that
            matched; none if nothing has to do with the query.
        """
        found = self._link.call(Method.TOOLS_SEARCH, query=query, limit=limit)
        return [_brief(info) for info in found]

    def describe(self, name: str, /, detail: str = "full") -> str:
        """Explain one tool, or list the tools of a group such as ``"weather"``.

        Args:
            name: Exact name or path of the tool, or of a group.
            detail: ``"brief"``: one line. ``"signature"``: the call and that line. ``"full"``: its
                parameters with types, defaults and descriptions, and what it returns.
        """
        catalogue = self._catalogue
        if name in catalogue.groups and name not in catalogue.by_name:
            return describe_group(name, catalogue.below(name + "."))
        return describe(catalogue.find(name), detail)


_TOLD = ("name", "description", "params", "score", "terms")
"""What ``list`` and ``search`` tell of a tool; the last two are there when it was searched for."""


def _brief(info: Mapping[str, Any]) -> dict[str, Any]:
    return {key: info[key] for key in _TOLD if key in info}
