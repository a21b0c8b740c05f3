"""numpy arrays as ``.npy`` files, read without trust.

Place in the house: part of THE contract, below ``packing``. numpy is imported when an array, coming
or going, asks for it. The format's own reader allocates what a header claims and can unpickle; this
one checks the header against the bytes that are there, and never holds more than those.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from kernel_bootstrap.wire.errors import ArtifactError
from kernel_bootstrap.wire.parts import Buffer

__all__ = ["pack", "unpack"]

_MAX_HEADER = 64 * 1024
"""Bytes of a header that are looked at; a record of a thousand fields has fewer."""

_KINDS = "biufcmMSUV"
"""Numbers, times, fixed strings and records: dtypes that are nothing but their bytes."""


def pack(value: Any) -> list[Buffer] | None:
    """Return the parts of an ``.npy`` file; None if the value would not come back from it.

    The array's own memory is one of the parts, not a copy, if it lies in order.
    """
    np = sys.modules.get("numpy")
    if np is None or type(value) is not np.ndarray:
        return None
    dtype = value.dtype
    if dtype.kind not in _KINDS or dtype.hasobject or dtype.metadata or dtype.itemsize == 0:
        return None
    described = np.lib.format.dtype_to_descr(dtype)
    if np.lib.format.descr_to_dtype(described) != dtype:
        return None
    fortran = value.flags.f_contiguous and not value.flags.c_contiguous
    said = {"descr": described, "fortran_order": fortran, "shape": value.shape}
    header = io.BytesIO()
    try:
        np.lib.format.write_array_header_1_0(header, said)
    except ValueError:  # a record with so many fields, or names beyond Latin 1
        return None
    ordered = value.T if fortran else np.ascontiguousarray(value)
    # Dates have no buffer of their own kind, so all go as plain bytes.
    return [header.getvalue(), memoryview(ordered.reshape(-1).view(np.uint8))]


def unpack(data: Buffer) -> Any:
    """Return the array of an ``.npy`` file; it can be written to.

    Raises:
        ArtifactError: It is none, it is damaged, or it holds Python objects.
        ImportError: There is no numpy here.
        ValueError: It is damaged in some other way.
    """
    import numpy as np

    view = memoryview(data).cast("B")
    head = io.BytesIO(view[:_MAX_HEADER])
    version = np.lib.format.read_magic(head)
    if version != (1, 0):
        raise ArtifactError(f"an .npy file of version {version} is not read here")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(head, _MAX_HEADER)
    if dtype.hasobject or dtype.itemsize == 0:
        raise ArtifactError(f"an .npy file of {dtype} is not read: it would be unpickled")
    count = 1
    for length in shape:
        if length < 0:
            raise ArtifactError("an .npy file with a negative length")
        count *= length
    start = head.tell()
    if start + count * dtype.itemsize != view.nbytes:
        raise ArtifactError("an .npy file whose size is not what its header says")
    whole = data if isinstance(data, bytearray) else bytearray(view)
    array = np.frombuffer(whole, dtype, count, start)
    return array.reshape(shape, order="F" if fortran else "C")
