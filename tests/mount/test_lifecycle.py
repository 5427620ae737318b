# SPDX-License-Identifier: MIT
"""A mount begins, ends, and keeps its secrets."""

import os
import select
import signal
import stat
import subprocess

import pytest

from expect import error_of
from harness import CDRFS, GONE_S, PATIENCE_S, day

OLD = day(6)
STALLED = [day(ago) for ago in range(10, 20, 2)]  # not one after another: none is read ahead


def park(spawn, sim, mount):
    """Five listings that stall."""
    sim.stall()
    waiting = [spawn("ls", mount.day(name)) for name in STALLED]
    sim.wait(in_flight=len(STALLED))
    return waiting


def ended_in_an_error(process):
    process.communicate(timeout=PATIENCE_S)
    return process.returncode > 0


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_unmounts(sim_of, mount_of, number, debug):
    mount = mount_of(sim_of({OLD: 5}), debug=debug)
    mount.ls(OLD)
    mount.send(number)
    assert mount.is_gone(GONE_S) and not mount.is_mounted()
    if debug:
        assert mount.process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_answers_all_who_wait(sim_of, mount_of, spawn, number):
    sim = sim_of({name: 25 for name in STALLED})
    mount = mount_of(sim, deadline=600)
    waiting = park(spawn, sim, mount)
    mount.send(number)
    assert mount.is_gone(GONE_S) and not mount.is_mounted()
    assert all(ended_in_an_error(process) for process in waiting)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_what_ends_the_start_leaves_no_background_behind(sim_of, mount_of, number):
    """Ctrl-C while the API does not answer: the process that would mount has another session."""
    sim = sim_of({OLD: 5})
    mount = mount_of(sim, start=False)
    mount.path.mkdir()
    sim.stall()
    with subprocess.Popen([CDRFS, "-o", mount.options, mount.path], env=mount.env) as first:
        sim.wait(in_flight=1)
        with open(f"/proc/{first.pid}/task/{first.pid}/children", encoding="ascii") as f:
            second = os.pidfd_open(int(f.read()))
        first.send_signal(number)
        assert first.wait(PATIENCE_S) == -number
    gone = select.select([second], [], [], GONE_S)[0]
    if not gone:
        signal.pidfd_send_signal(second, signal.SIGKILL)
    os.close(second)
    assert gone, "the background process is still there"
    assert not mount.is_mounted()
    sim.mend()
    mount.start()
    assert mount.ls(OLD) == sim.names(OLD)


def test_a_signal_in_the_middle_of_a_walk(sim_of, mount_of, spawn):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim)
    sim.config(latency_ms=50)
    ls = spawn("ls", mount.day(OLD))
    sim.wait(requests=12)
    mount.send(signal.SIGTERM)
    assert mount.is_gone(GONE_S) and not mount.is_mounted()
    assert ended_in_an_error(ls)
    again = mount_of(sim, cache=mount.cache)
    assert again.ls(OLD) == sim.names(OLD)


def test_an_idle_mount_is_unmounted_and_gone(sim_of, mount_of):
    mount = mount_of(sim_of({OLD: 45}))
    mount.ls(OLD)
    mount.unmount()
    assert not mount.is_mounted() and os.listdir(mount.path) == []


def test_a_mount_that_did_nothing_is_unmounted_and_gone(sim_of, mount_of):
    mount_of(sim_of()).unmount()


def test_a_foreground_mount_ends_with_status_0_and_says_nothing(sim_of, mount_of):
    mount = mount_of(sim_of({OLD: 45}), debug=True)
    mount.ls(OLD)
    mount.unmount()
    assert mount.process.returncode == 0


def test_an_unmount_while_the_api_stalls_for_nobody(sim_of, mount_of, spawn):
    """Who waited has left; the request is still out."""
    sim = sim_of({name: 25 for name in STALLED})
    mount = mount_of(sim, deadline=600)
    waiting = park(spawn, sim, mount)
    for process in waiting:
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    mount.unmount()


def test_a_lazy_unmount_lets_those_who_wait_finish(sim_of, mount_of, spawn):
    sim = sim_of({name: 25 for name in STALLED})
    mount = mount_of(sim, deadline=600)
    waiting = park(spawn, sim, mount)
    subprocess.run(["fusermount3", "-u", "-z", mount.path], check=True, timeout=PATIENCE_S)
    assert not mount.is_mounted()
    sim.mend()
    for process, name in zip(waiting, STALLED):
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0 and sorted(out.decode().split()) == sim.names(name), err
    assert mount.is_gone(GONE_S)


def test_a_file_open_at_a_lazy_unmount_stays_readable(sim_of, mount_of):
    mount = mount_of(sim_of({OLD: 45}))
    path = mount.day(OLD) / mount.ls(OLD)[0]
    with open(path, "rb") as f:
        subprocess.run(["fusermount3", "-u", "-z", mount.path], check=True, timeout=PATIENCE_S)
        assert f.read().endswith(b"\n}\n")
        assert not mount.is_gone(0)
    assert mount.is_gone(GONE_S)


def test_a_second_mount_on_a_store_says_who_holds_it(sim_of, mount_of, cdrfs, tmp_path):
    sim = sim_of({OLD: 5})
    first = mount_of(sim)
    where = tmp_path / "second"
    where.mkdir()
    done = cdrfs("-o", f"cache_dir={first.cache}", where, PLIVO_AUTH_ID=sim.auth_id,
                 PLIVO_AUTH_TOKEN=sim.token, PLIVO_API_URL=sim.api_url)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert str(first.pid) in done.stderr and str(first.store) in done.stderr
    assert not os.path.ismount(where) and first.ls(OLD) == sim.names(OLD)


def test_a_dead_mount_is_cleaned_up_by_the_next(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    dead = mount_of(sim)
    dead.ls(OLD)
    dead.kill()
    assert error_of(os.statvfs, dead.path) == "ENOTCONN"
    sim.clear_log()
    mount = mount_of(sim, where=dead.path, cache=dead.cache)
    assert mount.ls(OLD) == sim.names(OLD) and sim.requests() == 0
    mount.unmount()
    assert not mount.is_mounted()


def test_the_store_is_private(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    before = os.umask(0)
    try:
        mount = mount_of(sim)
    finally:
        os.umask(before)
    mount.ls(OLD)
    assert stat.S_IMODE(mount.cache.stat().st_mode) == 0o700
    files = list(mount.cache.iterdir())
    assert mount.store in files
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


def test_the_store_is_below_xdg_cache_home_by_default(sim_of, mount_of, tmp_path):
    xdg = tmp_path / "xdg"
    mount = mount_of(sim_of({OLD: 5}), start=False, cache=xdg / "cdrfs",
                     env={"XDG_CACHE_HOME": str(xdg)})
    mount.path.mkdir()
    mount.run(CDRFS, mount.path)
    mount.follow()
    assert len(mount.ls(OLD)) == 5 and mount.store.exists()
    assert stat.S_IMODE(mount.cache.stat().st_mode) == 0o700
    mount.unmount()


def test_the_token_is_nowhere(sim_of, mount_of):
    token = "f6f5a1c0-THE-secret-TOKEN"
    sim = sim_of({OLD: 45}, "--auth-token", token)
    mount = mount_of(sim, debug=True)
    sim.refuse(500, count=1)
    mount.ls(OLD)
    sim.fault("body", body=f"you said {token}")
    error_of(os.listdir, mount.day(day(7)))
    places = [f"/proc/{mount.pid}/{name}" for name in ("environ", "cmdline", "status", "mountinfo")]
    for place in [*places, *mount.cache.iterdir(), f"{mount.path}.output"]:
        try:
            with open(place, "rb") as f:
                content = f.read()
        except PermissionError:  # nobody but root may look, which is as good
            continue
        assert token.encode() not in content, place
    mount.unmount()
    assert token.encode() not in mount.output()
    assert all(token.encode() not in f.read_bytes() for f in mount.cache.iterdir())


def test_the_process_cannot_be_dumped(sim_of, mount_of):
    """Not dumpable: what is below /proc belongs to root, and no core is written."""
    mount = mount_of(sim_of())
    with open(f"/proc/{mount.pid}/limits", encoding="utf-8") as f:
        core = next(line.split() for line in f if line.startswith("Max core file size"))
    assert core[4:6] == ["0", "0"]
