# SPDX-License-Identifier: MIT
"""TLS: who is trusted, and that nobody else is told anything. Connections that go bad later are in
fault_table.py."""

import base64
import os

import pytest

from expect import error_of, render
from fault_table import tls_env
from harness import CDRFS, day
from tls import Nginx, plaintext

HELD, NEVER_ASKED = day(6), day(8)


def credentials(sim):
    return base64.b64encode(f"{sim.auth_id}:{sim.token}".encode())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_that_is_right(sim_of, mount_of, relay_of, authority, host):
    sim = sim_of({HELD: 407})
    relay = relay_of(sim, authority.tls("good"))
    mount = mount_of(sim, env=tls_env(relay, authority, host))
    assert mount.stderr == b"" and mount.ls(HELD) == sim.names(HELD)
    for row in sim.oracle(HELD)[::50]:
        assert (mount.day(HELD) / f"{row['call_uuid']}.json").read_bytes() == render(row["raw"])
    assert sim.requests() == 21 and relay.connections <= 8
    assert credentials(sim) in relay.heard  # so it would be seen where it should not be


SAYS = {"expired": b"has expired", "wrong-host": b"name matches target host",
        "self-signed": b"self-signed", "plaintext": b"wrong version number",
        "nobody vouches": b"unable to get local issuer", "no such file": b"certificate file"}


@pytest.mark.parametrize("wrong", SAYS)
def test_a_way_that_cannot_be_trusted_is_a_warning_and_is_told_nothing(
        sim_of, mount_of, relay_of, authority, wrong):
    sim = sim_of({HELD: 45, NEVER_ASKED: 5})
    first = mount_of(sim)
    names = first.ls(HELD)
    first.unmount()
    sim.clear_log()
    shown = wrong if authority.pem(wrong).exists() else "good"
    relay = relay_of(sim, plaintext if wrong == "plaintext" else authority.tls(shown))
    env = tls_env(relay, authority)
    if wrong == "nobody vouches":
        del env["SSL_CERT_FILE"]
    elif wrong == "no such file":
        env["SSL_CERT_FILE"] += ".missing"
    mount = mount_of(sim, cache=first.cache, env=env)
    assert len(mount.stderr.splitlines()) == 1 and SAYS[wrong] in mount.stderr
    assert mount.ls(HELD) == names and (mount.day(HELD) / names[0]).read_bytes()
    assert error_of(os.listdir, mount.day(NEVER_ASKED)) == "EHOSTUNREACH"
    assert sim.stats()["requests"] == 0 and (relay.connections or wrong == "no such file")
    assert credentials(sim) not in relay.heard and b"HTTP/1" not in relay.heard
    assert not relay.heard or wrong == "plaintext"


def test_the_file_of_certificates_may_be_named_from_here(sim_of, mount_of, relay_of, authority):
    """Going to the background changes what is here."""
    sim = sim_of({HELD: 45})
    relay = relay_of(sim, authority.tls("good"))
    env = {**tls_env(relay, authority), "SSL_CERT_FILE": authority.ca.name}
    mount = mount_of(sim, start=False, env=env)
    mount.path.mkdir()
    mount.run(CDRFS, "-o", mount.options, mount.path, cwd=authority.folder)
    mount.follow()
    assert mount.stderr == b"" and mount.ls(HELD) == sim.names(HELD)


def test_an_empty_name_of_that_file_is_none(sim_of, mount_of, relay_of, authority):
    """What fails is that nobody vouches for the host, not that there is no such file."""
    sim = sim_of({HELD: 45})
    relay = relay_of(sim, authority.tls("good"))
    mount = mount_of(sim, env={**tls_env(relay, authority), "SSL_CERT_FILE": ""})
    assert SAYS["nobody vouches"] in mount.stderr and relay.connections


def test_a_host_that_speaks_http_2_is_asked_on_one_connection(
        sim_of, mount_of, authority, tmp_path):
    sim = sim_of({HELD: 407})
    nginx = Nginx(sim, authority, tmp_path / "nginx")
    try:
        mount = mount_of(sim, env=tls_env(nginx, authority))
        assert mount.stderr == b"" and mount.ls(HELD) == sim.names(HELD)
    finally:
        nginx.stop()
    assert nginx.log() == [["HTTP/2.0", "1", "200"]] * 22
