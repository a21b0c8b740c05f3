"""What is kept of an index, so that a start does not make it anew, and by whom.

Place in the house: ``search``, below the index. Stores offer an ``IndexKeeper``; what is kept is
a cache and no more: plain JSON and numbers, checked before use, of which nothing is ever unpickled.

The bytes: ``MAGIC``, the CRC-32 of all that follows, the length of a JSON header, the header, and
the arrays it lists, one after another.
"""

from __future__ import annotations

import json
import logging
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from py_code_mode.search.postings import Postings
from py_code_mode.search.segment import Segment, as_arrays
from py_code_mode.search.wordvectors import WIDTH

__all__ = ["IndexKeeper", "IndexedStore", "Kept", "pack", "unpack"]

_log = logging.getLogger(__name__)

_MAGIC = b"pcmidx03"
"""Changes with the layout, and with how text becomes words and vectors: then older files are made
anew."""

_HEAD = struct.Struct("<8sII")
_ALIGNED = 8
_ROWS = 2

_DAMAGE = (
    *(struct.error, ValueError, OverflowError, KeyError, TypeError, AttributeError),
    RecursionError,
)
"""What reading something else than an index may raise."""

_TYPES = {
    "lengths": "<f4",
    "meant": "<f2",
    "pairs": "<i8",
    "word_starts": "<i8",
    "word_documents": "<i4",
    "word_counts": "<f4",
    "pair_starts": "<i8",
    "pair_documents": "<i4",
    "pair_counts": "<f4",
    "vectors": "<f4",
}


@runtime_checkable
class IndexKeeper(Protocol):
    """Keeps one index, as bytes, for all who use a store.

    What is kept is a cache: losing it costs the time to make it again, and a wrong one does no
    harm, because every document in it has a digest that is compared with the document. So there
    is nothing to lock. When several write, the last one wins; what it did not know is indexed by
    whoever comes next. Methods may be called from any thread. They may raise ``OSError`` or
    ``CodeModeError``; then the search goes on without what is kept, and the log says so.
    """

    def read(self) -> bytes | None:
        """Return what was written last, whole; None if there is nothing."""
        ...

    def write(self, data: bytes) -> None:
        """Keep ``data`` in place of what was there: whole or not at all."""
        ...


@runtime_checkable
class IndexedStore(Protocol):
    """A store that also has a place for the search index over what it holds."""

    def index_keeper(self) -> IndexKeeper:
        """Return what keeps the index, one for all who use the store."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of an index.

    Attributes:
        segment: The documents and their words.
        embedder: Name of the embedder the vectors are of, empty if there are none.
        unrelated: Its ``Meaning.unrelated``.
    """

    segment: Segment
    embedder: str = ""
    unrelated: float = 0.0


def pack(kept: Kept) -> bytes:
    """Write an index as bytes."""
    import numpy as np

    segment = kept.segment
    arrays = {
        name: np.ascontiguousarray(values, _TYPES[name])
        for name, values in as_arrays(segment).items()
    }
    header = {
        "embedder": kept.embedder,
        "unrelated": kept.unrelated,
        "names": segment.names,
        "forms": [form for form, _ in segment.forms],
        "formed": [position for _, position in segment.forms],
        "digests": segment.digests,
        "terms": segment.terms,
        "arrays": {name: list(values.shape) for name, values in arrays.items()},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + _HEAD.size) % _ALIGNED)
    parts = [text]
    for values in arrays.values():
        data = values.tobytes()
        parts.append(data + b"\0" * (-len(data) % _ALIGNED))
    body = b"".join(parts)
    return _HEAD.pack(_MAGIC, zlib.crc32(body), len(text)) + body


def unpack(data: bytes) -> Kept | None:
    """Read an index; None if it is damaged, of another version, or no index at all."""
    try:
        magic, checksum, length = _HEAD.unpack_from(data)
        body = memoryview(data)[_HEAD.size :]
        if magic != _MAGIC or zlib.crc32(body) != checksum:
            return None
        header = json.loads(bytes(body[:length]))
        arrays = _arrays(body[length:], header["arrays"])
        kept = Kept(_segment(header, arrays), str(header["embedder"]), float(header["unrelated"]))
        return kept if _is_sound(kept) else None
    except _DAMAGE:
        return None


def _arrays(data: memoryview, shapes: Mapping[str, list[int]]) -> dict[str, Any]:
    import numpy as np

    arrays, offset = {}, 0
    for name, shape in shapes.items():
        if not all(type(size) is int and 0 <= size <= len(data) for size in shape):
            raise ValueError(f"{name} has the shape {shape!r:.80}")
        count = math.prod(shape)
        values = np.frombuffer(data, _TYPES[name], count, offset).reshape(shape)
        arrays[name] = values
        offset += values.nbytes + -values.nbytes % _ALIGNED
    return arrays


def _segment(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> Segment:
    return Segment(
        names=header["names"],
        forms=list(zip(header["forms"], header["formed"], strict=True)),
        digests=header["digests"],
        terms=header["terms"],
        words=Postings(*(arrays[f"word_{part}"] for part in ("starts", "documents", "counts"))),
        pairs=arrays["pairs"],
        paired=Postings(*(arrays[f"pair_{part}"] for part in ("starts", "documents", "counts"))),
        lengths=arrays["lengths"],
        meant=arrays["meant"].astype("<f4"),
        vectors=arrays.get("vectors"),
    )


def _is_sound(kept: Kept) -> bool:
    """Whether nothing in it points anywhere else, whoever wrote it."""
    import numpy as np

    segment = kept.segment
    count, terms = len(segment.names), len(segment.terms)
    texts = (segment.names, segment.digests, segment.terms)
    ids = segment.pairs >> 32, segment.pairs & 0xFFFFFFFF
    vectors = segment.vectors
    return bool(
        all(type(each) is list and all(type(text) is str for text in each) for each in texts)
        and all(
            type(form) is str and type(at) is int and 0 <= at < count for form, at in segment.forms
        )
        and len(segment.digests) == count == len({*segment.names})
        and terms == len({*segment.terms})
        and segment.lengths.shape == (count,)
        and (segment.lengths >= 0).all()
        and np.isfinite(segment.lengths).all()
        and segment.meant.shape == (count, WIDTH)
        and np.isfinite(segment.meant).all()
        and (np.diff(segment.pairs) > 0).all()
        and all(((part >= 0) & (part < terms)).all() for part in ids)
        and _are_sound(segment.words, terms, count)
        and _are_sound(segment.paired, len(segment.pairs), count)
        and (vectors is not None) == bool(kept.embedder)
        and 0 <= kept.unrelated < 1
        and (vectors is None or (vectors.ndim == _ROWS and len(vectors) == count))
        and (vectors is None or np.isfinite(vectors).all())
    )


def _are_sound(postings: Postings, keys: int, count: int) -> bool:
    import numpy as np

    starts, documents, counts = postings.starts, postings.documents, postings.counts
    return bool(
        starts.shape == (keys + 1,)
        and documents.shape == counts.shape == (len(documents),)
        and starts[0] == 0
        and starts[-1] == len(documents)
        and (np.diff(starts) >= 0).all()
        and ((documents >= 0) & (documents < count)).all()
        and (counts > 0).all()
        and np.isfinite(counts).all()
    )


def read(keeper: IndexKeeper) -> Kept | None:
    """Read what a keeper has; None if that is nothing usable."""
    from py_code_mode.errors import CodeModeError

    try:
        data = keeper.read()
    except (OSError, CodeModeError) as error:
        _log.warning("the search index is made anew: %s", error)
        return None
    kept = None if data is None else unpack(data)
    if data is not None and kept is None:
        _log.info("the kept search index is damaged or of another version, and is made anew")
    return kept


def write(keeper: IndexKeeper, kept: Kept) -> None:
    """Give an index to a keeper; what goes wrong is in the log."""
    from py_code_mode.errors import CodeModeError

    try:
        keeper.write(pack(kept))
    except (OSError, CodeModeError) as error:
        _log.info("the search index was not kept: %s", error)
