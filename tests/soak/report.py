"""What is told of a soak: a page for people, raw JSON for programs.

Place in the house: above ``journal``; called by ``__main__``.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.soak.journal import Journal, Quiet, Violation
from tests.soak.leaks import BOUNDS, MIB, WARM_UP
from tests.soak.rounds import Plan

__all__ = ["machine", "page", "quantile", "write"]

DISTRIBUTIONS = ("py-code-mode", "ipykernel", "jupyter_client", "pyzmq", "ipython", "mcp")


def machine() -> dict[str, Any]:
    """Describe what the soak ran on, and with."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **{d: version(d) for d in DISTRIBUTIONS}},
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "load": list(os.getloadavg()),
    }


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value below which that part of the values is; 0 for none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else 0.0


def page(journal: Journal, plan: Plan, about: Mapping[str, Any], grown: Mapping[str, float]) -> str:
    """Lay everything out as Markdown."""
    seconds = journal.now
    kills = {what: [kind for _, kind in journal.kills].count(what) for _, what in journal.kills}
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Soak",
        "",
        f"{journal.actions:,} actions in {seconds:,.0f} s, {len(journal.violations)} violations.",
        "",
        f"- Seed {plan.seed}, {plan.workers} workers, a quiet point every {plan.round:g} s",
        f"- {about['when']}, {about['platform']}, {about['cpus']} processors, load "
        f"{about['load'][0]:.1f} at the end",
        f"- {versions}",
        f"- Killed or stopped on purpose: {_counted(kills)}",
        f"- Again: `{again(plan)}` (the same actions with the same random choices are dealt in the "
        "same order; how they overlap is up to the machine)",
        "",
        "![Memory, descriptors, processes and actions over time](soak.png)",
        "",
        "## Violations",
        "",
        *(_violations(journal.violations, plan) or ["None."]),
        "",
        *_actions(journal),
        "",
        *_memory(journal.quiets, grown),
        "",
        *_lag(journal.lags),
    ]
    return "\n".join(lines) + "\n"


def again(plan: Plan) -> str:
    """Return the command that repeats a run."""
    return f"make soak MINUTES={plan.minutes:g} SEED={plan.seed}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items())) or "nothing"


def _violations(violations: Sequence[Violation], plan: Plan) -> list[str]:
    lines = []
    for number, each in enumerate(violations, 1):
        before = "\n".join(each.before)
        lines += [
            f"### {number}. {each.kind}: {each.action}, after {each.at:.1f} s",
            "",
            f"Repeat: `{again(plan)}`",
            "",
            *("```text", each.text, "", "before it:", before, "```", ""),
        ]
    return lines


def _actions(journal: Journal) -> list[str]:
    lines = [
        "## Actions",
        "",
        "Seconds with all that an action does, so a `time_limit` takes as long as its limit. *lost*: "
        "its kernel was killed by another action; *closed*: its executor was; *missed*: there was "
        "nothing to kill.",
        "",
        "| action | times | outcomes | p50 | p95 | max |",
        "|---|---|---|---|---|---|",
    ]
    for name, outcomes in sorted(journal.outcomes.items()):
        took = journal.seconds[name]
        columns = [f"{quantile(took, part):.2f}" for part in (0.5, 0.95)] + [f"{max(took):.2f}"]
        row = [f"`{name}`", str(outcomes.total()), _counted(outcomes), *columns]
        lines.append(f"| {' | '.join(row)} |")
    return lines


def _memory(quiets: Sequence[Quiet], grown: Mapping[str, float]) -> list[str]:
    lines = [
        "## Quiet points",
        "",
        "All executors closed, garbage collected. *malloc*: what it has given out "
        "(`in_use`); *blocks*: those of Python; *settled*: seconds until nothing was left.",
        "",
        "| at | actions | RSS MiB | USS MiB | malloc MiB | blocks | objects | descriptors | threads "
        "| settled |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.at:.0f} s | {each.actions:,} | {each.rss / MIB:.1f} | {each.uss / MIB:.1f} | "
        f"{each.in_use / MIB:.2f} | {each.blocks:,} | {each.objects:,} | {each.descriptors} | {each.threads} | {each.settled:.2f} |"
        for each in quiets
    ]
    if grown:
        told = ", ".join(f"{name} {_amount(name, grown[name])}" for name in BOUNDS)
        most = ", ".join(f"{name} {_amount(name, each)}" for name, each in BOUNDS.items())
        lines += ["", f"By their trend without the first {WARM_UP:.0%}: {told}; allowed: {most}."]
    return lines


def _amount(name: str, number: float) -> str:
    in_bytes = name not in ("blocks", "objects")
    return f"{number / MIB:+.1f} MiB" if in_bytes else f"{number:+,.0f}"


def _lag(lags: Sequence[float]) -> list[str]:
    told = [f"{name} {quantile(lags, part) * 1000:.0f} ms" for name, part in _LAGS.items()]
    return ["## How late the host's event loop was", "", ", ".join(told) + "."]


_LAGS = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def write(
    folder: Path, journal: Journal, plan: Plan, about: Mapping[str, Any], grown: Mapping[str, float]
) -> None:
    """Write ``report.md`` and ``soak.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(page(journal, plan, about, grown), "utf-8")
    data = {
        **about,
        "plan": {"minutes": plan.minutes, "seed": plan.seed, "workers": plan.workers},
        "grown": dict(grown),
        **journal.to_dict(),
    }
    (folder / "soak.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
