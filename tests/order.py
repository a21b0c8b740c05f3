"""The order of tests that run in several processes: files that take long come first.

A process gets whole files. With a long one at the end the others have nothing left to do
meanwhile; with the short ones there, all processes end at about the same time. pytest-xdist would
put files with many tests first, which the Makefile forbids it.
"""

from __future__ import annotations

import pytest

SLOW = (
    "cluster/test_cluster.py",
    "engine/test_floods.py",
    "test_docs.py",
    "lab/test_lab.py",
    "faults/test_kernel_killed.py",
    "engine/test_outputs.py",
    "engine/test_branches.py",
    "faults/test_kernel_stopped.py",
    "fuzz/test_fuzz.py",
    "engine/test_stopping.py",
    "faults/test_closing.py",
    "engine/test_tool_calls.py",
    "engine/test_other_cells.py",
    "engine/test_running.py",
    "mcp_server/test_http.py",
    "engine/test_lifetime.py",
    "test_house.py",
    "engine/test_debugging.py",
    "engine/test_templates.py",
    "tools/test_conformance.py",
    "test_examples.py",
    "test_canary.py",
    "tools/test_mcp.py",
    "mcp_server/test_stdio.py",
    "environments/test_making.py",
    "engine/test_create.py",
    "sandbox/test_levels.py",
    "environments/test_sessions.py",
    "server/test_faults.py",
    "faults/test_blocked_loop.py",
    "mcp_server/test_official.py",
    "kernelspec/test_notebooks.py",
    "faults/test_full_disk.py",
    "tools/test_mcp_real.py",
    "redisdb/test_many.py",
    "faults/test_clock.py",
    "server/test_description.py",
    "hostile/test_hostile_kernel.py",
    "engine/test_artifacts.py",
    "soak/test_soak.py",
    "mcp_server/test_clients.py",
    "container/test_faults.py",
    "test_dispatch.py",
    "server/test_memory.py",
    "engine/test_discovery.py",
    "kernelspec/test_by_hand.py",
    "sandbox/test_gvisor.py",
    "engine/test_skills.py",
    "engine/test_interpreters.py",
    "server/test_limits.py",
    "tools/test_http_fuzz.py",
    "engine/test_charts.py",
    "integrations/test_autogen_server.py",
    "container/test_image.py",
    "container/test_conformance.py",
    "server/test_artifacts.py",
)
"""Files below this folder that took twelve seconds and more, the longest first.

Those of the cluster and the floods come first: many of them are marked ``alone``, and wait for the
test that another process runs.
"""


def arrange(items: list[pytest.Item]) -> None:
    """Bring the tests of long files forward; all others keep their places."""
    places = {f"tests/{name}": place for place, name in enumerate(SLOW)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(SLOW)))
