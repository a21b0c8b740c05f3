"""Reads one Parquet file that may be made to do harm, in a process of its own, which may die of it.

Place in the house: started by ``tables``, which imports no more than its exit code; standard
library and pyarrow.
Standard input is the file, standard output becomes the same table as an Arrow stream, and the one
argument is how many bytes that may have. What a file says of its own size is no bound: some
hundred bytes can unfold to terabytes in ways that show only while they are decoded. So the
process itself is bounded, where the system can do that, and then what came out is weighed.
"""

from __future__ import annotations

import os
import sys
from typing import Any

TOO_MUCH = 3
"""Exit code: it would unfold to more than it may."""

_WORK = 256 * 1024**2
"""Bytes that reading takes beside the table."""

_OBJECT = 64
"""Bytes that a cell takes at least once it is a Python object."""


def main(allowed: int) -> int:
    """Read stdin, write stdout; return the exit code."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    _bound(allowed)
    try:
        file = pq.ParquetFile(pa.BufferReader(pa.py_buffer(sys.stdin.buffer.read())))
        if file.metadata.num_rows * max(1, file.metadata.num_columns) > allowed:
            return TOO_MUCH
        table = file.read(use_threads=False)
        table.validate(full=True)
        if sum(_weight(chunk) for column in table.columns for chunk in column.chunks) > allowed:
            return TOO_MUCH
        with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
            stream.write_table(table)
    except MemoryError:
        return TOO_MUCH
    except Exception as error:  # noqa: BLE001 - whatever it was is said, not raised
        sys.stderr.write(f"{type(error).__name__}: {error!s:.300}")
        return 1
    return 0


def _bound(allowed: int) -> None:
    """Let this process grow by a few times what may come out, and no further."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * allowed, 2 * allowed))
    if sys.platform == "linux":  # elsewhere there is no saying how much there is already
        with open("/proc/self/statm") as file:  # noqa: PTH123 - one number
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        most = now + 3 * allowed + _WORK
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _weight(array: Any) -> int:
    """Bytes of a column, and of the Python objects that a frame makes of it."""
    import pyarrow as pa

    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _weight(array.storage)
    if pa.types.is_dictionary(kind):
        return int(array.indices.nbytes) + _weight(array.dictionary)
    own = int(array.nbytes)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        own += _OBJECT * len(array)
    if pa.types.is_struct(kind):
        return own + sum(_weight(array.field(number)) for number in range(kind.num_fields))
    if pa.types.is_nested(kind):  # lists and maps
        return own + _weight(array.values)
    return own


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
