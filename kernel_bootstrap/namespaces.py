"""``tools`` and ``artifacts`` as the agent sees them.

Place in the house: above ``link`` and ``functions``, beside ``skills``; knows no transport.
These objects live among names a model chose, so everything of ours on them is either a
documented verb or begins with an underscore.
"""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from kernel_bootstrap.functions import ToolFunction, build_function, signature_of
from kernel_bootstrap.link import Link
from kernel_bootstrap.wire import errors
from kernel_bootstrap.wire.messages import Method
from kernel_bootstrap.wire.packing import pack, type_name, unpack

__all__ = ["Artifacts", "Catalogue", "ToolGroup", "Tools"]

Rows = list[dict[str, Any]]
"""What ``list`` and ``search`` return; named, because methods called ``list`` hide the type."""


class Catalogue:
    """The tools of this session, by attribute path and by exact name.

    Args:
        tools: Plain data as the host sent it: name, path, description, params, tags, returns.
    """

    def __init__(self, tools: Sequence[Mapping[str, Any]] = ()) -> None:
        self.replace(tools)

    def replace(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Take over a newer list of tools."""
        self.by_path: dict[str, Mapping[str, Any]] = {tool["path"]: tool for tool in tools}
        self.by_name: dict[str, Mapping[str, Any]] = {tool["name"]: tool for tool in tools}
        self.functions: dict[str, ToolFunction] = {}

    def find(self, name: str) -> Mapping[str, Any]:
        """Return the tool of that exact name or attribute path.

        Raises:
            ToolNotFoundError: With the nearest names.
        """
        found = self.by_name.get(name) or self.by_path.get(name)
        if found is None:
            raise self.missing(name)
        return found

    def missing(self, name: str) -> errors.ToolNotFoundError:
        """Make the error for an unknown name."""
        near = difflib.get_close_matches(name, [*self.by_name, *self.by_path], n=3, cutoff=0.5)
        near = list(dict.fromkeys(near))
        hint = f"did you mean {', '.join(near)}?" if near else "tools.list() shows them all"
        return errors.ToolNotFoundError(f"no tool named {name!r}; {hint}", near=near)


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
        if any(known.startswith(path + ".") for known in self._catalogue.by_path):
            return ToolGroup(self._link, self._catalogue, path + ".")
        raise self._catalogue.missing(path)

    def _invoke(self, name: str, arguments: Mapping[str, Any]) -> Any:
        return self._link.call(Method.TOOLS_CALL, name=name, arguments=dict(arguments))

    async def _ainvoke(self, name: str, arguments: Mapping[str, Any]) -> Any:
        return await self._link.acall(Method.TOOLS_CALL, name=name, arguments=dict(arguments))

    def _paths(self) -> list[str]:
        start = len(self._prefix)
        return [p[start:] for p in self._catalogue.by_path if p.startswith(self._prefix)]

    def __dir__(self) -> Iterable[str]:
        verbs = [name for name in vars(type(self)) if not name.startswith("_")]
        return sorted({*verbs, *(path.partition(".")[0] for path in self._paths())})

    def __repr__(self) -> str:
        names = ", ".join(sorted(self._paths())[:20])
        return f"<{'tools.' + self._prefix[:-1] if self._prefix else 'tools'}: {names or 'none'}>"


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
        self, name: str, calls: Iterable[Mapping[str, Any]], /, concurrency: int = 8
    ) -> list[Any]:
        """Call one tool many times, some at once.

        Args:
            name: The tool.
            calls: Arguments of each call.
            concurrency: How many may run at once.

        Returns:
            One value per call, in order; a call that failed has its ``ToolError`` in place.
        """
        running: deque[Future[Any]] = deque()
        done: list[Any] = []
        try:
            for arguments in calls:
                if len(running) >= max(1, concurrency):
                    # Left in the queue while it is waited for: an interrupt cancels it too.
                    done.append(_outcome(running[0]))
                    running.popleft()
                running.append(self._begin(name, arguments))
            while running:
                done.append(_outcome(running[0]))
                running.popleft()
        finally:
            for future in running:
                future.cancel()
        return done

    def _begin(self, name: str, arguments: Mapping[str, Any]) -> Future[Any]:
        try:
            return self._link.request(Method.TOOLS_CALL, name=name, arguments=dict(arguments))
        except errors.CodeModeError as error:
            # What cannot be sent is one failed call, not the end of all of them.
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed

    def list(self) -> Rows:
        """List all tools: dicts with ``name``, ``description``, ``params``."""
        return [_brief(info) for info in self._catalogue.by_name.values()]

    def search(self, query: str, limit: int = 10) -> Rows:
        """Find tools by what they do: dicts as in ``list``, best first."""
        found = self._link.call(Method.TOOLS_SEARCH, query=query, limit=limit)
        return [_brief(info) for info in found]

    def describe(self, name: str, /) -> str:
        """Explain one tool: its signature, what it does, its parameters."""
        info = self._catalogue.find(name)
        signature = signature_of(info["params"], info.get("returns", ""))
        function = build_function(info, self._invoke, self._ainvoke)
        return f"tools.{info['path']}{signature}\n\n{function.__doc__}"


def _brief(info: Mapping[str, Any]) -> dict[str, Any]:
    return {key: info[key] for key in ("name", "description", "params")}


def _outcome(future: Future[Any]) -> Any:
    try:
        return future.result()
    except errors.CodeModeError as error:
        return error


class Artifacts:
    """Data that outlives the session: ``artifacts.save(name, data)``, ``artifacts.load(name)``.

    JSON data, text, bytes, arrays, data frames and most plain Python values load back as they
    were saved. Failures raise ``artifacts.ArtifactError`` or a subclass.
    """

    __slots__ = ("_link",)

    ArtifactError = errors.ArtifactError
    ArtifactNotFoundError = errors.ArtifactNotFoundError
    ArtifactWriteError = errors.ArtifactWriteError

    def __init__(self, link: Link) -> None:
        self._link = link

    def save(
        self,
        name: str,
        data: Any,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Save ``data`` under ``name`` (``/`` makes folders); returns what is known about it."""
        kind, packed = pack(data)
        info: dict[str, Any] = self._link.call(
            Method.ARTIFACTS_SAVE,
            name=name,
            kind=kind,
            data=packed,
            description=description,
            metadata=dict(metadata or {}),
            type_name=type_name(data),
        )
        return info

    def load(self, name: str) -> Any:
        """Load what was saved under ``name``."""
        loaded = self._link.call(Method.ARTIFACTS_LOAD, name=name)
        return unpack(loaded["kind"], loaded["data"])

    def get(self, name: str) -> dict[str, Any] | None:
        """Return what is known about an artifact (size, description, ...), or None."""
        info: dict[str, Any] | None = self._link.call(Method.ARTIFACTS_GET, name=name)
        return info

    def list(self) -> Rows:
        """List all artifacts: dicts with name, description, size, ..."""
        found: Rows = self._link.call(Method.ARTIFACTS_LIST)
        return found

    def exists(self, name: str) -> bool:
        """Whether there is an artifact of that name."""
        return bool(self._link.call(Method.ARTIFACTS_EXISTS, name=name))

    def delete(self, name: str) -> bool:
        """Delete an artifact; False if there was none."""
        return bool(self._link.call(Method.ARTIFACTS_DELETE, name=name))

    def __repr__(self) -> str:
        return "<artifacts: save, load, get, list, exists, delete>"
