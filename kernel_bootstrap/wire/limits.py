"""How much a cell may show and send, and how an excess is cut.

Place in the house: part of THE contract. The kernel applies these limits first, because that
keeps a flood off the wire; the host applies them again, because it trusts no kernel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from kernel_bootstrap.wire.errors import ProtocolError

__all__ = ["Cut", "Limits", "bundle_size", "cut_text", "fit_bundle", "strip_ansi"]

MIB = 1024 * 1024

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")

UNMEASURABLE = 1 << 60
"""Size of what cannot be measured: more than any limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run. Text is counted in characters, everything else in bytes.

    Attributes:
        stream_chars: stdout, and stderr, of one cell; half is kept from the head, half from
            the tail.
        text_chars: One text format (``text/plain``) of one output.
        output_bytes: One rich output with all its formats.
        outputs: Number of rich outputs of one cell; half from the head, half from the tail.
        outputs_bytes: All rich outputs of one cell together.
        value_bytes: The value of the last expression; a larger one stays in the kernel.
        request_bytes: One request of the kernel, buffers included.
        reply_bytes: One reply to the kernel, buffers included.
        pending_requests: Requests of one session that may be unanswered at once.
        spill_bytes: What is kept of one flooded output as an artifact; 0 keeps none.
        code_chars: Source of one cell.
        recorded_call_bytes: One answer of a tool that the transcript keeps for replay.
        recorded_bytes: All of them that one session's transcript keeps; 0 keeps none.
    """

    stream_chars: int = MIB
    text_chars: int = MIB // 2
    output_bytes: int = 16 * MIB
    outputs: int = 100
    outputs_bytes: int = 64 * MIB
    value_bytes: int = 32 * MIB
    request_bytes: int = 256 * MIB
    reply_bytes: int = 256 * MIB
    pending_requests: int = 25_000
    spill_bytes: int = 128 * MIB
    code_chars: int = 4 * MIB
    recorded_call_bytes: int = MIB
    recorded_bytes: int = 32 * MIB

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if type(value) is not int or value < 0:
                raise ValueError(f"Limits.{item.name} must be a non-negative int, not {value!r}")

    @property
    def message_bytes(self) -> int:
        """The largest message an honest kernel sends: its bulk, and 16 MiB beside it."""
        return max(self.request_bytes, self.value_bytes, self.output_bytes) + 16 * MIB

    def to_dict(self) -> dict[str, int]:
        """Plain data for the hello message."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Limits:
        """Rebuild from plain data.

        Raises:
            ProtocolError: A key is unknown or a value is not a non-negative integer.
        """
        try:
            return cls(**data)
        except (TypeError, ValueError) as error:
            raise ProtocolError(f"bad limits: {error}") from error


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut from a result, and where the whole of it is.

    Attributes:
        what: ``stdout``, ``stderr``, ``output``, ``outputs`` or a MIME type.
        kept: Characters, bytes or outputs that are in the result.
        total: Characters, bytes or outputs that there were.
        unit: ``"characters"``, ``"bytes"`` or ``"outputs"``.
        artifact: Name of the artifact that holds all of it, or None.
        whole: Whether the artifact does; False: it holds the beginning (``Limits.spill_bytes``).
    """

    what: str
    kept: int
    total: int
    unit: str = "characters"
    artifact: str | None = None
    whole: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Any) -> Cut:
        """Rebuild from untrusted plain data.

        Raises:
            ProtocolError: A field is missing or of the wrong type.
        """
        if not isinstance(data, dict):
            raise ProtocolError("a cut must be an object")
        what, unit, artifact = data.get("what"), data.get("unit"), data.get("artifact")
        kept, total = data.get("kept"), data.get("total")
        if not (isinstance(what, str) and isinstance(unit, str)):
            raise ProtocolError("a cut needs what and unit")
        if not (artifact is None or isinstance(artifact, str)):
            raise ProtocolError("a cut's artifact must be a string or null")
        if type(kept) is not int or type(total) is not int:
            raise ProtocolError("a cut needs kept and total")
        return cls(what, kept, total, unit, artifact, data.get("whole") is not False)

    def __str__(self) -> str:
        how_much = "all of it" if self.whole else "its beginning"
        where = f"; {how_much}: artifact {self.artifact!r}" if self.artifact else ""
        return f"{self.what}: {self.kept:,} of {self.total:,} {self.unit} kept{where}"


def cut_text(text: str, limit: int) -> str:
    """Keep head and tail of ``text`` in at most about ``limit`` characters."""
    if len(text) <= limit:
        return text
    head = (limit + 1) // 2
    tail = limit - head
    marker = f"\n... {len(text) - limit:,} characters cut ...\n"
    return text[:head] + marker + (text[-tail:] if tail else "")


def strip_ansi(text: str) -> str:
    """Remove terminal colours and other escape sequences."""
    return _ANSI.sub("", text) if "\x1b" in text else text


def bundle_size(data: Mapping[str, Any]) -> int:
    """Approximate size of a mime bundle in bytes; structured formats count as their repr."""
    return sum(len(key) + _size(value) for key, value in data.items())


def _size(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    try:
        return len(repr(value))
    except (RecursionError, ValueError):  # nested too deep, or an int too long to print
        return UNMEASURABLE


def fit_bundle(data: Mapping[str, Any], limits: Limits) -> tuple[dict[str, Any], list[Cut]]:
    """Make a mime bundle fit its limits.

    ``text/plain`` keeps head and tail; any other format is kept whole or dropped, because
    half a picture or half a page is of no use.

    Returns:
        The bundle that fits and what was cut from it.
    """
    cuts: list[Cut] = []
    fitted = dict(data)
    plain = fitted.get("text/plain")
    if isinstance(plain, str) and len(plain) > limits.text_chars:
        fitted["text/plain"] = cut_text(plain, limits.text_chars)
        cuts.append(Cut("text/plain", limits.text_chars, len(plain)))
    sizes = {mime: bundle_size({mime: value}) for mime, value in fitted.items()}
    excess = sum(sizes.values()) - limits.output_bytes
    for mime, size in sorted(sizes.items(), key=lambda item: -item[1]):
        if excess <= 0:
            break
        if mime != "text/plain":
            del fitted[mime]
            excess -= size
            cuts.append(Cut(mime, 0, size, "bytes"))
    return fitted, cuts
