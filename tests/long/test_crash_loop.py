# SPDX-License-Identifier: MIT
"""Hundreds of kills and copies of one store after another; tests/mount/crashes.py says what must hold."""

import pytest

from crashes import crashing


@pytest.mark.parametrize("seed", [11, 12])
def test_two_hundred_kills(tmp_path, seed):
    with crashing(tmp_path, seed=seed) as crashes:
        for i in range(200):
            if i % 40 == 39:
                crashes.begin_anew()
            crashes.round(.4)


@pytest.mark.parametrize("seed", [21, 22])
def test_a_hundred_copies(tmp_path, seed):
    """With calls enough for several rounds of the WAL."""
    with crashing(tmp_path, seed=seed, days=40, calls=200) as crashes:
        while crashes.figures["copies checked"] < 100:
            if crashes.figures["kills"] % 8 == 7:
                crashes.begin_anew()
            crashes.round(2, crashes.keep_copying)
            crashes.check_copies(10)
