# SPDX-License-Identifier: MIT
"""docs/SCALING.md has the tables that tests/bench/scaling.py computes, and its recipe works."""

import re
import subprocess
import sys

import pytest

from harness import PATIENCE_S, ROOT, day
from shared import published

PROGRAM = ROOT / "tests/bench/scaling.py"
TEXT = (ROOT / "docs/SCALING.md").read_text(encoding="utf-8")


def test_the_document_has_what_the_program_computes():
    computed = subprocess.run([sys.executable, PROGRAM], check=True, capture_output=True, text=True,
                              timeout=PATIENCE_S).stdout
    written = re.search(r"<!-- tests/bench/scaling.py -->\n(.*)<!-- end -->", TEXT, re.S).group(1)
    assert written.strip() == computed.strip()


def test_the_arithmetic_holds():
    sys.path.insert(0, str(PROGRAM.parent))
    import scaling  # pylint: disable=import-outside-toplevel
    assert len(scaling.WEIGHTS) == 24
    assert abs(sum(scaling.rates()) * 3600 - scaling.CALLS_A_DAY) < 1
    # An hour's calls in pages of 20, each read once, by whoever it is; and one more for each reading.
    for fleet in ({}, {"hosts": 10}, {"collector": True}, {"share": 0.001, "collector": True}):
        load = scaling.play(**fleet)
        new = scaling.rates()[scaling.PEAK] * 3600
        assert new - 120 * scaling.rates()[scaling.PEAK] <= load.published <= new
        assert load.published / 20 <= load.requests <= load.published / 20 + load.leases
        assert 0 <= load.looks - load.local - load.copies - load.leases <= 1000  # who still waits at the end
    whole, part = scaling.play(collector=True), scaling.play(share=0.001, collector=True)
    assert part.copied * 1000 == pytest.approx(whole.copied) and part.passed == whole.passed
    # Who copies has at least what is new, and no more than the overlap of clocks adds.
    assert 0.9 * 1000 * new < whole.copied < 3 * 1000 * new
    assert scaling.play() == scaling.play()
    few, many = scaling.play(hosts=10), scaling.play(hosts=100)
    assert many.copied > 9 * few.copied  # each copies all, once a look
    assert abs(many.requests - few.requests) < few.requests / 10  # and one asks the API


def test_the_recipe(sim_of, mount_of, postgres):
    """As the page says, but for the password and the name of the host."""
    for step in ("createuser --pwprompt cdrfs", "createdb --owner=cdrfs cdrfs",
                 "shared=postgresql://cdrfs@db.example.org/cdrfs,cache_dir="):
        assert step in TEXT
    postgres.run("createuser", "-h", postgres.folder, "-U", "cdrfs", "fleet")
    postgres.run("createdb", "-h", postgres.folder, "-U", "cdrfs", "--owner=fleet", "fleet")
    url = f"postgresql://fleet@/fleet?host={postgres.folder}"
    sim = sim_of({day(5): 45})
    one, two = mount_of(sim, shared=url), mount_of(sim, shared=url)
    assert one.ls(day(5)) == sim.names(day(5))
    published(one)
    sim.clear_log()
    assert two.ls(day(5)) == sim.names(day(5)) and sim.requests() == 0
    assert "shared tier: together" in (two / ".cdrfs/status").read_text()
