"""Confined kernels at an address of the network: sockets are all that they are given of it."""

from __future__ import annotations

import pytest
import zmq

from py_code_mode.config import KernelConfig
from py_code_mode.sandbox import Sandbox
from tests.network_kernels import branched, kernel_at, value_of


@pytest.mark.parametrize("level", ["landlock", "bwrap"])
async def test_it_can_be_reached_and_reaches_nothing(level, can_confine, open_python):
    """A kernel without a network answers at its host's address, and so does its branch."""
    can_confine(level)
    config = KernelConfig(python=open_python, sandbox=Sandbox(level=level))
    context = zmq.Context()
    try:
        async with kernel_at("127.0.0.1", context, config) as kernel:
            assert await value_of(kernel, "print('in here')") == "in here\n"
            code = "import socket\ntry: socket.socket()\nexcept OSError: print('no sockets')"
            assert await value_of(kernel, code) == "no sockets\n"
            assert await branched(kernel, config, "print('a branch')") == "a branch\n"
    finally:
        context.destroy(linger=0)
