"""THE contract between a kernel and its host.

Both sides import it; it imports only the standard library (arrays and frames use numpy, pandas
or polars when they are already loaded).

``errors``    the exceptions that may cross
``codec``     values to JSON trees plus binary buffers, and back, exactly
``arrays``    the codec's part for numpy, pandas and polars
``messages``  requests, replies, cancellations, failures; names and version
"""
