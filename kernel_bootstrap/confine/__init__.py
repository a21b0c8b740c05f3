"""A process bounds itself: files, network, system calls, resources. Linux only.

Place in the house: beside ``kernel``, above ``wire``; standard library only. ``landlock`` bounds
files and signals, ``seccomp`` system calls, ``process`` privileges and resources. All of it needs
no root, holds for all children, and cannot be taken back.
"""

from __future__ import annotations

from kernel_bootstrap.confine.landlock import restrict_files
from kernel_bootstrap.confine.places import python_places
from kernel_bootstrap.confine.process import drop_privileges, set_limits
from kernel_bootstrap.confine.seccomp import restrict_calls
from kernel_bootstrap.wire.confinement import Confinement

__all__ = ["confine", "confine_calls"]


def confine(bounds: Confinement) -> None:
    """Bound this process while it has one thread; ``confine_calls`` must follow.

    Raises:
        OSError: The system refuses; nobody's code may run then.
    """
    set_limits(bounds.limits)
    drop_privileges()
    if bounds.files:
        read = (*bounds.read, *python_places())
        restrict_files(read, bounds.write, network=bounds.network)


def confine_calls(bounds: Confinement) -> None:
    """Take system calls away from all threads, once the process has opened its sockets.

    Raises:
        OSError: The system refuses; nobody's code may run then.
    """
    restrict_calls(network=bounds.network)
