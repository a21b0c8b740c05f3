"""The order of tests that run in several processes: files that take long come first.

A process gets whole files. With a long one at the end the others have nothing left to do
meanwhile; with the short ones there, all processes end at about the same time.
"""

from __future__ import annotations

import pytest

SLOW = (
    "lab/test_lab.py",
    "engine/test_branches.py",
    "test_docs.py",
    "environments/test_sessions.py",
    "environments/test_making.py",
    "environments/test_packages.py",
    "environments/test_pruning.py",
    "engine/test_outputs.py",
    "engine/test_tool_calls.py",
    "kernelspec/test_notebooks.py",
    "kernelspec/test_console.py",
    "kernelspec/test_by_hand.py",
    "container/test_as_printed.py",
    "container/test_faults.py",
    "container/test_streams.py",
    "container/test_image.py",
    "container/test_blocking.py",
    "container/test_sse.py",
    "container/test_conformance.py",
    "integrations/test_as_printed.py",
    "integrations/test_frameworks.py",
    "integrations/test_autogen_server.py",
    "integrations/test_autogen.py",
    "mcp_server/test_clients.py",
    "mcp_server/test_official.py",
    "mcp_server/test_stdio.py",
    "mcp_server/test_http.py",
    "mcp_server/test_server.py",
    "server/test_description.py",
    "server/test_faults.py",
    "server/test_sessions.py",
    "server/test_limits.py",
    "server/test_memory.py",
    "server/test_streams.py",
    "server/test_peers.py",
    "server/test_app.py",
    "cli/test_page.py",
    "cli/test_run.py",
    "cli/test_replay.py",
    "cli/test_deps.py",
    "cli/test_completion.py",
    "transcripts/test_page.py",
    "test_examples.py",
    "test_readme.py",
    "test_azure_example.py",
    "test_livedoor.py",
    "engine/test_lifetime.py",
    "engine/test_templates.py",
    "engine/test_charts.py",
    "engine/test_artifacts.py",
    "engine/test_tracing.py",
    "tools/test_mcp_real.py",
    "tools/test_http_fuzz.py",
    "tools/test_stubs.py",
    "tools/test_cli_programs.py",
    "search/test_meaning.py",
    "search/test_embedders.py",
    "search/test_wordvectors.py",
    "search/test_thesaurus.py",
    "redisdb/test_many.py",
    "redisdb/test_versions.py",
    "kernel/test_launch.py",
    "kernel/test_bounded.py",
    "engine/test_running.py",
    "engine/test_debugging.py",
    "tools/test_mcp.py",
    "engine/test_stopping.py",
    "engine/test_floods.py",
)
"""Files that take long, below this folder; the longest first, as it was measured."""


def arrange(items: list[pytest.Item]) -> None:
    """Bring the tests of long files forward; all others keep their places."""
    places = {f"tests/{name}": place for place, name in enumerate(SLOW)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(SLOW)))
