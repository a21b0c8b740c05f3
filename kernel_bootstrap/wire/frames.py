"""The codec's part for pandas: frames, series and indexes. Never pickle.

Place in the house: part of THE contract (``kernel_bootstrap.wire``), used by the codec only.
Nothing here imports pandas before a value of pandas', coming or going, asks for it.

A frame is taken apart into arrays: numpy's as numpy arrays (columns of one dtype together, as
one matrix), pandas' own by their parts (``pandas_arrays``). Whatever has no parts listed there
(periods, intervals, sparse, Arrow) is refused by its name. pandas 2.2 and 3 read each other's
frames.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from kernel_bootstrap.wire import pandas_arrays
from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.pandas_arrays import expect_column, expect_index, expect_numbers
from kernel_bootstrap.wire.parts import Packed, Unpack, expect

__all__ = ["UNPACKERS", "nbytes", "owns", "pack", "with_step"]

_MAX_STEP = 100
"""Characters of an index's step, e.g. ``2W-SUN``."""

_INDEXES = (
    "CategoricalIndex",
    "DatetimeIndex",
    "Index",
    "MultiIndex",
    "RangeIndex",
    "TimedeltaIndex",
)


def owns(kind: type) -> bool:
    """Tell whether ``kind`` is one of pandas' types, not a subclass made elsewhere."""
    pd = sys.modules["pandas"]
    names = ("DataFrame", "Series", "Timestamp", "Timedelta", *_INDEXES)
    return (
        any(kind is getattr(pd, name) for name in names)
        or kind in {type(pd.NaT), type(pd.NA)}
        or issubclass(kind, pd.api.extensions.ExtensionArray)
    )


def nbytes(value: Any) -> float:
    """Return about how many bytes of data there are; the insides of objects do not count."""
    pd = sys.modules["pandas"]
    if type(value) is pd.DataFrame:
        # memory_usage makes a series of each column first
        return float(len(value) * sum(getattr(dtype, "itemsize", 1) for dtype in value.dtypes))
    if type(value) is pd.RangeIndex:
        return 0.0
    return float(getattr(value, "nbytes", 0))


def pack(value: Any) -> Packed:
    """Take a value of pandas apart.

    Raises:
        Refused: Its dtype is not one of those listed here.
    """
    pd = sys.modules["pandas"]
    if type(value) is pd.DataFrame:
        return _pack_frame(value)
    if type(value) is pd.Series:
        fields = {"v": _array(value), "index": value.index, "name": value.name}
        return _with_attrs(Packed("pd.series", fields), value)
    if isinstance(value, pd.Index):
        return _pack_index(value)
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return pandas_arrays.pack_array(value)
    return pandas_arrays.pack_scalar(value)


def _with_attrs(packed: Packed, value: Any) -> Packed:
    if value.attrs:
        packed.fields["attrs"] = value.attrs
    return packed


def _array(column: Any) -> Any:
    """Return the data of a series or index: a numpy array, or an array of pandas' own."""
    import numpy as np

    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def _pack_frame(frame: Any) -> Packed:
    import numpy as np

    places: dict[Any, list[int]] = {}
    others: list[list[Any]] = []
    for place, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, np.dtype) and dtype.kind != "O":
            places.setdefault(dtype, []).append(place)
        else:
            others.append([place, _array(frame.iloc[:, place])])
    matrices = [[at, frame.iloc[:, at].to_numpy().T] for at in places.values()]
    labels = {"index": frame.index, "columns": frame.columns}
    return _with_attrs(
        Packed("pd.frame", {**labels, "matrices": matrices, "others": others}), frame
    )


def _pack_index(index: Any) -> Packed:
    import numpy as np

    pd = sys.modules["pandas"]
    if type(index) is pd.RangeIndex:
        span = range(index.start, index.stop, index.step)
        return Packed("pd.range", {"v": span, "name": index.name})
    if type(index) is pd.MultiIndex:
        # Codes come as pandas' own subclass of ndarray.
        codes = [np.asarray(codes) for codes in index.codes]
        levels = [_without_step(level) for level in index.levels]
        return Packed("pd.multi", {"levels": levels, "codes": codes, "names": list(index.names)})
    fields = {"v": _array(index), "name": index.name}
    step = getattr(index, "freqstr", None)
    return Packed("pd.index", fields if step is None else {**fields, "freq": step})


def _without_step(level: Any) -> Any:
    """Return a level of a multi-index as one that knows of no step: whether it does is chance."""
    if getattr(level, "freq", None) is not None:
        level = level.copy()
        level.freq = None
    return level


# --- in ------------------------------------------------------------------------------------


def _attributed(rebuilt: Any, fields: dict[str, Any]) -> Any:
    if "attrs" in fields:
        rebuilt.attrs = expect(fields, "attrs", dict)
    return rebuilt


def _unpack_frame(fields: dict[str, Any]) -> Any:
    import numpy as np
    import pandas as pd

    index, labels = expect_index(fields["index"]), expect_index(fields["columns"])
    matrices, others = expect(fields, "matrices", list), expect(fields, "others", list)
    columns = {place: expect_column(array) for place, array in others}
    for places, matrix in matrices:
        if type(matrix) is not np.ndarray or matrix.ndim != 2:  # noqa: PLR2004 - a matrix
            raise ProtocolError("columns of one dtype must come as a matrix")
        columns.update(zip(places, matrix, strict=True))
    if sorted(columns) != list(range(len(labels))):
        raise ProtocolError("a frame whose columns are not numbered through")
    if not columns:
        frame = pd.DataFrame(index=index)
    elif len(matrices) == 1 and matrices[0][0] == list(range(len(labels))):
        frame = pd.DataFrame(matrices[0][1].T)  # a thousand columns are one array all the way
    else:
        frame = _join([columns[place] for place in range(len(columns))])
    frame.index, frame.columns = index, labels
    return _attributed(frame, fields)


def _join(columns: list[Any]) -> Any:
    import pandas as pd

    if len({*map(len, columns)}) != 1:
        raise ProtocolError("a frame whose columns differ in length")
    # Each column as a series of its dtype: left to itself pandas would guess one for objects.
    # They have no index yet, because pandas would align them by it.
    series = (pd.Series(column, dtype=column.dtype, copy=False) for column in columns)
    return pd.DataFrame(dict(enumerate(series)))


def _unpack_series(fields: dict[str, Any]) -> Any:
    import pandas as pd

    data, index = expect_column(fields["v"]), expect_index(fields["index"])
    series = pd.Series(data, index=index, dtype=data.dtype, copy=False)
    series.name = fields["name"]
    return _attributed(series, fields)


def _unpack_index(fields: dict[str, Any]) -> Any:
    import pandas as pd

    data = expect_column(fields["v"])
    made = pd.Index(data, dtype=data.dtype, name=fields["name"], tupleize_cols=False)
    if isinstance(made, (pd.DatetimeIndex, pd.TimedeltaIndex)) and "freq" in fields:
        with_step(made, expect(fields, "freq", str))
    return made


def with_step(index: Any, step: str) -> None:
    """Give an index of moments the step that it is said to have, if it does."""
    if len(step) <= _MAX_STEP:
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            index.freq = step


def _unpack_range(fields: dict[str, Any]) -> Any:
    import pandas as pd

    span = expect(fields, "v", range)
    if max(abs(span.start), abs(span.stop), abs(span.step)) >= 1 << 62:
        raise ProtocolError("a range index beyond 64 bits")
    return pd.RangeIndex.from_range(span, name=fields["name"])


def _unpack_multi(fields: dict[str, Any]) -> Any:
    import pandas as pd

    levels = [expect_index(level) for level in expect(fields, "levels", list)]
    codes = [expect_numbers(part, "i") for part in expect(fields, "codes", list)]
    return pd.MultiIndex(levels, codes, names=expect(fields, "names", list))


UNPACKERS: dict[str, Unpack] = {
    "pd.frame": _unpack_frame,
    "pd.series": _unpack_series,
    "pd.index": _unpack_index,
    "pd.range": _unpack_range,
    "pd.multi": _unpack_multi,
    **pandas_arrays.UNPACKERS,
}
