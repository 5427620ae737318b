# SPDX-License-Identifier: MIT
"""Ten minutes of soak.py, which is also a program."""

import sys

from soak import soak


def test_nothing_breaks_leaks_or_hangs_in_ten_minutes(tmp_path):
    soak(10, 20260526, tmp_path, out=sys.stderr)
