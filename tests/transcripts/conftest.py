"""Sessions with tools whose transcripts are looked at."""

from __future__ import annotations

import pytest

from py_code_mode import FileArtifactStore, ToolRegistry, create_skill_library

SECRET = "s3cret-key-4711"


@pytest.fixture
def registry():
    """Tools that count their calls, fail, and know a secret."""
    made = ToolRegistry(secrets={"KEY": SECRET})
    counts = {"weather": 0}

    @made.tool
    def weather(city: str, key: str = "") -> str:
        """Say the weather of a city."""
        counts["weather"] += 1
        return f"{city}: {20 + counts['weather']} degrees {key}"

    @made.tool
    def bad(n: int) -> int:
        """Fail."""
        raise ValueError(f"no {n}")

    @made.tool
    def large(size: int) -> bytes:
        """Give many bytes."""
        return b"x" * size

    @made.tool
    async def wait(seconds: float) -> str:
        """Take long."""
        import asyncio

        await asyncio.sleep(seconds)
        return "done"

    return made


@pytest.fixture
def library():
    """A library with a skill."""
    made = create_skill_library()
    made.create("twice", "def run(n: int) -> int: return 2 * n", "Double a number")
    return made


@pytest.fixture
async def executor(make_executor, registry, library, tmp_path):
    """An executor with all of that."""
    artifacts = FileArtifactStore(tmp_path / "data")
    return await make_executor(registry=registry, skill_library=library, artifact_store=artifacts)
