"""``python -m py_code_mode`` is the command line, where no script of it is on the path.

Place in the house: above everything; nothing imports it.
"""

import sys

from py_code_mode.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
