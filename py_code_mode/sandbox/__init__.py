"""What code in a kernel cannot reach: bounds, and the means of this machine to set them.

Place in the house: values layer, below ``config``. ``bounds`` is what users write, ``means`` finds
out what this machine can do, ``confinement`` turns both into what a kernel's process is told,
``cgroup`` bounds what all processes of a session use together.
"""

from __future__ import annotations

from py_code_mode.sandbox.bounds import LEVELS, Sandbox
from py_code_mode.sandbox.bubblewrap import user_of_kernels
from py_code_mode.sandbox.cgroup import Cgroup, find_parents, make_cgroup
from py_code_mode.sandbox.confinement import confinement_of, wrap_of
from py_code_mode.sandbox.gvisor import SENTRY_TASKS, Bundle, signal_command
from py_code_mode.sandbox.means import Level, choose_level

__all__ = [
    "LEVELS",
    "SENTRY_TASKS",
    "Bundle",
    "Cgroup",
    "Level",
    "Sandbox",
    "choose_level",
    "confinement_of",
    "find_parents",
    "make_cgroup",
    "signal_command",
    "user_of_kernels",
    "wrap_of",
]
