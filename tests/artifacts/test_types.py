"""Arrays, frames, figures and whatever shows itself: to bytes and back."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import random
import sys
import warnings
from decimal import Decimal

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import polars as pl
import pytest
from matplotlib.figure import Figure
from PIL import Image

from kernel_bootstrap.wire import tables
from kernel_bootstrap.wire.bundles import Shown
from kernel_bootstrap.wire.codec import dumps, loads
from kernel_bootstrap.wire.errors import ArtifactError, ArtifactWriteError
from kernel_bootstrap.wire.media import Media
from kernel_bootstrap.wire.packing import pack, parcel, type_name, unpack
from py_code_mode.artifacts import MemoryArtifactStore

ARRAYS = {
    "scalar": np.array(5),
    "matrix": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    "strided": np.arange(10)[::2],
    "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
    "empty": np.zeros((0, 3)),
    "text": np.array(["a", "bcd"]),
    "bytes": np.array([b"x"]),
    "dates": np.array(["2020-01-01", "NaT"], dtype="M8[D]"),
    "durations": np.array([5], dtype="m8[s]"),
    "records": np.array([(1, 2.5, "x")], dtype=[("a", "i4"), ("b", "f8"), ("c", "U3")]),
    "big-endian": np.arange(4, dtype=">i4"),
    "complex": np.array([1 + 2j, np.nan]),
    "half": np.arange(3, dtype="f2"),
    "bool": np.array([True, False]),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_arrays_are_npy_files(array):
    """An array comes back with dtype, shape and items, can be written to, and numpy reads it."""
    kind, data = pack(array)
    assert kind == "npy"
    for back in (unpack(kind, data), unpack(kind, bytearray(data)), np.load(io.BytesIO(data))):
        assert type(back) is np.ndarray
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(back, array)
        assert back.flags.writeable


def test_a_large_array_is_not_copied():
    """The bytes to send are the array's own memory, in whichever order it lies."""
    for array in (np.zeros((100, 100)), np.zeros((100, 100), order="F")):
        _, body = parcel(array).parts
        assert np.shares_memory(np.frombuffer(body, np.uint8), array)


def test_arrays_of_objects_are_left_to_the_codec():
    """What an npy file would pickle never becomes one."""
    assert pack(np.array(["a", None], dtype=object))[0] == "value"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ArtifactWriteError):
            pack(np.array(["x"], dtype=np.dtypes.StringDType()))


def npy(header: str, body: bytes = b"") -> bytes:
    """An npy file with any header."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00",
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"\x80\x04N."),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10**15,)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1)}", b"x" * 8),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", b"x" * 9),
        npy("{'descr': '|V0', 'fortran_order': False, 'shape': (9999999999,)}"),
        npy("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}", b"x" * 8),
        npy("__import__('os').system('false')"),
        npy("(" * 5_000),
    ],
    ids=lambda data: ascii(data)[2:60],
)
def test_hostile_npy_files_are_an_artifact_error(data):
    """A header is neither run nor trusted: what it claims must be there."""
    with pytest.raises(ArtifactError):
        unpack("npy", data)


DAYS = pd.date_range("2024-01-01", periods=4, unit="us")
FRAMES = {
    "numbers": pd.DataFrame({"a": range(4), "f": [0.1, np.nan, -0.0, np.inf], "b": [True] * 4}),
    "text": pd.DataFrame({"s": ["a", "", None, "ü"]}),
    "dates": pd.DataFrame({"d": DAYS, "z": DAYS.tz_localize("Europe/Oslo")}),
    "index": pd.DataFrame({"a": range(4)}, index=pd.Index(list("abcd"), name="key")),
    "dates as index": pd.DataFrame({"a": range(4)}, index=DAYS),
    "hours as index": pd.DataFrame({"a": [1, 2]}, index=DAYS[:2].tz_localize("Europe/Oslo")),
    "irregular": pd.DataFrame({"a": [1, 2, 3]}, index=DAYS[[0, 1, 3]]),
    "levels": pd.DataFrame({"a": range(4)}, index=pd.MultiIndex.from_product([[1, 2], ["x", "y"]])),
    "filtered": pd.DataFrame({"a": range(10)}).query("a % 3 == 1"),
    "categories": pd.DataFrame({"c": pd.Categorical(["a", None, "b", "a"])}),
    "nullable": pd.DataFrame({"i": pd.array([1, None, 3], dtype="Int64")}),
    "decimals": pd.DataFrame({"d": [Decimal("1.10"), None]}),
    "no rows": pd.DataFrame({"a": np.array([], dtype="f8")}),
}
OTHER_FRAMES = {
    "mixed": pd.DataFrame({"m": [1, "a", None, b"x"]}),
    "nan among objects": pd.DataFrame({"o": pd.Series(["a", np.nan, None], dtype=object)}),
    "seconds": pd.DataFrame({"d": DAYS.astype("M8[s]")}),
    "attributes": pd.DataFrame({"a": [1]}),
    "numbers as labels": pd.DataFrame(np.eye(3)),
    "nothing": pd.DataFrame(),
}
OTHER_FRAMES["attributes"].attrs = {"source": (1, 2)}


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        *((frame, "parquet") for frame in FRAMES.values()),
        *((frame, "value") for frame in OTHER_FRAMES.values()),
    ],
    ids=[*FRAMES, *OTHER_FRAMES],
)
@pytest.mark.parametrize("trusted", [True, False], ids=["kernel", "host"])
def test_frames_of_pandas_come_back_exactly(frame, kind, trusted):
    """A frame is Parquet if that keeps it exactly, and else what the codec makes of it."""
    pytest.importorskip("pyarrow")
    packed, data = pack(frame)
    assert packed == kind
    back = unpack(kind, data, type_name=type_name(frame), trusted=trusted)
    assert dumps(back) == dumps(frame)
    pd.testing.assert_frame_equal(back, frame)


PERIODS = pd.period_range("2024-01", periods=3, freq="M")


@pytest.mark.parametrize(
    "make",
    [
        lambda: pd.DataFrame({"p": PERIODS, "i": pd.interval_range(0, 3)}),
        lambda: pd.DataFrame({"a": range(3)}, index=PERIODS),
        lambda: pd.DataFrame({"a": pd.array([1, None], dtype="int64[pyarrow]")}),
    ],
    ids=["columns", "index", "arrow"],
)
@pytest.mark.parametrize("trusted", [True, False], ids=["kernel", "host"])
def test_frames_that_only_parquet_can_keep_come_back(make, trusted):
    """Periods, intervals and Arrow's own dtypes are no values, and yet come back from Parquet."""
    pytest.importorskip("pyarrow")
    frame = make()
    kind, data = pack(frame)
    assert kind == "parquet"
    back = unpack(kind, data, type_name="pandas.DataFrame", trusted=trusted)
    pd.testing.assert_frame_equal(back, frame)


POLARS = {
    "scalars": pl.DataFrame({"a": [1, None], "s": ["x", None], "f": [float("nan"), 1.0]}),
    "nested": pl.DataFrame({"l": [[1, 2], []], "s": [{"a": 1}, {"a": None}]}),
    "times": pl.DataFrame(
        {"d": [dt.date(2024, 1, 1)], "t": [dt.datetime(2024, 1, 1, 5, tzinfo=dt.UTC)]}
    ),
    "categories": pl.DataFrame({"c": ["a", "b"]}, schema={"c": pl.Enum(["b", "a"])}),
}


@pytest.mark.parametrize("frame", POLARS.values(), ids=POLARS)
@pytest.mark.parametrize("trusted", [True, False], ids=["kernel", "host"])
def test_frames_of_polars_come_back_exactly(frame, trusted):
    """A frame of polars is Parquet, and one of polars again, nested columns included."""
    if not trusted:
        pytest.importorskip("pyarrow")
    kind, data = pack(frame)
    assert kind == "parquet"
    back = unpack(kind, data, type_name=type_name(frame), trusted=trusted)
    assert type(back) is pl.DataFrame
    assert back.equals(frame)
    if trusted:
        assert back.schema == frame.schema


def test_without_its_library_a_frame_is_kept_and_refused_by_name(monkeypatch):
    """Without pyarrow frames of pandas are kept as before, and Parquet says what it needs."""
    pytest.importorskip("pyarrow")
    _, data = pack(FRAMES["numbers"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert pack(FRAMES["numbers"])[0] == "value"
    with pytest.raises(ArtifactError, match="needs pandas and pyarrow"):
        unpack("parquet", data, type_name="pandas.DataFrame")
    store = MemoryArtifactStore()
    store.save("p", POLARS["scalars"])
    with pytest.raises(ArtifactError, match=r"trusted=True"):
        store.load("p")
    assert store.load("p", trusted=True).equals(POLARS["scalars"])


def test_damaged_parquet_is_an_artifact_error_on_the_host():
    """Whatever bytes change in a file, the host gets a frame or an ArtifactError."""
    pytest.importorskip("pyarrow")
    _, data = pack(pd.concat([FRAMES["numbers"], FRAMES["text"]], axis=1))
    refused = 0
    for seed in range(8):
        chance, damaged = random.Random(seed), bytearray(data)
        for _ in range(3):
            place = chance.randrange(max(0, len(data) - 1_000), len(data) - 8)
            damaged[place] = chance.choice([0, 127, 128, 255, chance.randrange(256)])
        try:
            unpack("parquet", bytes(damaged), type_name="pandas.DataFrame")
        except ArtifactError:
            refused += 1
    assert refused > 3
    for cut in (0, len(data) - 1):
        with pytest.raises(ArtifactError, match="not valid parquet"):
            unpack("parquet", data[:cut])


def bombs():
    """Small files that unfold to gigabytes: rows, one text, alone and in lists, and nothing at all."""
    import pyarrow as pa

    text = pa.repeat("x" * 1_000_000, 1)
    often = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), 9_000), text)
    ends = pa.array(range(9_001), pa.int32())
    return {
        "rows": pa.table({"c": pa.nulls(300_000_000)}),
        "texts": pa.table({"c": often}),
        "lists": pa.table({"c": pa.ListArray.from_arrays(ends, often)}),
        "nulls": pa.table({"c": pa.array([[None] * 5_000_000], pa.list_(pa.null()))}),
    }


@pytest.mark.parametrize("name", ["rows", "texts", "lists", "nulls"])
def test_a_file_that_unfolds_beyond_measure_is_refused_on_the_host(name):
    """However a file hides what it unfolds to, it is refused, and not by the host's own memory."""
    pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    out = io.BytesIO()
    pq.write_table(bombs()[name], out, compression="zstd", store_schema=False)
    assert len(out.getvalue()) < 700_000
    with pytest.raises(ArtifactError, match="would unfold to more than the 268,435,456 bytes"):
        unpack("parquet", out.getvalue())


def test_a_pyarrow_that_unpickles_is_not_read_with():
    """Versions that run what a file's metadata says are refused on the host."""
    with pytest.raises(ArtifactError, match="not safe"):
        tables._check_version("13.0.0")


def test_figures_are_pictures():
    """A figure of matplotlib's is PNG, or what its name asks for, and loads as a picture."""
    figure = Figure()
    figure.subplots().plot([1, 3, 2])
    for name, mime, start in [
        ("plot", "image/png", b"\x89PNG"),
        ("plots/1.svg", "image/svg+xml", b"<?xml"),
        ("plot.PDF", "application/pdf", b"%PDF"),
        ("plot.jpg", "image/jpeg", b"\xff\xd8"),
    ]:
        packed = parcel(figure, name)
        assert (packed.kind, packed.content_type) == ("media", mime)
        back = unpack(packed.kind, packed.data, mime)
        assert back == Media(packed.data, mime)
        assert back.data.startswith(start)


def test_images_are_pictures():
    """An image of Pillow's is a PNG of the same pixels."""
    image = Image.new("RGBA", (3, 2), (1, 2, 3, 4))
    packed = parcel(image)
    assert (packed.kind, packed.content_type) == ("media", "image/png")
    assert Image.open(io.BytesIO(packed.data)).tobytes() == image.tobytes()


def test_pictures_of_tools_are_files():
    """A picture that a tool gave is kept as a file; one with a name of its own as it is."""
    picture = Media(b"\x89PNG", "image/png")
    assert parcel(picture).kind == "media"
    assert unpack("media", parcel(picture).data, "image/png") == picture
    for other in (Media(b"\x89PNG", "image/png", "plot"), Media(b"", "image/<b>"), Media(b"", "")):
        assert unpack(*pack(other)) == other


@pytest.mark.parametrize(
    ("value", "mime"),
    [
        (go.Figure(go.Scatter(y=[1, 3, 2])), "application/vnd.plotly.v1+json"),
        (alt.Chart(pd.DataFrame({"x": [1]})).mark_point().encode(x="x"), "vegalite"),
    ],
    ids=["plotly", "altair"],
)
def test_charts_are_bundles(value, mime):
    """A chart is kept as the formats it shows, and shows them again in a kernel."""
    packed = parcel(value)
    assert packed.kind == "bundle"
    back = unpack(packed.kind, packed.data, type_name=type_name(value), trusted=True)
    assert type(back) is Shown
    shown, _ = back._repr_mimebundle_()
    assert any(mime in each for each in shown)
    assert type(value).__name__ in repr(back)
    again = unpack(*pack(back), type_name=back.type_name, trusted=True)
    assert again == back
    crossed = loads(dumps(back))
    assert (crossed.data, crossed.type_name, crossed.trusted) == (back.data, back.type_name, False)


class Page:
    """Shows itself as HTML and as a picture, as objects of many libraries do."""

    def _repr_html_(self):
        return "<b onclick='alert(1)'>page</b>"

    def _repr_png_(self):
        return b"\x89PNG", {"width": 5}

    def _repr_latex_(self):
        raise ValueError("no latex today")


class Drawing:
    """Shows itself as SVG alone."""

    def _repr_svg_(self):
        return "<svg onload='alert(1)'/>"


def test_whatever_shows_itself_is_kept_as_what_it_shows():
    """All formats of an object are kept; a format that is a file by itself becomes that file."""
    back = unpack(*pack(Page()), trusted=True)
    assert back.data == {
        "text/html": "<b onclick='alert(1)'>page</b>",
        "image/png": base64.b64encode(b"\x89PNG").decode(),
    }
    drawing = parcel(Drawing())
    assert (drawing.kind, drawing.content_type) == ("media", "image/svg+xml")
    assert drawing.data == b"<svg onload='alert(1)'/>"


def test_on_the_host_a_bundle_cannot_run_code():
    """Its HTML goes into a frame without scripts or origin; formats that may hold code are out."""
    formats = {
        "text/html": "<script>1</script>",
        "application/javascript": "1",
        "image/png": "QQ==",
    }
    data = json.dumps({"data": formats, "metadata": {}}).encode()
    shown, _ = unpack("bundle", data)._repr_mimebundle_()
    assert shown.keys() == {"text/plain", "text/html", "image/png"}
    assert shown["text/html"].startswith("<iframe sandbox srcdoc=")
    assert "<script>" not in shown["text/html"]


def test_data_is_never_kept_as_what_it_shows():
    """A frame or array that cannot be kept exactly is refused, though it could show itself."""
    frame = pd.DataFrame(
        {"p": pd.period_range("2024-01", periods=2, freq="M"), "o": [object()] * 2}
    )
    many = alt.Chart(pd.DataFrame({"x": range(9_000)})).mark_point()
    with pytest.raises(ArtifactWriteError, match=r"Chart cannot be saved as an artifact: .*5000"):
        pack(many)
    for value in (frame, np.ma.array([1]), Page, object(), [Page()]):
        with pytest.raises(ArtifactWriteError, match="cannot be saved as an artifact"):
            pack(value)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"data": [], "metadata": {}}', b'{"data": {}}', b"\xff", b"[" * 9_999],
)
def test_what_is_no_bundle_is_an_artifact_error(data):
    """Bytes that are no bundle give one clear error."""
    with pytest.raises(ArtifactError):
        unpack("bundle", data)
