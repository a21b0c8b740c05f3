"""Floods: the session lives, the host stays bounded, nothing is silently lost."""

from __future__ import annotations

import asyncio
import json

import psutil
import pytest

from py_code_mode import Limits, RemoteValue

MIB = 1024 * 1024


async def test_a_12_mb_print_keeps_head_tail_and_an_artifact(executor):
    """One huge print: head and tail in the result, all of it in the named artifact."""
    result = await executor.run("print('HEAD' + 'x' * 12_000_000 + 'TAIL')")
    assert result.is_ok
    assert result.stdout.startswith("HEADxxx")
    assert result.stdout.endswith("xxxTAIL\n")
    assert len(result.stdout) < 1.1 * MIB
    (cut,) = result.truncated
    assert (cut.what, cut.total) == ("stdout", 12_000_009)
    assert executor.artifact_store.load(cut.artifact) == "HEAD" + "x" * 12_000_000 + "TAIL\n"
    assert (await executor.run("1 + 1")).value == 2


@pytest.mark.alone
async def test_a_million_short_prints(executor):
    """A million prints end, bounded, with the first and the last line."""
    process = psutil.Process()
    await executor.start()
    before = process.memory_info().rss
    result = await executor.run("for n in range(1_000_000): print(n)", timeout=100)
    assert result.is_ok
    lines = result.stdout.splitlines()
    assert lines[0] == "0"
    assert lines[-1] == "999999"
    (cut,) = result.truncated
    whole = executor.artifact_store.load(cut.artifact)
    assert whole.splitlines()[500_000] == "500000"
    assert process.memory_info().rss - before < 150 * MIB


async def test_two_hundred_figures(executor):
    """200 figures: the first and last stay, all are in an artifact of one bundle a line."""
    result = await executor.run(
        "import matplotlib.pyplot as plt\n"
        "for n in range(200):\n"
        "    fig = plt.figure(figsize=(1, 1)); plt.title(str(n)); display(fig); plt.close(fig)",
        timeout=100,
    )
    assert result.is_ok
    pictures = [output for output in result.outputs if output.png]
    assert len(pictures) == 100
    (cut,) = [cut for cut in result.truncated if cut.what == "outputs"]
    assert (cut.kept, cut.total) == (100, 200)
    lines = executor.artifact_store.load(cut.artifact).splitlines()
    assert len(lines) == 200
    assert json.loads(lines[0])["data"]["image/png"] == pictures[0].data["image/png"].strip()


async def test_a_50_mb_repr(executor):
    """A 50 MB repr is cut in the result, whole in the artifact; the value stays remote."""
    result = await executor.run(
        "class Loud:\n    def __repr__(self): return 'A' + 'r' * 50_000_000 + 'Z'\nLoud()"
    )
    assert result.is_ok
    assert isinstance(result.value, RemoteValue)
    (output,) = result.outputs
    assert output.text.startswith("Ar")
    assert output.text.endswith("rZ")
    assert len(output.text) < 1 * MIB
    (cut,) = result.truncated
    assert cut.total == 50_000_002
    assert len(executor.artifact_store.load(cut.artifact)) == 50_000_002
    assert (await executor.run("1 + 1")).value == 2


async def test_a_value_over_the_limit_stays_in_the_kernel(make_executor):
    """A value larger than the limit is a RemoteValue whose handle reaches the object."""
    executor = await make_executor(limits=Limits(value_bytes=1000))
    result = await executor.run("b'x' * 5000")
    assert isinstance(result.value, RemoteValue)
    assert (await executor.run(f"len({result.value.handle})")).value == 5000


async def test_floods_from_children_and_stderr(executor):
    """Child processes and stderr are metered like prints."""
    result = await executor.run(
        "import subprocess, sys\n"
        "_ = subprocess.run(['sh', '-c', 'yes | head -c 5000000; echo END'])\n"
        "sys.stderr.write('e' * 3_000_000);"
    )
    assert result.is_ok
    assert result.stdout.endswith("END\n")
    assert len(result.stdout) < 1.1 * MIB
    assert {cut.what for cut in result.truncated} == {"stdout", "stderr"}


async def test_without_spill_nothing_is_kept_but_said(make_executor):
    """With spilling off the cut is said and names no artifact."""
    executor = await make_executor(limits=Limits(stream_chars=1000, spill_bytes=0))
    result = await executor.run("print('x' * 5000)")
    (cut,) = result.truncated
    assert (cut.kept, cut.total, cut.artifact) == (1000, 5001, None)
    assert executor.artifact_store.list() == []


async def test_clearing_output_resets_the_meters(make_executor):
    """A loop that clears its output can show more than the limit, one after another."""
    executor = await make_executor(limits=Limits(outputs=4))
    result = await executor.run(
        "from IPython.display import clear_output\n"
        "for n in range(50):\n    clear_output(wait=True); display(n)"
    )
    assert result.truncated == []
    assert [output.text for output in result.outputs] == ["49"]


async def test_a_huge_exception_is_cut_and_kept_whole(make_executor):
    """Head and tail of its text stay in the result, all of it is an artifact, in both replies."""
    executor = await make_executor(limits=Limits(text_chars=10_000))
    result = await executor.run("raise ValueError('head' + 'x' * 3_000_000 + 'tail')")
    assert result.error is not None
    assert result.error.name == "ValueError"
    assert len(result.error.message) < 11_500
    assert result.error.message.startswith("head")
    assert result.error.message.endswith("tail")
    assert len(result.error.traceback) < 11_500
    (cut,) = result.truncated
    assert (cut.what, cut.kept) == ("error", 10_000)
    kept = executor.artifact_store.load(cut.artifact)
    assert kept.endswith("x" * 3_000 + "tail")
    assert len(kept) > 3_000_000
    assert "\x1b" not in kept


async def test_a_request_over_the_limit_is_refused_in_the_kernel(make_executor):
    """A request larger than it may be is one clear error, not a call that hangs."""
    executor = await make_executor(limits=Limits(request_bytes=100_000))
    result = await executor.run("tools.call('nope', {'data': b'x' * 200_000})")
    assert result.error is not None
    assert "Limits.request_bytes" in result.error.message


async def test_an_artifact_larger_than_a_request_goes_in_pieces(make_executor):
    """Artifacts of any size are saved and loaded whatever one message may carry."""
    executor = await make_executor(limits=Limits(request_bytes=100_000, reply_bytes=100_000))
    code = "artifacts.save('x', {0} * 200_000)['size'], artifacts.load('x') == {0} * 200_000"
    assert (await executor.run(code.format("b'x'"))).value == (200_000, True)
    assert (await executor.run(code.format("'y'"))).value == (200_000, True)


async def test_a_listener_that_does_not_listen_is_bounded(executor):
    """A stream nobody reads keeps a bounded number of events; the result is whole."""
    stream = executor.stream(
        "handle = display(0, display_id=True)\nfor n in range(30_000): handle.update(n)\n'end'",
        timeout=100,
    )
    first = await anext(stream)
    assert type(first).__name__ == "Started"
    while executor.default._cells.running:
        await asyncio.sleep(0.05)
    events = [event async for event in stream]
    assert len(events) <= 10_001
    assert events[-1].result.value == "end"
    assert events[-1].result.outputs[0].text == "29999"
