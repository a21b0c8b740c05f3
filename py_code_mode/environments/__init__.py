"""Environments of kernels: virtual environments with packages, keyed by what is in them.

Place in the house: beside ``tools`` and ``skills``, below ``kernel``, which asks for one before
it starts a kernel. Only the host's configuration leads here; no request of a kernel does.
"""

from py_code_mode.environments.needs import Need, needs_of
from py_code_mode.environments.record import Environment
from py_code_mode.environments.spec import Spec
from py_code_mode.environments.store import EnvironmentStore
from py_code_mode.environments.use import prepare_config

__all__ = ["Environment", "EnvironmentStore", "Need", "Spec", "needs_of", "prepare_config"]
