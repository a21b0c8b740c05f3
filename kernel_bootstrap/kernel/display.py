"""The display hook and the display publisher: limits, and the value beside the result.

Place in the house: above ``cells`` and ``values``, below ``shell``. The last expression's value
rides inside its own ``execute_result`` as one more MIME type with binary buffers, and only when
the requester asked for it: a notebook attached to the same kernel sees plain Jupyter messages.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.jsonutil import encode_images, json_clean
from ipykernel.zmqshell import ZMQDisplayPublisher

from kernel_bootstrap.cells import Cell, current
from kernel_bootstrap.kernel.figures import forget_figure
from kernel_bootstrap.values import outgoing
from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.limits import fit_bundle
from kernel_bootstrap.wire.messages import VALUE_MIME

__all__ = ["CellDisplayHook", "CellDisplayPublisher"]

PACKED_FROM = 65_536
"""Bytes of JSON from which the value's tree travels as a buffer."""


def _fit(cell: Cell, data: dict[str, Any]) -> dict[str, Any]:
    """Apply the limits of one output; what was cut waits in the cell for its end."""
    fitted, cuts = fit_bundle(data, cell.limits)
    for cut in cuts:
        cell.cut(cut, data[cut.what])
    return fitted


def _pack_large(tree: dict[str, Any], buffers: list[Buffer]) -> dict[str, Any]:
    """Move a large tree into a last buffer, so that readers of iopub need not parse it."""
    packed = json.dumps(tree, separators=(",", ":")).encode()
    if len(packed) < PACKED_FROM:
        return tree
    buffers.append(packed)
    return {"v": tree["v"], "packed": True}


class CellDisplayHook(ZMQShellDisplayHook):  # type: ignore[misc]
    """Sends ``execute_result`` with the value's exact form beside its pictures."""

    libraries: frozenset[str] = frozenset()
    """What the host can decode (``numpy``, ``pandas``, ``polars``)."""

    msg: dict[str, Any] | None
    _value: Any = None

    def __call__(self, result: Any = None) -> None:
        """Show a result; IPython calls this for the last expression of a cell."""
        self._value = result
        try:
            super().__call__(result)
        finally:
            self._value = None

    def quiet(self) -> bool:
        """Whether the cell ends in a semicolon; most have none, and need not be tokenized."""
        cells = self.shell.history_manager.input_hist_parsed
        return bool(cells) and ";" in cells[-1] and super().quiet()

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        """Take the formats of the result."""
        if self.msg:
            data = json_clean(encode_images(format_dict))
            self.msg["content"]["data"] = _fit(current(), data)
            self.msg["content"]["metadata"] = json_clean(md_dict or {})

    def log_output(self, format_dict: dict[str, Any]) -> None:
        """Keep no copy of what is shown: ``Out`` has the object itself."""

    def finish_displayhook(self) -> None:
        """Send the message; an object that displays itself still has a value."""
        sys.stdout.flush()
        sys.stderr.flush()
        msg, self.msg = self.msg, None
        if not msg or not self.session:
            return
        cell = current()
        msg["parent_header"] = cell.header
        buffers: list[Buffer] = []
        if cell.wants_value:
            handle = f"Out[{self.prompt_count}]"
            tree, buffers = outgoing(
                self._value,
                handle=handle,
                libraries=self.libraries,
                max_bytes=cell.limits.value_bytes,
            )
            msg["content"]["data"][VALUE_MIME] = _pack_large(tree, buffers)
        if msg["content"]["data"]:
            msg["content"].setdefault("execution_count", self.prompt_count)
            self.session.send(self.pub_socket, msg, ident=self.topic, buffers=buffers)
            forget_figure(self._value)


class CellDisplayPublisher(ZMQDisplayPublisher):  # type: ignore[misc]
    """Publishes displays for the caller's cell, within its limits."""

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **kwargs: Any,  # noqa: ARG002 - IPython passes deprecated ones
    ) -> None:
        """Publish one display, or hold it until the cell ends when there are too many."""
        self._flush_streams()
        self._validate_data(data, metadata or {})
        cell = current()
        content = {
            "data": _fit(cell, json_clean(encode_images(data))),
            "metadata": json_clean(metadata or {}),
            "transient": json_clean(transient or {}),
        }
        if update or cell.outputs.take(content):
            self.send(cell, content, update=update)

    def send(self, cell: Cell, content: dict[str, Any], *, update: bool = False) -> None:
        """Send one display message for ``cell``, through IPython's transform hooks."""
        msg_type = "update_display_data" if update else "display_data"
        msg = self.session.msg(msg_type, content, parent=cell.header)
        for hook in self._hooks:
            msg = hook(msg)
            if msg is None:
                return
        self.session.send(self.pub_socket, msg, ident=self.topic)

    def clear_output(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's signature
        """Clear what the caller's cell has shown."""
        self._flush_streams()
        cell = current()
        cell.clear()
        msg = self.session.msg("clear_output", {"wait": wait}, parent=cell.header)
        for hook in self._hooks:
            msg = hook(msg)
            if msg is None:
                return
        self.session.send(self.pub_socket, msg, ident=self.topic)
