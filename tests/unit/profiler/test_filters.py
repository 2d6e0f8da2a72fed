from __future__ import annotations

import time

from relive_base.ids import new_invocation_id
from relive_profiler.explore.filters import HotFilter, earliest_ns, parameters


def test_an_invocations_id_bounds_the_time_in_which_its_profile_lies():
    made = time.time_ns()
    one, other = new_invocation_id(), new_invocation_id()
    assert made - 62e9 < earliest_ns((one, other)) <= made - 59e9
    assert parameters(HotFilter(invocation_ids=(one,)))["since"] == earliest_ns((one,))
    # What the filter itself says comes first
    assert parameters(HotFilter(invocation_ids=(one,), since_ns=5))["since"] == 5


def test_other_ids_bound_nothing():
    assert earliest_ns(()) == 0
    assert earliest_ns(("i-1",)) == 0
    assert earliest_ns((new_invocation_id(), "zz" * 16)) == 0
