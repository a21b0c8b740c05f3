"""The only package that knows jupyter_client and zmq.

``reading``, ``messages``, ``bounded``, ``transcript``  no I/O: from frames to events and a result
``provisioner``, ``launch``                 how a kernel is started
``channels``                                its sockets: one reader for its whole life
``process``                                 execute, reply on control, query, interrupt, kill
"""
