"""THE contract between a kernel and its host.

Both sides import it; it imports only the standard library (arrays and frames use numpy, pandas
or polars when they are already loaded).

``errors``    the exceptions that may cross
``codec``     values to JSON trees plus binary buffers, and back, exactly
``encoder``, ``decoder``, ``native``, ``parts``, ``standard``  the codec's walks and plain types
``arrays``, ``frames``, ``pandas_arrays``, ``polars_frames``   the codec's types of libraries
``media``     pictures, sounds and links that tools give
``packing``   a value as an artifact's bytes; ``npy``, ``tables`` and ``bundles`` are its parts
``entries``, ``previews``  what is known of an artifact, and how it shows itself
``limits``    how much a cell may show and send, and how an excess is cut
``mirror``    printed text, kept where a kernel's death cannot reach it
``jupyter``   Jupyter messages as frames, signed
``sockets``   frames in and out of a zmq socket
``birth``     how a process becomes a kernel: arguments, environment, files
``messages``  requests, replies, cancellations, failures; names and version
"""
