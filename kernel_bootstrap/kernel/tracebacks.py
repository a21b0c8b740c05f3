"""Tracebacks as the user's code should see them: without the bootstrap's frames.

Place in the house: bottom of ``kernel``; ``shell`` uses it.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

__all__ = ["forget_our_causes", "without_our_frames"]

_OURS = str(Path(__file__).parent.parent) + "/"


def without_our_frames(tb: TracebackType | None) -> TracebackType | None:
    """Unlink the bootstrap's frames, and those of the futures it waits on, from a traceback."""
    frames = []
    while tb is not None:
        frames.append(tb)
        tb = tb.tb_next
    ours = [frame.tb_frame.f_code.co_filename.startswith(_OURS) for frame in frames]
    kept = []
    for index, frame in enumerate(frames):
        inside_ours = any(ours[:index]) and "/concurrent/futures/" in _filename(frame)
        if not ours[index] and not inside_ours:
            kept.append(frame)
    for frame, after in zip(kept, [*kept[1:], None], strict=True):
        frame.tb_next = after
    return kept[0] if kept else None


def forget_our_causes(error: BaseException | None) -> None:
    """Unlink causes that lie wholly in the bootstrap; trim those that pass through it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        cause = error.__cause__ or error.__context__
        if cause is not None and cause.__traceback__ is not None:
            cause.__traceback__ = without_our_frames(cause.__traceback__)
            if cause.__traceback__ is None:
                # Setting a cause, even to None, also keeps the context from being shown.
                error.__cause__ = error.__context__ = None
        error = error.__cause__ or error.__context__


def _filename(frame: TracebackType) -> str:
    return frame.tb_frame.f_code.co_filename
