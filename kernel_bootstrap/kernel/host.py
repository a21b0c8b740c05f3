"""Our end of the comm: the hello, queries between cells, replies to requests.

Place in the house: above ``shell``, below ``kernel``. Everything here but ``send`` and
``finish_cell`` runs in the thread that reads the control channel.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from kernel_bootstrap.artifacts import Artifacts
from kernel_bootstrap.catalogue import Catalogue
from kernel_bootstrap.cells import Cell
from kernel_bootstrap.kernel.person import welcome
from kernel_bootstrap.kernel.shell import SessionShell
from kernel_bootstrap.link import Link
from kernel_bootstrap.namespaces import Tools
from kernel_bootstrap.skills import Skills
from kernel_bootstrap.spills import Flood, Spill
from kernel_bootstrap.transfers import Upload, piece_size
from kernel_bootstrap.uses import Uses
from kernel_bootstrap.values import outgoing
from kernel_bootstrap.variables import describe_variables
from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.errors import CodeModeError, ProtocolError
from kernel_bootstrap.wire.limits import Cut, Limits
from kernel_bootstrap.wire.messages import (
    COMM_TARGET,
    PROTOCOL_VERSION,
    Failure,
    Method,
    Query,
    Reply,
    Request,
    parse,
)

__all__ = ["HostComm"]

Publish = Callable[[dict[str, Any], list[Buffer]], None]
"""Publishes a ``comm_msg``, its content and buffers, on iopub; callable from any thread."""


class HostComm:
    """The kernel's end of the one comm to its host.

    Args:
        shell: The session's shell.

    Attributes:
        on_fork: Forks the process for a branch; set where that can be done.
        on_begin: Lets the cells of a front end begin; set where they wait for the host.
    """

    def __init__(self, shell: SessionShell) -> None:
        self._shell = shell
        self._publish: Publish | None = None
        self._comm_id: str | None = None
        self._owner = ""
        self.on_fork: Callable[[str], dict[str, Any]] | None = None
        self.on_begin: Callable[[], object] | None = None
        self.limits = Limits()
        self.link = Link(self.send)
        self._catalogue = Catalogue()
        self._uses = Uses(self.link)
        self._queries: dict[str, Callable[..., Any]] = {
            Query.HELLO: self._hello,
            Query.CATALOGUE: self._catalogue.replace,
            Query.VARIABLES: self._variables,
            Query.GET_VARIABLE: self._get_variable,
            Query.SET_VARIABLE: self._set_variable,
            Query.FORK: self._fork,
            Query.PEEK: self._peek,
            Query.BEGIN: self._begin,
        }
        self.pin()

    def attach(self, publish: Publish) -> None:
        """Use a kernel's iopub from now on; no host has said hello to that kernel yet.

        Args:
            publish: Puts a ``comm_msg`` on iopub.
        """
        self._publish, self._comm_id, self._owner = publish, None, ""
        self.link.restart()

    @property
    def connected(self) -> bool:
        """Whether a host has said hello."""
        return self._comm_id is not None

    def may_end_kernel(self, sender: str) -> bool:
        """Whether a client may shut the kernel down: a session's is its host's alone.

        Args:
            sender: The client's session, as its messages' headers have it.
        """
        return self._owner in ("", sender)

    def pin(self) -> None:
        """Give the code its three names."""
        tools = Tools(self.link, self._catalogue)
        artifacts = Artifacts(self.link, lambda: self.limits)
        skills = Skills(
            self.link, tools=tools, artifacts=artifacts, catalogue=self._catalogue, uses=self._uses
        )
        self._shell.pin({"tools": tools, "skills": skills, "artifacts": artifacts})
        self._shell.check_command = self._check_command

    def send(self, data: dict[str, Any], buffers: list[Buffer]) -> None:
        """Send one comm message to the host, from any thread.

        Raises:
            CodeModeError: No host is connected to this kernel, or the message is too large.
        """
        if self._comm_id is None or self._publish is None:
            raise CodeModeError("no host is connected to this kernel")
        size = sum([memoryview(buffer).nbytes for buffer in buffers]) if buffers else 0
        if size > self.limits.request_bytes:
            raise CodeModeError(
                f"the request has {size:,} bytes, more than the session's limit of "
                f"{self.limits.request_bytes:,} (Limits.request_bytes): send it in parts"
            )
        self._publish({"comm_id": self._comm_id, "data": data}, buffers)

    def owns(self, content: dict[str, Any]) -> bool:
        """Whether a comm message on the control channel is ours."""
        return (
            content.get("target_name") == COMM_TARGET
            or content.get("comm_id") == self._comm_id is not None
        )

    def receive(
        self, content: dict[str, Any], buffers: list[Buffer], sender: str = ""
    ) -> tuple[dict[str, Any], list[Buffer]] | None:
        """Act on a comm message of the host.

        Args:
            content: Its content.
            buffers: Its buffers.
            sender: The host's session, as its messages' headers have it.

        Returns:
            The content and buffers to answer with, if it was a query.
        """
        if content.get("target_name") == COMM_TARGET:
            self._comm_id, self._owner = content["comm_id"], sender
        message = parse(content.get("data"), buffers)
        if isinstance(message, Reply):
            self.link.deliver(message)
            return None
        if not isinstance(message, Request):
            return None
        data, reply_buffers = self._answer(message)
        return {"comm_id": self._comm_id, "data": data}, reply_buffers

    def _answer(self, request: Request) -> tuple[dict[str, Any], list[Buffer]]:
        query = self._queries.get(request.method)
        if query is None:
            unknown = ProtocolError(f"unknown query {request.method!r}")
            return Reply(request.id, failure=Failure.from_exception(unknown)).to_wire()
        try:
            return Reply(request.id, query(**request.params)).to_wire()
        except Exception as error:  # noqa: BLE001 - any failure is the answer
            return Reply(request.id, failure=Failure.from_exception(error)).to_wire()

    def _hello(
        self,
        protocol: int,
        limits: dict[str, Any],
        libraries: list[str],
        tools: list[dict[str, Any]] | bytes,
        owned: bool = True,  # noqa: FBT001, FBT002 - a parameter of a query
    ) -> dict[str, Any]:
        if protocol != PROTOCOL_VERSION:
            raise ProtocolError(
                f"the host speaks protocol {protocol}, this kernel {PROTOCOL_VERSION}: "
                "install the same version of py-code-mode on both sides"
            )
        self.limits = Limits.from_dict(limits)
        self._shell.displayhook.libraries = frozenset(libraries)
        self._catalogue.replace(tools)
        if not owned:
            self._owner = ""
        return {"protocol": PROTOCOL_VERSION, "python": sys.version.split()[0]}

    def _variables(self) -> list[dict[str, Any]]:
        return describe_variables(self._shell.user_ns, self._shell.variables())

    def _get_variable(self, name: str) -> Any:
        namespace = self._shell.user_ns
        if name not in namespace:
            raise CodeModeError(f"there is no variable named {name!r} in this session")
        tree, _ = outgoing(
            namespace[name],
            handle=name,
            libraries=self._shell.displayhook.libraries,
            max_bytes=self.limits.value_bytes,
        )
        # The reply encodes once more: a tree of its own would nest twice as deep.
        return {"remote": tree["remote"]} if "remote" in tree else {"value": namespace[name]}

    def _peek(self) -> dict[str, Any]:
        return self._shell.stacks.now(self._shell.cell_task, self._shell.kernel.parent.main_loop)

    def _set_variable(self, name: str, value: Any) -> None:
        self._shell.user_ns[name] = value

    def _fork(self, exit_file: str) -> dict[str, Any]:
        if self.on_fork is None:
            raise CodeModeError("this kernel cannot be forked: its system has no fork")
        return self.on_fork(exit_file)

    def _begin(self, notice: str) -> None:
        welcome(self._shell, notice)
        if self.on_begin is not None:
            self.on_begin()

    def _check_command(self, command: str) -> None:
        if self.connected:
            self.link.call(Method.SHELL_CHECK, command=command)

    def finish_cell(self) -> None:
        """Tell the host what it need not answer: which skills ran."""
        if self.connected:
            self._uses.send()

    def keep_floods(self, floods: Sequence[Flood], cell: Cell) -> list[Cut]:
        """Store all of what was cut as artifacts; return the cuts that name them."""
        seen: Counter[str] = Counter()
        cuts = []
        for flood in floods:
            seen[flood.cut.what] += 1
            cuts.append(self._keep(flood, cell, seen[flood.cut.what]))
        return cuts

    def _keep(self, flood: Flood, cell: Cell, number: int) -> Cut:
        cut, spill = flood.cut, flood.spill
        if spill is None:
            return cut
        said = {"cell": cell.header.get("msg_id", ""), "what": cut.what, "number": number}
        with contextlib.closing(spill):
            if not (spill.size and self.connected and cell.wants_value):
                return cut
            try:
                name = self._send_spill(spill, {**said, "whole": spill.whole})
            except (CodeModeError, OSError):
                return cut  # a full or failing store must not fail the cell; the cut names nothing
        return dataclasses.replace(cut, artifact=name, whole=spill.whole)

    def _send_spill(self, spill: Spill, said: dict[str, Any]) -> str:
        piece = piece_size(self.limits)
        upload = Upload(self.link, piece, said, Method.OUTPUT_SPILL)
        try:
            for data in spill.pieces(piece):
                upload.send(data)
            return str(upload.commit()["name"])
        finally:
            upload.abort()  # does nothing to one that was committed
