"""The codec's part for pandas: frames, series, indexes, arrays and scalars. Never pickle.

Place in the house: part of THE contract (``kernel_bootstrap.wire``), used by the codec only.
Nothing here imports pandas before a value of pandas', coming or going, asks for it.

A frame is taken apart into arrays: numpy's as numpy arrays (columns of one dtype together, as
one matrix), pandas' own by their parts. Whatever has no parts listed here (periods, intervals,
sparse, Arrow) is refused by its name. pandas 2.2 and 3 read each other's frames.
"""

from __future__ import annotations

import sys
from typing import Any

from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.parts import Packed, Refused, Unpack, expect
from kernel_bootstrap.wire.standard import zone

__all__ = ["UNPACKERS", "nbytes", "owns", "pack"]

_INDEXES = ("Index", "RangeIndex", "MultiIndex", "DatetimeIndex", "TimedeltaIndex")
_SCALARS = ("Timestamp", "Timedelta")


def owns(kind: type) -> bool:
    """Tell whether ``kind`` is one of pandas' types, not a subclass made elsewhere."""
    pd = sys.modules["pandas"]
    names = ("DataFrame", "Series", "CategoricalIndex", *_INDEXES, *_SCALARS)
    return (
        any(kind is getattr(pd, name) for name in names)
        or kind in {type(pd.NaT), type(pd.NA)}
        or issubclass(kind, pd.api.extensions.ExtensionArray)
    )


def nbytes(value: Any) -> float:
    """Return about how many bytes of data there are; the insides of objects do not count."""
    pd = sys.modules["pandas"]
    if type(value) is pd.DataFrame:
        return float(value.memory_usage(deep=False).sum())
    return float(getattr(value, "nbytes", 0))


def pack(value: Any) -> Packed:
    """Take a value of pandas apart.

    Raises:
        Refused: Its dtype is not one of those listed here.
    """
    pd = sys.modules["pandas"]
    kind = type(value)
    if kind is pd.DataFrame:
        return _pack_frame(value)
    if kind is pd.Series:
        return _labelled(
            Packed(
                "pd.series", {"v": _array(value), "index": value.index, "name": value.name}
            ),
            value,
        )
    if isinstance(value, pd.Index):
        return _pack_index(value)
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return _pack_array(value)
    if value is pd.NaT or value is pd.NA:
        return Packed("pd.missing", {"v": "NaT" if value is pd.NaT else "NA"})
    fields = {"v": value.asm8}
    if kind is pd.Timestamp:
        fields |= {"tz": _zone(value.tz), "fold": value.fold}
    return Packed("pd.time", fields)


def _labelled(packed: Packed, value: Any) -> Packed:
    if value.attrs:
        packed.fields["attrs"] = value.attrs
    return packed


def _array(column: Any) -> Any:
    """Return the data of a series or index: a numpy array, or an array of pandas' own."""
    import numpy as np

    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def _pack_frame(frame: Any) -> Packed:
    import numpy as np

    matrices: dict[Any, list[int]] = {}
    others: list[list[Any]] = []
    for place, (_, column) in enumerate(frame.items()):
        if isinstance(column.dtype, np.dtype) and column.dtype != object:
            matrices.setdefault(column.dtype, []).append(place)
        else:
            others.append([place, _array(column)])
    blocks = [[at, frame.iloc[:, at].to_numpy().T] for at in matrices.values()]
    fields = {"index": frame.index, "columns": frame.columns, "matrices": blocks, "others": others}
    return _labelled(Packed("pd.frame", fields), frame)


def _pack_index(index: Any) -> Packed:
    pd = sys.modules["pandas"]
    if type(index) is pd.RangeIndex:
        span = range(index.start, index.stop, index.step)
        return Packed("pd.range", {"v": span, "name": index.name})
    if type(index) is pd.MultiIndex:
        levels, codes = list(index.levels), [_codes(codes) for codes in index.codes]
        return Packed("pd.multi", {"levels": levels, "codes": codes, "names": list(index.names)})
    return Packed("pd.index", {"v": _array(index), "name": index.name})


def _codes(codes: Any) -> Any:
    import numpy as np

    return np.asarray(codes)  # a view of pandas' own, of a subclass of ndarray


def _pack_array(array: Any) -> Packed:
    pd = sys.modules["pandas"]
    dtype = array.dtype
    kind = type(dtype)
    if kind is pd.CategoricalDtype:
        fields = {"v": array.codes, "categories": dtype.categories, "ordered": dtype.ordered}
        return Packed("pd.categorical", {**fields, "v": _codes(array.codes)})
    if kind is pd.DatetimeTZDtype:
        moments = array.tz_convert(None).to_numpy()
        return Packed("pd.moments", {"v": moments, "tz": _zone(dtype.tz)})
    missing = array.isna()
    if kind is pd.StringDtype:
        texts = [None if gone else text for text, gone in zip(array, missing, strict=True)]
        # pandas 2.2 has the na_value in the name of the storage
        storage, _, nan = dtype.storage.partition("_")
        nan = nan or dtype.na_value is not pd.NA
        return Packed("pd.strings", {"v": texts, "storage": storage, "nan": bool(nan)})
    if isinstance(dtype, _masked(pd)):
        values = array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return Packed("pd.masked", {"v": values, "mask": missing})
    raise Refused.of_type(type(array), f"dtype {dtype!s:.80}")
