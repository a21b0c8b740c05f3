"""Artifacts between a real kernel and its host: types, sizes, sessions, and what they show."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading

import pytest

from py_code_mode import CodeExecutor, FileArtifactStore, Limits, ToolRegistry

GB = 1_000_000_000
BOUND = 100 * 1024 * 1024
"""Bytes by which a process may grow while a gigabyte passes through it."""


@pytest.fixture
async def store(tmp_path):
    return FileArtifactStore(tmp_path / "data")


@pytest.fixture
async def executor(store):
    async with CodeExecutor(artifact_store=store, author="alice") as made:
        yield made


def resident() -> int:
    """Bytes of memory this process has."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - a hundred times a second
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.asynccontextmanager
async def watched():
    """Watch how much this process grows; ``most`` is the answer."""
    before, most = resident(), [0]

    async def watch() -> None:
        while True:
            most[0] = max(most[0], resident() - before)
            await asyncio.sleep(0.005)

    task = asyncio.create_task(watch())
    yield most
    task.cancel()


PEAK = """
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024
"""


async def test_a_branch_does_not_end_what_its_parent_writes(executor, store):
    """A session that is forked while an artifact is open in it goes on writing; the copy cannot."""
    await executor.run("file = artifacts.open('x', 'wb'); file.write(b'before ')")
    branch = await executor.fork()
    await branch.run("mine = artifacts.open('y', 'wb'); mine.write(b'branch')")
    assert (await branch.run("file.close()")).error.name == "ArtifactError"
    await branch.run("del file; import gc; gc.collect()")
    (await branch.run("mine.close()")).unwrap()
    (await executor.run("file.write(b'after'); file.close()")).unwrap()
    assert (store.load("x"), store.load("y")) == (b"before after", b"branch")


@pytest.mark.slow
async def test_a_gigabyte_passes_in_constant_memory_both_ways(executor, store, tmp_path):
    """A file of 1 GB is saved and loaded by a cell; neither process ever holds much of it."""
    source = tmp_path / "source.bin"
    with source.open("wb") as file:
        for number in range(100):
            file.seek(number * GB // 100)
            file.write(os.urandom(1_000))
        file.truncate(GB)
    (await executor.run(PEAK + "artifacts.save('warm', b'x' * 5_000_000)")).unwrap()
    async with watched() as most:
        saved = await executor.run(
            f"before = peak(); info = artifacts.save_file('big.bin', {str(source)!r})\n"
            "info.size, info.sha256, peak() - before",
            timeout=100,
        )
    size, digest, grown = saved.unwrap()
    assert size == GB
    assert max(grown, most[0]) < BOUND
    async with watched() as most:
        loaded = await executor.run(
            f"before = peak(); artifacts.load_file('big.bin', {str(tmp_path / 'back.bin')!r})\n"
            "peak() - before",
            timeout=100,
        )
    assert max(loaded.unwrap(), most[0]) < BOUND
    with (tmp_path / "back.bin").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest
    assert store.get("big.bin").sha256 == digest


async def test_large_values_do_not_pile_up_on_the_host(executor, store):
    """Bytes and arrays of 100 MB go through the host in pieces, and load in place."""
    (await executor.run(PEAK + "import numpy as np\ndata = bytes(100_000_000)")).unwrap()
    async with watched() as most:
        result = await executor.run(
            "artifacts.save('x', data)\n"
            "array = np.arange(12_500_000.0)\n"
            "before = peak()\n"
            "artifacts.save('a.npy', array)\n"
            "grown = peak() - before\n"
            "back = artifacts.load('a.npy')\n"
            "artifacts.load('x') == data, (back == array).all(), str(back.dtype), grown",
            timeout=100,
        )
    same, equal, dtype, grown = result.unwrap()
    assert (same, bool(equal), dtype) == (True, True, "float64")
    assert max(most[0], grown) < BOUND // 2
    assert [(info.name, info.kind) for info in store.list()] == [("a.npy", "npy"), ("x", "bytes")]


async def test_an_interrupt_leaves_nothing_half_saved(executor, store):
    """A cell that is stopped while it saves leaves neither artifact nor temporary file."""
    code = "for n in range(10_000):\n    artifacts.save('x', bytes(200_000_000))"
    result = await executor.run(code, timeout=0.7)
    assert result.error.name in ("ExecutionTimeout", "KeyboardInterrupt")
    async with asyncio.timeout(20):
        while list((store.path / ".pcm").glob("tmp-*")):
            await asyncio.sleep(0.01)
    assert all(info.size == 200_000_000 for info in store.list())
    assert (await executor.run("artifacts.save('y', 1).size")).unwrap() == 2


async def test_a_kernel_that_dies_leaves_nothing_half_saved(executor, store):
    """What a kernel was writing when it ended is gone."""
    await executor.run(
        "import os\nfile = artifacts.open('x', 'wb')\nfile.write(bytes(5_000_000))\nos._exit(1)"
    )
    async with asyncio.timeout(20):
        while list((store.path / ".pcm").glob("tmp-*")):
            await asyncio.sleep(0.01)
    assert store.list() == []


async def test_who_saved_it_is_known_by_the_host(executor, store):
    """Session and author are the host's word; code can neither choose nor forge them."""
    other = await executor.session("analysis")
    (await executor.run("artifacts.save('a', 1)")).unwrap()
    (await other.run("artifacts.save('b', bytes(3_000_000))")).unwrap()
    assert [(info.session, info.author) for info in store.list()] == [
        ("default", "alice"),
        ("analysis", "alice"),
    ]
    forged = await executor.run("artifacts.save('c', 1, session='x')")
    assert forged.error.name == "TypeError"


async def test_a_flood_is_an_artifact_of_its_session(executor, store):
    """What was too much for a result is named in it, tagged, and says where it came from."""
    result = await executor.run("print('x' * 3_000_000)")
    (cut,) = result.truncated
    (info,) = store.list(prefix="outputs/default/", tag="output")
    assert (cut.artifact, info.session, info.author) == (info.name, "default", "alice")
    assert info.size == 3_000_001
    assert [found.name for found in store.search("stdout of a cell")] == [info.name]


@pytest.mark.alone
async def test_a_flood_goes_in_pieces_and_takes_no_memory(store):
    """300 MB of prints are cut in constant memory on both sides, whatever a message may carry."""
    limits = Limits(request_bytes=1_000_000)
    async with CodeExecutor(artifact_store=store, limits=limits) as executor:
        await executor.run(PEAK + "before = peak()")
        async with watched() as most:
            result = await executor.run("for n in range(300): print(str(n % 10) * 999_999)")
        grown = (await executor.run("'shown'\npeak() - before")).unwrap()
        history = "history = get_ipython().history_manager\nbool(history.outputs), "
        remembered = await executor.run(history + "history.output_hist_reprs")
    assert max(most[0], grown) < BOUND // 2
    assert remembered.value == (False, {})
    (cut,) = result.truncated
    assert (cut.total, cut.whole) == (300_000_000, False)
    assert "its beginning: artifact" in result.text
    info = store.get(cut.artifact)
    assert (info.size, info.description[:13]) == (Limits().spill_bytes, "The beginning")
    assert b"".join(store.read_chunks(cut.artifact, 2_000_000, 3)) == b"222"


async def test_requests_that_pile_up_are_refused(tmp_path):
    """A kernel that sends faster than the host can keep is told so; what fits is kept."""
    kept = threading.Event()

    class Slow(FileArtifactStore):
        def save_packed(self, name, kind, data, details=None):
            assert kept.wait(30)
            return super().save_packed(name, kind, data, details)

    def go_on() -> None:
        """Let the store go on."""
        kept.set()

    code = (
        "link = object.__getattribute__(artifacts, '_link')\n"
        "ask = lambda n: link.request('artifacts.save', name=f'x{n}', kind='bytes', data=data)\n"
        "data, failures = bytes(8_000_000), []\n"
        "sent = [ask(n) for n in range(12)]\n"
        "for each in sent[8:]:\n"
        "    try: each.result()\n"
        "    except tools.ToolDeniedError as error: failures.append(str(error))\n"
        "tools.go_on()\n"
        "failures, [each.result()['size'] for each in sent[:8]]"
    )
    registry = ToolRegistry()
    registry.add(go_on)
    store, limits = Slow(tmp_path / "data"), Limits(request_bytes=8_000_000)
    async with CodeExecutor(registry, artifact_store=store, limits=limits) as executor:
        failures, sizes = (await executor.run(code)).unwrap()
    assert len(failures) == 4
    assert "are pending have more than 67,108,864 bytes" in failures[0]
    assert sizes == [info.size for info in store.list()] == [8_000_000] * 8


async def test_each_output_that_was_cut_is_an_artifact_of_its_own(store):
    """Two texts, a picture and JSON that were too large are four artifacts, as files of their type."""
    limits = Limits(text_chars=100, output_bytes=1_000)
    code = (
        "import base64\n"
        "display('a' * 200); display('b' * 200)\n"
        "picture = base64.b64encode(b'\\x89PNG' + bytes(1_000)).decode()\n"
        "display({'image/png': picture, 'application/json': ['x' * 1_000]}, raw=True)"
    )
    async with CodeExecutor(artifact_store=store, limits=limits) as executor:
        result = await executor.run(code)
    kept = {cut.artifact: store.load(cut.artifact) for cut in result.truncated}
    first, second, picture, data = (kept[cut.artifact] for cut in result.truncated)
    assert (first, second, data) == (repr("a" * 200), repr("b" * 200), ["x" * 1_000])
    assert (picture.mime_type, picture.data) == ("image/png", b"\x89PNG" + bytes(1_000))
    assert sorted(name.rpartition(".")[2] for name in kept) == ["json", "png", "txt", "txt"]


async def test_figures_and_frames_keep_their_types(executor, store):
    """Frames are Parquet, arrays npy, figures pictures; values load as they were."""
    result = await executor.run(
        "import numpy as np, pandas as pd, polars as pl\n"
        "from matplotlib.figure import Figure\n"
        "frame = pd.DataFrame({'city': ['Oslo', None], 't': [3.5, -1.0]})\n"
        "table = pl.DataFrame({'list': [[1, 2], []], 'n': [1, None]})\n"
        "figure = Figure(); figure.subplots().plot([1, 2])\n"
        "for name, value in {'f.parquet': frame, 't.parquet': table, 'p.png': figure,\n"
        "                    'p.svg': figure, 'a.npy': np.eye(3)}.items():\n"
        "    artifacts.save(name, value)\n"
        "pd.testing.assert_frame_equal(artifacts.load('f.parquet'), frame)\n"
        "assert artifacts.load('t.parquet').equals(table)\n"
        "assert (artifacts.load('a.npy') == np.eye(3)).all()\n"
        "artifacts.load('p.png')"
    )
    assert result.error is None, result.error
    assert result.outputs[-1].png.startswith(b"\x89PNG")
    assert {info.name: (info.kind, info.content_type) for info in store.list()} == {
        "a.npy": ("npy", "application/x-npy"),
        "f.parquet": ("parquet", "application/vnd.apache.parquet"),
        "p.png": ("media", "image/png"),
        "p.svg": ("media", "image/svg+xml"),
        "t.parquet": ("parquet", "application/vnd.apache.parquet"),
    }
    assert store.load("f.parquet")["city"][0] == "Oslo"
    assert store.load("t.parquet")["list"].to_list() == [[1, 2], []]


async def test_what_get_returns_shows_itself(executor):
    """A table shows as a table, a picture as a picture, a text by its beginning."""
    await executor.run(
        "import pandas as pd\n"
        "artifacts.save('f', pd.DataFrame({'<b>': ['<i>']}))\n"
        "artifacts.save('t', '<script>' * 10_000, 'A <text>')\n"
    )
    table = (await executor.run("artifacts.get('f')")).outputs[-1].html
    assert "<table" in table
    assert "&lt;b&gt;" in table
    assert "<b>&lt;" not in table
    assert "1 rows, 1 columns" in table
    text = (await executor.run("artifacts.get('t')")).outputs[-1].html
    assert "A &lt;text&gt;" in text
    assert "<script>" not in text
    assert len(text) < 50_000
    value = (await executor.run("artifacts.get('t')")).value
    assert (type(value), value["size"]) == (dict, 80_000)
