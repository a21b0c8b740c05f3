"""Kernels on other machines: Ray places them, a host actor on each node starts and watches them.

Place in the house: inside ``kernel``, above ``launch``, below ``placing``. ``node`` runs on the
nodes, all else beside the program that has the sessions. Ray is in the path of no cell and no
tool call: those go straight to the kernel, encrypted.
"""
