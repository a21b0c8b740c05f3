"""Jupyter's own conformance suite over our kernels: what JupyterLab or any client would see."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import ClassVar
from unittest import mock

import jupyter_kernel_test


def install(directory: Path, provisioner: str) -> None:
    """Write a kernelspec as a program that wants our kernels would."""
    spec = {
        "argv": [sys.executable, "-m", "kernel_bootstrap", "-f", "{connection_file}"],
        "display_name": "ours",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {"kernel_provisioner": {"provisioner_name": provisioner, "config": {}}},
    }
    (directory / "kernels" / provisioner).mkdir(parents=True)
    (directory / "kernels" / provisioner / "kernel.json").write_text(json.dumps(spec))


class OurKernel(jupyter_kernel_test.KernelTests):
    """Messages of every kind, validated against the schema of Jupyter's messages."""

    __test__ = False
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('oops', file=sys.stderr)"
    code_page_something = "zip?"
    code_generate_error = "raise ValueError('wrong')"
    code_clear_output = "from IPython.display import clear_output; clear_output()"
    code_inspect_sample = "zip"
    completion_samples: ClassVar = [{"text": "zi", "matches": {"zip"}}]
    complete_code_samples: ClassVar = ["1", "print('hello')", "def f(x):\n  return x\n\n"]
    incomplete_code_samples: ClassVar = ["print('''hello", "def f(x):\n  x*2"]
    invalid_code_samples: ClassVar = ["import = 7"]
    code_execute_result: ClassVar = [
        {"code": "6*7", "result": "42"},
        {"code": "[1, 'a']", "result": "[1, 'a']"},
    ]
    code_display_data: ClassVar = [
        {"code": "from IPython.display import HTML, display; display(HTML('<b>x</b>'))",
         "mime": "text/html"},
        {"code": "display(5)", "mime": "text/plain"},
    ]  # fmt: skip

    @classmethod
    def setUpClass(cls) -> None:
        """Start a kernel by its kernelspec."""
        directory = tempfile.TemporaryDirectory(prefix="pcm-")
        cls.addClassCleanup(directory.cleanup)
        install(Path(directory.name), cls.kernel_name)
        environment = {"JUPYTER_PATH": directory.name, "IPYTHONDIR": f"{directory.name}/ipython"}
        with mock.patch.dict(os.environ, environment):
            super().setUpClass()

    @classmethod
    def tearDownClass(cls) -> None:
        """End the kernel."""
        super().tearDownClass()
        cls.km.context.destroy(linger=0)


class TestTemplate(OurKernel):
    """A kernel forked from a template."""

    __test__ = True
    kernel_name = "py-code-mode-template"


class TestLocal(OurKernel):
    """A kernel in a process of its own."""

    __test__ = True
    kernel_name = "py-code-mode-local"
