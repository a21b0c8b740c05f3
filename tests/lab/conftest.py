"""JupyterLab and a browser, real ones."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from py_code_mode.lab import stop_server

LAB_SECONDS = 60_000
"""Milliseconds, rather: how long a page may take on a slow machine."""


@pytest.fixture
def lab_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place of its own for kernels and JupyterLab, with nobody else's sessions in it."""
    home = Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    for name in ("config", "data"):  # a person's own settings and extensions are not under test
        monkeypatch.setenv(f"JUPYTER_{name.upper()}_DIR", str(home / f"jupyter-{name}"))
    monkeypatch.setenv("JUPYTERLAB_SETTINGS_DIR", str(home / "lab-settings"))
    monkeypatch.setenv("JUPYTERLAB_WORKSPACES_DIR", str(home / "lab-workspaces"))
    yield home
    stop_server()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of a usual size."""
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    page.set_default_timeout(LAB_SECONDS)
    yield page
    await asyncio.wait_for(page.close(), 30)
