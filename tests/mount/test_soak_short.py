# SPDX-License-Identifier: MIT
"""Twenty seconds of what tests/long/soak.py does for as long as is wished."""

from harness import day
from turmoil import Rules, Turmoil

COUNTS = {day(1): 150, day(2): 90, day(3): 0, **{day(ago): 12 for ago in range(4, 91, 3)},
          **{day(ago): 8 for ago in range(86, 90)}}


def test_readers_faults_and_remounts_for_twenty_seconds(tmp_path):
    turmoil = Turmoil(tmp_path, seed=1, rules=Rules(deadline=3, calm=5), counts=COUNTS, views=8)
    turmoil.run(18, readers=4, weather=(2, 3), lives=(2, 5), days=1)
    print(dict(turmoil.figures))
