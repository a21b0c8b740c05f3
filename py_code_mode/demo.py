"""The main job, small: an agent's cells with a tool, a function, a skill, data and a chart.

Place in the house: a front. ``make demo`` runs it; it needs no server and no network.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from py_code_mode.artifacts.file import FileArtifactStore
from py_code_mode.executor import CodeExecutor
from py_code_mode.results import ExecutionResult
from py_code_mode.skills.library import create_skill_library
from py_code_mode.skills.memory import MemorySkillStore
from py_code_mode.tools.registry import ToolRegistry

OUTPUT = Path("demo-output")
LONG = 1_000

TOOL = """\
name: wc
args: "{options} {file}"
description: Count lines, words and bytes of a file
timeout: 10
"""

SKILL = '''"""Count the words of several files, most first."""

def run(files: list[str]) -> dict[str, int]:
    counts = {}
    for file in files:
        counts[file.rsplit("/", 1)[-1]] = int(tools.wc(file=file, options="-w").split()[0])
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
'''

CELLS = (
    ("a CLI tool, through a skill", "counts = skills.word_counts(files=FILES)\ncounts"),
    ("a Python function tool", "tools.grade(words=sum(counts.values()))"),
    (
        "a DataFrame",
        """\
import pandas as pd
frame = pd.DataFrame({"file": counts.keys(), "words": counts.values()})
frame["share"] = (frame.words / frame.words.sum()).round(3)
frame""",
    ),
    (
        "an artifact",
        "artifacts.save('words.json', counts, description='Words per file')['size']",
    ),
    (
        "a chart",
        """\
import matplotlib.pyplot as plt
ax = frame.plot.barh(x="file", y="words", legend=False, figsize=(6, 3))
ax.set_title("Words per file"); ax.invert_yaxis(); plt.tight_layout()""",
    ),
    ("a mistake, as data", "tools.grade(word=3)"),
)


def grade(words: int) -> str:
    """Say how long a text is.

    Args:
        words: Number of words.
    """
    return "long" if words > LONG else "short"


async def main(*, as_json: bool = False) -> int:
    """Run the demo; return the exit code.

    Args:
        as_json: Whether what came back is printed as JSON when all is done, instead of as text.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))[:8]
    (OUTPUT / "tools").mkdir(parents=True, exist_ok=True)
    (OUTPUT / "tools" / "wc.yaml").write_text(TOOL)
    registry = await ToolRegistry.from_dir(OUTPUT / "tools")
    registry.add(grade)
    skills = create_skill_library(MemorySkillStore())
    skills.create("word_counts", SKILL)
    artifacts = FileArtifactStore(OUTPUT / "artifacts")
    failed, rows = 0, []
    async with CodeExecutor(registry, skills, artifacts) as executor:
        started = time.monotonic()
        await executor.start()
        seconds = time.monotonic() - started
        if not as_json:
            print(f"kernel ready after {seconds:.2f} s\n")
        await executor.set_variable("FILES", [str(path) for path in sources])
        for title, code in CELLS:
            result = await executor.run(code)
            failed += not result.is_ok
            rows.append({"title": title, "code": code, "result": result.to_dict()})
            if not as_json:
                _show(title, code, result)
        notebook = executor.export_notebook(OUTPUT / "demo.ipynb")
    if as_json:
        print(json.dumps({"start": seconds, "cells": rows, "notebook": str(notebook)}, indent=2))
    else:
        print("notebook:", notebook)
    return 0 if failed == 1 else 1  # the mistake, and nothing else


def _show(title: str, code: str, result: ExecutionResult) -> None:
    print(f"── {title} " + "─" * (60 - len(title)))
    print("\n".join(f">>> {line}" for line in code.splitlines()))
    if result.error is not None:
        print(f"{result.error}\n")
        return
    for output in result.outputs:
        if output.png is not None:
            chart = OUTPUT / "chart.png"
            chart.write_bytes(output.png)
            print(f"[chart written to {chart}]")
        elif output.text:
            print(output.text.rstrip("\n"))
    for call in result.tool_calls:
        print(f"    called {call.tool}: {call.outcome} in {call.seconds * 1000:.1f} ms")
    print(f"    value: {type(result.value).__name__}, {result.seconds * 1000:.0f} ms\n")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
