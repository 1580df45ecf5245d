"""Simulations: the whole app in memory, with faults."""

import pytest

pytest.register_assert_rewrite("tests.support.stories")
