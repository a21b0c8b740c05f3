"""Data frames as Parquet files.

Place in the house: part of THE contract, below ``packing``. Nothing is imported before a frame,
coming or going, asks for it.

A frame is kept as Parquet only if it comes back from it as it was. polars compares exactly, so
its frames are read back and compared. pandas does not, so of its frames those of plain numbers are
trusted to come back, and all others are compared as the codec packs them, which is exact.

Reading is where trust ends. A kernel reads with whatever it has: it can only harm itself. The host
has the file read by pyarrow in a process of its own, whose memory is bounded (``unfold``), and
takes over what comes out as an Arrow stream; never by polars' reader, which aborts the process
when an allocation fails.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from kernel_bootstrap.wire.codec import dumps
from kernel_bootstrap.wire.errors import ArtifactError, ValueNotEncodableError
from kernel_bootstrap.wire.frames import with_step
from kernel_bootstrap.wire.parts import Buffer
from kernel_bootstrap.wire.unfold import TOO_MUCH

__all__ = ["pack", "unpack"]

_SAFE_PYARROW = (14, 0, 1)
"""Older ones unpickle what a file's metadata says (CVE-2023-47248)."""

_MAX_BYTES = 4 * 1024**3
"""What a file may unfold to on the host."""

_ALWAYS = 256 * 1024**2
"""What any file may unfold to on the host: a constant column takes next to nothing in a file."""

_MAX_RATIO = 200
"""How many times its own size a larger one may unfold to there."""

_STEP = b"py_code_mode.freq"
"""Where a file keeps the step of an index of moments; pandas does not."""

_MAGIC = b"PAR1"
_READER = Path(__file__).with_name("unfold.py")
_PATIENCE = 300.0
"""Seconds after which a file that is still not read is given up."""

_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "LANG")
"""What the process that reads needs of ours; secrets are not among it."""

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

        table = pa.Table.from_pandas(frame, nthreads=1)
        step = getattr(frame.index, "freqstr", None)
        if step is not None:
            table = table.replace_schema_metadata({**table.schema.metadata, _STEP: step})
        out = pa.BufferOutputStream()
        pq.write_table(table, out, compression="zstd")
        file = memoryview(out.getvalue())
        if not (_survives(pandas, frame) or _same(pandas, _to_pandas(_read, file), frame)):
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


def _same(pandas: Any, back: Any, frame: Any) -> bool:
    """Whether a frame came back from Parquet as it was."""
    try:
        return dumps(back) == dumps(frame)
    except ValueNotEncodableError:  # periods, intervals, Arrow's own: there pandas is as exact
        if "object" in map(str, frame.dtypes) or back.attrs != frame.attrs:
            return False
        try:
            pandas.testing.assert_frame_equal(back, frame, check_exact=True)
        except AssertionError:
            return False
        return True


def _to_pandas(read: Callable[[Buffer], Any], data: Buffer) -> Any:
    """Read a file as a frame of pandas."""
    with contextlib.suppress(ImportError):  # tells pyarrow of periods and intervals
        import_module("pandas.core.arrays.arrow.extension_types")
    table = read(data)
    frame = table.to_pandas()
    step = (table.schema.metadata or {}).get(_STEP)
    if step is not None:
        with_step(frame.index, step.decode("utf-8", "replace"))
    return frame


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
        if wants_polars:
            import polars as pl

            return pl.from_arrow(_read_bounded(data))
        return _to_pandas(_read if trusted else _read_bounded, data)
    except ImportError as error:
        need = "polars" if wants_polars else "pandas and pyarrow"
        if wants_polars and not trusted:
            need = "polars and pyarrow (or load(..., trusted=True), which takes polars alone)"
        raise ArtifactError(
            f"a data frame kept as Parquet needs {need} to be loaded here: {error}"
        ) from error
    except ArtifactError:
        raise
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
    """Read a file that may be made to do harm."""
    import pyarrow as pa

    _check_version(pa.__version__)
    view = memoryview(data)
    if bytes(view[:4]) != _MAGIC or bytes(view[-4:]) != _MAGIC:
        raise ArtifactError("artifact data is not valid parquet: it does not begin and end as such")
    allowed = min(_MAX_BYTES, max(_ALWAYS, view.nbytes * _MAX_RATIO))
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment |= {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "ARROW_DEFAULT_MEMORY_POOL": "system",  # others reserve far more than they use
    }
    command = [sys.executable, "-P", str(_READER), str(allowed)]
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as stream:
        source.write(data)
        source.seek(0)
        try:
            done = subprocess.run(  # noqa: S603 - our own reader, by our own interpreter
                command,
                stdin=source,
                stdout=stream,
                stderr=subprocess.PIPE,
                env=environment,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ArtifactError(f"it could not be read in {_PATIENCE:.0f} seconds") from None
        if done.returncode == TOO_MUCH or done.returncode < 0:
            raise ArtifactError(
                f"it would unfold to more than the {allowed:,} bytes that are read here; "
                "load(..., trusted=True) reads it without bounds"
            )
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise ArtifactError(f"artifact data is not valid parquet: {said:.300}")
        stream.seek(0)
        table = pa.ipc.open_stream(pa.BufferReader(pa.py_buffer(stream.read()))).read_all()
    table.validate()
    return table


def _check_version(version: str) -> None:
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    if numbers < _SAFE_PYARROW:
        raise ArtifactError(f"pyarrow {version} is not safe to read with; 14.0.1 or newer is")
