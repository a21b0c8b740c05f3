"""What leaves the kernel as a value, and what is said of objects that stay.

Place in the house: runs in the kernel only, above ``wire``. A value crosses exactly (see
``wire.codec``) or stays here, and the host gets a summary with an expression that reaches it.

All of this looks at objects of users, whose attributes and reprs are code: it may fail, lie or
be slow. So nothing here raises for them, and nothing asks a large object for its whole repr.
An interrupt is the exception: it always passes.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kernel_bootstrap.sketch import bounded_repr, cut, one_line
from kernel_bootstrap.wire.codec import Buffer, encode
from kernel_bootstrap.wire.errors import ValueNotEncodableError
from kernel_bootstrap.wire.parts import type_name

__all__ = ["Summary", "bounded_repr", "describe_variables", "outgoing"]
