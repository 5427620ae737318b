# SPDX-License-Identifier: MIT
"""Every fault at full length: no answer says that it may be asked for again at once, unless that is
the fault."""

import time

import pytest

from fault_table import CASES, LISTED, Place, check, go_through
from harness import SLOW


@pytest.fixture(name="makers")
def _makers(sim_of, mount_of, relay_of, authority):
    return sim_of, mount_of, relay_of, authority


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_is_an_errno_until_it_ends(makers, case):
    check(case, go_through(case, makers))


@pytest.mark.parametrize("kind", ["stall", "drip"])
def test_an_answer_that_does_not_come_between_good_ones_goes_unnoticed(makers, kind):
    """For whoever has half a minute: without progress for 15 s it is asked for again."""
    place = Place({"kind": kind}, makers, {LISTED: 407})
    place.answers(count=1, skip=3)
    began = time.monotonic()
    assert place.mount.ls(LISTED) == place.sim.names(LISTED)
    assert time.monotonic() - began < 25 * SLOW
    assert place.requests() == 22
