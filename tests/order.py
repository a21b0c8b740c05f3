"""The order of tests that run in several processes: files that take long come first.

A process gets whole files. With a long one at the end the others have nothing left to do
meanwhile; with the short ones there, all processes end at about the same time.
"""

from __future__ import annotations

import pytest

SLOW = (
    "engine/test_floods.py",
    "lab/test_lab.py",
    "engine/test_branches.py",
    "test_docs.py",
    "fuzz/test_fuzz.py",
    "engine/test_outputs.py",
    "engine/test_tool_calls.py",
    "engine/test_running.py",
    "engine/test_debugging.py",
    "environments/test_sessions.py",
    "engine/test_other_cells.py",
    "tools/test_mcp.py",
    "kernelspec/test_notebooks.py",
    "engine/test_discovery.py",
    "environments/test_making.py",
    "kernelspec/test_by_hand.py",
    "container/test_faults.py",
    "engine/test_skills.py",
    "container/test_conformance.py",
    "artifacts/test_types.py",
    "engine/test_interpreters.py",
    "kernelspec/test_console.py",
    "kernel/test_channels.py",
    "transcripts/test_promote.py",
    "server/test_access.py",
    "engine/test_governance.py",
    "engine/test_create.py",
    "server/test_artifacts.py",
    "test_for_model.py",
    "engine/test_protocol.py",
    "test_reaper.py",
    "transcripts/test_replay.py",
    "redisdb/test_failures.py",
    "wire/test_hostile.py",
    "engine/test_stopping.py",
    "tools/test_conformance.py",
)
"""Files below this folder that took twelve seconds and more, the longest first.

Those of which most tests are marked ``alone`` come last of them: beside short tests, as each waits
for the test that another process runs. The floods, of which some are, come first.
"""


def arrange(items: list[pytest.Item]) -> None:
    """Bring the tests of long files forward; all others keep their places."""
    places = {f"tests/{name}": place for place, name in enumerate(SLOW)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(SLOW)))
