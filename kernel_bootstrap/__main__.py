"""``python -m kernel_bootstrap -f {connection_file}``: start a session's kernel.

Place in the house: the top of ``kernel_bootstrap``. The package also runs as a zip of itself
in an interpreter that has only ipykernel. Before ``-f`` there may be ``--preload NAME``, any
number of times: a module to import, or a script (``.py``) to run in the session's namespace.
``--birth FD`` names a socket over which the host tells what to become.
With ``--template FD`` instead of ``-f`` it becomes a template (``kernel.template``).
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the kernel until it is shut down."""
    arguments, preload = sys.argv[1:], []
    while arguments[:1] == ["--preload"]:
        preload.append(arguments[1])
        del arguments[:2]
    if arguments[:1] == ["--template"]:
        from kernel_bootstrap.kernel.template import run_template

        run_template(int(arguments[1]), preload)
        return
    line = None
    if arguments[:1] == ["--birth"]:
        line = int(arguments[1])
        del arguments[:2]
    from kernel_bootstrap.kernel.branch import run_kernel

    run_kernel(arguments, preload, line)


if __name__ == "__main__":
    # `-m` puts the working directory first on sys.path, where a user's `json.py` would hide
    # the standard library's; IPython adds '' again once everything is imported.
    if not sys.flags.safe_path:
        del sys.path[0]
    main()
