"""What a cell showed, then and now.

Place in the house: inside ``replay``; pure functions over nbformat's outputs. What differs from
run to run by its nature is put out of sight first: addresses, numbers of cells, ids that are drawn,
and the times of progress bars and timers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kernel_bootstrap.wire.messages import METADATA_KEY
from py_code_mode.replay.report import Difference

__all__ = ["STOPPED", "differences", "plain"]

Output = Mapping[str, Any]

STOPPED = frozenset({"ExecutionTimeout", "ExecutionCancelled", "KeyboardInterrupt", "KernelDied"})
"""Errors of cells that were ended from outside. One may stand for another, and how far such a cell
came is chance."""

# Outputs are of whoever wrote the file: no pattern may take more than linear time.
_CHANGING: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern), by)
    for pattern, by in (
        (r"(?<= at )0x[0-9a-fA-F]{6,16}\b", "0x…"),
        (r"\(0x[0-9a-fA-F]{6,16}\)>", "(0x…)>"),
        (r"\b(In|Out) ?\[\d+\]", r"\1[…]"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "…"),
        (r"\b((?:model_|comm_|display_)?id[\"']?\s{0,3}[:=]\s{0,3}[\"']?)[0-9a-f]{32}\b", r"\1…"),
        (r"\b(started(?: daemon)?) \d{6,20}\)>", r"\1 …)>"),  # a thread
        (r"\bTask-\d+\b", "Task-…"),
        (r"\bT_[0-9a-f]{5}(?=\b|_)", "T_…"),  # tables of a pandas Styler
        # tqdm: 3/5 [00:01<00:02, 1.07it/s]
        (r"\[[\d:?]{1,20}<[\d:?]{1,20},[^\[\]]{0,200}\]", "[…]"),
        (r"\[[\d:]{1,20},\s{0,5}[\d.?]{1,20}\s?[^\s\[\]]{0,20}(?:/s|s/\w{1,20})\]", "[…]"),
        (r"(?m)^((?:CPU times|Wall time): ).*$", r"\1…"),  # %time
        (r"(?m)^[\d.]{1,20} [mµun]?s ± .*$", "…"),  # %timeit
        (r"\bipykernel_\d+\b", "ipykernel_…"),
        (r"\(\d{5,20}\.py, line", "(….py, line"),  # IPython's name of a cell
    )
)


# Of matplotlib's SVG: when it was drawn, and names of its parts, which are drawn lots for.
_IN_SVG: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"<dc:date>[^<]{0,100}</dc:date>"), "<dc:date>…</dc:date>"),
    (
        re.compile(r"(id=\"|href=\"#|url\(#)([A-Za-z]{1,3}|C\d{1,3}_\d{1,3}_)[0-9a-f]{10}\b"),
        r"\1\2…",
    ),
)


def plain(text: str) -> str:
    """Return text without what is another in each run."""
    for pattern, by in _CHANGING:
        text = pattern.sub(by, text)
    return text


def differences(recorded: Sequence[Output], replayed: Sequence[Output]) -> Iterator[Difference]:
    """Tell what differs between the outputs of a cell, then and now."""
    was, now = _error(recorded), _error(replayed)
    if was[0] in STOPPED and now[0] in STOPPED:
        return
    found = 0
    for each in (
        *_unequal("stdout", _printed(recorded, "stdout"), _printed(replayed, "stdout")),
        *_unequal("stderr", _printed(recorded, "stderr"), _printed(replayed, "stderr")),
        *_shown(recorded, replayed, "execute_result", "value"),
        *_shown(recorded, replayed, "display_data", "display"),
    ):
        found += 1
        yield each
    if found == 0 and _order(recorded) != _order(replayed):
        was_order, now_order = ", ".join(_order(recorded)), ", ".join(_order(replayed))
        yield Difference("order", was_order, now_order)
    if tuple(map(plain, was)) != tuple(map(plain, now)):
        yield Difference("error", ": ".join(filter(None, was)), ": ".join(filter(None, now)))


def _order(outputs: Sequence[Output]) -> list[str]:
    """Return in which order a cell printed and showed; stderr comes when it comes."""
    kinds = [
        "display" if each["output_type"] != "stream" else each["name"]
        for each in outputs
        if _counts(each)
    ]
    return [
        kind for at, kind in enumerate(kinds) if kind != "stdout" or kinds[at - 1 : at] != [kind]
    ]


def _counts(output: Output) -> bool:
    kind = output["output_type"]
    return not _is_ours(output) and (
        kind == "display_data" or (kind == "stream" and output["name"] == "stdout")
    )


def _unequal(what: str, recorded: str, replayed: str) -> Iterator[Difference]:
    if plain(recorded) != plain(replayed):
        yield Difference(what, recorded, replayed)


def _error(outputs: Sequence[Output]) -> tuple[str, str]:
    found = (each for each in outputs if each["output_type"] == "error")
    return next(((each["ename"], each["evalue"]) for each in found), ("", ""))


def _printed(outputs: Sequence[Output], name: str) -> str:
    streams = (each for each in outputs if each["output_type"] == "stream")
    return "".join(_text(each["text"]) for each in streams if each["name"] == name)


def _shown(
    recorded: Sequence[Output], replayed: Sequence[Output], kind: str, what: str
) -> Iterator[Difference]:
    """Compare rich outputs of one kind, one after another."""
    was = [each for each in recorded if each["output_type"] == kind and not _is_ours(each)]
    now = [each for each in replayed if each["output_type"] == kind and not _is_ours(each)]
    for index in range(max(len(was), len(now))):
        one = was[index]["data"] if index < len(was) else {}
        other = now[index]["data"] if index < len(now) else {}
        different = [mime for mime in {**one, **other} if _form(one, mime) != _form(other, mime)]
        if different:
            text = "text/plain"
            mime = text if text in different or text not in one else different[0]
            note = "" if mime == text else f"only in {', '.join(different)}"
            yield Difference(what, _raw(one, text), _raw(other, text), note)


def _is_ours(output: Output) -> bool:
    return METADATA_KEY in output.get("metadata", {})


def _form(data: Mapping[str, Any], mime: str) -> str:
    """Return one format as text that can be compared."""
    if mime not in data:
        return "none"
    value = data[mime]
    if isinstance(value, dict) or (isinstance(value, list) and mime.endswith("json")):
        return plain(json.dumps(value, sort_keys=True))
    text = _text(value)
    if mime == "image/svg+xml":
        for pattern, by in _IN_SVG:
            text = pattern.sub(by, text)
    # What base64 says by chance is no address.
    return "".join(text.split()) if mime.startswith("image/") and "svg" not in mime else plain(text)


def _raw(data: Mapping[str, Any], mime: str) -> str:
    return _text(data[mime]) if mime in data else f"[{', '.join(data)}]" if data else ""


def _text(value: Any) -> str:
    """Return text that nbformat may keep as a list of lines."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value)
