"""What runs inside a kernel: ``tools``, ``skills`` and ``artifacts`` for the agent's code.

Standard library and what ipykernel itself brings, nothing else; never imports ``py_code_mode``.
Order, top may import down: ``__main__`` > ``kernel`` > ``namespaces | skills | values | cells``
> ``catalogue | describing | mapping`` > ``link | functions | threads | progress`` > ``wire``. The
host imports ``kernel_bootstrap.wire`` alone.

The errors an agent's code may want to catch are importable from here::

    from kernel_bootstrap import ToolError
"""

from kernel_bootstrap.wire.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactWriteError,
    CodeModeError,
    PolicyError,
    SkillError,
    SkillNotFoundError,
    SkillValidationError,
    ToolCallError,
    ToolDeniedError,
    ToolError,
    ToolNotFoundError,
    ToolTimeoutError,
)

__all__ = [
    "ArtifactError",
    "ArtifactNotFoundError",
    "ArtifactWriteError",
    "CodeModeError",
    "PolicyError",
    "SkillError",
    "SkillNotFoundError",
    "SkillValidationError",
    "ToolCallError",
    "ToolDeniedError",
    "ToolError",
    "ToolNotFoundError",
    "ToolTimeoutError",
]
