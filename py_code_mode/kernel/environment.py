"""What a kernel gets of its host's environment.

Place in the house: bottom of ``kernel``, below ``launch``; the lab's server gets no more, either.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kernel_bootstrap.wire.birth import AWAIT_HOST, DIRECTORY, FIGURE_FORMAT
from py_code_mode.config import KernelConfig

__all__ = ["ENVIRONMENT", "kernel_environment"]

ENVIRONMENT = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"),
        "JPY_SESSION_NAME",
        *("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "SYSTEMROOT", "COMSPEC", "PATHEXT", "TEMP"),
    }
)
"""What a kernel gets of the host's environment, and ``LC_*``. The rest may hold secrets."""


def kernel_environment(
    config: KernelConfig, host: Mapping[str, str], directory: Path
) -> dict[str, str]:
    """Return the kernel's environment: an allow-list, never the host's whole."""
    names = ENVIRONMENT | set(config.pass_env)
    if config.python is not None:
        # They point at this interpreter's packages, not at the other one's.
        names -= {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    chosen = {
        name: value for name, value in host.items() if name in names or name.startswith("LC_")
    }
    waits = {} if config.connection_file is None else {AWAIT_HOST: str(config.start_timeout)}
    figures = {} if config.figure_format == "png" else {FIGURE_FORMAT: config.figure_format}
    return {**chosen, **config.env, **waits, **figures, DIRECTORY: str(directory)}
