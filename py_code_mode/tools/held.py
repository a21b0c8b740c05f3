"""Tools that several users hold: the last one to let go closes them.

Place in the house: ``tools``, between ``offers`` and the registry, which is one of these.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from py_code_mode.tools.offers import FunctionOffers

__all__ = ["HeldTools"]


class HeldTools(FunctionOffers):
    """What a registry does when users come and go."""

    def retain(self) -> None:
        """Say that one more user needs the tools; each ``retain`` wants its ``release``."""
        self._shelf.holders += 1

    async def release(self) -> None:
        """Say that one user is done; the last one's release closes everything."""
        self._shelf.holders -= 1
        if self._shelf.holders <= 0:
            await self._close_adapters()

    async def aclose(self) -> None:
        """Close all adapters, whoever still uses them; closing twice is fine.

        Closing a scoped view does nothing: it owns nothing.
        """
        if not self._scopes:
            await self._close_adapters()

    async def _close_adapters(self) -> None:
        async with AsyncExitStack() as stack:  # each is closed, whatever the others raise
            stack.push_async_callback(self._shelf.observed.aclose)
            for adapter in (self._shelf.functions, *self._shelf.adapters):
                stack.push_async_callback(adapter.aclose)

    async def __aenter__(self) -> Self:
        self.retain()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.release()
