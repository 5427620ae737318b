# SPDX-License-Identifier: MIT
"""As a service: readiness, the journal, and units that systemd understands."""

import configparser
import os
import pathlib
import re
import select
import socket
import subprocess

import pytest

from expect import error_of
from harness import CDRFS, PATIENCE_S, ROOT, day
from lab import foreground
from world import environment

OLD = day(6)
BUILT = pathlib.Path(CDRFS).parent
DIST = ROOT / "dist"

# Each of these gives a service a mount namespace of its own.
NAMESPACE = re.compile("^(Protect(System|Home|Kernel.*|ControlGroups|Proc|Clock|Hostname)|Private.*|"
                       "(Read.*|Inaccessible|Exec|NoExec)Paths|Bind.*|Temporary.*|Root.*|"
                       "MountAPIVFS|ProcSubset|MountFlags|DynamicUser|(Mount|Extension)Images)$")


def said_ready(mount, where, name):
    """Whether a foreground mount says so to a socket, and only once it can be used."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(where)
        manager.settimeout(PATIENCE_S)
        mount.env["NOTIFY_SOCKET"] = name
        foreground(mount)
        message = manager.recv(4096)
        assert select.select([manager], [], [], 0)[0] == []
    return message == b"READY=1" and mount.is_mounted()


def test_a_service_says_when_it_is_ready(sim_of, mount_of, tmp_path):
    path = str(tmp_path / "notify")
    assert said_ready(mount_of(sim_of(), start=False), path, path)


def test_a_socket_without_a_file_is_told_too(sim_of, mount_of, tmp_path):
    name = f"cdrfs{os.getpid()}{tmp_path.name}"
    assert said_ready(mount_of(sim_of(), start=False), f"\0{name}", f"@{name}")


def test_who_never_mounts_is_never_ready(cdrfs, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        done = cdrfs("-f", tmp_path / "nowhere", NOTIFY_SOCKET=str(tmp_path / "notify"),
                     PLIVO_AUTH_ID="MA" + "X" * 18, PLIVO_AUTH_TOKEN="token")
        assert done.returncode == 1 and select.select([manager], [], [], 0)[0] == []


@pytest.mark.parametrize("name", ["nonsense", "/nowhere/at/all", "/" + "x" * 200])
def test_a_manager_that_cannot_be_told_is_a_warning(sim_of, mount_of, name):
    mount = mount_of(sim_of({OLD: 5}), start=False, env={"NOTIFY_SOCKET": name})
    assert len(foreground(mount).ls(OLD)) == 5
    assert b"systemd cannot be told that this is ready" in mount.output()


def in_the_journal(mount, stream):
    """What a mount whose standard error is that stream says of a failure and a name."""
    mount.path.mkdir()
    output = pathlib.Path(f"{mount.path}.output")
    output.touch()
    file = output.stat()
    mount.env["JOURNAL_STREAM"] = stream.format(file.st_dev, file.st_ino)
    foreground(mount)
    mount.sim.refuse(500)
    assert error_of(os.listdir, mount.day(OLD)) == "EIO"
    return mount.output().decode().splitlines()[-1]


def test_in_the_journal_a_line_has_its_priority(sim_of, mount_of):
    line = in_the_journal(mount_of(sim_of({OLD: 5}), start=False), "{}:{}")
    assert line.startswith("<4>") and "HTTP 500" in line and "cdrfs:" not in line


@pytest.mark.parametrize("stream", ["{}:1", "1:{1}", "", "journal"])
def test_another_stream_is_no_journal(sim_of, mount_of, stream):
    """A terminal inherits the variable from whoever started it."""
    line = in_the_journal(mount_of(sim_of({OLD: 5}), start=False), stream)
    assert line.startswith("cdrfs: ") and "HTTP 500" in line


def verify(folder, *names):
    """What systemd says of units; nothing, when they are good."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *names], text=True, cwd=folder,
                          env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"}, check=False,
                          capture_output=True, timeout=PATIENCE_S)
    return done.stdout + done.stderr + (f"exit status {done.returncode}" if done.returncode else "")


def service(tmp_path):
    """The installed one; where it is not installed, its program is not there."""
    text = (BUILT / "dist/cdrfs@.service").read_text(encoding="utf-8")
    path = tmp_path / "cdrfs@.service"
    path.write_text(re.sub(r"(?<=^ExecStart=)\S+", CDRFS, text, flags=re.M), encoding="utf-8")
    return path


def test_systemd_understands_the_service(tmp_path):
    unit = service(tmp_path)
    assert verify(tmp_path, "./cdrfs@MAXXXXXXXXXXXXXXXXXX.service") == ""
    unit.write_text(unit.read_text(encoding="utf-8") + "NoSuchThing=1\n", encoding="utf-8")
    assert "NoSuchThing" in verify(tmp_path, "./cdrfs@MAXXXXXXXXXXXXXXXXXX.service")


def parsed(path):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(path, encoding="utf-8")
    return unit


def test_the_service_mounts_where_others_see_it(tmp_path):
    keys = set(parsed(service(tmp_path))["Service"])
    assert "CapabilityBoundingSet" in keys and [k for k in keys if NAMESPACE.match(k)] == []


def test_systemd_understands_the_pair_of_units(tmp_path):
    for unit in ("mnt-calls.mount", "mnt-calls.automount"):
        (tmp_path / unit).write_bytes((DIST / unit).read_bytes())
    assert verify(tmp_path, "./mnt-calls.mount", "./mnt-calls.automount") == ""


def test_the_line_of_fstab_becomes_that_pair(tmp_path):
    for name in ("normal", "early", "late"):
        (tmp_path / name).mkdir()
    subprocess.run(["/lib/systemd/system-generators/systemd-fstab-generator",
                    *(tmp_path / name for name in ("normal", "early", "late"))], check=True,
                   env={**os.environ, "SYSTEMD_FSTAB": str(DIST / "fstab.example")},
                   timeout=PATIENCE_S)
    made = tmp_path / "normal"
    assert verify(made, "./mnt-calls.mount", "./mnt-calls.automount") == ""

    def what(path):
        lines = path.read_text(encoding="utf-8").splitlines()
        return {line for line in lines if line.startswith(("What=", "Where=", "Type="))}

    assert what(made / "mnt-calls.mount") == what(DIST / "mnt-calls.mount")
    assert what(made / "mnt-calls.automount") == what(DIST / "mnt-calls.automount")


def test_the_service_runs_with_what_it_is_left(sim_of, world, tmp_path):
    """Its command line and its capabilities, for lack of a systemd to start it."""
    sim, home = sim_of({OLD: 45}), world.home(0)
    settings = parsed(service(tmp_path))["Service"]
    kept = settings["CapabilityBoundingSet"].lower().removeprefix("cap_")
    words = {"%i": sim.auth_id, "%S": str(home), "${OPTIONS}": "", "${MOUNTPOINT}": str(world.point(0))}
    line = [re.sub(r"%\w|\${\w+}", lambda word: words[word[0]], word)
            for word in settings["ExecStart"].replace(CDRFS, str(world.cdrfs)).split()]
    world.out("sh", "-c", 'umask 077; echo "$0" >"$1"', sim.token, home / "cdrfs.token")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(world.folder / "notify"))
        manager.settimeout(PATIENCE_S)
        process = world.start(
            "setpriv", "--no-new-privs", f"--bounding-set=-all,+{kept}", f"--inh-caps=-all,+{kept}",
            *line, env=environment(CREDENTIALS_DIRECTORY=str(home), PLIVO_API_URL=sim.api_url,
                                   NOTIFY_SOCKET=str(world.folder / "notify")))
        assert manager.recv(4096) == b"READY=1"
    assert world.out("ls", world.point(0) / f"by-date/{OLD}").split() == sim.names(OLD)
    assert world.out("stat", "-c", "%a", home / "cdrfs").strip() == "700"
    world.out("umount", world.point(0))
    assert process.communicate(timeout=PATIENCE_S) == ("", "") and process.returncode == 0
