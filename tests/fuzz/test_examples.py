"""The targets once more with Hypothesis as the one who chooses: it needs no wheels of atheris."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tests.fuzz.runner import LONGEST
from tests.fuzz.targets import TARGETS, load


@pytest.mark.parametrize("target", TARGETS)
@examples(50)
@given(st.binary(max_size=LONGEST))
def test_a_target_finds_nothing(target, data):
    """Real data, changed in ways that Hypothesis chooses, shows no fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the data says; only what is raised is a finding
        load(target)(data)
