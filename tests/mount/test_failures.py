# SPDX-License-Identifier: MIT
"""What a person sees when the API refuses, babbles or is away."""

import os
import socket
import stat

import pytest

from expect import error_of, render
from harness import day

OLD = day(6)
NEVER_ASKED = day(8)
UUID = "6c3a8b60-26e0-4842-9387-2350de79f16b"
RETRY_NOW = {"Retry-After": "0"}


@pytest.fixture(name="closed_url", scope="module")
def _closed_url():
    """An api_url whose port nobody listens on, and nobody else can take."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{s.getsockname()[1]}/v1"


def fails(sim, mount, expected, requests=None, name=None):
    """A cold day, its view by direction and a name in it all fail so; name: that one so."""
    assert error_of(os.listdir, mount.day(OLD)) == expected
    if requests:
        assert sim.requests() == requests
    assert error_of(os.listdir, mount.day(OLD, "inbound")) == expected
    assert error_of(os.stat, mount.day(OLD) / f"{UUID}.json") == (name or expected)


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


@pytest.mark.parametrize("status, expected, requests", [
    (400, "EIO", 4), (404, "EIO", 4), (403, "EACCES", 2), (401, "EACCES", 2), (429, "EBUSY", 4),
    (500, "EIO", 4), (502, "EIO", 4), (503, "EIO", 4), (504, "EIO", 4)])
def test_a_status_becomes_an_errno(sim_of, mount_of, status, expected, requests):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    sim.refuse(status)
    # Asked for one call, 404 is how the API says that there is none.
    fails(sim, mount, expected, requests, name="ENOENT" if status == 404 else None)


def test_a_refusal_holds_back_further_requests(sim_of, mount_of):
    """401 and 403 are not hammered: asked once more, then nothing for 30 s."""
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    sim.refuse(403, count=2)
    fails(sim, mount, "EACCES")
    assert error_of(os.listdir, mount.day(NEVER_ASKED)) == "EACCES"
    assert sim.requests() == 2


BABBLE = {
    "no JSON": "<html>gateway</html>",
    "nothing": "",
    "an array": "[]",
    "a number": "1",
    "no meta": '{"objects": []}',
    "no objects": '{"meta": {"total_count": 0}}',
    "objects that are none": '{"meta": {"total_count": 1}, "objects": {}}',
    "a total that is none": '{"meta": {"total_count": "many"}, "objects": []}',
    "a negative total": '{"meta": {"total_count": -1}, "objects": []}',
    "cut off": '{"meta": {"total_count": 1}, "objects": [{"call_uuid": "x"',
    "more behind it": '{"meta": {"total_count": 0}, "objects": []} x',
}


@pytest.mark.parametrize("what", BABBLE)
def test_an_answer_that_is_not_what_the_api_promises(sim_of, mount_of, what):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    sim.fault("body", body=BABBLE[what], count=-1)
    fails(sim, mount, "EBADMSG")
    sim.mend()
    assert mount.ls(OLD) == sim.names(OLD)


def test_an_answer_that_is_too_large(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    sim.fault("body", body_repeat={"text": " " * 1024, "times": 5000}, count=-1)
    fails(sim, mount, "EBADMSG")


def test_a_redirect_is_not_followed(sim_of, mount_of):
    sim, other = sim_of({OLD: 45}), sim_of({OLD: 45})
    mount = mount_of(sim)
    sim.fault("redirect", location=f"{other.api_url}/", count=-1)
    fails(sim, mount, "EIO")
    assert other.requests() == 0


@pytest.mark.parametrize("kind", ["truncate", "reset", "close"])
def test_a_connection_that_always_breaks(sim_of, mount_of, kind):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    sim.fault(kind, count=-1)
    assert error_of(os.listdir, mount.day(OLD)) == "EIO"
    sim.mend()
    assert mount.ls(OLD) == sim.names(OLD)


def test_an_api_that_went_away(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    names = mount.ls(OLD)
    sim.stop()
    assert error_of(os.listdir, mount.day(NEVER_ASKED)) == "EHOSTUNREACH"
    assert mount.ls(OLD) == names and (mount.day(OLD) / names[0]).read_bytes()


@pytest.mark.parametrize("fault", [
    {"kind": "status", "status": 503}, {"kind": "status", "status": 500}, {"kind": "truncate"},
    {"kind": "reset"}, {"kind": "close"}, {"kind": "status", "status": 429, "headers": RETRY_NOW}])
def test_a_failure_that_passes_goes_unnoticed(sim_of, mount_of, fault):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim)
    sim.fault(**fault, count=2)
    assert mount.ls(OLD) == sim.names(OLD)
    for row in sim.oracle(OLD)[::50]:
        assert (mount.day(OLD) / f"{row['call_uuid']}.json").read_bytes() == render(row["raw"])
    assert sim.requests() >= 23


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
