"""The part of a registry that makes tools of Python functions.

Place in the house: ``tools``, between ``shelf`` and ``registry``, which inherits it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar, overload

from py_code_mode.errors import ConfigError
from py_code_mode.tools.names import clean_name
from py_code_mode.tools.shelf import Shelf
from py_code_mode.tools.table import Entry

__all__ = ["FunctionOffers"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class FunctionOffers:
    """Takes functions and puts them on a shelf.

    Args:
        shelf: Where the tools stand.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._scopes: tuple[frozenset[str], ...] = ()

    def add(
        self,
        function: _Function,
        *,
        name: str | None = None,
        description: str | None = None,
        tags: Collection[str] = (),
    ) -> _Function:
        """Make a tool of a Python function; usable as a decorator.

        Args:
            function: Sync (it runs in a thread) or async, a generator (its items are told as
                progress) or not. Its parameters, type hints and docstring describe the tool.
            name: Name of the tool, by default the function's.
            description: What it does, by default the docstring's first paragraph.
            tags: Labels for scoping.

        Returns:
            The function, as it was.

        Raises:
            ConfigError: It cannot be a tool, or its name is taken.
        """
        self._refuse_in_view()
        functions = self._shelf.functions
        info = functions.add(function, name=name, description=description, tags=tags)
        try:
            self._shelf.put([Entry(info, clean_name(info.name), functions, "a function")])
        except ConfigError:
            functions.remove(info.name)
            raise
        return function

    @overload
    def tool(self, function: _Function) -> _Function: ...

    @overload
    def tool(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        tags: Collection[str] = (),
    ) -> Callable[[_Function], _Function]: ...

    def tool(
        self,
        function: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        tags: Collection[str] = (),
    ) -> Any:
        """Decorate a function to make a tool of it: ``@registry.tool`` or ``@registry.tool(...)``.

        Args:
            function: See ``add``.
            name: See ``add``.
            description: See ``add``.
            tags: See ``add``.

        Raises:
            ConfigError: See ``add``.
        """

        def decorate(function: _Function) -> _Function:
            return self.add(function, name=name, description=description, tags=tags)

        if isinstance(function, str):
            raise ConfigError(f"write @registry.tool(name={function!r})", key="name")
        return decorate if function is None else decorate(function)

    def _refuse_in_view(self) -> None:
        if self._scopes:
            raise ConfigError("a scoped view takes no tools; add them to its registry")
