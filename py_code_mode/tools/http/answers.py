"""An answer of a server: read within bounds, and made a value or an error.

Place in the house: ``tools.http``.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.message
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel_bootstrap.wire.media import Media
from py_code_mode.errors import ToolCallError

__all__ = ["Answer", "TooLarge", "inflated", "read"]

_MAX_ERROR = 64 * 1024  # bytes read of an error's body
_MAX_BODY = 10_000  # characters of it in `error.body`
_MAX_SAID = 500  # characters of it in the message
_LARGE = 256 * 1024  # bytes of JSON that are parsed beside the loop

_ANY = 47  # zlib's word for gzip or zlib, whichever it is


class TooLarge(Exception):  # noqa: N818 - never leaves this package
    """A body has more bytes than are read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    Attributes:
        status: HTTP status.
        reason: Its words.
        headers: Its headers, names in lower case.
        content: Its body, as far as it was read.
        is_whole: Whether that is all of it.
    """

    status: int
    reason: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    is_whole: bool = True

    @property
    def is_ok(self) -> bool:
        """Whether it is no error."""
        return 200 <= self.status < 300  # noqa: PLR2004 - as HTTP says

    @property
    def mime_type(self) -> str:
        """Its content type without parameters, empty if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether its content type is a kind of JSON."""
        return self.mime_type == "application/json" or self.mime_type.endswith("+json")

    async def value(self) -> Any:
        """Return the body as a value.

        Raises:
            ToolCallError: It is not what its content type says.
        """
        kind = self.mime_type.partition("/")[0]
        if not self.content and (self.is_json or not self.mime_type):
            return None
        if self.is_json:
            return await self._json()
        if kind == "text" or self.mime_type in _TEXTS or self.mime_type.endswith("+xml"):
            return (
                Media(self.content, self.mime_type, self._filename)
                if _is_svg(self)
                else (self._text())
            )
        if kind in {"image", "audio", "video"}:
            return Media(self.content, self.mime_type, self._filename)
        return self.content

    async def _json(self) -> Any:
        try:
            if len(self.content) > _LARGE:
                return await asyncio.to_thread(json.loads, self.content)
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            text = f"answered {self.status} with JSON that cannot be read: {error}"
            raise ToolCallError(text, status=self.status, body=self._text()[:_MAX_BODY]) from None

    def _text(self) -> str:
        charset = _header(self.headers.get("content-type", "")).get_content_charset("utf-8")
        try:
            return self.content.decode(charset, "replace")
        except (LookupError, ValueError):  # no such charset
            return self.content.decode("utf-8", "replace")

    @property
    def _filename(self) -> str:
        name = _header(self.headers.get("content-disposition", ""), "content-disposition")
        return (name.get_filename() or "").replace("\\", "/").rpartition("/")[2]

    def error(self, what: str) -> ToolCallError:
        """Return this answer as an error; ``what`` was asked for."""
        body: Any = self._text()[:_MAX_BODY]
        if self.is_json and self.is_whole and len(self.content) <= _MAX_BODY:
            with contextlib.suppress(ValueError, RecursionError):
                body = json.loads(self.content)
        said = " ".join(self._text()[: 4 * _MAX_SAID].split())
        said = said if len(said) <= _MAX_SAID else said[:_MAX_SAID] + " [...]"
        reason = f" {self.reason}" if self.reason else ""
        text = f"{what} answered {self.status}{reason}" + (f": {said}" if said else "")
        details: dict[str, Any] = {"status": self.status, "body": body}
        if "retry-after" in self.headers:
            details["retry_after"] = self.headers["retry-after"][:100]
        return ToolCallError(text, **details)


_TEXTS = frozenset(
    {
        *("application/xml", "application/javascript", "application/x-ndjson", "application/yaml"),
        *("application/x-yaml", "application/toml", "application/sql", "application/graphql"),
        "application/x-www-form-urlencoded",
    }
)


def _is_svg(answer: Answer) -> bool:
    return answer.mime_type == "image/svg+xml"


def _header(value: str, name: str = "content-type") -> email.message.Message:
    message = email.message.Message()
    message[name] = value.replace("\r", " ").replace("\n", " ")
    return message


async def read(response: Any, limit: int) -> Answer:
    """Read a response, and stop where it becomes too large.

    Args:
        response: httpx's, its body not yet read.
        limit: Most bytes of a body, decompressed.

    Raises:
        TooLarge: There are more, and it is no error; of an error's body the beginning is kept.
        ToolCallError: Its compression is none that was asked for, or broken.
    """
    headers = {name.lower(): value for name, value in response.headers.items()}
    is_ok = 200 <= response.status_code < 300  # noqa: PLR2004 - as HTTP says
    most = limit if is_ok else min(limit, _MAX_ERROR)
    parts, size, is_whole = [], 0, True
    encoding = headers.get("content-encoding", "").strip().lower()
    async for part in inflated(response.aiter_raw(), encoding, most + 1):
        parts.append(part)
        size += len(part)
        if size > most:
            if is_ok:
                raise TooLarge
            is_whole = False
            break
    content = b"".join(parts)[:most]
    return Answer(response.status_code, response.reason_phrase, headers, content, is_whole)


async def inflated(chunks: AsyncIterator[bytes], encoding: str, most: int) -> AsyncIterator[bytes]:
    """Decompress a body, never more than ``most`` bytes at once: a few bytes can be gigabytes.

    Raises:
        ToolCallError: It is compressed in another way, or broken.
    """
    if encoding in {"", "identity"}:
        async for chunk in chunks:
            yield chunk
        return
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise ToolCallError(f"its answer is compressed as {encoding[:40]!r}, not as was asked for")
    machine, is_first = zlib.decompressobj(_ANY), True
    async for chunk in chunks:
        if is_first and encoding == "deflate" and chunk[:1] and chunk[0] & 0x0F != 8:  # noqa: PLR2004
            machine = zlib.decompressobj(-zlib.MAX_WBITS)  # without zlib's frame, as some send it
        is_first = False
        try:
            yield machine.decompress(chunk, most)
        except zlib.error as error:
            raise ToolCallError(f"its answer cannot be decompressed: {error}") from None
