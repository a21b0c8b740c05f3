"""Fuzzing of all host code that reads what a hostile kernel or a hostile file says.

``draw``     choices, and changes of real data, out of bytes
``seeds``    the real messages that are changed; ``frameseeds`` and ``texts`` have others
``targets``  what reads them, one function for each area
``child``    the process that a target runs in, instrumented by atheris
``runner``   starts it, bounds it, and reads what it said

``python -m tests.fuzz TARGET`` runs one target, ``make fuzz`` all of them.
"""
