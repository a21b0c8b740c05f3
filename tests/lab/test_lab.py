"""A person opens an agent's session in JupyterLab, joins in, and goes; the agent goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from py_code_mode import CodeExecutor, ToolRegistry
from py_code_mode.lab import running_server, stop_server
from tests.conftest import ROOT

expect.set_options(timeout=30_000)

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(240)]

CHART = """
import matplotlib.pyplot as plt
plt.plot(data)
plt.title("what the agent found")
"""


SHOWN = (
    "import altair as alt, pandas as pd, plotly.express as px, ipywidgets; "
    "from bokeh.plotting import figure, output_notebook, show; from bokeh.resources import INLINE; "
    "output_notebook(INLINE); plot = figure(height=150, width=300); _ = plot.line([1, 2], [3, 4]); "
    "frame = pd.DataFrame({'a': [1, 2], 'b': [3, 4]}); "
    "show(plot); display(alt.Chart(frame).mark_bar().encode(x='a', y='b'), "
    "px.bar(frame, x='a', y='b', height=250), ipywidgets.IntSlider(value=7))"
)


def double(x: int) -> int:
    """Double a number.

    Args:
        x: The number.
    """
    return 2 * x


@pytest.fixture
async def executor(lab_home: Path):
    """An agent's session with a tool, two cells and a chart."""
    registry = ToolRegistry()
    registry.add(double)
    async with CodeExecutor(registry=registry) as executor:
        await executor.run("data = [3, 1, 4, 1, 5]")
        await executor.run("print('the agent was here')")
        assert (await executor.run(CHART)).is_ok
        yield executor


async def add_cell(page: Page, code: str) -> None:
    """Add a cell at the end, as a person does, and write code into it."""
    await page.locator(".jp-Notebook .jp-CodeCell .cm-content").last.click()
    await page.keyboard.press("Escape")
    await page.keyboard.press("b")
    await page.keyboard.press("Enter")
    await page.keyboard.type(code)


async def run_cell(page: Page, code: str) -> str:
    """Run code in a new cell; return what it shows."""
    await add_cell(page, code)
    await page.keyboard.press("Control+Enter")
    cell = page.locator(".jp-Notebook .jp-CodeCell").last
    await expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))
    return await cell.locator(".jp-Cell-outputArea").inner_text()


async def complete(page: Page, wanted: str) -> None:
    """Ask for completions until one is there: JupyterLab gives a kernel a second to answer."""
    for _ in range(10):
        await page.keyboard.press("Tab")
        with contextlib.suppress(AssertionError):
            await expect(page.locator(".jp-Completer")).to_contain_text(wanted, timeout=3_000)
            return
    raise AssertionError(f"{wanted} was never offered")


async def picture(page: Page, name: str) -> None:
    """Keep a picture in the docs, if a person has asked for new ones."""
    if os.environ.get("PICTURES"):
        await page.screenshot(path=ROOT / "docs" / "pictures" / f"{name}.png")


def status(page: Page):
    """What says whether the kernel is busy."""
    return page.locator(".jp-Notebook-ExecutionIndicator")


async def test_a_person_joins_in(executor: CodeExecutor, page: Page, eventually):
    """Cells, chart, variables, tools, completion, help, interrupt; leaving disturbs nobody."""
    opened = await executor.open_lab(browser=False)
    await page.goto(opened.url)
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    await expect(cells).to_have_count(3)
    await expect(cells.nth(1)).to_contain_text("the agent was here")
    await expect(cells.nth(2).locator("img")).to_be_visible()
    await expect(status(page)).to_have_attribute("data-status", "idle")
    await picture(page, "lab-opened")

    # A person's cell reads a variable, calls a tool, and stands in the transcript.
    assert "28" in await run_cell(page, "mine = tools.double(x=sum(data)); mine")
    await eventually(lambda: len(executor.transcript.cells) == 4)
    told = executor.transcript.cells[3].metadata.py_code_mode
    assert (told.origin, [call.tool for call in told.tool_calls]) == ("jupyter", ["double"])
    assert (await executor.run("mine")).value == 28

    # Completion and help know the tools.
    await add_cell(page, "tools.dou")
    await complete(page, "double")
    last = page.locator(".jp-Notebook .jp-CodeCell").last
    await picture(page, "lab-completion")
    await page.keyboard.press("Enter")
    await expect(last.locator(".cm-content")).to_have_text("tools.double")
    await page.keyboard.type("?")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".jp-Notebook")).to_contain_text("Double a number.")
    await picture(page, "lab-person")

    # Charts and widgets of every kind are drawn, with nothing from the network.
    await run_cell(page, SHOWN)
    for drawn in (".vega-embed canvas", ".js-plotly-plot", ".bk-Figure", ".widget-slider"):
        await expect(last.locator(drawn).first).to_be_visible()

    # The debugger knows the agent's variables.
    await page.locator(".jp-DebuggerBugButton").click()
    await page.get_by_title("Debugger", exact=False).last.click()
    await expect(page.locator(".jp-DebuggerVariables")).to_contain_text("data")
    await picture(page, "lab-debugger")

    # The agent's cell shows as busy, and can be interrupted from here.
    running = asyncio.create_task(executor.run("import time\nwhile True: time.sleep(0.05)"))
    await expect(status(page)).to_have_attribute("data-status", "busy")
    await page.get_by_title("Interrupt the kernel").click()
    assert (await asyncio.wait_for(running, 20)).error.name == "KeyboardInterrupt"
    await expect(status(page)).to_have_attribute("data-status", "idle")

    # Closing the tab leaves the session as it is.
    await page.close(run_before_unload=False)
    assert (await executor.run("mine + len(data)")).value == 33


async def test_a_person_debugs_a_failure(executor: CodeExecutor, page: Page):
    """A last cell opens the debugger on the agent's failed frame; its prompt is in the page."""
    await executor.run("def share(total, parts):\n    return total / parts\nshare(sum(data), 0)")
    opened = await executor.debug("lab", browser=False)
    await page.goto(opened.url)
    cell = page.locator(".jp-Notebook .jp-CodeCell").last
    await expect(cell.locator(".cm-content")).to_have_text("%debug")
    await cell.locator(".cm-content").click()
    await page.keyboard.press("Control+Enter")
    typing = (("p total, parts", "(14, 0)"), ("up", "share(sum(data), 0)"), ("quit", "quit"))
    for typed, shown in typing:
        # The former field is there a moment longer.
        prompt = cell.locator(".jp-Stdin-input").last
        await expect(prompt).to_have_value("")
        await prompt.fill(typed)
        await prompt.press("Enter")
        await expect(cell.locator(".jp-Cell-outputArea")).to_contain_text(shown)
        if typed == "up":
            await picture(page, "lab-post-mortem")
    assert (await executor.run("len(data)")).value == 5


async def test_nothing_of_lab_ends_a_session(executor: CodeExecutor):
    """Shutting down the kernel from Lab, all kernels, or the server, leaves the session alone."""
    opened = await executor.open_lab(browser=False)
    server = running_server()
    async with httpx.AsyncClient(
        base_url=server.url, headers={"Authorization": f"token {server.token}"}, timeout=30
    ) as client:
        (kernel,) = (await client.get("api/kernels")).json()
        assert kernel["name"] == opened.session
        refused = await client.post(f"api/kernels/{kernel['id']}/restart")
        assert refused.is_error
        assert "reset the session in its program" in server.folder.log.read_text()
        assert (await client.delete(f"api/kernels/{kernel['id']}")).status_code == 204
        assert (await executor.run("len(data)")).value == 5
        # It can be opened again, in the same server.
        again = await executor.open_lab(browser=False)
        assert again.server == opened.server
        (kernel,) = (await client.get("api/kernels")).json()
        (shown,) = (await client.get("api/sessions")).json()
        assert shown["kernel"]["id"] == kernel["id"]
        await client.post("api/shutdown")
    assert (await executor.run("len(data)")).value == 5
    assert (await executor.run("tools.double(x=4)")).value == 8


async def test_a_page_opened_in_the_midst_of_a_cell(executor: CodeExecutor, page: Page):
    """It says busy, can interrupt and go on; and when the session ends, that the kernel is gone."""
    other = await executor.session("other")
    # JupyterLab's server starts in the midst, too: nobody there has seen the cell begin.
    running = asyncio.create_task(other.run("import time\nx = 1\ntime.sleep(1000)", timeout=200))
    async with contextlib.aclosing(other.stream()) as events:
        assert "sleep" in (await anext(events)).code
    opened = await other.open_lab(browser=False)
    await page.goto(opened.url)
    await expect(status(page)).to_have_attribute("data-status", "busy")
    await page.reload()
    await expect(status(page)).to_have_attribute("data-status", "busy")
    assert not running.done()
    await page.get_by_title("Interrupt the kernel").click()
    assert (await asyncio.wait_for(running, 20)).error.name == "KeyboardInterrupt"
    await expect(status(page)).to_have_attribute("data-status", "idle")
    assert "42" in await run_cell(page, "x + 41")
    # A restart is refused, and the page does not wait for it.
    await page.get_by_title("Restart the kernel").first.click()
    await page.get_by_role("button", name="Confirm Kernel Restart").click()
    await expect(status(page)).to_have_attribute("data-status", "idle")
    assert "43" in await run_cell(page, "x + 42")
    await other.aclose()
    gone = re.compile("dead|disconnected")  # the former, and then it looks for it in vain
    await expect(status(page)).to_have_attribute("data-status", gone)


async def test_a_persons_notes_are_kept(executor: CodeExecutor):
    """Opening a session anew brings its new cells, and loses nothing that a person has written."""
    opened = await executor.open_lab(browser=False)
    await executor.run("later = 1")
    # Also while a cell runs, for which it does not wait.
    running = asyncio.create_task(executor.run("import time\ntime.sleep(100)"))
    again = await asyncio.wait_for(executor.open_lab(browser=False), 60)
    assert not running.done()
    await executor.interrupt()
    assert (await running).error.name == "KeyboardInterrupt"
    assert again.notebook == opened.notebook
    assert "later = 1" in opened.notebook.read_text()
    notes = opened.notebook.read_text().replace("later = 1", "my own thought")
    opened.notebook.write_text(notes)
    await executor.open_lab(browser=False)
    assert "later = 1" in opened.notebook.read_text()
    kept = opened.notebook.with_stem(f"{opened.notebook.stem}-1")
    assert "my own thought" in kept.read_text()
    assert stop_server()
