"""A scripted model for each test, and one executor for all tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from py_code_mode import CodeExecutor, ToolRegistry
from tests.model_server import ModelServer, running_model

# A red picture of one pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
SHOW_PIXEL = f"import base64; from IPython.display import Image; Image(base64.b64decode({PIXEL!r}))"


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with running_model() as script:
        yield script


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def weather() -> AsyncIterator[CodeExecutor]:
    """An executor with one tool."""
    registry = ToolRegistry()

    def temperature(city: str) -> float:
        """Tell the temperature in a city, in degrees Celsius."""
        return {"Oslo": -3.5, "Rome": 14.0}[city]

    registry.add(temperature)
    async with CodeExecutor(registry) as executor:
        yield executor
