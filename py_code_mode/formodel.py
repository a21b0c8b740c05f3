"""A result within a budget, as a model should get it.

Place in the house: values layer, below ``results``, whose ``for_model`` this is. Everything was
bounded when it came from the kernel; here it is made small.

First each output becomes a text or a picture: tables their schema and first rows, charts what they
draw, pages their words. Then the budget is spent: on notes (what was lost or cut) up to a fifth of
it, on pictures what the texts leave over, and half of it at least, on texts the rest. Pictures get
smaller together before some are left out. Texts share evenly: short ones are whole, long ones lose
their middle, and a traceback keeps more of its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from py_code_mode.outputs import Output, plain_text
from py_code_mode.outputtext import describe_output, name_formats
from py_code_mode.parts import NOTHING, ContentPart, ImagePart, TextPart, image_tokens
from py_code_mode.pictures import Picture, PictureError, can_scale, read_picture, scaled_size
from py_code_mode.tokens import cut_to_tokens, estimate_tokens, well_formed

if TYPE_CHECKING:
    from py_code_mode.results import ErrorInfo, ExecutionResult, ToolCall

__all__ = ["LEAST_TOKENS", "to_parts"]

LEAST_TOKENS = 200
"""A smaller budget would hold little but notes."""

_SIDES = (768, 512, 384, 256)
"""Pictures get as small as this together, in pixels, before some are left out."""

_FEW_TOKENS = 48
"""Texts with less room than this each are put together, and cut as one."""

_MOST_NOTES = 6
_NOTE_TOKENS = 80
_ERROR_HEAD = 0.25
"""Of a cut traceback that much is the beginning; the end tells more."""

_MAX_VARIABLES = 12
"""Of a frame that failed."""

_MAX_PICTURES = 20
"""More are not looked at, from each end."""


@dataclass(frozen=True, slots=True)
class _Text:
    """Text of one output; ``where`` says where all of it is."""

    text: str
    where: str = ""
    is_error: bool = False

    @property
    def cost(self) -> int:
        return estimate_tokens(self.text) + 1  # and a line's end

    def fit(self, tokens: int) -> str:
        share = _ERROR_HEAD if self.is_error else 0.5
        return cut_to_tokens(self.text, tokens - 1, where=self.where, head_share=share)


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """A picture there was no room for."""

    mime_type: str


_Item = _Text | _LeftOut | ImagePart


def to_parts(
    result: ExecutionResult, *, max_tokens: int, max_image_px: int, table_rows: int
) -> list[ContentPart]:
    """Return what a model should get; see ``ExecutionResult.for_model``."""
    if max_tokens < LEAST_TOKENS:
        raise ValueError(f"max_tokens must be at least {LEAST_TOKENS}, not {max_tokens}")
    if max_image_px < 0 or table_rows < 1:
        raise ValueError("max_image_px must not be negative, and table_rows must be positive")
    notes = _fit_notes(_notes(result), max_tokens // 5)
    room = max_tokens - estimate_tokens(notes) - 1
    items: list[_Text | Picture] = [
        item for output in result.outputs if (item := _item(result, output, table_rows))
    ]
    if result.error is not None and not result.error_is_shown():
        items.append(_Text(well_formed(plain_text(result.error.text)), is_error=True))
    if result.error is not None and result.error.locals:
        items.append(_Text(well_formed(plain_text(_variables(result.error)))))
    texts = _name_left_out(_draw(items, room, max_image_px))
    used = sum(item.tokens for item in texts if isinstance(item, ImagePart))
    parts = [*_fit_texts(texts, room - used)]
    return _joined([*parts, *([TextPart(notes)] if notes else [])]) or [NOTHING]


# --- from outputs to items ---------------------------------------------------------------------


def _item(result: ExecutionResult, output: Output, rows: int) -> _Text | Picture | None:
    is_result = output.kind == "result"
    where = f"; all of it: Out[{result.execution_count}]" if is_result else ""
    data = output.png or output.jpeg or output.gif
    if data is not None:
        try:
            return read_picture(data)
        except PictureError as error:
            return _Text(well_formed(plain_text(f"[{name_formats(output)}: {error}]")))
    value = result.value if is_result else None
    text = describe_output(output, value, rows=rows, where=where)
    text = well_formed(plain_text(text)).strip("\n")
    return _Text(text, where, is_error=output.kind == "error") if text else None


def _variables(error: ErrorInfo) -> str:
    """The variables of the frame that failed: what a person would look at first."""
    frame, shown = error.frame, error.locals[:_MAX_VARIABLES]
    assert frame is not None
    more = len(frame.locals) - len(shown) + frame.omitted
    lines = [f"Variables in {frame.where}:", *(f"  {variable}" for variable in shown)]
    return "\n".join([*lines, f"  and {more:,} more"] if more else lines)


def _notes(result: ExecutionResult) -> Iterator[str]:
    """What is not in the outputs: a lost state, failed calls, cuts."""
    if result.state_lost:
        yield "[the session was restarted: all variables are gone]"
    yield from _failed_calls(result.tool_calls, "" if result.error is None else result.error.text)
    for cut in result.truncated:
        yield f"[cut: {cut}]"


def _failed_calls(calls: Sequence[ToolCall], told: str) -> Iterator[str]:
    """Failed calls by tool and reason, but for the one the traceback is about."""
    failed = Counter(
        (call.tool, call.outcome, call.error.partition("\n")[0])
        for call in calls
        if call.outcome != "ok" and not (call.error and call.error in told)
    )
    total = Counter(call.tool for call in calls)
    for (tool, outcome, error), count in failed.items():
        how = {"error": "failed", "denied": "were denied", "cancelled": "were cancelled"}
        text = f"{count} of {total[tool]} calls of {tool} {how.get(outcome, outcome)}"
        yield f"[{text}{': ' + error if error else ''}]"


def _fit_notes(notes: Iterator[str], tokens: int) -> str:
    """Take whole notes from the first on, and say how many more there are."""
    fitted: list[str] = []
    listed = [*notes]
    for at, note in enumerate(listed):
        more = f"[and {len(listed) - at:,} more notes like these]"
        line = cut_to_tokens(well_formed(plain_text(" ".join(note.split()))), _NOTE_TOKENS).replace(
            "\n", " "
        )
        left = tokens - sum(estimate_tokens(each) + 1 for each in [*fitted, line])
        if at == _MOST_NOTES or left < (estimate_tokens(more) if at + 1 < len(listed) else 0):
            return "\n".join([*fitted, more])
        fitted.append(line)
    return "\n".join(fitted)


# --- pictures ----------------------------------------------------------------------------------


def _draw(items: Sequence[_Text | Picture], room: int, max_px: int) -> list[_Item]:
    """Choose pictures, and scale them; what becomes of the others is text."""
    at = [index for index, item in enumerate(items) if isinstance(item, Picture)]
    texts = sum(item.cost for item in items if isinstance(item, _Text))
    share = max(room // 2, room - texts - 16 * len(at))
    inward = [each for pair in zip(at, reversed(at), strict=True) for each in pair]
    order = [*dict.fromkeys(inward)][: 2 * _MAX_PICTURES] if max_px else []
    side = next((side for side in _sides(max_px) if _cost(items, order, side) <= share), 0)
    side = side or min(max_px, _SIDES[-1])
    drawn: dict[int, _Item] = {}
    for index in order:
        picture = items[index]
        assert isinstance(picture, Picture)
        cost = _cost(items, [index], side)
        if cost <= share:
            drawn[index] = _scale(picture, side)
            share -= cost if isinstance(drawn[index], ImagePart) else 0
    return [
        drawn.get(index) or _left_out(item, max_px) if isinstance(item, Picture) else item
        for index, item in enumerate(items)
    ]


def _left_out(picture: Picture, max_px: int) -> _Item:
    return _LeftOut(picture.mime_type) if max_px else _Text(_name(picture))


def _name(picture: Picture) -> str:
    return f"[{picture.mime_type}, {picture.width} x {picture.height} pixels]"


def _sides(max_px: int) -> list[int]:
    # What cannot be scaled has the size it has.
    return [max_px, *(side for side in _SIDES if side < max_px and can_scale())]


def _cost(items: Sequence[object], indexes: Sequence[int], side: int) -> int:
    pictures = (items[index] for index in indexes)
    return sum(
        image_tokens(*scaled_size(picture.width, picture.height, side))
        for picture in pictures
        if isinstance(picture, Picture)
    )


def _scale(picture: Picture, side: int) -> _Text | ImagePart:
    alt = _name(picture)
    try:
        fitted = picture.fit(side)
    except PictureError as error:
        return _Text(f"{alt[:-1]}: {error}]")
    return ImagePart(fitted.data, fitted.mime_type, fitted.width, fitted.height, alt)


def _name_left_out(items: Sequence[_Item]) -> list[_Text | ImagePart]:
    """Name the pictures that were left out, neighbours together."""
    named: list[_Text | ImagePart] = []
    run: list[str] = []
    for item in (*items, None):
        if isinstance(item, _LeftOut):
            run.append(item.mime_type)
            continue
        if run:
            some = f"{len(run):,} pictures" if len(run) > 1 else run[0]
            named.append(_Text(f"[{some}, left out]"))
            run = []
        if item is not None:
            named.append(item)
    return named


# --- texts -------------------------------------------------------------------------------------


def _fit_texts(items: Sequence[_Text | ImagePart], room: int) -> Iterator[ContentPart]:
    level = _level([item.cost for item in items if isinstance(item, _Text)], room)
    if level < _FEW_TOKENS:
        items = [*_merged(items)]
        level = _level([item.cost for item in items if isinstance(item, _Text)], room)
    for item in items:
        yield TextPart(item.fit(min(item.cost, level))) if isinstance(item, _Text) else item


def _level(costs: Sequence[int], room: int) -> int:
    """Return the most that each may have, so that all have room: small ones leave theirs over."""
    left = len(costs)
    for cost in sorted(costs):
        if cost * left > room:
            return max(0, room) // left
        room -= cost
        left -= 1
    return max(costs, default=0)


def _merged(items: Sequence[_Text | ImagePart]) -> Iterator[_Text | ImagePart]:
    run: list[_Text] = []
    for item in (*items, None):
        if isinstance(item, _Text):
            run.append(item)
            continue
        if run:
            yield _Text("\n".join(each.text for each in run), is_error=run[-1].is_error)
            run = []
        if item is not None:
            yield item


def _joined(parts: Sequence[ContentPart]) -> list[ContentPart]:
    """Put neighbouring texts together, a line each; empty ones are left out."""
    joined: list[ContentPart] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, ImagePart):
            joined.append(part)
        elif isinstance(last, TextPart) and part.text:
            joined[-1] = TextPart(f"{last.text}\n{part.text}")
        elif part.text:
            joined.append(part)
    return joined
