"""Where Python and its packages lie: what a confined process must still be able to read.

Place in the house: inside ``confine``. The process knows it best, whatever interpreter it is. Run
as a script it tells a host, as JSON.
"""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

__all__ = ["python_places"]


def python_places() -> tuple[str, ...]:
    """Return files and directories.

    The directories that ``.pth`` files add are not among them: for a package in development that is
    a person's whole project. ``PYTHONPATH`` is: somebody has named it.
    """
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    places = [
        *(sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix),
        *site.getsitepackages(),
        *user,
        *named,
        *(each for each in sys.path if each.endswith(".zip")),
        str(_bootstrap()),
    ]
    real = dict.fromkeys(os.path.realpath(place) for place in places if Path(place).is_absolute())
    return tuple(place for place in real if place != os.sep and Path(place).exists())


def _bootstrap() -> Path:
    """Return where this package lies: its own directory, or the zip it is in."""
    package = Path(__file__).parent.parent
    return next((each for each in package.parents if each.suffix == ".zip"), package)


if __name__ == "__main__":
    import json

    sys.stdout.write(json.dumps(python_places()))
