# SPDX-License-Identifier: MIT
"""The mount served to others by Samba and by sshfs, each with servers of its own on loopback. Neither
server passes on an error of readdir, so opendir has it (docs/SEMANTICS.md, "With other programs")."""

import os
import pathlib
import socket
import subprocess
import sys
import time

import pytest

from expect import error_of
from harness import HANG_S, PATIENCE_S, day
from programs import files_below

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
from peers import Sshd, free_port  # pylint: disable=wrong-import-position,wrong-import-order

OLD, OTHER, COLD = day(6), day(7), day(8)
DAYS = {OLD: 207, OTHER: 45, COLD: 25}
CALLS = sum(DAYS.values())


class Samba:
    """smbd in the foreground, with a share of one path for guests."""

    def __init__(self, folder, path, **more):
        self.folder, self.port = folder, free_port()
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc"):
            (folder / name).mkdir(parents=True)
        self.config = folder / "smb.conf"
        settings = {
            "interfaces": "127.0.0.1", "bind interfaces only": "yes", "smb ports": self.port,
            "server role": "standalone server", "map to guest": "bad user",
            "guest account": "root", "disable spoolss": "yes", "disable netbios": "yes",
            "load printers": "no", "printing": "bsd", "printcap name": "/dev/null",
            "private dir": folder / "private", "lock directory": folder / "lock",
            "state directory": folder / "state", "cache directory": folder / "cache",
            "pid directory": folder / "pid", "ncalrpc dir": folder / "ncalrpc", **more}
        self.config.write_text("[global]\n" + "".join(f"{k} = {v}\n" for k, v in settings.items()) +
                               f"[calls]\npath = {path}\nguest ok = yes\nread only = yes\n",
                               encoding="utf-8")
        with open(folder / "output", "wb") as output:
            self.process = subprocess.Popen(
                ["smbd", "-F", "--no-process-group", "--debug-stdout", "-s", self.config],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True)  # it ends the group of its processes when it ends
        end = time.monotonic() + PATIENCE_S
        while not self.answers():
            assert self.process.poll() is None and time.monotonic() < end
            time.sleep(0.02)

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def client(self, *commands, cwd=None, status=0):
        done = subprocess.run(
            ["smbclient", "-N", "-s", self.config, "-p", str(self.port), "//127.0.0.1/calls", "-c",
             ";".join(commands)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=HANG_S, cwd=cwd, check=False)
        assert done.returncode == status, done
        return done.stdout

    def names(self, path):
        lines = self.client(f"ls {path}/*").splitlines()
        return sorted(line.split()[0] for line in lines if ".json " in line)

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)


@pytest.fixture(name="samba_of")
def _samba_of(mount_of, tmp_path):  # pylint: disable=unused-argument
    made = []

    def make(mount, **settings):
        made.append(Samba(tmp_path / f"samba{len(made)}", mount.path, **settings))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def test_samba_lists_and_gives_everything(sim_of, mount_of, samba_of, tmp_path):
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    samba = samba_of(mount)
    for name in (OLD, OTHER):
        assert samba.names(f"by-date/{name}") == sim.names(name)
    assert samba.names(f"by-direction/inbound/{COLD}") == sim.names(COLD, call_direction="inbound")
    (tmp_path / "got").mkdir()
    samba.client("recurse", "prompt", "mget by-date", cwd=tmp_path / "got")
    assert sim.requests() <= CALLS / 20 + 12
    sim.clear_log()
    got = {path: body for path, (body, _) in files_below(tmp_path / "got/by-date").items()}
    assert got == {path: body for path, (body, _) in files_below(mount / "by-date").items()}
    samba.client(f"get csv/by-date/{OLD}.csv {tmp_path}/a.csv")
    assert (tmp_path / "a.csv").read_bytes() == (mount / f"csv/by-date/{OLD}.csv").read_bytes()
    assert sim.requests() == 0 and len(got) == CALLS


def test_nothing_is_written_through_samba(sim_of, mount_of, samba_of):
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    samba = samba_of(mount)
    said = samba.client(f"put /etc/hostname by-date/{OLD}/x.json", status=1)
    assert "NT_STATUS_ACCESS_DENIED" in said
    for command in (f"mkdir by-date/{OLD}/x", f"del by-date/{OLD}/*"):
        assert "NT_STATUS_ACCESS_DENIED" in samba.client("prompt", command)
    assert mount.ls(OLD) == sim.names(OLD)


def test_a_name_that_is_absent_costs_samba_a_listing_unless_case_matters(
        sim_of, mount_of, samba_of):
    """It looks for the same name in another case."""
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    for settings, least, most in (({"case sensitive": "yes"}, 0, 0), ({}, 1, 11)):
        samba = samba_of(mount, **settings)
        said = samba.client(f"get by-date/{OLD}/desktop.ini /dev/null", status=1)
        assert "NT_STATUS_OBJECT_NAME_NOT_FOUND" in said
        assert least <= sim.requests() <= most


def test_a_csv_that_cannot_be_had_is_an_error_to_samba(sim_of, mount_of, samba_of):
    sim = sim_of(DAYS)
    samba = samba_of(mount_of(sim))
    sim.refuse(500)
    assert "NT_STATUS" in samba.client(f"get csv/by-date/{OLD}.csv /dev/null", status=1)


def test_a_date_that_cannot_be_had_is_an_error_to_samba(sim_of, mount_of, samba_of):
    """smbd itself takes an error in the middle of a directory for its end."""
    sim = sim_of(DAYS)
    samba = samba_of(mount_of(sim))
    sim.refuse(500, skip=2, match="end_time")
    assert "NT_STATUS" in samba.client(f"ls by-date/{OLD}/*", status=1)
    sim.mend()
    assert samba.names(f"by-date/{OLD}") == sim.names(OLD)


# --- sshfs ---


@pytest.fixture(name="sshfs")
def _sshfs(sim_of, mount_of, tmp_path):
    """(sim, mount, where sshfs shows the mount)"""
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    (tmp_path / "ssh").mkdir()
    there = tmp_path / "there"
    there.mkdir()
    server = Sshd(tmp_path / "ssh")
    server.start()
    try:
        options = [f"IdentityFile={tmp_path}/ssh/user", "StrictHostKeyChecking=no", "BatchMode=yes",
                   "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes"]
        subprocess.run(["sshfs", "-F", "/dev/null", "-p", str(server.port),
                        *(word for o in options for word in ("-o", o)),
                        f"127.0.0.1:{mount.path}", there], check=True, timeout=PATIENCE_S)
        yield sim, mount, there
    finally:
        subprocess.run(["fusermount3", "-uz", there], check=False, timeout=PATIENCE_S)
        server.stop()


def test_sshfs_shows_everything(sshfs):
    sim, mount, there = sshfs
    assert files_below(there / "by-date") == files_below(mount / "by-date")
    assert sim.requests() <= CALLS / 20 + 10
    sim.clear_log()
    assert len(files_below(there / "by-date")) == CALLS
    for path in (f"csv/by-date/{OLD}.csv", f"by-uuid/{sim.names(OLD)[0]}"):
        assert (there / path).read_bytes() == (mount / path).read_bytes()
    assert sim.requests() == 0


def test_a_csv_that_cannot_be_had_is_an_error_to_sshfs(sshfs):
    sim, _, there = sshfs
    sim.refuse(500)
    assert error_of((there / f"csv/by-date/{OLD}.csv").read_bytes) in ("EPERM", "EIO")


def test_a_date_that_cannot_be_had_is_an_error_to_sshfs(sshfs):
    """sftp-server itself takes an error in the middle of a directory for its end."""
    sim, _, there = sshfs
    sim.refuse(500, skip=2, match="end_time")
    assert error_of(os.listdir, there / f"by-date/{OLD}") in ("EPERM", "EIO")
    sim.mend()
    assert sorted(os.listdir(there / f"by-date/{OLD}")) == sim.names(OLD)
