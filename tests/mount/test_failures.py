# SPDX-License-Identifier: MIT
"""What a person sees when the API refuses or is away: at the start, and of what is held. The errno
of each fault is in fault_table.py."""

import os
import socket
import stat

import pytest

from expect import error_of
from harness import day

OLD = day(6)
NEVER_ASKED = day(8)
UUID = "6c3a8b60-26e0-4842-9387-2350de79f16b"


@pytest.fixture(name="closed_url", scope="module")
def _closed_url():
    """An api_url whose port nobody listens on, and nobody else can take."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{s.getsockname()[1]}/v1"


# --- at start ---


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_end_the_start(sim_of, cdrfs, tmp_path, status):
    sim = sim_of()
    sim.refuse(status)
    where, cache = tmp_path / "mnt", tmp_path / "cache"
    where.mkdir()
    done = cdrfs("-o", f"cache_dir={cache}", where, PLIVO_AUTH_ID=sim.auth_id,
                 PLIVO_AUTH_TOKEN=sim.token, PLIVO_API_URL=sim.api_url)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and str(status) in done.stderr
    assert not os.path.ismount(where) and sim.requests() == 1


@pytest.mark.parametrize("flags", [[], ["-f"]])
def test_a_wrong_token_ends_the_start(sim_of, cdrfs, tmp_path, flags):
    sim = sim_of()
    where, cache = tmp_path / "mnt", tmp_path / "cache"
    where.mkdir()
    done = cdrfs(*flags, "-o", f"cache_dir={cache}", where, PLIVO_AUTH_ID=sim.auth_id,
                 PLIVO_AUTH_TOKEN="a-wrong-token", PLIVO_API_URL=sim.api_url)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "PLIVO_AUTH_TOKEN" in done.stderr
    assert "a-wrong-token" not in done.stderr
    assert not os.path.ismount(where)


def test_an_api_that_is_away_at_the_start_is_a_warning(sim_of, mount_of, closed_url):
    sim = sim_of({OLD: 45})
    first = mount_of(sim)
    names = first.ls(OLD)
    first.unmount()
    mount = mount_of(sim, cache=first.cache, env={"PLIVO_API_URL": closed_url})
    assert len(mount.stderr.splitlines()) == 1
    assert mount.ls(OLD) == names == sim.names(OLD)
    assert [stat.S_ISREG(os.stat(mount.day(OLD) / n).st_mode) for n in names] == [True] * 45
    assert (mount.day(OLD) / names[0]).read_bytes()
    assert error_of(os.listdir, mount.day(NEVER_ASKED)) == "EHOSTUNREACH"
    assert sim.requests() == 0


def test_an_api_that_fails_at_the_start_is_a_warning(sim_of, mount_of):
    sim = sim_of({OLD: 5})
    sim.refuse(503)
    mount = mount_of(sim)
    assert len(mount.stderr.splitlines()) == 1 and b"503" in mount.stderr
    sim.mend()
    assert mount.ls(OLD) == sim.names(OLD)


# --- later ---


def test_a_refusal_holds_back_further_requests(sim_of, mount_of):
    """401 and 403 are not hammered: asked once more, then nothing for 30 s."""
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    sim.refuse(403, count=2)
    assert error_of(os.listdir, mount.day(OLD)) == "EACCES"
    assert error_of(os.listdir, mount.day(OLD, "inbound")) == "EACCES"
    assert error_of(os.listdir, mount.day(NEVER_ASKED)) == "EACCES"
    assert error_of(os.stat, mount.day(OLD) / f"{UUID}.json") == "EACCES"
    assert sim.requests() == 2


def test_an_api_that_went_away(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    names = mount.ls(OLD)
    sim.stop()
    assert error_of(os.listdir, mount.day(NEVER_ASKED)) == "EHOSTUNREACH"
    assert mount.ls(OLD) == names and (mount.day(OLD) / names[0]).read_bytes()


def test_retry_after_is_obeyed(sim_of, mount_of):
    sim = sim_of({OLD: 5})
    mount = mount_of(sim)
    sim.fault("status", status=429, headers={"Retry-After": "1"})
    assert mount.ls(OLD) == sim.names(OLD)
    first, second = sim.log()
    assert second["t"] - first["t"] >= 0.99


def test_what_is_held_is_listed_while_the_api_fails(sim_of, mount_of):
    sim = sim_of({OLD: 0})
    sim.calls(30, f"{day(0)} 09:00:00", 1)
    mount = mount_of(sim, ttl=0)
    mount.ls(OLD)
    names = mount.ls(day(0))
    sim.refuse(500)
    sim.clear_log()
    assert mount.ls(day(0)) == names and mount.ls(day(0), "inbound")
    assert sim.requests() > 0  # it was asked, and failed
    assert error_of(os.listdir, mount.day(NEVER_ASKED)) == "EIO"
    sim.mend()
    sim.calls(3, f"{day(0)} 12:00:00")
    assert mount.ls(day(0)) == sim.names(day(0))


def test_stale_if_error_can_be_forbidden(sim_of, mount_of):
    sim = sim_of({OLD: 5})
    sim.calls(30, f"{day(0)} 09:00:00", 1)
    mount = mount_of(sim, ttl=0, stale_if_error=0)
    mount.ls(OLD)
    mount.ls(day(0))
    sim.refuse(500)
    assert error_of(os.listdir, mount.day(day(0))) == "EIO"
    assert mount.ls(OLD) == sim.names(OLD)  # final: no limit
