"""One cell of the notebook: its source, its outputs, what is said beside them.

Place in the house: inside ``transcripts``, above ``celldata`` and ``shown``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kernel_bootstrap.wire.messages import METADATA_KEY
from py_code_mode.outputs import Output
from py_code_mode.results import ExecutionResult
from py_code_mode.secrets import HIDDEN, Secrets
from py_code_mode.transcripts.celldata import cell_data
from py_code_mode.transcripts.entry import Entry
from py_code_mode.transcripts.shown import show_cell_data

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["OURS", "make_cell", "outputs_of", "source_of"]

OURS: Mapping[str, Any] = {METADATA_KEY: {"about_the_cell": True}}
"""Metadata of the one output that no kernel sent."""


_USUAL = frozenset({"text/plain", "text/html", "text/markdown", "text/latex", "image/png"})
"""Formats by name: a secret that is a word of these is none there. Others that show one are left
out."""


def source_of(code: str) -> str:
    """Return code as it ran: IPython takes blank lines and indentation off its beginning.

    Of each line goes what the first one is indented by, also inside of texts.
    """
    lines = code.split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())] if lines else ""
    return "\n".join(line.removeprefix(indent) for line in lines).rstrip("\n")


def make_cell(entry: Entry, secrets: Secrets) -> NotebookNode:
    """Make the notebook's cell of one that ran."""
    from nbformat.v4 import new_code_cell, new_output

    data = cell_data(entry, secrets)
    outputs = outputs_of(entry.result, secrets)
    shown = show_cell_data(data)
    if shown is not None:
        outputs.append(new_output("display_data", data=shown, metadata=dict(OURS)))
    return new_code_cell(
        id=entry.id,
        source=secrets.redact(source_of(entry.code)),
        execution_count=entry.result.execution_count or None,
        outputs=outputs,
        metadata={METADATA_KEY: data},
    )


def outputs_of(result: ExecutionResult, secrets: Secrets) -> list[NotebookNode]:
    """Return what a cell showed as nbformat has it, its error last."""
    from nbformat.v4 import new_output

    texts = _stream_texts(result.outputs, secrets)
    outputs = [
        _stream(output, texts[index]) if output.kind == "stream" else _rich(output, result, secrets)
        for index, output in enumerate(result.outputs)
        if output.kind != "error"
    ]
    if result.error is not None:
        error = result.error
        outputs.append(
            new_output(
                "error",
                ename=secrets.redact(error.name),
                evalue=secrets.redact(error.message),
                traceback=secrets.redact(error.text).split("\n"),
            )
        )
    return outputs


def _notebook_mime(mime: str, value: Any) -> str:
    """Return the name under which nbformat takes structured data: it must end in ``+json``.

    Altair 6 says ``application/vnd.vegalite.v6.json``.
    """
    if isinstance(value, str) or not mime.endswith(".json"):
        return mime
    return mime.removesuffix(".json") + "+json"


def _redacted(mime: str, value: Any, secrets: Secrets) -> Any:
    """Hide secrets in text and JSON; in the base64 of a picture they would be chance."""
    is_text = not mime.startswith(("image/", "audio/", "video/")) or mime == "image/svg+xml"
    if not is_text or mime == "application/pdf":
        return value
    try:
        return secrets.redact(value)
    except RecursionError:  # a hostile kernel nests as deep as JSON can be read
        return HIDDEN


def _stream_texts(outputs: Sequence[Output], secrets: Secrets) -> dict[int, str]:
    """Return what a cell printed, by place; a secret may go over several of its outputs."""
    places: dict[str | None, list[int]] = {}
    for index, output in enumerate(outputs):
        if output.kind == "stream":
            places.setdefault(output.name, []).append(index)
    texts: dict[int, str] = {}
    for where in places.values():
        pieces = [outputs[index].text or "" for index in where]
        texts.update(zip(where, secrets.redact_pieces(pieces), strict=True))
    return texts


def _stream(output: Output, text: str) -> NotebookNode:
    from nbformat.v4 import new_output

    return new_output("stream", name=output.name or "stdout", text=text)


def _rich(output: Output, result: ExecutionResult, secrets: Secrets) -> NotebookNode:
    from nbformat.v4 import new_output

    data = {
        _notebook_mime(mime, value): _redacted(mime, value, secrets)
        for mime, value in output.data.items()
        if mime in _USUAL or secrets.redact(mime) == mime
    }
    # A kernel cannot pass off its output as ours.
    metadata = {key: value for key, value in output.metadata.items() if key != METADATA_KEY}
    try:
        metadata = secrets.redact(metadata)
    except RecursionError:  # as in `_redacted`
        metadata = {}
    if output.kind == "result":
        return new_output(
            "execute_result",
            data=data,
            metadata=metadata,
            execution_count=result.execution_count or None,
        )
    return new_output("display_data", data=data, metadata=metadata)
