"""The only package that touches ipykernel.

Place in the house: top of ``kernel_bootstrap``, below ``__main__`` alone.

``streams``   stdout and stderr: metered, and tied to the cell that started the writer
``capture``   what reaches file descriptors 1 and 2 without Python
``display``   the display hook and the display publisher: limits, and the value beside the result
``shell``     the IPython shell: exits, shell commands, the three pinned names
``host``      our end of the comm: hello, queries, replies
``kernel``    the kernel: control handler, interrupts, the frame around each cell
``app``       starts it all

Routing inside ipykernel has moved between 6.30, 7.3 and 7.4; what depends on it is here.
"""
