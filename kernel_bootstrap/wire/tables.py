"""Data frames as Parquet files.

Place in the house: part of THE contract, below ``packing``. Nothing is imported before a frame,
coming or going, asks for it.

A frame is kept as Parquet only if it comes back from it as it was. polars compares exactly, so
its frames are read back and compared. pandas does not, so of its frames those of plain numbers are
trusted to come back, and all others are compared as the codec packs them, which is exact.

Reading is where trust ends. A kernel reads with whatever it has: it can only harm itself. The host
reads with pyarrow, whose reader is fuzzed upstream and raises for what it does not like, and holds
what a file says of its size, and what its texts would unfold to, against bounds; never with polars'
reader, which aborts the process when an allocation fails. A file made to lie about the size of its
compressed pages can still use up memory: where that matters, nobody but a kernel should load it.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from kernel_bootstrap.wire.codec import dumps
from kernel_bootstrap.wire.errors import ArtifactError
from kernel_bootstrap.wire.parts import Buffer

__all__ = ["pack", "unpack"]

_SAFE_PYARROW = (14, 0, 1)
"""Older ones unpickle what a file's metadata says (CVE-2023-47248)."""

_MAX_BYTES = 4 * 1024**3
"""What a file may unfold to on the host."""

_MAX_RATIO = 200
"""How many times its own size a file of more than a few megabytes may unfold to on the host."""

_NUMBERS = frozenset("?bhilqBHILQfd")
"""Letters of numpy's dtypes that Parquet keeps as they are."""


def pack(value: Any) -> list[Buffer] | None:
    """Return the parts of a Parquet file; None if the value would not come back from it."""
    kind = type(value)
    polars, pandas = sys.modules.get("polars"), sys.modules.get("pandas")
    if polars is not None and kind is getattr(polars, "DataFrame", None):
        return _pack_polars(polars, value)
    if pandas is not None and kind is getattr(pandas, "DataFrame", None):
        return _pack_pandas(pandas, value)
    return None


def _pack_polars(polars: Any, frame: Any) -> list[Buffer] | None:
    if not frame.width or "Object" in str(frame.dtypes):
        return None
    out = io.BytesIO()
    try:
        frame.write_parquet(out, compression="zstd")
        back = polars.read_parquet(io.BytesIO(out.getvalue()))
    except Exception:  # noqa: BLE001 - whatever it cannot write or read is kept otherwise
        return None
    same = back.schema == frame.schema and frame.equals(back, null_equal=True)
    return [out.getbuffer()] if same else None


def _pack_pandas(pandas: Any, frame: Any) -> list[Buffer] | None:
    labels = frame.columns
    if not len(labels) or labels.has_duplicates or not all(type(each) is str for each in labels):
        return None
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq

        out = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pandas(frame, nthreads=1), out, compression="zstd")
        file = memoryview(out.getvalue())
        if not _survives(pandas, frame) and dumps(_read(file).to_pandas()) != dumps(frame):
            return None
    except Exception:  # noqa: BLE001 - no pyarrow, or nothing for it: it is kept otherwise
        return None
    return [file]


def _survives(pandas: Any, frame: Any) -> bool:
    """Whether a frame is known to come back from Parquet as it was: the plain and large ones."""
    return (
        not frame.attrs
        and type(frame.columns) is pandas.Index
        and frame.columns.name is None
        and type(frame.index) is pandas.RangeIndex
        and frame.index.name is None
        and all(getattr(dtype, "char", "") in _NUMBERS and dtype.isnative for dtype in frame.dtypes)
    )


def unpack(data: Buffer, type_name: str, *, trusted: bool) -> Any:
    """Return the frame of a Parquet file.

    Args:
        data: The file.
        type_name: What was saved: a frame of polars', or of pandas'.
        trusted: Whether a file that was made to do harm may do it here: in a kernel.

    Raises:
        ArtifactError: It cannot be read here; says why.
    """
    wants_polars = type_name.startswith("polars.")
    try:
        if wants_polars and trusted:
            import polars as pl

            return pl.read_parquet(io.BytesIO(data))
        table = _read(data) if trusted else _read_bounded(data)
        if wants_polars:
            import polars as pl

            return pl.from_arrow(table)
        return table.to_pandas()
    except ImportError as error:
        need = "polars" if wants_polars else "pandas and pyarrow"
        if wants_polars and not trusted:
            need = "polars and pyarrow (or load(..., trusted=True), which takes polars alone)"
        raise ArtifactError(
            f"a data frame kept as Parquet needs {need} to be loaded here: {error}"
        ) from error
    except BaseException as error:
        # A panic of polars' Rust side comes as a BaseException of its own.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            reason = f"{type(error).__name__}: {error!s:.200}"
            raise ArtifactError(f"artifact data is not valid parquet: {reason}") from error
        raise


def _read(data: Buffer) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetFile(pa.BufferReader(pa.py_buffer(data))).read(use_threads=False)


def _read_bounded(data: Buffer) -> Any:
    """Read a file that may be made to do harm; one long text in a million rows stays one text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    _check_version(pa.__version__)
    source, size = pa.py_buffer(data), len(memoryview(data))
    first = pq.ParquetFile(pa.BufferReader(source))
    groups = [first.metadata.row_group(number) for number in range(first.metadata.num_row_groups)]
    cells = first.metadata.num_rows * max(1, first.metadata.num_columns)
    _check_size(max(cells, sum(group.total_byte_size for group in groups)), size)
    schema = first.schema_arrow
    is_text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    texts = [field.name for field in schema if any(is_one(field.type) for is_one in is_text)]
    file = pq.ParquetFile(pa.BufferReader(source), read_dictionary=texts)
    table = file.read(use_threads=False)
    table.validate(full=True)
    _check_size(sum(_text_size(table.column(name)) for name in texts), size)
    return table.cast(schema)


def _text_size(column: Any) -> int:
    """Bytes of a column's texts if each were there as often as it is used."""
    import pyarrow.compute as pc

    lengths = (pc.binary_length(each.dictionary).take(each.indices) for each in column.chunks)
    return sum(pc.sum(each).as_py() or 0 for each in lengths)


def _check_size(unfolded: int, size: int) -> None:
    """Refuse what unfolds to more than a file of its size may."""
    allowed = min(_MAX_BYTES, max(64 * 1024**2, size * _MAX_RATIO))
    if unfolded > allowed:
        raise ArtifactError(
            f"it would unfold to {unfolded:,} bytes or more; {allowed:,} are read here"
        )


def _check_version(version: str) -> None:
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    if numbers < _SAFE_PYARROW:
        raise ArtifactError(f"pyarrow {version} is not safe to read with; 14.0.1 or newer is")
