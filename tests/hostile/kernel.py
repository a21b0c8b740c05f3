"""A kernel that speaks Jupyter's protocol by hand, and lies in it: run as the bootstrap would be.

It needs pyzmq alone. It comes up as a good kernel does. A cell whose code is the name of one of
``ATTACKS`` gets that instead of being run; any other cell prints its code, and all is well.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import zmq

COMM = "py-code-mode-host"
VALUE = "application/vnd.py-code-mode.value+json"
DELIMITER = b"<IDS|MSG>"
ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__] = function
    return function


class Kernel:
    """The sockets of a kernel, and what it sends over them."""

    def __init__(self, connection: dict) -> None:
        self.key = connection["key"].encode()
        self.context = zmq.Context()
        kinds = {"shell": zmq.ROUTER, "control": zmq.ROUTER, "stdin": zmq.ROUTER, "iopub": zmq.XPUB}
        self.sockets = {}
        for name, kind in kinds.items():
            socket_ = self.sockets[name] = self.context.socket(kind)
            socket_.sndhwm = 0  # nothing is dropped, however fast it comes
            socket_.bind(f"ipc://{connection['ip']}-{connection[f'{name}_port']}")
        self.count = 0
        self.identities = {"shell": b"", "control": b""}

    def sign(self, frames):
        return hmac.new(self.key, b"".join(frames), hashlib.sha256).hexdigest().encode()

    def pack(self, msg_type, content, parent, buffers=(), metadata=None):
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": msg_type,
            "username": "hostile",
            "session": "hostile",
            "date": datetime.now(UTC).isoformat(),
            "version": "5.4",
        }
        frames = [json.dumps(each).encode() for each in (header, parent, metadata or {}, content)]
        return [DELIMITER, self.sign(frames), *frames, *buffers]

    def send(self, channel, msg_type, content, parent, buffers=(), metadata=None):
        frames = self.pack(msg_type, content, parent, buffers, metadata)
        self.raw(channel, frames)

    def raw(self, channel, frames):
        self.sockets[channel].send_multipart([self.identities.get(channel, b"topic"), *frames])

    def publish(self, msg_type, content, parent, **more):
        self.send("iopub", msg_type, content, parent, **more)

    def ask(self, parent, id_, method, params, buffers=()):
        """Send the host a request, as the bootstrap does."""
        data = {"kind": "request", "id": id_, "method": method, "params": params}
        self.publish("comm_msg", {"comm_id": COMM, "data": data}, parent, buffers=buffers)

    def answers(self, count, seconds=20):
        """Return that many of the host's replies, which come on the control channel."""
        found = []
        while len(found) < count and self.sockets["control"].poll(seconds * 1000):
            *_, content = self.receive("control")
            if content.get("data", {}).get("kind") == "reply":
                found.append(content["data"])
        return found

    def receive(self, channel):
        parts = self.sockets[channel].recv_multipart()
        at = parts.index(DELIMITER)
        self.identities[channel] = parts[0]
        header, _, _, content = map(json.loads, parts[at + 2 : at + 6])
        return header, content

    def run(self):
        poller = zmq.Poller()
        for name in ("shell", "control"):
            poller.register(self.sockets[name], zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            for name in ("control", "shell"):
                if self.sockets[name] in ready:
                    header, content = self.receive(name)
                    self.publish("status", {"execution_state": "busy"}, header)
                    if self.handle(name, header, content):
                        return
                    self.publish("status", {"execution_state": "idle"}, header)

    def handle(self, channel, header, content):
        kind = header["msg_type"]
        if kind == "comm_open":
            data = {
                "kind": "reply",
                "id": content["data"]["id"],
                "value": {"protocol": 1, "python": "3"},
            }
            self.send("control", "comm_msg", {"comm_id": COMM, "data": data}, header)
        elif kind == "execute_request":
            self.execute(header, content["code"])
        elif kind == "kernel_info_request":
            self.send(channel, "kernel_info_reply", {"status": "ok"}, header)
        elif kind == "shutdown_request":
            self.send(channel, "shutdown_reply", {"status": "ok", "restart": False}, header)
            return True
        return False

    def execute(self, header, code):
        self.count += 1
        name, _, argument = code.partition(" ")
        if name in ATTACKS:
            ATTACKS[name](self, header, *([argument] if argument else []))
        else:
            self.publish("stream", {"name": "stdout", "text": code}, header)
        self.finish(header)

    def finish(self, header):
        reply = {
            "status": "ok",
            "execution_count": self.count,
            "payload": [],
            "user_expressions": {},
        }
        self.send("shell", "execute_reply", reply, header)

    def show(self, header, data, metadata=None):
        content = {"data": data, "metadata": metadata or {}, "execution_count": self.count}
        self.publish("execute_result", content, header)


# --- malformed, unsigned, replayed ---


@attack
def malformed_frames(kernel, header):
    good = kernel.pack("stream", {"name": "stdout", "text": "x"}, header)
    for frames in (
        [],
        [b""],
        [b"x"] * 3,
        [DELIMITER],
        [DELIMITER, b"", b"", b"", b"", b""],
        good[:3],
        [DELIMITER, b"\xff" * 64, *good[2:]],
        [*good[:2], b"{", *good[3:]],
        [*good[:2], b"\xff\xfe", *good[3:]],
    ):
        for channel in ("iopub", "shell", "control"):
            kernel.raw(channel, frames)


@attack
def signed_nonsense(kernel, header):
    for part in (
        b"null",
        b"[]",
        b"1",
        b'"x"',
        b"{}",
        b'{"msg_type": 5}',
        b"NaN",
        b"1e999",
        b"\xed\xa0\x80",
    ):
        for place in range(4):
            frames = [json.dumps(header).encode(), json.dumps(header).encode(), b"{}", b"{}"]
            frames[place] = part
            for channel in ("iopub", "shell", "control"):
                kernel.raw(channel, [DELIMITER, kernel.sign(frames), *frames])


@attack
def unsigned_output(kernel, header):
    frames = kernel.pack("stream", {"name": "stdout", "text": "FORGED"}, header)
    frames[1] = b"0" * 64
    kernel.raw("iopub", frames)


@attack
def replayed_reply(kernel, header):
    reply = kernel.pack(
        "execute_reply", {"status": "error", "ename": "E", "evalue": "", "traceback": []}, header
    )
    for _ in range(100):
        kernel.raw("shell", reply)


# --- enormous, deep, many ---


@attack
def enormous_stream(kernel, header):
    for _ in range(20):
        kernel.publish("stream", {"name": "stdout", "text": "x" * 10_000_000}, header)


@attack
def enormous_message(kernel, header):
    kernel.publish(
        "display_data", {"data": {"text/plain": "x" * 300_000_000}, "metadata": {}}, header
    )


@attack
def enormous_names(kernel, header):
    long = "n" * 5_000_000
    kernel.publish(long, {}, header)
    kernel.publish("stream", {"name": long, "text": long}, header)
    kernel.publish("error", {"ename": long, "evalue": long, "traceback": [long]}, header)
    kernel.show(header, {long: long})


@attack
def deep_content(kernel, header):
    for depth in (500, 50_000, 2_000_000):
        deep = b"[" * depth + b"]" * depth
        for place in (2, 3):
            frames = [
                json.dumps(each).encode()
                for each in ({"msg_id": "1", "msg_type": "stream"}, header, {}, {})
            ]
            frames[place] = b'{"data": %b, "text": %b}' % (deep, deep)
            kernel.raw("iopub", [DELIMITER, kernel.sign(frames), *frames])


@attack
def flood_of_statuses(kernel, header):
    for _ in range(20_000):
        kernel.publish("status", {"execution_state": "busy"}, header)


@attack
def flood_of_comms(kernel, header):
    for n in range(5_000):
        kernel.publish(
            "comm_open", {"comm_id": f"c{n}", "target_name": "py-code-mode", "data": {}}, header
        )
        kernel.publish(
            "comm_open",
            {"comm_id": f"w{n}", "target_name": "jupyter.widget", "data": {"state": {}}},
            header,
        )


@attack
def flood_of_displays(kernel, header):
    for n in range(20_000):
        kernel.publish(
            "display_data",
            {"data": {"text/plain": "d"}, "metadata": {}, "transient": {"display_id": f"d{n}"}},
            header,
        )


@attack
def flood_of_requests(kernel, header):
    for n in range(5_000):
        kernel.ask(header, n, "tools.call", {"name": "allowed", "arguments": {"$": "x"}})


# --- out of order, in the name of others ---


@attack
def out_of_order(kernel, header):
    kernel.publish("status", {"execution_state": "idle"}, header)
    kernel.publish("stream", {"name": "stdout", "text": "after idle"}, header)
    kernel.finish(header)
    kernel.finish(header)
    kernel.publish("status", {"execution_state": "starting"}, header)
    kernel.show(header, {"text/plain": "1"})
    kernel.show(header, {"text/plain": "2"})


@attack
def in_the_name_of_another_cell(kernel, header, other):
    """Messages that belong to the cell of another session, or to nothing."""
    for parent in ({**header, "msg_id": other}, {**header, "session": other}, {"msg_id": None}, {}):
        kernel.publish("stream", {"name": "stdout", "text": "FORGED"}, parent)
        kernel.publish("status", {"execution_state": "idle"}, parent)
        kernel.send("shell", "execute_reply", {"status": "error", "ename": "FORGED"}, parent)


@attack
def replies_to_nothing(kernel, header):
    for id_ in (0, 1, 2, 999, 2**70, -1, "1", None, 1.0, True):
        for channel in ("control", "iopub"):
            data = {"kind": "reply", "id": id_, "value": {"x": 1}}
            kernel.send(channel, "comm_msg", {"comm_id": COMM, "data": data}, header)


# --- claims ---


@attack
def claims_about_values(kernel, header):
    for claim in (
        {"$": "array", "dtype": "float64", "shape": [10**18], "b": 0},
        {"v": {"$": "bytes", "b": 10**9}},
        {"$": "ndarray", "dtype": "object", "shape": [1], "b": 0},
        {"remote": {"type_name": "x" * 10**6, "repr": 5}},
        {"value": {"$": "pickle", "b": 0}},
        {"packed": "x", "v": [[[[]]]] * 1000},
        "text",
        None,
    ):
        kernel.publish(
            "execute_result",
            {"data": {VALUE: claim, "text/plain": "claimed"}, "metadata": {}, "execution_count": 1},
            header,
            buffers=[b"\x80\x04cos\nsystem\n."],
        )


@attack
def script_in_displays(kernel, header):
    script = "<script>alert(1)</script>"
    for mime in (
        "text/html",
        "image/svg+xml",
        "application/javascript",
        "text/markdown",
        "text/latex",
    ):
        kernel.publish(
            "display_data", {"data": {mime: script, "text/plain": script}, "metadata": {}}, header
        )
    kernel.publish("error", {"ename": script, "evalue": script, "traceback": [script]}, header)


# --- requests that must be refused: what was answered is printed ---


def tell(kernel, header, answers):
    told = [
        each.get("failure", {}).get("kind", "value")
        for each in sorted(answers, key=lambda each: each["id"])
    ]
    kernel.publish("stream", {"name": "stdout", "text": json.dumps(told)}, header)


@attack
def tools_of_another_scope(kernel, header):
    names = (
        "hidden",
        "server.hidden",
        "__class__",
        "../hidden",
        "hidden\0",
        "",
        "x" * 100_000,
        "ʜidden",
    )
    for n, name in enumerate(names, 1):
        kernel.ask(header, n, "tools.call", {"name": name, "arguments": {}})
    tell(kernel, header, kernel.answers(len(names)))


@attack
def odd_requests(kernel, header):
    asked = (
        ("nothing.there", {}),
        ("tools.call", {}),
        ("tools.call", {"name": 5, "arguments": 7}),
        ("tools.call", {"name": "allowed", "arguments": {"x": {"$": "nothing"}}}),
        ("skills.create", {"name": "__init__", "code": "def run(): pass", "description": "x"}),
        (
            "skills.create",
            {"name": "bad", "code": "import os\nos.system('x')\n", "description": "x"},
        ),
        ("artifacts.read", {"name": "x", "offset": -5, "size": 10**18}),
        ("artifacts.write", {"upload": "nothing", "data": "x"}),
        ("output.spill", {"cell": "nothing", "what": "x", "number": -1}),
        ("shell.check", {"command": 5}),
    )
    for n, (method, params) in enumerate(asked, 1):
        kernel.ask(header, n, method, params)
    tell(kernel, header, kernel.answers(len(asked) - 1))  # one is no message


@attack
def artifact_names(kernel, header):
    names = (
        *("../escaped", "/etc/passwd", "a/../../escaped", "..", ".", "", "nul\0byte", "a" * 10_000),
        *(
            "con\r\nfig",
            "..\\escaped",
            "a//b",
            "\u202eevil",
            "\ud800",
            "\uff5e/x",
            "a/\u2025/b",
            "CON",
            "x.",
        ),
    )
    for n, name in enumerate(names, 1):
        params = {"name": name, "value": "x", "description": ""}
        kernel.ask(header, n, "artifacts.save", params)
    tell(kernel, header, kernel.answers(len(names)))


def main() -> None:
    arguments = sys.argv[1:]
    if "--birth" in arguments:  # the words of birth are of no interest here
        line = socket.socket(fileno=int(arguments[arguments.index("--birth") + 1]))
        count = line.recv(1)
        for fd in socket.recv_fds(line, 0, 0)[1] if count == b"" else []:
            raise SystemExit(fd)
        while not line.recv(65_536).endswith(b"\n"):
            pass
    connection = json.loads(Path(arguments[arguments.index("-f") + 1]).read_text())
    for name in ("shell", "stdin", "control", "iopub"):
        Path(f"{connection['ip']}-{connection[f'{name}_port']}").unlink(missing_ok=True)
    Kernel(connection).run()


if __name__ == "__main__":
    main()
