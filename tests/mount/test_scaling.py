# SPDX-License-Identifier: MIT
"""docs/SCALING.md has the tables that tests/bench/scaling.py computes, and its recipe works."""

import re
import subprocess
import sys

from harness import PATIENCE_S, ROOT, day
from postgres import Postgres

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
    few, many = scaling.play(hosts=10), scaling.play(hosts=100)
    assert many.copied > 9 * few.copied  # each copies all, once a look
    assert abs(many.requests - few.requests) < few.requests / 10  # and one asks the API


def test_the_recipe(sim_of, mount_of):
    """As the page says, but for the password and the name of the host."""
    for step in ("createuser --pwprompt cdrfs", "createdb --owner=cdrfs cdrfs",
                 "shared=postgresql://cdrfs@db.example.org/cdrfs,cache_dir="):
        assert step in TEXT
    server = Postgres()
    try:
        server.run("createuser", "-h", server.folder, "-U", "cdrfs", "fleet")
        server.run("createdb", "-h", server.folder, "-U", "cdrfs", "--owner=fleet", "fleet")
        url = f"postgresql://fleet@/fleet?host={server.folder}"
        sim = sim_of({day(5): 45})
        one, two = mount_of(sim, shared=url), mount_of(sim, shared=url)
        assert one.ls(day(5)) == sim.names(day(5))
        while ", 0 still to publish; 0 windows leased" not in (one / ".cdrfs/status").read_text():
            pass
        sim.clear_log()
        assert two.ls(day(5)) == sim.names(day(5)) and sim.requests() == 0
        assert "shared tier: together" in (two / ".cdrfs/status").read_text()
    finally:
        server.stop()
