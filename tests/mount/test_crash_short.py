# SPDX-License-Identifier: MIT
"""A few rounds of what tests/long/test_crash_loop.py does for minutes."""

from crashes import crashing


def test_ten_kills_while_much_goes_on(tmp_path):
    with crashing(tmp_path, seed=1, days=8) as crashes:
        for _ in range(10):
            crashes.round(.25)
    assert crashes.figures["whole"] > 100


def test_copies_of_a_store_that_is_being_written(tmp_path):
    with crashing(tmp_path, seed=2, days=8) as crashes:
        for _ in range(3):
            crashes.round(.5, crashes.keep_copying)
            crashes.check_copies(4)
    assert crashes.figures["copies checked"] > 6
