"""``python -m kernel_bootstrap -f {connection_file}``: start a session's kernel.

Place in the house: the top of ``kernel_bootstrap``. The package also runs as a zip of itself
in an interpreter that has only ipykernel.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the kernel until it is shut down."""
    from kernel_bootstrap.kernel.app import SessionKernelApp

    SessionKernelApp.launch_instance()


if __name__ == "__main__":
    # `-m` puts the working directory first on sys.path, where a user's `json.py` would hide
    # the standard library's; IPython adds '' again once everything is imported.
    if not sys.flags.safe_path:
        del sys.path[0]
    main()
