"""Connections on which no request comes to its point.

Place in the house: inside ``server``, below ``serving``. uvicorn has a time limit for connections
that wait for their next request, and none for a first request, or for headers that come byte by
byte.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["protocol"]


def protocol(seconds: float) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with a time limit for headers.

    Args:
        seconds: From the connection, or the first byte of a further request, to the last header.
    """

    class _Bounded(H11Protocol):
        _limit: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._begin()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            cycle = getattr(self, "cycle", None)  # there with the first request
            if cycle is not None and not cycle.response_complete:
                self._end()
            elif self._limit is None and self.conn.trailing_data[0]:
                self._begin()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end()
            super().connection_lost(exc)

        def _begin(self) -> None:
            self._limit = self.loop.call_later(seconds, self.transport.close)

        def _end(self) -> None:
            if self._limit is not None:
                self._limit.cancel()
                self._limit = None

    return _Bounded
