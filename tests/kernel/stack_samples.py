"""Stacks that real kernels dumped through faulthandler; paths and idle threads made fewer."""

SPINNING = """\
Thread 0x00007f2f89acf6c0 (most recent call first):
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/parentpoller.py", line 62 in run
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/threads.py", line 26 in <lambda>
  File "/usr/lib/python3.11/threading.py", line 1045 in _bootstrap_inner
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Thread 0x00007f2f8a2d06c0 (most recent call first):
  File "/usr/lib/python3.11/selectors.py", line 468 in select
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/kernel/capture.py", line 92 in _watch
  File "/usr/lib/python3.11/threading.py", line 982 in run
  File "/usr/lib/python3.11/threading.py", line 1045 in _bootstrap_inner
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Thread 0x00007f2f8affd6c0 (most recent call first):
  File "/usr/lib/python3.11/selectors.py", line 468 in select
  File "/usr/lib/python3.11/asyncio/base_events.py", line 1884 in _run_once
  File "/usr/lib/python3.11/asyncio/base_events.py", line 607 in run_forever
  File "/opt/venv/lib/python3.11/site-packages/tornado/platform/asyncio.py", line 203 in start
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/thread.py", line 48 in run
  File "/usr/lib/python3.11/threading.py", line 1045 in _bootstrap_inner
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Current thread 0x00007f2f9caa4b80 (most recent call first):
  File "/tmp/ipykernel_1078/274552422.py", line 4 in spin
  File "/tmp/ipykernel_1078/274552422.py", line 5 in <module>
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3823 in run_code
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3762 in run_ast_nodes
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3518 in run_cell_async
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/async_helpers.py", line 140 in _pseudo_sync_runner
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3305 in _run_cell
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3248 in run_cell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/zmqshell.py", line 686 in run_cell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/ipkernel.py", line 460 in do_execute
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/kernel/kernel.py", line 118 in do_execute
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 891 in execute_request
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/ipkernel.py", line 372 in execute_request
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 508 in dispatch_shell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 678 in shell_main
  File "/usr/lib/python3.11/asyncio/events.py", line 80 in _run
  File "/usr/lib/python3.11/asyncio/base_events.py", line 1922 in _run_once
  File "/usr/lib/python3.11/asyncio/base_events.py", line 607 in run_forever
  File "/opt/venv/lib/python3.11/site-packages/tornado/platform/asyncio.py", line 203 in start
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/kernel/app.py", line 94 in start
  File "/opt/venv/lib/python3.11/site-packages/traitlets/config/application.py", line 1080 in launch_instance
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/__main__.py", line 16 in main
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/__main__.py", line 24 in <module>
  File "<frozen runpy>", line 88 in _run_code
  File "<frozen runpy>", line 198 in _run_module_as_main
"""
"""A function that spins with SIGINT ignored."""

AWAITING = """\
Thread 0x00007eff720bb6c0 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 982 in run
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/threads.py", line 26 in <lambda>
  File "/usr/lib/python3.11/threading.py", line 1045 in _bootstrap_inner
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Thread 0x00007eff728bc6c0 (most recent call first):
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/parentpoller.py", line 62 in run
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/threads.py", line 26 in <lambda>
  File "/usr/lib/python3.11/threading.py", line 1045 in _bootstrap_inner
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Current thread 0x00007eff8583fb80 (most recent call first):
  File "/usr/lib/python3.11/json/decoder.py", line 338 in decode
  File "/usr/lib/python3.11/json/__init__.py", line 346 in loads
  File "/tmp/ipykernel_1150/3689149776.py", line 6 in f
  File "/tmp/ipykernel_1150/3689149776.py", line 7 in <module>
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3821 in run_code
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3762 in run_ast_nodes
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3518 in run_cell_async
  File "/usr/lib/python3.11/asyncio/events.py", line 80 in _run
  File "/usr/lib/python3.11/asyncio/base_events.py", line 1922 in _run_once
  File "/usr/lib/python3.11/asyncio/base_events.py", line 607 in run_forever
  File "/opt/venv/lib/python3.11/site-packages/tornado/platform/asyncio.py", line 203 in start
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/kernel/app.py", line 94 in start
  File "/opt/venv/lib/python3.11/site-packages/traitlets/config/application.py", line 1080 in launch_instance
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/__main__.py", line 16 in main
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/__main__.py", line 24 in <module>
  File "<frozen runpy>", line 88 in _run_code
  File "<frozen runpy>", line 198 in _run_module_as_main
"""
"""A coroutine inside the standard library, a user's thread beside it."""

IN_C = """\
Thread 0x00007fa3777fe6c0 (most recent call first):
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/parentpoller.py", line 62 in run
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/threads.py", line 26 in <lambda>
  File "/usr/lib/python3.11/threading.py", line 1045 in _bootstrap_inner
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Current thread 0x00007fa39286ab80 (most recent call first):
  File "/tmp/ipykernel_1230/3811753447.py", line 1 in <module>
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3823 in run_code
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3762 in run_ast_nodes
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3518 in run_cell_async
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/async_helpers.py", line 140 in _pseudo_sync_runner
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3305 in _run_cell
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3248 in run_cell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/zmqshell.py", line 686 in run_cell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/ipkernel.py", line 460 in do_execute
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/kernel/kernel.py", line 118 in do_execute
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 891 in execute_request
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/ipkernel.py", line 372 in execute_request
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 508 in dispatch_shell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 678 in shell_main
  File "/usr/lib/python3.11/asyncio/events.py", line 80 in _run
  File "/usr/lib/python3.11/asyncio/base_events.py", line 1922 in _run_once
  File "/usr/lib/python3.11/asyncio/base_events.py", line 607 in run_forever
  File "/opt/venv/lib/python3.11/site-packages/tornado/platform/asyncio.py", line 203 in start
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/kernel/app.py", line 94 in start
  File "/opt/venv/lib/python3.11/site-packages/traitlets/config/application.py", line 1080 in launch_instance
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/__main__.py", line 16 in main
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/__main__.py", line 24 in <module>
  File "<frozen runpy>", line 88 in _run_code
  File "<frozen runpy>", line 198 in _run_module_as_main
"""
"""C code that never returns to the interpreter."""

IN_A_TOOL = """\
Thread 0x00007f01289cd6c0 (most recent call first):
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/parentpoller.py", line 62 in run
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/threads.py", line 26 in <lambda>
  File "/usr/lib/python3.11/threading.py", line 1045 in _bootstrap_inner
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Current thread 0x00007f0133a86b80 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 327 in wait
  File "/usr/lib/python3.11/concurrent/futures/_base.py", line 451 in result
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/link.py", line 80 in call
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/namespaces.py", line 91 in _invoke
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/functions.py", line 93 in function
  File "/tmp/ipykernel_12820/3411907491.py", line 4 in ask
  File "/tmp/ipykernel_12820/3411907491.py", line 5 in <module>
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3823 in run_code
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3762 in run_ast_nodes
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3518 in run_cell_async
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/async_helpers.py", line 140 in _pseudo_sync_runner
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3305 in _run_cell
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3248 in run_cell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/zmqshell.py", line 686 in run_cell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/ipkernel.py", line 460 in do_execute
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/kernel/kernel.py", line 120 in do_execute
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 891 in execute_request
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/ipkernel.py", line 372 in execute_request
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 508 in dispatch_shell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 678 in shell_main
  File "/usr/lib/python3.11/asyncio/events.py", line 80 in _run
  File "/usr/lib/python3.11/asyncio/base_events.py", line 1922 in _run_once
  File "/usr/lib/python3.11/asyncio/base_events.py", line 607 in run_forever
  File "/opt/venv/lib/python3.11/site-packages/tornado/platform/asyncio.py", line 203 in start
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/kernel/app.py", line 96 in start
  File "/opt/venv/lib/python3.11/site-packages/traitlets/config/application.py", line 1080 in launch_instance
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/__main__.py", line 16 in main
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/__main__.py", line 24 in <module>
  File "<frozen runpy>", line 88 in _run_code
  File "<frozen runpy>", line 198 in _run_module_as_main
"""
"""A tool call that waits for its reply."""

IN_A_SKILL = """\
Thread 0x00007fb81ffff6c0 (most recent call first):
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/parentpoller.py", line 62 in run
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/threads.py", line 26 in <lambda>
  File "/usr/lib/python3.11/threading.py", line 1045 in _bootstrap_inner
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Current thread 0x00007fb83b7beb80 (most recent call first):
  File "<skill stuck ec281a5b>", line 4 in run
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/skills.py", line 140 in _start
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/skills.py", line 145 in _run
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/skills.py", line 167 in function
  File "/tmp/ipykernel_12904/3036348127.py", line 2 in <module>
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3823 in run_code
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3762 in run_ast_nodes
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3518 in run_cell_async
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/async_helpers.py", line 140 in _pseudo_sync_runner
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3305 in _run_cell
  File "/opt/venv/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3248 in run_cell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/zmqshell.py", line 686 in run_cell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/ipkernel.py", line 460 in do_execute
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/kernel/kernel.py", line 120 in do_execute
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 891 in execute_request
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/ipkernel.py", line 372 in execute_request
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 508 in dispatch_shell
  File "/opt/venv/lib/python3.11/site-packages/ipykernel/kernelbase.py", line 678 in shell_main
  File "/usr/lib/python3.11/asyncio/events.py", line 80 in _run
  File "/usr/lib/python3.11/asyncio/base_events.py", line 1922 in _run_once
  File "/usr/lib/python3.11/asyncio/base_events.py", line 607 in run_forever
  File "/opt/venv/lib/python3.11/site-packages/tornado/platform/asyncio.py", line 203 in start
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/kernel/app.py", line 96 in start
  File "/opt/venv/lib/python3.11/site-packages/traitlets/config/application.py", line 1080 in launch_instance
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/__main__.py", line 16 in main
  File "/opt/venv/lib/python3.11/site-packages/kernel_bootstrap/__main__.py", line 24 in <module>
  File "<frozen runpy>", line 88 in _run_code
  File "<frozen runpy>", line 198 in _run_module_as_main
"""
"""A skill that spins."""
