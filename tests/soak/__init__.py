"""The soak: minutes of everything at once, in random order, while promises are held against it.

Real executors, kernels, tools, stores and kills; ``python -m tests.soak --minutes 10``. The parts:
``world`` is what is there, ``turn`` one use of a session and the judge of what came of it, ``cells``,
``stores``, ``branches`` and ``blows`` are the actions, ``journal`` and ``leaks`` what is observed
and what must hold, ``rounds`` who does what when, ``report`` and ``plot`` what is told of it.
"""
