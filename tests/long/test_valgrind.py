# SPDX-License-Identifier: MIT
"""memcheck finds nothing: no invalid access, no value that was never set, no leak, and no descriptor
that is left; of a mount that has seen everything, and of the unit tests.

helgrind and drd are not used: they know nothing of C11 atomics, and the thread sanitizer does."""

import os
import pathlib
import re
import signal
import subprocess

import pytest

from expect import error_of, render
from harness import CDRFS, PATIENCE_S, day
from lab import find

OLD, OTHER, LONG, BROKEN, STALLED = (day(ago) for ago in (6, 12, 20, 40, 45))
SUPPRESSIONS = pathlib.Path(__file__).with_name("valgrind.supp")
MEMCHECK = ["valgrind", "--error-exitcode=99", "--leak-check=full",
            "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect",
            "--child-silent-after-fork=no", "--track-fds=yes", f"--suppressions={SUPPRESSIONS}"]
UNIT = pathlib.Path(CDRFS).parent / "tests/unit"
# Those that allocate or wait, and take seconds rather than minutes here. Not test_store, whose forks
# end in the middle of things.
UNIT_TESTS = ["account", "breaker", "cache", "cache_walk", "jtext", "node", "nomem", "options", "path",
              "render", "shot", "worker"]
BABBLE = {"kind": "body", "body": "<html>gateway</html>"}


class Checked:
    """A mount under memcheck."""

    def __init__(self, mount):
        self.mount, self.log = mount, pathlib.Path(f"{mount.path}.memcheck")
        mount.path.mkdir(parents=True)
        mount.start_in_foreground(*MEMCHECK, f"--log-file={self.log}", CDRFS, "-f", "-o",
                                  mount.options, mount.path)
        mount.follow()
        mount.watchdog.cancel()  # it is slow, and each wait has an end of its own

    def ended_well(self):
        status = self.mount.process.wait(PATIENCE_S)
        text = self.log.read_text(encoding="utf-8", errors="replace")
        assert status == 0 and "ERROR SUMMARY: 0 errors" in text, text
        assert not left_open(text), text


def left_open(text):
    """The descriptors that were not there before the program began."""
    found = re.findall(r"Open .*? (\d+):[^\n]*\n(==\d+==    .*)\n", text)
    return [number for number, where in found if "<inherited from parent>" not in where]


@pytest.fixture(name="checked")
def _checked(sim_of, mount_of):
    """checked(**options): a simulator with calls, and a mount of it under memcheck."""

    def make(**options):
        sim = sim_of({OLD: 45, OTHER: 20, LONG: 407, BROKEN: 45, STALLED: 25, day(0): 3})
        return sim, Checked(mount_of(sim, start=False, deadline=30, ttl=0, **options))

    return make


def read_everything(sim, mount, name):
    """A day in every form."""
    assert mount.ls(name) == sim.names(name)
    for row in sim.oracle(name):
        path = mount.day(name) / f"{row['call_uuid']}.json"
        assert path.read_bytes() == render(row["raw"]) and os.stat(path).st_size
    assert (mount / f"csv/by-date/{name}.csv").read_bytes()
    assert (mount / f"ndjson/by-direction/inbound/{name}.ndjson").read_bytes()
    assert set(find(mount.path / "by-direction/inbound" / name)) <= {".", *sim.names(name)}


def look_about(mount):
    """What else there is."""
    for where in ("", "by-date", "by-from", "by-trunk", "by-stir", ".cdrfs", "csv/by-date"):
        assert os.listdir(mount / where)
    assert not os.listdir(mount / "by-uuid")
    os.listdir(mount / "by-date" / f"{OLD}T12")
    number = os.listdir(mount / "by-from")[0]
    os.listdir(mount / "by-from" / number)  # read at once: it picks few calls
    os.listdir(mount / "by-bill-duration/gte-60/by-bill-duration/lt-600" / OLD)
    assert "held: " in (mount / ".cdrfs/status").read_text()
    os.statvfs(mount.path)
    for name in (".git", "x" * 300, "6c3a8b60-26e0-4842-9387-2350de79f16b.json"):
        assert error_of(os.stat, mount.day(OLD) / name) in ("ENOENT", "ENAMETOOLONG")
    assert error_of(os.mkdir, mount / "new") == "EROFS"
    assert error_of(os.listdir, mount.day("2019-01-01")) == "ENODATA"
    assert error_of(os.listdir, mount.day(day(-2))) == "ENOENT"


def see_it_change(sim, mount):
    """New calls, amended ones, and two ways to ask for them."""
    uuid = sim.oracle(OLD)[-1]["call_uuid"]
    sim.amend(uuid, total_amount='"9.99999"')
    sim.calls(2, f"{OLD} 23:59:59")
    (mount / ".cdrfs/refresh").write_text(f"by-date/{OLD}\nby-direction/inbound\n")
    assert mount.ls(OLD) == sim.names(OLD)
    assert b"9.99999" in (mount.day(OLD) / f"{uuid}.json").read_bytes()
    assert error_of((mount / ".cdrfs/refresh").write_text, "nonsense") == "ENOENT"
    mount.send(signal.SIGHUP)
    assert mount.ls(OTHER) == sim.names(OTHER)


def suffer(sim, mount):
    """What goes wrong once passes, what goes on is an error; nothing of it stays."""
    for i, fault in enumerate([
            {"kind": "reset"}, {"kind": "truncate"}, BABBLE, {"kind": "status", "status": 503},
            {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}}]):
        sim.fault(**fault, match=f"offset={20 * (i + 1)}&")
    assert mount.ls(LONG) == sim.names(LONG)
    for fault, expected in ((BABBLE, "EBADMSG"), ({"kind": "status", "status": 404}, "EIO")):
        sim.fault(**fault, count=-1)
        assert error_of(os.listdir, mount.day(BROKEN)) == expected
        assert len(mount.ls(day(0))) == 3 or sim.oracle(day(0))  # stale, and served all the same
        sim.mend()
    uuid = sim.oracle(BROKEN)[0]["call_uuid"]
    assert (mount / f"by-uuid/{uuid}.json").read_bytes()
    assert mount.ls(BROKEN) == sim.names(BROKEN)
    os.listdir(mount / "by-date" / day(88)[:7])


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGINT, "fusermount3"])
def test_a_mount_that_has_seen_everything(checked, spawn, way):
    sim, check = checked()
    mount = check.mount
    mount.ls(day(0))
    read_everything(sim, mount, OLD)
    look_about(mount)
    see_it_change(sim, mount)
    suffer(sim, mount)
    sim.stall()
    waiting = [spawn("ls", mount.day(STALLED)), spawn("cat", mount / f"csv/by-date/{day(50)}.csv"),
               spawn("stat", mount.day(day(55)) / "some-call.json")]
    sim.wait(in_flight=3)
    waiting[0].send_signal(signal.SIGINT)
    waiting[0].communicate(timeout=PATIENCE_S)
    if way == "fusermount3":
        subprocess.run(["fusermount3", "-uz", mount.path], check=True, timeout=PATIENCE_S)
        for process in waiting:
            process.kill()
            process.communicate(timeout=PATIENCE_S)
    else:
        mount.send(way)
    check.ended_well()


def test_a_mount_of_the_legacy_host(checked):
    sim, check = checked(dialect="legacy", console_tz="Asia/Kolkata", keep_days=90)
    mount = check.mount
    assert mount.ls(OLD) == sim.names(OLD)
    rows = sim.oracle(OTHER, "legacy")
    assert (mount / f"by-uuid/{rows[0]['call_uuid']}.json").read_bytes() == render(rows[0]["raw"])
    os.listdir(mount / f"by-initiation-time/gte-{OLD}T12:00/{OLD}")
    subprocess.run(["fusermount3", "-u", mount.path], check=True, timeout=PATIENCE_S)
    check.ended_well()


def test_a_start_that_is_refused(sim_of, cdrfs_checked):
    sim = sim_of()
    sim.refuse(401)
    cdrfs_checked(sim, "-f", expected=1)


@pytest.fixture(name="cdrfs_checked")
def _cdrfs_checked(tmp_path, mount_of):
    """cdrfs_checked(sim, *arguments, expected=status): runs the command, which ends by itself."""

    def run(sim, *args, expected):
        mount, log = mount_of(sim, start=False), tmp_path / "memcheck"
        mount.path.mkdir()
        done = subprocess.run([*MEMCHECK, f"--log-file={log}", CDRFS, *args, "-o", mount.options,
                               mount.path], env=mount.env, stdin=subprocess.DEVNULL, timeout=PATIENCE_S,
                              capture_output=True, check=False)
        text = log.read_text(encoding="utf-8", errors="replace")
        assert done.returncode == expected and "ERROR SUMMARY: 0 errors" in text, (done, text)
        assert not left_open(text), text

    return run


@pytest.mark.parametrize("name", UNIT_TESTS)
def test_a_unit_test(name):
    done = subprocess.run([*MEMCHECK, "-q", UNIT / f"test_{name}"], env={**os.environ, "CK_FORK": "no"},
                          stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=1800)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")[-4000:]
