"""A Jupyter kernel of our own: notebooks that have ``tools``, ``skills`` and ``artifacts``.

Place in the house: a front, above the executor.

``specs``     kernelspecs: install, remove, list
``host``      the program a kernelspec starts: the kernel's host
``__main__``  ``python -m py_code_mode.kernelspec -f {connection_file}``
"""
