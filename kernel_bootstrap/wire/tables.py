"""Data frames as Parquet files.

Place in the house: part of THE contract, below ``packing``. Nothing is imported before a frame,
coming or going, asks for it.

A frame is kept as Parquet only if it comes back from it as it was. polars compares exactly, so
its frames are read back and compared. For pandas the dtypes that survive are listed, and what has
others (objects above all, which may hold anything) is left to the codec.

Reading is where trust ends. A kernel reads with whatever it has: it can only harm itself. The host
reads with pyarrow, whose reader is fuzzed upstream and raises for what it does not like, and only
after the footer's own numbers have been held against bounds; never with polars' reader, which
aborts the process when an allocation fails.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from kernel_bootstrap.wire.errors import ArtifactError
from kernel_bootstrap.wire.parts import Buffer

__all__ = ["pack", "unpack"]

_SAFE_PYARROW = (14, 0, 1)
"""Older ones unpickle what a file's metadata says (CVE-2023-47248)."""

_MAX_BYTES = 4 * 1024**3
"""What a file may unfold to on the host."""

_MAX_RATIO = 1_000
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
    index = frame.index
    if (
        not len(frame.columns)
        or frame.attrs
        or type(frame.columns) is not pandas.Index
        or frame.columns.name is not None
        or not all(type(label) is str for label in frame.columns)
        or frame.columns.has_duplicates
        or type(index) is not pandas.RangeIndex
        or index.name is not None
        or not all(_survives(pandas, dtype) for dtype in frame.dtypes)
    ):
        return None
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(frame, nthreads=1)
        out = pa.BufferOutputStream()
        pq.write_table(table, out, compression="zstd", store_schema=True)
    except Exception:  # noqa: BLE001 - no pyarrow, or not for it: it is kept otherwise
        return None
    return [memoryview(out.getvalue())]


def _survives(pandas: Any, dtype: Any) -> bool:
    """Whether a column of that dtype comes back from Parquet as it was."""
    if isinstance(dtype, pandas.StringDtype):
        # The storage is whichever the reader has; values and missing ones are the same.
        return bool(dtype.storage == "pyarrow")
    return getattr(dtype, "char", "") in _NUMBERS and dtype.isnative


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
        table = _read(data, bounded=not trusted)
        if wants_polars:
            import polars as pl

            return pl.from_arrow(table)
        return table.to_pandas()
    except ImportError as error:
        need = "polars" if wants_polars else "pandas and pyarrow"
        if wants_polars and not trusted:
            need += " and pyarrow"
        raise ArtifactError(
            f"a data frame kept as Parquet needs {need} to be loaded here ({error}); "
            "its bytes can be read as those of a file"
        ) from error
    except BaseException as error:
        # A panic of polars' Rust side comes as a BaseException of its own.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            reason = f"{type(error).__name__}: {error!s:.200}"
            raise ArtifactError(f"artifact data is not valid parquet: {reason}") from error
        raise


def _read(data: Buffer, *, bounded: bool) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    version = tuple(int(part) for part in pa.__version__.split(".")[:3] if part.isdigit())
    if version < _SAFE_PYARROW:
        raise ArtifactError(f"pyarrow {pa.__version__} is not safe; 14.0.1 or newer is")
    file = pq.ParquetFile(pa.BufferReader(pa.py_buffer(data)))
    if bounded:
        _check_size(file.metadata, len(memoryview(data)))
    table = file.read(use_threads=False)
    table.validate(full=True)
    return table


def _check_size(footer: Any, size: int) -> None:
    """Refuse what says of itself that it unfolds to more than a file of its size may."""
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    unfolded = sum(max(0, group.total_byte_size) for group in groups)
    cells = max(0, footer.num_rows) * max(1, footer.num_columns)
    allowed = min(_MAX_BYTES, max(64 * 1024**2, size * _MAX_RATIO))
    if max(unfolded, cells) > allowed:
        raise ArtifactError(
            f"it would unfold to {max(unfolded, cells):,} bytes or more; {allowed:,} are read here"
        )
