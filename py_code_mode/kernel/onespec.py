"""A kernelspec that is in no file.

Place in the house: bottom of ``kernel``, below whoever makes managers.
"""

from __future__ import annotations

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

__all__ = ["OneSpec"]


class OneSpec(KernelSpecManager):
    """A kernelspec manager that knows one spec, held in memory.

    Args:
        spec: It.
    """

    def __init__(self, spec: KernelSpec) -> None:
        super().__init__()
        self._spec = spec

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the spec, whatever the name."""
        del kernel_name
        return self._spec
