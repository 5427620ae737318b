# SPDX-License-Identifier: MIT
"""The command line: what it takes, and how it says no."""

import os

import pytest

from harness import CDRFS, clean_env, day

OLD = day(6)
ACCOUNT = {"PLIVO_AUTH_ID": "MASIMULATOR000000000", "PLIVO_AUTH_TOKEN": "a-token"}


def refused(done, *words):
    """Status 1, one line on stderr which has these words, nothing on stdout."""
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == "" and len(lines) == 1, done
    assert lines[0].startswith("cdrfs: ") and all(w in lines[0] for w in words), lines[0]


@pytest.fixture(name="empty")
def _empty(tmp_path):
    path = tmp_path / "mnt"
    path.mkdir()
    return path


@pytest.fixture(name="mounts")
def _mounts(sim_of, mount_of):
    """mounts(*arguments, **environment) runs the command, which must mount a day of 5 calls on
    mounts.path, silently."""
    sim = sim_of({OLD: 5})
    mount = mount_of(sim, start=False)
    mount.path.mkdir()

    def mounts(*args, **env):
        mount.env = clean_env(PLIVO_API_URL=sim.api_url, **env)
        mount.run(CDRFS, "-o", f"cache_dir={mount.cache}", *args)
        assert mount.stderr == b""
        mount.follow()
        assert mount.ls(OLD) == sim.names(OLD)
        mount.unmount()

    mounts.sim, mounts.path = sim, mount.path
    return mounts


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_fits_on_a_screen(cdrfs, flag):
    done = cdrfs(flag)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("usage: cdrfs ") and len(done.stdout.splitlines()) <= 40
    for option in ("ttl", "settle", "stale_if_error", "rate", "connections", "deadline",
                   "cache_dir", "uid", "gid", "umask", "log_level", "dialect", "api_url",
                   "auth_token_file"):
        assert option in done.stdout


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(cdrfs, flag):
    done = cdrfs(flag)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.startswith("cdrfs ")


@pytest.mark.parametrize("args, word", [
    (["-x"], "-x"), (["--frobnicate"], "--frobnicate"), (["-o", "frobnicate"], "frobnicate"),
    (["-o", "ro,frobnicate=7"], "frobnicate"), (["-ofrobnicate"], "frobnicate")])
def test_an_unknown_option_is_named(cdrfs, empty, args, word):
    refused(cdrfs(*args, empty, **ACCOUNT), word)
    refused(cdrfs(empty, *args, **ACCOUNT), word)


@pytest.mark.parametrize("option", [
    "ttl=x", "ttl=", "ttl", "ttl=-1", "ttl=5x", "ttl=1e3", "settle=1w", "rate=0", "rate=-1",
    "rate=nan", "rate=inf", "connections=0", "connections=1.5", "connections=-2", "deadline=0",
    "uid=root", "umask=9", "umask=1000", "dialect=new", "dialect=latest|legacy", "log_level=loud",
    "cache_dir=", "ro=1", "stale_if_error=", "api_url=http://example.org/v1",
    "api_url=ftp://127.0.0.1/v1", "api_url=example.org/v1", "api_url=http://127.0.0.1@example.org/",
    "api_url=http://localhost.example.org/v1", "auth_token=secret", "auth_token=a-b-c"])
def test_a_bad_value_is_refused_by_name(cdrfs, empty, tmp_path, option):
    done = cdrfs("-o", f"cache_dir={tmp_path}/c", "-o", option, empty, **ACCOUNT)
    refused(done, option.split("=", maxsplit=1)[0])
    assert not os.path.ismount(empty)
    assert "secret" not in done.stderr and "a-b-c" not in done.stderr


@pytest.mark.parametrize("option", ["ttl=0", "ttl=1h", "ttl=2d", "rate=0.5", "rate=1000",
                                    "connections=1", "settle=48h", "umask=077", "log_level=error"])
def test_a_good_value_is_taken(mounts, option):
    mounts("-o", option, mounts.path, PLIVO_AUTH_ID=mounts.sim.auth_id,
                  PLIVO_AUTH_TOKEN=mounts.sim.token)


def test_a_mountpoint_is_required(cdrfs):
    refused(cdrfs(**ACCOUNT), "mountpoint")


def test_too_many_arguments_are_refused(cdrfs, empty):
    refused(cdrfs("MASIMULATOR000000000", empty, empty, **ACCOUNT), "usage")


@pytest.mark.parametrize("kind", ["absent", "a file"])
def test_a_mountpoint_must_be_a_directory(cdrfs, sim_of, tmp_path, kind):
    sim = sim_of()
    where = tmp_path / "where"
    if kind == "a file":
        where.write_text("")
    done = cdrfs("-o", f"cache_dir={tmp_path}/c", where, PLIVO_AUTH_ID=sim.auth_id,
                 PLIVO_AUTH_TOKEN=sim.token, PLIVO_API_URL=sim.api_url)
    assert done.returncode == 1 and str(where) in done.stderr


@pytest.mark.parametrize("missing", ACCOUNT)
def test_an_account_is_required(cdrfs, empty, missing):
    refused(cdrfs(empty, **{k: v for k, v in ACCOUNT.items() if k != missing}), missing)
    refused(cdrfs(empty, **{**ACCOUNT, missing: ""}))


@pytest.mark.parametrize("auth_id", [
    "MA", "../../../../../etc/p", "MASIMULATOR00000000/", "x" * 21])
def test_an_account_id_is_twenty_letters_and_digits(cdrfs, empty, auth_id):
    refused(cdrfs(auth_id, empty, **ACCOUNT), "account id")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620, 0o601])
def test_a_token_file_that_others_can_use_is_refused(cdrfs, empty, tmp_path, mode):
    token = tmp_path / "token"
    token.write_text("a-secret\n")
    token.chmod(mode)
    done = cdrfs("-o", f"auth_token_file={token}", empty, PLIVO_AUTH_ID=ACCOUNT["PLIVO_AUTH_ID"])
    refused(done, str(token))
    assert "a-secret" not in done.stderr


def test_a_token_file_that_is_absent_is_refused(cdrfs, empty, tmp_path):
    done = cdrfs("-o", f"auth_token_file={tmp_path}/none", empty, **ACCOUNT)
    refused(done, f"{tmp_path}/none")


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_private_token_file_is_taken(mounts, tmp_path, ending):
    token = tmp_path / "token"
    token.write_text(mounts.sim.token + ending)
    token.chmod(0o600)
    mounts("-o", f"auth_token_file={token}", mounts.path, PLIVO_AUTH_ID=mounts.sim.auth_id)


def test_a_systemd_credential_is_taken(mounts, tmp_path):
    (tmp_path / "cdrfs.token").write_text(mounts.sim.token)
    mounts(mounts.path, PLIVO_AUTH_ID=mounts.sim.auth_id, CREDENTIALS_DIRECTORY=str(tmp_path))


def test_the_account_may_be_an_argument(mounts):
    mounts(mounts.sim.auth_id, mounts.path, PLIVO_AUTH_TOKEN=mounts.sim.token,
                  PLIVO_AUTH_ID="MAANOTHER00000000000")


def test_the_options_of_an_fstab_line_are_taken(mounts):
    mounts(mounts.sim.auth_id, mounts.path, "-o", "rw,_netdev,noauto,x-systemd.automount,nodev",
                  PLIVO_AUTH_TOKEN=mounts.sim.token)


def test_options_may_stand_in_several_lists_anywhere(mounts):
    mounts("-ottl=1h", mounts.sim.auth_id, "-o", "deadline=9,ro", mounts.path, "-s", "-orate=50",
                  PLIVO_AUTH_TOKEN=mounts.sim.token)


def test_a_relative_mountpoint_and_cache(sim_of, mount_of):
    sim = sim_of({OLD: 5})
    mount = mount_of(sim, start=False)
    mount.path.mkdir()
    mount.env["PLIVO_API_URL"] += "//"
    mount.run(CDRFS, "-o", f"cache_dir={mount.cache.name}", mount.path.name, cwd=mount.path.parent)
    mount.follow()
    assert mount.ls(OLD) == sim.names(OLD)
    mount.unmount()
