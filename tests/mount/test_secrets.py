# SPDX-License-Identifier: MIT
"""The token is seen by nobody, and calls only by whom they are meant for."""

import base64
import contextlib
import json
import os
import signal
import socket
import stat
import subprocess

import pytest

from expect import error_of
from harness import CDRFS, PATIENCE_S, day
from lab import foreground
from world import OTHER, USER

OLD = day(6)
NEVER_ASKED = [day(ago) for ago in range(10, 30, 2)]  # no days in a row: none is read ahead
TOKEN = "f6f5a1c0THEsecretTOKENb93ed2"
ODD_TOKENS = {
    "quotes": "\"a-token' with `quotes`\"", "percents": "%s-%n-a-token-%d-%41%",
    "blanks": " a token  with blanks ", "long": "0123456789abcdefghij" * 10, "colons": "a:token:of:it",
    "backslashes": "\\a\\token\\n\\u0041", "letters": "ein-schönes-Tökén-für-Zürich", "short": "t0k"}


def forms(sim):
    """How a token could show: as it is, and as the header has it."""
    both = base64.b64encode(f"{sim.auth_id}:{sim.token}".encode())
    return [sim.token.encode(), base64.b64encode(sim.token.encode()), both]


def echo(sim):
    """From now on requests for some days fail, and the answer repeats what came with the request:
    in JSON, in another place of it, as plain text, at its very end, cut off. Yields these days."""
    plain, _, both = (form.decode() for form in forms(sim))
    said = f"Basic {both} is {plain}"
    bodies = [json.dumps({"error": said}), json.dumps({"api_id": plain, "error": f"no {plain}"}),
              said, json.dumps({"message": f"you said: {plain}"}),
              json.dumps({"error": "x" * (119 - len(plain) // 2) + plain})]
    headers = {"Retry-After": "0", **({"X-Request-ID": plain[:60]} if plain.isascii() else {})}
    for name, body in zip(NEVER_ASKED, bodies):
        sim.fault("status", status=500, count=-1, match=f"gte={name}", body=body, headers=headers)
        yield name


def parts(sim):
    """All that has 8 characters of the token in it has one of these; of the header, whose beginning
    is the account, what is behind that counts."""
    return {form[i:i + 8] for form in forms(sim)[:2] for i in range(max(1, len(form) - 7))}


def assert_clean(sim, *texts):
    for text in texts:
        assert not any(part in text for part in parts(sim)), text


# --- the token ---

# Run as root in the world: in which files of which processes, itself left out, one of these is.
LOOK_AROUND = """
import glob, json, os, sys
words = [bytes.fromhex(word) for word in sys.argv[1:]]
hits, seen = [], 0
for place in sorted(glob.glob("/proc/[0-9]*/") + glob.glob("/proc/[0-9]*/task/*/")):
    if place.split("/")[2] == str(os.getpid()):
        continue
    for name in ("cmdline", "environ", "status", "mountinfo", "mounts", "comm"):
        try:
            with open(place + name, "rb") as f:
                text = f.read()
        except OSError:  # nobody at all may look, or it has ended
            continue
        seen += 1
        hits += [place + name] if any(word in text for word in words) else []
print(json.dumps([hits, seen]))
"""

# The memory of a process: whether it has one of these; "closed" if not even root may look, as in a
# container. What is larger than 16 MiB is the shadow of a sanitizer.
LOOK_INSIDE = """
import subprocess, sys
grep = ["grep", "-qaF"] + ["-e" + bytes.fromhex(word).decode() for word in sys.argv[2:]]
try:
    found, memory = False, open(f"/proc/{sys.argv[1]}/mem", "rb", 0)
    for line in open(f"/proc/{sys.argv[1]}/maps", encoding="ascii", errors="replace"):
        first, last = (int(x, 16) for x in line.split()[0].split("-"))
        if not found and line.split()[1].startswith("rw") and last - first < 1 << 24:
            memory.seek(first)
            text = memory.read(last - first)
            found = text.strip(bytes(1)) and not subprocess.run(grep, input=text).returncode
    print("found" if found else "clean")
except PermissionError:
    print("closed")
"""


def python(world, script, *args, **options):
    return world.out("/usr/bin/python3", "-c", script, *args, **options).strip()


def look_around(world, sim):
    hits, seen = json.loads(python(world, LOOK_AROUND, *[form.hex() for form in forms(sim)]))
    assert seen > 0
    return hits


def look_inside(world, sim, pid):
    return python(world, LOOK_INSIDE, pid, *[part.hex() for part in parts(sim)])


def sources(world, sim, source):
    """(environment, options) for a token from there."""
    if source == "environment":
        return world.account(sim), {}
    name = "cdrfs.token" if source == "credential" else "a-file"
    path = world.home() / name
    world.out("sh", "-c", 'umask 077; printf "%s\n" "$0" > "$1"', sim.token, path, uid=USER)
    env = world.account(sim)
    del env["PLIVO_AUTH_TOKEN"]
    if source == "credential":
        return {**env, "CREDENTIALS_DIRECTORY": str(world.home())}, {}
    return env, {"auth_token_file": path}


@contextlib.contextmanager
def syslog(world):
    """A log daemon's socket; what was said to it so far is its recv()."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(world.folder / "log"))
        os.chmod(world.folder / "log", 0o666)
        log.settimeout(PATIENCE_S)
        world.out("ln", "-s", world.folder / "log", "/dev/log")
        yield log


@pytest.mark.parametrize("source", ["environment", "file", "credential"])
def test_the_token_is_in_no_place_that_anybody_can_look_at(sim_of, world, source):
    sim = sim_of({OLD: 45}, "--auth-token", TOKEN)
    env, options = sources(world, sim, source)
    with syslog(world) as log:
        said = world.mount(sim, env=env, log_level="debug", **options)
        assert look_around(world, sim) == []
        with world.bystander(SOME_VARIABLE=TOKEN) as pid:
            assert f"/proc/{pid}/environ" in look_around(world, sim)
        by_date = world.point() / "by-date"
        world.out("ls", by_date / OLD, uid=USER)
        sim.clock(advance_s=60)
        for name in echo(sim):
            assert world.run("ls", by_date / name, uid=USER).returncode
            line = log.recv(4096)
            assert b"HTTP 500" in line and b"***" in line
            status = world.out("cat", world.point() / ".cdrfs/status", uid=USER)
            assert "HTTP 500" in status and "***" in status
            assert_clean(sim, line, status.encode())
    tables = world.out("cat", "/proc/mounts", "/proc/self/mountinfo", "/etc/mtab")
    assert sim.auth_id in tables
    assert_clean(sim, tables.encode(), said.encode())
    assert look_around(world, sim) == []
    words = [f"-e{form.decode()}" for form in forms(sim)]
    assert world.run("grep", "-raF", *words, world.home() / "cache").returncode == 1
    world.unmount()
    assert world.run("grep", "-raF", *words, world.home() / "cache").returncode == 1


# Run as its own user: what may be done to a process. Prints what may.
TRY_TO_LOOK = """
import ctypes, os, sys
pid, libc = int(sys.argv[1]), ctypes.CDLL(None, use_errno=True)
for task in os.listdir(f"/proc/{pid}/task"):
    for name in ("mem", "environ", "maps", "auxv", "stack", "syscall"):
        try:
            with open(f"/proc/{pid}/task/{task}/{name}", "rb"):
                print(task, name)
        except PermissionError:
            pass
for name in ("fd", "map_files"):
    try:
        print(os.listdir(f"/proc/{pid}/{name}"))
    except PermissionError:
        pass
PTRACE_SEIZE = 0x4206
if libc.ptrace(PTRACE_SEIZE, pid, None, None) == 0:
    print("ptrace")
"""


def test_its_own_user_cannot_look_into_the_process(sim_of, world):
    sim = sim_of({OLD: 5}, "--auth-token", TOKEN)
    world.mount(sim)
    world.out("ls", world.point() / f"by-date/{OLD}", uid=USER)
    assert python(world, TRY_TO_LOOK, world.holder(sim), uid=USER) == ""
    with world.bystander() as pid:  # what could be done to any other
        assert "environ" in python(world, TRY_TO_LOOK, pid, uid=USER)


# A sanitizer keeps a copy of the environment of its own.
STARTS = ["file"] if {"ASAN_OPTIONS", "TSAN_OPTIONS"} & set(os.environ) else ["environment", "file"]


@pytest.mark.parametrize("source", STARTS)
def test_the_process_that_waits_for_the_mount_has_no_token(sim_of, world, source):
    """Not in its environment, and no piece of it in its memory; the one that needs it has it."""
    sim = sim_of({OLD: 5}, "--auth-token", TOKEN)
    env, options = sources(world, sim, source)
    sim.stall()
    starting = world.start(*world.line(**options), uid=USER, env=env)
    sim.wait(in_flight=1)
    waiting, serving = world.processes("cdrfs")
    assert look_around(world, sim) == []
    assert look_inside(world, sim, waiting) in ("clean", "closed")
    assert look_inside(world, sim, serving) in ("found", "closed")
    assert python(world, TRY_TO_LOOK, waiting, uid=USER) == ""
    sim.mend()
    assert starting.communicate(timeout=PATIENCE_S) == ("", "") and starting.returncode == 0
    assert world.is_mounted()


def test_a_process_that_crashes_leaves_no_core(sim_of, mount_of, tmp_path):
    mount = mount_of(sim_of({OLD: 5}), start=False)
    mount.path.mkdir()
    mount.start_in_foreground("prlimit", "--core=unlimited", "env", f"--chdir={tmp_path}", CDRFS,
                              "-f", "-o", mount.options, mount.path)
    mount.follow()
    mount.ls(OLD)
    mount.send(signal.SIGQUIT)
    _, status = os.waitpid(mount.process.pid, 0)
    assert os.WTERMSIG(status) == signal.SIGQUIT and not os.WCOREDUMP(status)
    assert {n for n in os.listdir(tmp_path) if n.startswith("core")} == set()


# Stands where fusermount3 does: notes what it is given, then lets the real one do it.
NOTE = """#!/bin/sh
{ echo "$@"; cat /proc/$$/environ /proc/$$/cmdline; echo; ls -l /proc/$$/fd; } >>"FOLDER/note"
exec /dev/fusermount3 "$@"
"""


def test_no_child_is_given_the_token(sim_of, world):
    sim = sim_of({OLD: 5}, "--auth-token", TOKEN)
    note = world.folder / "fusermount3"
    note.write_text(NOTE.replace("FOLDER", str(world.home())), encoding="ascii")
    note.chmod(0o755)
    world.out("install", "-m", "4755", "/usr/bin/fusermount3", "/dev/fusermount3")
    world.out("mount", "--bind", note, "/usr/bin/fusermount3")
    world.mount(sim)
    world.end(world.holder(sim), "KILL")
    world.mount(sim)  # takes the dead one away first
    world.end(world.holder(sim))
    text = world.out("cat", world.home() / "note")
    assert sum(sim.auth_id in line for line in text.splitlines()) > 2 and "-u" in text
    assert "PLIVO_AUTH_ID" in text and "PLIVO_AUTH_TOKEN" not in text
    assert_clean(sim, text.encode())
    assert ".db" not in text  # nor the store's descriptors


@pytest.mark.parametrize("kind", ODD_TOKENS)
def test_an_odd_token_opens_the_account_and_is_not_shown(sim_of, mount_of, kind):
    sim = sim_of({OLD: 45}, "--auth-token", ODD_TOKENS[kind])
    mount = foreground(mount_of(sim, start=False))
    assert mount.ls(OLD) == sim.names(OLD)
    sim.clock(advance_s=60)
    for name in echo(sim):
        assert error_of(os.listdir, mount.day(name)) == "EIO"
        assert_clean(sim, (mount / ".cdrfs/status").read_bytes())
    mount.unmount()
    assert mount.output().count(b"HTTP 500") == mount.output().count(b"\n") == 5
    assert_clean(sim, mount.output())


def test_debugging_shows_no_token(sim_of, mount_of):
    sim = sim_of({OLD: 45}, "--auth-token", TOKEN)
    mount = mount_of(sim, debug=True, log_level="debug")
    assert mount.ls(OLD) == sim.names(OLD)
    for name in echo(sim):
        assert error_of(os.listdir, mount.day(name)) == "EIO"
    mount.unmount()
    assert b"LOOKUP" in mount.output() and mount.output().count(b"HTTP 500") == 5
    assert_clean(sim, mount.output())


@pytest.mark.parametrize("status", [401, 403, 500])
def test_what_the_api_says_at_the_start_is_shown_without_the_token(sim_of, world, status):
    sim = sim_of({OLD: 5}, "--auth-token", TOKEN)
    sim.refuse(status, body=f"you are {TOKEN}, by {forms(sim)[2].decode()}")
    done = world.run(*world.line(), uid=USER, env=world.account(sim))
    assert done.returncode == (status != 500) and len(done.stderr.splitlines()) == 1
    assert f"HTTP {status}: you are ***, by" in done.stderr
    assert_clean(sim, done.stderr.encode())


def test_an_odd_token_in_a_file_opens_the_account(sim_of, mount_of, tmp_path):
    for kind, token in ODD_TOKENS.items():
        sim = sim_of({OLD: 5}, "--auth-token", token)
        path = tmp_path / kind
        path.write_text(token + "\n", encoding="utf-8")
        path.chmod(0o600)
        mount = mount_of(sim, start=False, auth_token_file=path)
        del mount.env["PLIVO_AUTH_TOKEN"]
        mount.start()
        assert mount.ls(OLD) == sim.names(OLD)


# --- the store ---


@pytest.mark.parametrize("mode", [0o700, 0o711, 0o750, 0o755, 0o770, 0o777])
def test_a_folder_that_others_can_enter_is_told_once_and_left_as_it_is(sim_of, mount_of, tmp_path,
                                                                       mode):
    sim = sim_of({OLD: 45})
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(mode)
    before = os.umask(0)
    try:
        mount = mount_of(sim, cache=cache)
    finally:
        os.umask(before)
    mount.ls(OLD)
    told = mount.stderr.decode().splitlines()
    assert len(told) == (mode != 0o700) and all(f"chmod 700 {cache}" in line for line in told)
    assert stat.S_IMODE(cache.stat().st_mode) == mode
    names = {f.name.partition(".db")[2]: stat.S_IMODE(f.stat().st_mode) for f in cache.iterdir()}
    assert names == {"": 0o600, "-wal": 0o600, "-shm": 0o600, ".lock": 0o600}


def test_every_folder_on_the_way_to_the_store_is_made_private(sim_of, mount_of, tmp_path):
    before = os.umask(0)
    try:
        mount = mount_of(sim_of({OLD: 5}), cache=tmp_path / "a/b/c")
    finally:
        os.umask(before)
    assert mount.stderr == b""
    for folder in ("a", "a/b", "a/b/c"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def test_the_store_is_closed_to_others(sim_of, world):
    sim = sim_of({OLD: 45})
    world.mount(sim)
    cache = world.home() / "cache"
    for path in [cache, *(cache / f"{sim.auth_id}.db{end}" for end in ("", "-wal", "-shm", ".lock"))]:
        world.out("stat", path, uid=USER)
        assert "Permission denied" in world.run("ls", path / ".", uid=OTHER).stderr
        assert "Permission denied" in world.run("cat", path, uid=OTHER).stderr


# --- the calls ---


def ways_in(world, sim, owner=USER):
    """Commands that look at something in a mount, which all work for whom it is meant."""
    name, point = sim.names(OLD)[0], world.point(owner)
    day_path = point / f"by-date/{OLD}"
    return [["stat", point], ["ls", point], ["ls", day_path], ["stat", day_path / name],
            ["cat", day_path / name], ["cat", point / f"by-uuid/{name}"],
            ["cat", point / f"csv/by-date/{OLD}.csv"], ["cat", point / ".cdrfs/status"]]


def who_gets_in(world, sim, owner):
    """Those of root, USER and OTHER for whom everything works, in that order; for the others
    nothing may."""
    found = []
    for uid in (0, USER, OTHER):
        done = [world.run(*command, uid=uid) for command in ways_in(world, sim, owner)]
        assert all(d.stderr == "" or "Permission denied" in d.stderr for d in done), done
        if not any(d.returncode for d in done):
            found.append(uid)
        else:  # the mountpoint itself is seen wherever others are allowed
            assert all(d.returncode for d in done[1:]), done
    return found


@pytest.mark.parametrize("owner", [USER, 0])
def test_nobody_else_gets_into_a_mount(sim_of, world, owner):
    sim = sim_of({OLD: 5})
    assert world.mount(sim, user=owner) == ""
    assert who_gets_in(world, sim, owner) == [owner]
    for uid in {0, USER, OTHER} - {owner}:
        assert world.run("stat", world.point(owner), uid=uid).returncode


@pytest.mark.parametrize("options, modes, may", [
    ({}, "0:0 400 500", [0]),
    ({"umask": "022"}, "0:0 444 555", [0, USER, OTHER]),
    ({"umask": "0"}, "0:0 444 555", [0, USER, OTHER]),
    ({"uid": USER}, f"{USER}:0 400 500", [0, USER]),
    ({"gid": OTHER}, f"0:{OTHER} 400 500", [0]),
    ({"gid": OTHER, "umask": "027"}, f"0:{OTHER} 440 550", [0, OTHER]),
    ({"uid": OTHER, "gid": USER, "umask": "007"}, f"{OTHER}:{USER} 440 550", [0, USER, OTHER]),
])
def test_with_allow_other_owner_and_modes_decide(sim_of, world, options, modes, may):
    sim = sim_of({OLD: 5})
    assert world.mount(sim, user=0, allow_other=True, **options) == ""
    assert who_gets_in(world, sim, 0) == may
    by_date = world.point(0) / f"by-date/{OLD}"
    owner, mode = world.out("stat", "-c", "%u:%g %a", by_date / sim.names(OLD)[0]).split()
    assert f"{owner} {mode} {world.out('stat', '-c', '%a', by_date).strip()}" == modes
    refresh = world.point(0) / ".cdrfs/refresh"
    assert world.run("sh", "-c", 'echo / > "$0"', refresh, uid=0).returncode == 0
    for uid in {USER, OTHER} - {options.get("uid"), options.get("gid")}:
        told = world.run("sh", "-c", 'echo / > "$0"', refresh, uid=uid)
        assert bool(told.returncode) == (options.get("umask") != "0")


def test_allow_root_lets_root_in_and_nobody_else_whatever_the_umask(sim_of, world):
    """Not even to what the kernel keeps since its owner looked, and shows without asking."""
    sim = sim_of({OLD: 5})
    allow_others(world)
    assert world.mount(sim, allow_root=True, umask="0") == ""
    for _ in range(2):
        assert who_gets_in(world, sim, USER) == [0, USER]


def allow_others(world):
    """As the line in /etc/fuse.conf does."""
    path = world.folder / "fuse.conf"
    path.write_text("user_allow_other\n", encoding="ascii")
    world.out("mount", "--bind", path, "/etc/fuse.conf")


def test_a_user_may_let_others_in(sim_of, world):
    sim = sim_of({OLD: 5})
    allow_others(world)
    assert world.mount(sim, allow_other=True, umask="022") == ""
    assert who_gets_in(world, sim, USER) == [0, USER, OTHER]
