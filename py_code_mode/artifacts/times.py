"""When an artifact ceases to be.

Place in the house: bottom of ``artifacts``.
"""

from __future__ import annotations

import time
from datetime import datetime

from py_code_mode.errors import ArtifactWriteError

__all__ = ["expiry"]


def expiry(ttl: float | None, expires: datetime | float | None) -> float | None:
    """Return a point in time as seconds since 1970.

    Args:
        ttl: Seconds from now; None: not said.
        expires: The point itself; a datetime without a zone is local time, as Python takes it.

    Raises:
        ArtifactWriteError: Both were said, or ttl is no number of seconds.
    """
    if ttl is not None and expires is not None:
        raise ArtifactWriteError("say either ttl or expires, not both")
    if ttl is not None:
        try:
            return time.time() + ttl
        except (TypeError, OverflowError):
            raise ArtifactWriteError(f"ttl must be a number of seconds, not {ttl!r:.80}") from None
    return expires.timestamp() if isinstance(expires, datetime) else expires
