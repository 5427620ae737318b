# SPDX-License-Identifier: MIT
"""The command line: what it takes, and how it says no."""

import contextlib
import os
import re
import select
import socket
import sqlite3
import subprocess

import pytest

from harness import CDRFS, PATIENCE_S, clean_env, day
from world import USER, environment

OLD = day(6)
ACCOUNT = {"PLIVO_AUTH_ID": "MASIMULATOR000000000", "PLIVO_AUTH_TOKEN": "a-token"}


def refused(done, *words, by="cdrfs"):
    """Status 1, one line on stderr which has these words, nothing on stdout."""
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == "" and len(lines) == 1, done
    assert lines[0].startswith(f"{by}: ") and all(w in lines[0] for w in words), lines[0]


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
    lines = done.stdout.splitlines()  # of 24, one is the prompt's
    assert lines[0].startswith("usage: cdrfs ") and len(lines) <= 23 and max(map(len, lines)) <= 80
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
    "rate=0x10", "rate=1e1", "rate=1e999", "ttl= 1", "ttl=1 ", "ttl=99999999999999999999",
    "settle=18446744073709551616", "uid=4294967295", "gid=-1", "keep_days=89", "keep_days=1d",
    "connections=257", "console_tz=Nowhere/Land", "console_tz=/etc/passwd", "console_tz=America",
    "console_tz=tzdata.zi", "console_tz=../zoneinfo/UTC", "ttl=5\nttl=6", "ttl=1,ttl=x",
    "cache_dir=", "ro=1", "stale_if_error=", "api_url=http://example.org/v1",
    "api_url=ftp://127.0.0.1/v1", "api_url=example.org/v1", "api_url=http://127.0.0.1@example.org/",
    "api_url=http://localhost.example.org/v1", "api_url=http://127.1/v1",
    "api_url=http://2130706433/v1", "api_url=HTTP://localhost/v1", "api_url=http://localhost./v1",
    "api_url=http://[::1]:x/v1", "api_url=https://me:secret@example.org/v1",
    "api_url=https://example.org/v1?token=secret", "auth_token=secret", "auth_token=a-b-c",
    "token=secret", "password=secret", "PLIVO_AUTH_TOKEN=secret"])
def test_a_bad_value_is_refused_by_name(cdrfs, empty, tmp_path, option):
    done = cdrfs("-o", f"cache_dir={tmp_path}/c", "-o", option, empty, **ACCOUNT)
    refused(done, option.split("=", maxsplit=1)[0])
    assert not os.path.ismount(empty)
    assert "secret" not in done.stderr and "a-b-c" not in done.stderr


def test_every_option_of_the_help_says_what_it_takes(cdrfs, empty, tmp_path):
    """None of them takes an empty value; and what is no number, choice, file, zone or URL."""
    lines = re.findall(r"^  (\w+)(?:=(\S+))? {2,}", cdrfs("--help").stdout, re.M)
    options = {name: values for name, values in lines if name != "allow_other"}
    assert len(options) > 15 and options["ttl"] == "SECONDS" and options["ro"] == ""
    for name, values in options.items():
        bad = [f"{name}="]
        bad += [name] if values else []
        bad += [f"{name}=-no?such"] if name not in ("cache_dir", "crawlers") else []
        for option in bad:
            done = cdrfs("-o", f"cache_dir={tmp_path}/c", "-o", option, empty, **ACCOUNT)
            refused(done, name)
            assert "takes" in done.stderr or name in ("console_tz", "auth_token_file"), done.stderr
            assert not os.path.ismount(empty)


@pytest.mark.parametrize("url", ["http://example.org/v1", "api.plivo.com/v1", "nonsense",
                                 "https://me:secret@api.plivo.com/v1", "http://secret@localhost/v1"])
def test_a_bad_variable_is_refused_by_name(cdrfs, empty, url):
    done = cdrfs(empty, PLIVO_API_URL=url, **ACCOUNT)
    refused(done, "PLIVO_API_URL", "https:")
    assert "secret" not in done.stderr and not os.path.ismount(empty)


def test_a_bad_variable_does_no_harm_to_the_option_or_the_help(cdrfs, mounts):
    url = mounts.sim.api_url
    assert cdrfs("--help", PLIVO_API_URL="nonsense").returncode == 0
    mounts.sim.api_url = "nonsense"
    mounts("-o", f"api_url={url}/", mounts.path, PLIVO_AUTH_ID=mounts.sim.auth_id,
           PLIVO_AUTH_TOKEN=mounts.sim.token)


@pytest.mark.parametrize("args", [["--auth-token=secret"], ["--token=secret"], ["-psecret"],
                                  ["--auth-token", "secret"], ["-t", "secret"], ["secret"],
                                  ["secret", "secret"], ["-o", "auth_token", "secret"],
                                  ["PLIVO_AUTH_TOKEN=secret"]])
def test_a_secret_on_the_command_line_is_not_repeated(cdrfs, empty, args):
    done = cdrfs(*args, empty, **ACCOUNT)
    refused(done)
    assert "secret" not in done.stderr and not os.path.ismount(empty)


def test_an_option_list_is_required_behind_its_flag(cdrfs, empty):
    refused(cdrfs(empty, "-o", **ACCOUNT), "-o")


@pytest.mark.parametrize("option", ["ttl=0", "ttl=1h", "ttl=2d", "rate=0.5", "rate=1000",
                                    "connections=1", "settle=48h", "umask=077", "log_level=error"])
def test_a_good_value_is_taken(mounts, option):
    mounts("-o", option, mounts.path, PLIVO_AUTH_ID=mounts.sim.auth_id,
                  PLIVO_AUTH_TOKEN=mounts.sim.token)


def test_a_mountpoint_is_required(cdrfs):
    refused(cdrfs(**ACCOUNT), "mountpoint")


def test_an_empty_mountpoint_is_not_the_working_directory(cdrfs, empty):
    refused(cdrfs("", cwd=empty, **ACCOUNT), "no mountpoint")
    refused(cdrfs("MASIMULATOR000000000", "", cwd=empty, **ACCOUNT), "no mountpoint")


def test_too_many_arguments_are_refused(cdrfs, empty):
    refused(cdrfs("MASIMULATOR000000000", empty, empty, **ACCOUNT), "usage")


@pytest.mark.parametrize("kind, words", [
    ("absent", ["No such file", "mkdir"]), ("a file", ["no directory", "give another"]),
    ("below a file", ["Not a directory", "give another"]), ("a dead link", ["No such file"]),
    ("absent\nin two lines", ["No such file"])])
def test_a_mountpoint_must_be_a_directory(cdrfs, tmp_path, kind, words):
    """And that is said before anybody is asked."""
    where = tmp_path / kind
    if kind == "a file":
        where.write_text("")
    elif kind == "below a file":
        where.write_text("")
        where = where / "mnt"
    elif kind == "a dead link":
        where.symlink_to("nowhere")
    done = cdrfs("-o", f"cache_dir={tmp_path}/c", where, PLIVO_API_URL="https://localhost:1/v1",
                 **ACCOUNT)
    refused(done, str(where).replace("\n", "?"), "mountpoint", *words)
    assert not (tmp_path / "c").exists()


def test_a_mountpoint_need_not_be_empty(sim_of, mount_of):
    """As FUSE 3 has it: what is in it is hidden until the unmount."""
    sim = sim_of({OLD: 5})
    mount = mount_of(sim, start=False)
    (mount.path / "below").mkdir(parents=True)
    mount.start()
    assert "below" not in os.listdir(mount.path) and len(mount.ls(OLD)) == 5
    mount.unmount()
    assert os.listdir(mount.path) == ["below"]


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


def token_file(path, kind):
    """Something that is no file with a token in it."""
    if kind == "a pipe":  # nobody writes into it: who waits for that hangs
        os.mkfifo(path, 0o600)
    elif kind == "a directory":
        path.mkdir(0o700)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(path))
    elif kind == "a link in a circle":
        path.symlink_to(path.name)
    elif kind.startswith("a link to"):
        target = path.with_name("target")
        target.write_text("a-secret\n")
        target.chmod(0o640)
        path.symlink_to(target.name if kind == "a link to an open file" else "/dev/zero")
    else:
        path.write_bytes({"empty": b"", "an empty line": b"\na-secret\n", "too long": b"x" * 300,
                          "binary": b"a-\0secret", "UTF-16": "a-secret".encode("utf-16")}[kind])
        path.chmod(0o600)


@pytest.mark.parametrize("kind", [
    "a pipe", "a directory", "a socket", "a link in a circle", "a link to an open file",
    "a link to a device", "empty", "an empty line", "too long", "binary", "UTF-16"])
def test_what_is_no_token_file_is_refused(cdrfs, empty, tmp_path, kind):
    token_file(tmp_path / "token", kind)
    for args in (["-o", f"auth_token_file={tmp_path}/token"], ["-f", "-o", "auth_token_file=token"]):
        done = cdrfs(*args, empty, cwd=tmp_path, **ACCOUNT)
        refused(done, "token file", "auth_token_file" if "-f" in args else f"{tmp_path}/token")
        assert "secret" not in done.stderr and not os.path.ismount(empty)


def test_a_token_file_that_its_reader_may_not_read_is_refused(world):
    path = world.home(0) / "token"
    world.out("sh", "-c", 'umask 077; echo a-secret >"$0"', path)
    done = world.run(*world.line(auth_token_file=path), uid=USER, env=clean_env(**ACCOUNT))
    refused(done, str(path), "Permission denied")
    assert not world.is_mounted()


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


# --- the folder of the store ---

HOMELESS = {"HOME": "", "XDG_CACHE_HOME": "", "CACHE_DIRECTORY": ""}


@pytest.mark.parametrize("env, where", [
    ({}, "/var/cache/cdrfs"),
    ({"HOME": "relative", "XDG_CACHE_HOME": "relative"}, "/var/cache/cdrfs"),
    ({"CACHE_DIRECTORY": "/var/cache/mine:/var/cache/other"}, "/var/cache/mine"),
    ({"CACHE_DIRECTORY": "/var/cache/mine", "HOME": "/var/cache/root"}, "/var/cache/root/.cache/cdrfs"),
    ({"HOME": "/var/cache/root", "XDG_CACHE_HOME": "/var/cache/xdg"}, "/var/cache/xdg/cdrfs")])
def test_where_the_store_of_root_is(sim_of, world, env, where):
    sim = sim_of({OLD: 5})
    world.out("mount", "-t", "tmpfs", "none", "/var/cache")
    done = world.run(world.cdrfs, world.point(0), env=world.account(sim, **{**HOMELESS, **env}))
    assert done.returncode == 0, done
    assert world.out("ls", world.point(0) / f"by-date/{OLD}").split() == sim.names(OLD)
    assert world.out("find", "/var/cache", "-name", "*.db").split() == [f"{where}/{sim.auth_id}.db"]
    assert world.out("stat", "-c", "%a", where) == "700\n"


def test_who_is_not_root_and_has_no_home_is_told_to_name_a_folder(sim_of, world):
    account = world.account(sim_of(), **HOMELESS)
    done = world.run(world.cdrfs, world.point(), uid=USER, env=account)
    refused(done, "HOME is not set", "cache_dir=")
    assert not world.is_mounted()


# --- what keeps it from mounting ---


@pytest.mark.parametrize("user", [USER, 0])
@pytest.mark.parametrize("change, words", [
    ("rm /dev/fuse", ["modprobe fuse", "--device /dev/fuse"]),
    ("rm /dev/fuse && touch /dev/fuse && chmod 666 /dev/fuse", ["--device /dev/fuse"]),
    ("touch /dev/none && mount --bind /dev/none /dev/fuse", ["/dev/fuse"]),
    ("rm /dev/fuse && mkdir /dev/fuse", ["--device /dev/fuse"])])
def test_without_a_device_it_says_how_to_have_one(world, user, change, words):
    """Before anybody is asked: no API is there."""
    world.out("sh", "-c", change)
    env = clean_env(PLIVO_API_URL="https://localhost:1/v1", **ACCOUNT)
    refused(world.run(*world.line(user=user), uid=user, env=env), "/dev/fuse", *words)
    assert not world.is_mounted(user)


def test_a_device_of_root_alone_is_told_to_users(sim_of, world):
    sim = sim_of({OLD: 5})
    world.out("chmod", "600", "/dev/fuse")
    refused(world.run(*world.line(), uid=USER, env=world.account(sim)), "/dev/fuse",
            "Permission denied", "chmod 666")
    assert not world.is_mounted() and sim.requests() == 0
    world.mount(sim, user=0)


@pytest.mark.parametrize("user", [USER, 0])
def test_where_nothing_can_be_mounted_it_says_what_is_missing(sim_of, world, user):
    """As in a container that was not given the capability."""
    sim = sim_of({OLD: 5})
    line = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", *world.line(user=user)]
    if user:  # who drops from the bounding set must still be root
        line[1:1] = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    refused(world.run(*line, env=world.account(sim)), "--cap-add SYS_ADMIN")
    assert not world.is_mounted(user) and sim.requests() == 0


def test_without_fusermount3_a_user_is_told_what_to_install(sim_of, world):
    """Before anybody is asked; root does without."""
    sim = sim_of({OLD: 5})
    world.out("sh", "-c", "touch /dev/none && mount --bind /dev/none /usr/bin/fusermount3")
    refused(world.run(*world.line(), uid=USER, env=world.account(sim)), "fusermount3", "fuse3")
    assert not world.is_mounted() and sim.requests() == 0
    world.mount(sim, user=0)
    world.out("umount", world.point(0))


@pytest.mark.parametrize("option", ["allow_other", "allow_root"])
def test_a_user_may_not_let_others_in_unasked(sim_of, world, option):
    sim = sim_of({OLD: 5})
    world.out("mount", "--bind", "/dev/null", "/etc/fuse.conf")
    done = world.run(*world.line(**{option: True}), uid=USER, env=world.account(sim))
    refused(done, "user_allow_other", "/etc/fuse.conf", by="fusermount3")
    assert not world.is_mounted()
    world.mount(sim)  # without the option


def test_a_user_may_not_mount_on_what_is_not_his(sim_of, world):
    sim = sim_of({OLD: 5})
    line = [*world.line()[:-1], world.point(0)]
    refused(world.run(*line, uid=USER, env=world.account(sim)), str(world.point(0)),
            by="fusermount3")
    assert not world.is_mounted(0)


@pytest.mark.parametrize("name", ["mnt", "mnt/", "./mnt", "link"])
def test_where_it_is_mounted_already_it_says_by_whom(sim_of, world, name):
    """By whatever name, and whoever asks: not even the mounter's account is needed to be told."""
    sim = sim_of({OLD: 5})
    world.mount(sim)
    world.out("ln", "-s", "mnt", world.home() / "link")
    for user in (USER, 0):
        line = [world.cdrfs, "-o", f"cache_dir={world.home(user)}/another", name]
        done = world.run(*line, uid=user, cwd=world.home(), env=environment(**ACCOUNT))
        refused(done, f"{world.point()}: cdrfs is mounted there already", sim.auth_id,
                f"uid {USER}", f"fusermount3 -u {world.point()}")
    assert len(world.out("ls", world.point() / f"by-date/{OLD}", uid=USER).split()) == 5


def test_a_store_in_use_is_told_with_its_process(sim_of, world):
    sim = sim_of({OLD: 5})
    world.mount(sim, user=0)
    world.out("mkdir", world.home(0) / "second")
    line = [*world.line(user=0)[:-1], world.home(0) / "second"]
    refused(world.run(*line, env=world.account(sim)), "in use by process",
            str(world.holder(sim, 0)))


@pytest.mark.parametrize("where", ["cache", "below/cache"])
def test_a_folder_that_may_not_be_written_is_no_place_for_a_store(sim_of, world, where):
    sim = sim_of({OLD: 5})
    world.out("install", "-d", "-m", "500", "-o", str(USER), world.home() / "cache")
    world.out("install", "-d", "-m", "755", world.home() / "below")
    line = world.line(cache_dir=world.home() / where)
    refused(world.run(*line, uid=USER, env=world.account(sim)), str(world.home() / where),
            "cannot be made", "Permission denied", "cache_dir=")
    assert not world.is_mounted()


def test_a_store_of_a_newer_version_is_left_as_it_is(sim_of, mount_of, cdrfs):
    sim = sim_of({OLD: 5})
    mount = mount_of(sim)
    mount.ls(OLD)
    mount.unmount()
    with contextlib.closing(sqlite3.connect(mount.store)) as store:
        store.execute("PRAGMA user_version = 1000")
    before = mount.store.read_bytes()
    refused(cdrfs("-o", mount.options, mount.path, **mount.account), str(mount.store),
            "newer cdrfs", "upgrade, or move it away")
    assert mount.store.read_bytes() == before


def test_refused_credentials_are_told_with_what_to_check(sim_of, mount_of, cdrfs):
    sim = sim_of({OLD: 5})
    mount = mount_of(sim, start=False)
    mount.path.mkdir()
    done = cdrfs("-o", mount.options, mount.path,
                 **{**mount.account, "PLIVO_AUTH_TOKEN": "another-token"})
    refused(done, "the API refuses these credentials", "401", "PLIVO_AUTH_TOKEN")
    assert not mount.is_mounted() and sim.requests() == 1


# --- the background ---


def test_the_background_keeps_nothing_of_who_started_it(sim_of, mount_of):
    """Neither descriptors, nor the terminal's session, nor the three that every process has: all of
    them end when the starting process does."""
    sim = sim_of({OLD: 5})
    mount = mount_of(sim, start=False)
    mount.path.mkdir()
    ends = [os.pipe() for _ in range(14)]
    ends[0] = ends[0][::-1]  # of standard input it has the end that is read
    ours, theirs = zip(*ends)
    process = subprocess.Popen([CDRFS, "-o", mount.options, mount.path], env=mount.env,
                               stdin=theirs[0], stdout=theirs[1], stderr=theirs[2],
                               pass_fds=theirs[3:])
    for fd in theirs:
        os.close(fd)
    assert process.wait(PATIENCE_S) == 0
    mount.follow()
    for fd in ours:
        table = select.poll()
        table.register(fd, 0)  # the other end is gone
        assert [event for _, event in table.poll(PATIENCE_S * 1000)], fd
        os.close(fd)
    assert os.getsid(mount.pid) == mount.pid
    fields = open(f"/proc/{mount.pid}/stat", encoding="ascii").read().rpartition(")")[2].split()
    assert int(fields[4]) == 0  # no terminal
    assert len(mount.ls(OLD)) == 5


def test_the_background_holds_no_folder(sim_of, world):
    """Neither where it was started nor where its token was read: both can be unmounted."""
    sim = sim_of({OLD: 5})
    world.out("mkdir", "/dev/here")
    world.out("mount", "-t", "tmpfs", "none", "/dev/here")
    world.out("sh", "-c", 'umask 077; echo "$0" >/dev/here/token', sim.token)
    env = world.account(sim)
    del env["PLIVO_AUTH_TOKEN"]
    done = world.run(*world.line(user=0, auth_token_file="token"), cwd="/dev/here", env=env)
    assert done.returncode == 0, done
    assert len(world.out("ls", world.point(0) / f"by-date/{OLD}").split()) == 5
    world.out("umount", "/dev/here")


def what_stands_at(pid, number):
    try:
        return os.readlink(f"/proc/{pid}/fd/{number}")
    except PermissionError:  # in a container not even root may look
        return "/dev/null"


@pytest.mark.parametrize("flag", ["-s", "-f"])
@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]])
def test_started_without_the_standard_three(sim_of, mount_of, cdrfs, tmp_path, flag, closed):
    """What it opens itself would take their numbers, be closed by the background, or be sent messages:
    the lock of the store, the connection to the API."""
    sim = sim_of({OLD: 45})
    mount = mount_of(sim, start=False, log_level="debug")
    mount.path.mkdir()
    redirect = " ".join(f"{number}>&-" for number in closed)
    line = ["sh", "-c", f'exec "$0" "$@" {redirect}', CDRFS, flag, "-o", mount.options, mount.path]
    if flag == "-f":
        mount.start_in_foreground(*line)
    else:
        mount.run(*line)
    mount.follow()
    assert {what_stands_at(mount.pid, number) for number in closed} == {"/dev/null"}
    assert mount.ls(OLD) == sim.names(OLD)
    assert (mount / f"csv/by-date/{OLD}.csv").read_bytes().count(b"\n") == 46
    (tmp_path / "second").mkdir()
    refused(cdrfs("-o", f"cache_dir={mount.cache}", tmp_path / "second", PLIVO_API_URL=sim.api_url,
                  PLIVO_AUTH_ID=sim.auth_id, PLIVO_AUTH_TOKEN=sim.token), str(mount.pid))


def test_in_the_background_messages_go_to_the_system_log(sim_of, world):
    sim = sim_of({OLD: 5})
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as log:
        log.bind(str(world.folder / "log"))
        log.settimeout(PATIENCE_S)
        world.out("ln", "-s", world.folder / "log", "/dev/log")
        assert world.mount(sim, user=0) == ""
        sim.refuse(500)
        assert world.run("ls", world.point(0) / f"by-date/{OLD}").returncode
        line = log.recv(4096)
    daemon, warning = 3 << 3, 4
    assert line.startswith(b"<%d>" % (daemon | warning)) and b"HTTP 500" in line
    assert b"cdrfs[%d]: " % world.holder(sim, 0) in line and b"\n" not in line
