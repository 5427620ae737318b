# SPDX-License-Identifier: MIT
"""cdrfsctl: finds the mount, and does what it is asked, on a terminal and without."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from harness import CDRFS, PATIENCE_S, day
from lab import find
from terminal import Terminal

CTL = os.environ.get("CDRFSCTL", str(pathlib.Path(CDRFS).parent / "ctl/cdrfsctl"))
OLD, OTHER = day(6), day(7)


def ctl(*args, cwd="/"):
    return subprocess.run([CTL, *map(str, args)], cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=PATIENCE_S, check=False)


def good(*args, cwd="/"):
    done = ctl(*args, cwd=cwd)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout


@pytest.fixture(name="held")
def _held(sim_of, mount_of):
    sim = sim_of({OLD: 45, OTHER: 20})
    mount = mount_of(sim)
    mount.ls(OLD)
    sim.clear_log()
    return sim, mount


def test_help_fits_a_screen():
    for flag in ["-h", "--help"]:
        lines = good(flag).splitlines()
        assert len(lines) <= 24 and max(map(len, lines)) <= 88
    assert good("--version").startswith("cdrfsctl ")


@pytest.mark.parametrize("args", [[], ["nonsense"], ["--nonsense"], ["--json", "status"]])
def test_bad_usage_is_one_line_and_status_1(args):
    done = ctl(*args)
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(r"cdrfsctl: [^\n]+\n", done.stderr)


def test_the_mount_above_a_path_is_found(held, tmp_path):
    sim, mount = held
    expected = (mount / ".cdrfs/status").read_text().splitlines()[0]
    (tmp_path / "link").symlink_to(mount.path)
    for args, cwd in [([mount.path], "/"), ([mount / f"by-date/{OLD}"], "/"), ([], mount.path),
                      ([mount / "not/there"], "/"), ([tmp_path / "link/by-date"], "/"),
                      ([f"../{OLD}"], mount / "by-direction"), ([mount.path.name], mount.path.parent)]:
        assert good("status", *args, cwd=cwd).splitlines()[0] == expected, (args, cwd)
    assert sim.requests() == 0


def test_a_path_in_no_mount_is_an_error(held, tmp_path):
    done = ctl("status", tmp_path)
    assert held and done.returncode == 1 and "is in no mount of cdrfs" in done.stderr


def test_where_there_are_several_mounts_they_are_named(sim_of, mount_of):
    sim = sim_of()
    mounts = [mount_of(sim), mount_of(sim)]
    done = ctl("refresh", "by-date")
    assert done.returncode == 1
    assert all(f"  {mount.path}\n" in done.stderr for mount in mounts)


def test_refresh_has_it_read_anew(held):
    sim, mount = held
    assert good("refresh", f"by-date/{OLD}", cwd=mount.path) == ""
    assert sim.requests() == 0
    mount.ls(OLD)
    assert sim.requests() == 1
    done = ctl("refresh", mount / "nonsense", mount / f"by-date/{OLD}")
    assert done.returncode == 1 and "nonsense: No such file or directory" in done.stderr
    mount.ls(OLD)
    assert sim.requests() == 2


def test_explain_is_for_people_or_json(held):
    sim, mount = held
    text = good("explain", mount / f"by-date/{OLD}")
    assert text.startswith(f"by-date/{OLD}\n") and "whole, 45 calls, 3 pages" in text
    assert "believed  for ever" in text and "to read   0 requests\n" in text
    assert "to reread 1 request, " in text and '"$PLIVO_AUTH_TOKEN"' in text and sim.token not in text
    told = json.loads(good("explain", "--json", mount / f"by-date/{OLD}"))
    assert told == json.loads((mount / f".cdrfs/explain/by-date/{OLD}").read_text())
    assert "at least 1 request" in good("explain", mount / f"by-date/{OTHER}")
    name = mount.ls(OLD)[0]
    assert json.loads(good("explain", "--json", mount / f"by-date/{OLD}/{name}"))["calls"] == 1
    assert "by-date/" in good("explain", mount.path) and sim.requests() == 0
    assert f"by-direction/inbound/{day(89)}.." in good("explain", mount / "by-direction/inbound")
    assert ctl("explain", mount / "by-date/2026-13-01").returncode == 1


def test_prefetch_reads_ahead_and_says_what_it_cost(held):
    sim, mount = held
    done = good("prefetch", f"by-date/{day(9)}..{OLD}", cwd=mount.path)
    last = done.splitlines()[-1]
    assert re.fullmatch(rf"by-date/{day(9)}\.\.{OLD}: 65 calls, \d+ requests, 0:\d\d", last)
    assert int(re.search(r"(\d+) requests", last)[1]) == sim.requests() <= 3
    sim.clear_log()
    assert len(find(mount / "by-date" / OTHER, "-name", "*.json")) == 20 and sim.requests() == 0
    assert "0 requests" in good("prefetch", mount / f"by-date/{OTHER}")


def test_prefetch_of_a_failing_api_is_status_2_and_tells_why(held):
    sim, mount = held
    sim.refuse(500, body=json.dumps({"error": "out of order"}))
    done = ctl("prefetch", mount / f"by-date/{OTHER}")
    assert done.returncode == 2 and "not whole" in done.stdout
    assert "EIO" in done.stderr and "HTTP 500: out of order (try again)" in done.stderr
    assert ctl("status", mount.path).returncode == 2
    sim.mend()
    assert ctl("prefetch", mount / f"by-date/{OTHER}").returncode == 0
    assert ctl("status", mount.path).returncode == 0


def test_a_terminal_has_a_progress_bar(sim_of, mount_of):
    sim = sim_of({day(i): 100 for i in range(3, 9)})
    mount = mount_of(sim)
    sim.stall(skip=3)
    terminal = Terminal(CTL, "prefetch", f"{day(8)}..{day(3)}", cwd=mount.path)
    try:
        shown = terminal.wait_for(r"\[#+\.+\] +\d+%  [1-9]\d* calls, \d+ calls/s, ETA \d+:\d\d, "
                                  r"\d+ requests left at 1000/s")
        assert "\n" not in shown.strip()
        sim.mend()
        assert terminal.wait_for_end() == 0
        assert re.search(r"600 calls, \d+ requests, \d+:\d\d\r\n", terminal.shown)
    finally:
        terminal.close()


def test_an_interrupted_prefetch_goes_on(sim_of, mount_of):
    sim = sim_of({OLD: 100})
    mount = mount_of(sim)
    sim.stall(skip=1)
    terminal = Terminal(CTL, "prefetch", OLD, cwd=mount.path)
    try:
        terminal.wait_for(r"\d calls/s")
        terminal.send("\x03")
        assert terminal.wait_for_end() < 0
    finally:
        terminal.close()
    sim.mend()
    assert good("prefetch", OLD, cwd=mount.path).splitlines()[-1].startswith(f"by-date/{OLD}: 100 calls")
    assert sim.requests() == 5
