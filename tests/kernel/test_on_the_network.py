"""A kernel at an address of the network: encrypted, or not at all."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import pytest
import zmq

from py_code_mode.config import KernelConfig
from py_code_mode.errors import ConfigError, KernelStartError
from py_code_mode.kernel.launch import launch
from tests.engine.test_interpreters import interpreter
from tests.network_kernels import branched, kernel_at, value_of


@pytest.fixture
def context():
    """Makes sockets."""
    made = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.mark.parametrize("provisioner", ["py-code-mode-template", "py-code-mode-local"])
async def test_it_is_encrypted(context, provisioner):
    """Who does not know the kernel's key gets no word from its sockets."""
    config = KernelConfig(provisioner=provisioner)
    async with kernel_at("127.0.0.1", context, config) as kernel:
        assert await value_of(kernel, "x = 6\nprint(x * 7)") == "42\n"
        info = json.loads(Path(kernel.launched.manager.connection_file).read_text())
        assert info["transport"] == "tcp"
        assert info["curve_publickey"]
        for channel in ("shell", "control", "iopub", "hb"):
            with contextlib.closing(context.socket(zmq.DEALER)) as stranger:
                stranger.linger = 0
                watch = stranger.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
                stranger.connect(f"tcp://127.0.0.1:{info[f'{channel}_port']}")
                assert not watch.poll(200)
                stranger.disable_monitor()
                watch.close()
        assert await branched(kernel, config, "print(x)") == "6\n"


@pytest.mark.needs("runsc")
async def test_gvisor_is_refused(context):
    """A kernel in gVisor can be given no sockets, so it is not started at all."""
    with pytest.raises(ConfigError, match="gvisor"):
        await launch(KernelConfig(sandbox="gvisor", python=sys.executable), context, ip="127.0.0.1")


async def test_an_old_ipykernel_is_refused(context):
    """An ipykernel that cannot encrypt does not speak plainly: it says so, and ends."""
    config = KernelConfig(python=interpreter("6.30"))
    with pytest.raises(KernelStartError, match=r"ipykernel 6\.30\S* cannot encrypt"):
        async with kernel_at("127.0.0.1", context, config):
            pass


async def test_an_address_of_another_machine(context):
    """It cannot listen where this machine is not."""
    with pytest.raises(KernelStartError, match="could not be started"):
        await launch(KernelConfig(), context, ip="192.0.2.1")
