# SPDX-License-Identifier: MIT
"""Twenty seconds of what tests/long/soak.py does for as long as is wished."""

import pytest

from harness import day
from turmoil import Rules, Turmoil

COUNTS = {day(1): 150, day(2): 90, day(3): 0, **{day(ago): 12 for ago in range(4, 91, 3)},
          **{day(ago): 8 for ago in range(86, 90)}}


def test_readers_faults_and_remounts_for_twenty_seconds(tmp_path):
    turmoil = Turmoil(tmp_path, seed=1, rules=Rules(deadline=3, calm=5), counts=COUNTS, views=8)
    turmoil.run(18, readers=4, weather=(2, 3), lives=(2, 5), days=1)
    print(dict(turmoil.figures))


def test_what_did_not_hold_leaves_the_logs_behind(tmp_path):
    """Of the simulator, and of a mount in the background too."""
    turmoil = Turmoil(tmp_path, seed=1, rules=Rules(deadline=3, calm=5), counts=COUNTS, views=8)
    with pytest.raises(AssertionError) as error:
        turmoil.run(1, readers=1, weather=(60, 60), lives=(60, 60), days=0,
                    tick=lambda: turmoil.wrong("it is only a test"))
    parts = str(error.value).split("--- ")
    assert "it is only a test" in parts[0] and "mount 0" in parts[1]
    assert [part.split("\n")[0] for part in parts[1:]] == [
        "what was done", "log of the mount (status=None)", ".cdrfs", "log of the simulator"]
    assert "requests: " in parts[3] and "/Zentrunk/Call/" in parts[4]
