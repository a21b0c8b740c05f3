"""What the library costs, measured beside plain jupyter_client and ipykernel in the same run.

Place in the house: outside of it; uses the public API only. ``python -m benchmarks`` runs
everything, ``docs/benchmarks.md`` says what each row means.

``samples``  timings and their quantiles         ``rows``     a measurement beside its peer's
``bench``    what every topic is given           ``report``   the table and the JSON
``ours``     executors to measure                ``plain``    plain kernels to compare with

``interrupts``  Ctrl-C where it can do no harm

Every other module is one topic with a function ``measure``; ``topics`` lists them.
"""
