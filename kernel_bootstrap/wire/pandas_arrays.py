"""The codec's part for pandas' own arrays and scalars: text, categories, masks, moments.

Place in the house: part of THE contract (``kernel_bootstrap.wire``), used by ``frames`` only,
which states the rules. The functions that check a field are here because both need them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.parts import Packed, Refused, Unpack, expect
from kernel_bootstrap.wire.standard import zone

__all__ = [
    "UNPACKERS",
    "expect_column",
    "expect_index",
    "expect_numbers",
    "pack_array",
    "pack_scalar",
]


def pack_array(array: Any) -> Packed:
    """Take one of pandas' own arrays apart.

    Raises:
        Refused: Its dtype is not one of those listed here.
    """
    import numpy as np

    pd = sys.modules["pandas"]
    dtype = array.dtype
    kind = type(dtype)
    if kind is pd.CategoricalDtype:
        fields = {"v": np.asarray(array.codes), "categories": dtype.categories}
        return Packed("pd.categorical", {**fields, "ordered": dtype.ordered})
    if kind is pd.DatetimeTZDtype:
        moments = array.tz_convert(None).to_numpy()
        return Packed("pd.moments", {"v": moments, "tz": _zone(dtype.tz)})
    if kind is pd.StringDtype:
        texts = array.to_numpy(dtype=object, na_value=None).tolist()
        # pandas 2.2 has the na_value in the name of the storage
        storage, _, nan = dtype.storage.partition("_")
        is_nan = bool(nan) or dtype.na_value is not pd.NA
        return Packed("pd.strings", {"v": texts, "storage": storage, "nan": is_nan})
    if isinstance(array, (pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray)):
        values = array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return Packed("pd.masked", {"v": values, "mask": array.isna()})
    raise Refused.of_type(type(array), f"dtype {dtype!s:.80}")


def pack_scalar(value: Any) -> Packed:
    """Take a moment, a duration or a missing value of pandas apart."""
    pd = sys.modules["pandas"]
    if value is pd.NaT or value is pd.NA:
        return Packed("pd.missing", {"v": "NaT" if value is pd.NaT else "NA"})
    fields = {"v": value.asm8}
    if type(value) is pd.Timestamp:
        fields |= {"tz": _zone(value.tz), "fold": value.fold}
    return Packed("pd.time", fields)


def _zone(tz: Any) -> Any:
    """Return ``tz``, or the name of one of pytz, which pandas 2 uses and pandas 3 does not."""
    name = getattr(tz, "zone", None)
    is_pytz = type(tz).__module__.partition(".")[0] == "pytz"
    return name if is_pytz and type(name) is str else tz


# --- in ------------------------------------------------------------------------------------


def expect_column(value: Any) -> Any:
    """Return ``value`` if it is an array of one dimension; pandas would take a lot else.

    Raises:
        ProtocolError: It is not.
    """
    import numpy as np
    import pandas as pd

    if isinstance(value, (np.ndarray, pd.api.extensions.ExtensionArray)) and value.ndim == 1:
        return value
    raise ProtocolError(f"a column must be an array, not {type(value).__name__}")


def expect_numbers(value: Any, kinds: str) -> Any:
    """Return ``value`` if it is a numpy array of one dimension of one of these dtype kinds.

    Raises:
        ProtocolError: It is not.
    """
    import numpy as np

    if type(value) is np.ndarray and value.ndim == 1 and value.dtype.kind in kinds:
        return value
    raise ProtocolError(f"not an array of the kinds {kinds}")


def expect_index(value: Any) -> Any:
    """Return ``value`` if it is an index of pandas.

    Raises:
        ProtocolError: It is not.
    """
    import pandas as pd

    if isinstance(value, pd.Index):
        return value
    raise ProtocolError(f"an index must not be {type(value).__name__}")


def _as_zone(tz: Any) -> Any:
    if type(tz) is not str:
        return tz
    try:
        pytz = import_module("pytz")
    except ImportError:
        return zone(tz)
    return pytz.timezone(tz)


def _unpack_categorical(fields: dict[str, Any]) -> Any:
    import pandas as pd

    categories, ordered = expect_index(fields["categories"]), expect(fields, "ordered", bool)
    dtype = pd.CategoricalDtype(categories, ordered)
    return pd.Categorical.from_codes(expect_numbers(fields["v"], "i"), dtype=dtype)


def _unpack_moments(fields: dict[str, Any]) -> Any:
    import pandas as pd

    moments = pd.DatetimeIndex(expect_numbers(fields["v"], "M"))
    return moments.tz_localize("UTC").tz_convert(_as_zone(fields["tz"])).array


def _unpack_strings(fields: dict[str, Any]) -> Any:
    import numpy as np
    import pandas as pd

    texts, storage = expect(fields, "v", list), expect(fields, "storage", str)
    if not {str, type(None)}.issuperset(map(type, texts)):
        raise ProtocolError("an array of strings with something else in it")
    nan = expect(fields, "nan", bool)
    for kept in (storage, "python"):  # the same strings, kept another way if there is no pyarrow
        try:
            return pd.array(texts, dtype=_string_dtype(kept, nan=nan))
        except ImportError:
            continue
    # pandas 2.2 without pyarrow: its strings that miss nan are objects.
    return np.array([np.nan if text is None else text for text in texts], dtype=object)


def _string_dtype(storage: str, *, nan: bool) -> Any:
    import numpy as np
    import pandas as pd

    if not nan:
        return pd.StringDtype(storage)
    try:
        return pd.StringDtype(storage, na_value=np.nan)
    except TypeError:  # pandas 2.2 has the na_value in the name of the storage
        return pd.StringDtype("pyarrow_numpy")


def _unpack_masked(fields: dict[str, Any]) -> Any:
    import pandas as pd

    values, mask = expect_numbers(fields["v"], "iufb"), expect_numbers(fields["mask"], "b")
    if values.shape != mask.shape:
        raise ProtocolError("an array and its mask differ in length")
    if values.dtype.kind == "b":
        return pd.arrays.BooleanArray(values, mask)
    kind = pd.arrays.FloatingArray if values.dtype.kind == "f" else pd.arrays.IntegerArray
    return kind(values, mask)


def _unpack_time(fields: dict[str, Any]) -> Any:
    import numpy as np
    import pandas as pd

    value = expect(fields, "v", np.datetime64, np.timedelta64)
    if type(value) is np.timedelta64:
        return pd.Timedelta(value)
    moment = pd.Timestamp(value)
    if fields["tz"] is not None:
        return moment.tz_localize("UTC").tz_convert(_as_zone(fields["tz"]))
    return moment.replace(fold=1) if fields.get("fold") == 1 else moment


def _unpack_missing(fields: dict[str, Any]) -> Any:
    import pandas as pd

    return {"NaT": pd.NaT, "NA": pd.NA}[expect(fields, "v", str)]


UNPACKERS: dict[str, Unpack] = {
    "pd.categorical": _unpack_categorical,
    "pd.moments": _unpack_moments,
    "pd.strings": _unpack_strings,
    "pd.masked": _unpack_masked,
    "pd.time": _unpack_time,
    "pd.missing": _unpack_missing,
}
