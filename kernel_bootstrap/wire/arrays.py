"""The codec's part for numpy: arrays as npy bytes, scalars with their dtype. Never pickle.

Place in the house: part of THE contract (``kernel_bootstrap.wire``), used by the codec only.
Nothing here imports numpy before a value of numpy's, coming or going, asks for it.

An npy header is a claim of the other side. It is checked against the bytes that came before
anything is allocated. Buffers are copied once on the way out, so that a sender that goes on
writing into its array does not change what is under way, and once on the way in, so that the
array owns its memory and can be written to.
"""

from __future__ import annotations

import io
import math
import re
import sys
from collections.abc import Callable
from typing import Any

from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.parts import Packed, Refused, Unpack, expect

__all__ = ["UNPACKERS", "nbytes", "owns", "pack"]

_SCALAR_DTYPE = re.compile(r"[<>|=][biufcmMV]\d{1,9}(\[\d{0,9}[a-zA-Z]{1,7}\])?")
_NUMBERS = frozenset("?bBhHiIlLqQefdgFDG")
_PREFIX = 12  # bytes of magic, version and length in front of an npy header
_MAX_HEADER = 10_000  # numpy's own limit when reading
_MAX_CODE_POINT = 0x10FFFF


def owns(kind: type) -> bool:
    """Tell whether ``kind`` is exactly ``numpy.ndarray``, or one of numpy's scalar types."""
    np = sys.modules["numpy"]
    return kind is np.ndarray or issubclass(kind, np.generic)


def nbytes(value: Any) -> float:
    """Return how many bytes of data there are."""
    return float(value.nbytes)


def pack(value: Any) -> Packed:
    """Take an array or a scalar of numpy apart.

    Raises:
        Refused: Its dtype has no npy form that comes back the same.
    """
    np = sys.modules["numpy"]
    if type(value) is not np.ndarray:
        return _pack_scalar(value)
    if value.dtype == object:
        order = "F" if value.flags.fnc else "C"
        return Packed(
            "np.objects", {"shape": list(value.shape), "order": order, "v": value.ravel().tolist()}
        )
    return Packed("np.array", buffers=[_npy(value)])


def _npy(array: Any) -> memoryview:
    """Return the npy bytes of ``array``, whose data is copied once."""
    import numpy as np

    dtype, fortran = array.dtype, bool(array.flags.fnc)
    descr = _descr(dtype, type(array))
    # numpy's own writer takes another version for names beyond Latin-1; escaped they are ASCII.
    text = repr({"descr": descr, "fortran_order": fortran, "shape": array.shape})
    header = text.encode("ascii", "backslashreplace")
    header += b" " * (-(len(header) + _PREFIX + 1) % 64) + b"\n"  # the data is aligned to 64
    start = _PREFIX + len(header)
    if start > _MAX_HEADER:
        raise Refused.of_type(type(array), "its dtype has too many fields")
    head = np.lib.format.magic(2, 0) + len(header).to_bytes(4, "little") + header
    # Zeros, because the gaps between the fields of a record are not written to.
    data = np.zeros(start + array.nbytes, np.uint8)
    data[:start] = np.frombuffer(head, np.uint8)
    if array.nbytes:
        target = data[start:].view(dtype)
        np.copyto(target.reshape(array.shape, order="F" if fortran else "C"), array)
    return memoryview(data)


def _descr(dtype: Any, kind: type) -> Any:
    """Return how npy writes ``dtype``, if reading that gives ``dtype`` again."""
    import numpy as np

    # Objects and numpy's own strings would be pickled; npy takes dtypes of other packages, such
    # as bfloat16, for raw bytes; metadata would be lost with a warning.
    if not dtype.hasobject and not _has_metadata(dtype) and dtype.itemsize:
        descr = np.lib.format.dtype_to_descr(dtype)
        again = np.lib.format.descr_to_dtype(descr)
        # long and long long may be the same eight bytes, and then cross as one
        if again == dtype and (again.type is dtype.type or dtype.kind in "iu"):
            return descr
    raise Refused.of_type(kind, f"dtype {dtype!s:.80}")


def _has_metadata(dtype: Any) -> bool:
    if dtype.metadata or (dtype.subdtype and _has_metadata(dtype.subdtype[0])):
        return True
    return any(_has_metadata(field[0]) for field in (dtype.fields or {}).values())


def _pack_scalar(value: Any) -> Packed:
    import numpy as np

    kind = type(value)
    if kind is np.str_:
        return Packed("np.str", {"v": str.__str__(value)})  # its own drops zeros at the end
    if kind is np.bytes_:
        return Packed("np.bytes", {"v": bytes(value)})
    dtype = value.dtype
    if dtype.type is not kind:
        raise Refused.of_type(kind)
    if dtype.names is not None:
        return Packed("np.record", {"v": np.array(value)})
    if dtype.char not in _NUMBERS:
        _descr(dtype, kind)
    return Packed("np.scalar", {"dtype": dtype.str, "v": value.tobytes().hex()})


# --- in ------------------------------------------------------------------------------------


def _unpack_array(fields: dict[str, Any]) -> Any:
    import numpy as np

    (view,) = fields["b"]
    stream = io.BytesIO(view[: 2 * _MAX_HEADER])
    if np.lib.format.read_magic(stream) != (2, 0):
        raise ProtocolError("npy data of another version")
    shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    data = view[stream.tell() :]
    if dtype.hasobject or not dtype.itemsize or min(shape, default=0) < 0:
        raise ProtocolError(f"npy data of dtype {dtype!s:.80}")
    if math.prod(shape) * dtype.itemsize != data.nbytes:
        raise ProtocolError("npy data whose header does not fit its bytes")
    array = np.empty(shape, dtype, order="F" if fortran else "C")
    if data.nbytes:
        array.ravel(order="K").view(np.uint8)[:] = np.frombuffer(data, np.uint8)
    _check_text(array)
    return array


def _check_text(array: Any) -> None:
    """Refuse code points that are none: a string made of them breaks the interpreter later."""
    import numpy as np

    if array.dtype.names is not None:
        for name in array.dtype.names:
            _check_text(array[name])
    elif array.dtype.kind == "U" and array.size:
        order = array.dtype.byteorder
        points = np.ascontiguousarray(array).ravel().view(f"{order}u4")
        if points.max() > _MAX_CODE_POINT:
            raise ProtocolError("an array of strings that are none")


def _unpack_objects(fields: dict[str, Any]) -> Any:
    import numpy as np

    shape, items = expect(fields, "shape", list), expect(fields, "v", list)
    if math.prod(int.__index__(side) for side in shape) != len(items):
        raise ProtocolError("an object array whose shape does not fit its items")
    # Assigning a list would take nested lists for further dimensions; fromiter does not.
    array = np.fromiter(items, dtype=object, count=len(items)).reshape(shape)
    return np.asfortranarray(array) if expect(fields, "order", str) == "F" else array


def _unpack_scalar(fields: dict[str, Any]) -> Any:
    import numpy as np

    name, data = expect(fields, "dtype", str), bytes.fromhex(expect(fields, "v", str))
    if not _SCALAR_DTYPE.fullmatch(name):
        raise ProtocolError(f"{name!r:.80} is not the dtype of a scalar")
    dtype = np.dtype(name)
    if dtype.itemsize != len(data):
        raise ProtocolError(f"a scalar of {name} in {len(data)} bytes")
    return np.frombuffer(bytearray(data), dtype)[0]


def _unpack_record(fields: dict[str, Any]) -> Any:
    import numpy as np

    array = expect(fields, "v", np.ndarray)
    if array.shape != () or array.dtype.names is None:
        raise ProtocolError("a record that is an array")
    return array[()]


def _text(name: str, kind: type) -> Callable[[dict[str, Any]], Any]:
    def unpack(fields: dict[str, Any]) -> Any:
        import numpy as np

        return getattr(np, name)(expect(fields, "v", kind))

    return unpack


UNPACKERS: dict[str, Unpack] = {
    "np.array": _unpack_array,
    "np.objects": _unpack_objects,
    "np.scalar": _unpack_scalar,
    "np.record": _unpack_record,
    "np.str": _text("str_", str),
    "np.bytes": _text("bytes_", bytes),
}
