# SPDX-License-Identifier: MIT
"""What happens by itself while people look around: completion in shells, file managers and their habits,
pagers that wait. It costs nothing but the listings that are asked for."""

import os
import re
import subprocess

import pytest

from expect import error_of, render
from harness import PATIENCE_S, day
from records import read_csv
from terminal import Terminal

HELD, COLD = day(6), day(8)
UUID = "6c3a8b60-26e0-4842-9387-2350de79f16b"


@pytest.fixture(name="place")
def _place(sim_of, mount_of):
    """(sim, mount), which holds one of two days."""
    sim = sim_of({HELD: 45, COLD: 25})
    mount = mount_of(sim, ttl="1h")
    mount.ls(HELD)
    sim.clear_log()
    return sim, mount


@pytest.fixture(name="terminal")
def _terminal(tmp_path):
    """terminal(*command, cwd=): that program on a terminal, at home in an empty folder."""
    made = []

    def make(*command, cwd):
        made.append(Terminal(*command, cwd=str(cwd), HOME=str(tmp_path), PS1="> ", TMPDIR=str(tmp_path)))
        return made[-1]

    yield make
    for one in made:
        one.close()


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], []),
    "bash-completion": (["bash", "--norc", "--noprofile", "-i"],
                        [". /usr/share/bash-completion/bash_completion"]),
    "zsh": (["zsh", "-f", "-i"], ["autoload -U compinit; compinit -D -u"]),
}


class Shell:
    """A shell that waits to be typed at."""

    def __init__(self, terminal, name, cwd):
        command, setup = SHELLS[name]
        self.terminal, self.turns = terminal(*command, cwd=cwd), 0
        self.terminal.wait_for("> ")
        for line in [*setup, "true"]:
            self.settle(line)

    def settle(self, line="true"):
        """Runs that and waits for the next prompt."""
        self.turns += 1
        self.terminal.send(f"{line}; echo set''tled{self.turns}\n")
        self.terminal.wait_for(f"settled{self.turns}\\s")
        self.terminal.wait_for("> ")

    def complete(self, line, *names):
        """Types that and asks for what there is, until all these names are shown; takes it back."""
        self.terminal.send(f"{line}\t\t\t")
        self.terminal.wait_until(lambda shown: all(name in shown for name in names), names)
        self.terminal.send("\x15")
        self.settle()

    def complete_to(self, line, end):
        """Types that, asks for the rest of it and runs it; it must be that."""
        self.terminal.send(f"echo {line}\t\n")
        self.terminal.wait_for(f"[\r\n]{re.escape(end)}\\s")
        self.settle()


@pytest.mark.parametrize("name", SHELLS)
def test_completion_costs_nothing_but_the_day_that_is_looked_into(place, terminal, name):
    sim, mount = place
    shell = Shell(terminal, name, mount.path)
    shell.complete("ls by-", "by-date", "by-direction", "by-uuid")
    shell.complete("ls by-stir/", "not-applicable", "not-verified", "verified")
    shell.complete("cd by-direction/", "inbound", "outbound")
    shell.complete("ls by-date/20", day(0), HELD, COLD, day(89))
    shell.complete(f"cat by-date/{HELD}/", *sim.names(HELD))
    shell.complete_to(f"by-date/{HELD}/{sim.names(HELD)[7][:9]}", f"by-date/{HELD}/{sim.names(HELD)[7]}")
    shell.complete_to(f"csv/by-date/{HELD[:4]}", f"csv/by-date/{HELD}.csv")
    assert sim.requests() == 0
    shell.complete(f"cat by-date/{COLD}/", *sim.names(COLD))
    assert sim.requests() == 2


def test_a_word_that_is_no_path_is_completed_to_nothing_at_no_cost(place, terminal):
    """zsh tries parts of every name on the way."""
    sim, mount = place
    shell = Shell(terminal, "zsh", mount.path)
    shell.complete_to("by-st/ver", "by-stir/verified")
    shell.complete_to("by-date/nothing", "by-date/nothing")
    shell.complete_to("by-uuid/6c3", "by-uuid/6c3")
    assert sim.requests() == 0


# --- file managers ---

HABITS = [
    ".hidden", ".Trash", ".Trash-0", ".Trash-1000", ".directory", "desktop.ini", "Desktop.ini",
    "autorun.inf", "AutoRun.inf", ".autorun", "autorun.sh", "autorun", ".xdg-volume-info",
    ".sh_thumbnails", ".thumbnails", "Thumbs.db", ".DS_Store", "._.DS_Store", ".localized",
    ".metadata_never_index", ".Spotlight-V100", ".fseventsd", ".apdisk", ".nomedia", "folder.jpg",
    "cover.jpg", ".folder.png", ".git", ".hg", ".svn", ".bzr", "CVS", "_darcs", "HEAD",
    ".gitignore", ".ignore", ".rgignore", ".fdignore", ".stignore", ".nobackup", ".rsync-filter",
    ".envrc", ".editorconfig", "Makefile", "README", "BDMV", "VIDEO_TS", "lost+found",
    "System Volume Information", "$RECYCLE.BIN", ".snapshots", ".vim", ".exrc", ".zfs",
    ".snapshot", ".nfs0001", f".{UUID}.json.swp", f"{UUID}.json~"]


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
def test_names_that_file_managers_try_are_absent_and_cost_nothing(sim_of, mount_of, dialect):
    sim = sim_of({HELD: 45, COLD: 25})
    mount = mount_of(sim, dialect=dialect, ttl="1h")
    mount.ls(HELD)
    sim.clear_log()
    places = [".", "by-date", f"by-date/{HELD}", f"by-date/{COLD}", f"by-date/{HELD[:7]}", "by-direction",
              "by-direction/inbound", f"by-direction/inbound/{COLD}", "by-stir", "by-from", "by-from/1415",
              f"by-from/1415/{COLD}", "by-trunk", "by-bill-duration", "by-end-time", "by-hangup-cause/4160",
              "by-uuid", "by-from/1/by-uuid", "csv", "csv/by-date", "ndjson/by-direction/outbound", ".cdrfs"]
    for place in places:
        for name in HABITS:
            assert error_of(os.lstat, mount / place / name) == "ENOENT", (place, name)
    assert sim.requests() == 0


def test_a_file_manager_shows_a_day_views_a_call_and_deletes_none(place, terminal):
    """mc: two panels, F3, F8, F10."""
    sim, mount = place
    names = sim.names(COLD)
    mc = terminal("mc", "-u", "-d", "-b", "-x", mount.day(COLD), mount.path, cwd=mount.path)
    panels = mc.wait_for(r"10Quit[\s\S]*/ndjson")
    assert all(name in panels for name in names) and "ndjson" in panels
    assert sim.requests() == 2
    mc.send("\x1b[B")
    mc.send("\x1b3")
    body = render(next(row["raw"] for row in sim.oracle(COLD) if f"{row['call_uuid']}.json" == names[0]))
    shown = mc.wait_for(r'"call_uuid"[\s\S]*\}')
    assert all(line in shown for line in body.decode().split("\n")[1:-2])
    mc.send("\x1b0")
    mc.wait_for(re.escape(names[1]))
    mc.send("\x1b8")
    mc.wait_for(r"\[ Yes \]")
    mc.send("\n")
    mc.wait_for(r"Read-only file system[\s\S]*\[ Abort \]")
    mc.send("a")
    mc.send("\x1b0")
    assert mc.wait_for_end() == 0
    assert mount.ls(COLD) == names and sim.requests() == 2


def test_git_and_gio_look_around_and_find_nothing(place):
    """git climbs to the root for a repository, gio looks for a trash, thumbnails and what a file is."""
    sim, mount = place

    def run(*command):
        return subprocess.run(list(map(str, command)), cwd=mount.day(HELD), capture_output=True, text=True,
                              check=False, timeout=PATIENCE_S, stdin=subprocess.DEVNULL)

    call = sim.names(HELD)[0]
    assert "not a git repository" in run("git", "status").stderr
    listed = run("gio", "list", "-h", "-l", mount.day(HELD)).stdout.splitlines()
    assert sorted(line.split("\t")[0] for line in listed) == sim.names(HELD)
    about = run("gio", "info", call).stdout
    size = os.stat(mount.day(HELD) / call).st_size
    assert f"standard::size: {size}" in about
    assert "access::can-write: FALSE" in about and "unix::nlink: 8" in about
    trash = run("gio", "trash", call)
    assert trash.returncode != 0 and mount.ls(HELD) == sim.names(HELD)
    assert sim.requests() == 0


# --- who waits ---


def test_a_pager_on_a_terminal_goes_to_the_end_and_back(place, terminal):
    sim, mount = place
    less = terminal("less", f"{mount.path}/ndjson/by-date/{HELD}.ndjson", cwd=mount.path)
    rows = sorted(sim.oracle(HELD), key=lambda row: (row["end_time"], row["call_uuid"]))
    less.wait_for(rows[0]["call_uuid"])
    less.send("G")
    less.wait_for(rows[-1]["call_uuid"] + r"[\s\S]*\(END\)")
    less.send(f"/{rows[20]['call_uuid']}\n")
    less.send("g/" + rows[20]["call_uuid"] + "\n")
    less.wait_for(rows[20]["call_uuid"])
    less.send("q")
    assert less.wait_for_end() == 0 and sim.requests() == 0


def test_an_editor_on_a_terminal_refuses_to_save(place, terminal):
    sim, mount = place
    path = mount.day(HELD) / sim.names(HELD)[0]
    vim = terminal("vim.tiny", "-u", "NONE", "-R", path, cwd=mount.path)
    vim.wait_for(r"\[readonly\]")
    vim.send("x")
    vim.wait_for("W10: Warning: Changing a readonly file")
    vim.send(":w!\n")
    vim.wait_for(r"E514: Write error[\s\S]*Press ENTER")  # with -o ro it is E212: it cannot be opened
    vim.send("\n")
    vim.send(":q!\n")
    assert vim.wait_for_end() == 0
    row = next(row for row in sim.oracle(HELD) if path.name.startswith(row["call_uuid"]))
    assert path.read_bytes() == render(row["raw"])
    assert mount.ls(HELD) == sim.names(HELD) and sim.requests() == 0


@pytest.mark.parametrize("flag", ["-f", "-F"])
def test_tail_that_follows_a_growing_day_shows_one_snapshot_and_ends_with_whom_it_watches(
        sim_of, mount_of, spawn, flag):
    """A csv that is open is a snapshot, and stays as long as it was; who opens it again has all of it."""
    sim = sim_of({HELD: 0})
    sim.calls(5, f"{day(0)} 09:00:00", 60)
    mount = mount_of(sim, ttl="1h")
    mount.ls(HELD)
    path = mount / f"csv/by-date/{day(0)}.csv"
    before = path.read_bytes()
    watched = spawn("sleep", "1000")
    tail = spawn("tail", "-c+1", flag, "-s0.02", f"--pid={watched.pid}", path)
    shown = b""
    while len(shown) < len(before):
        shown += os.read(tail.stdout.fileno(), 65536)
    uuid, = sim.calls(1, f"{day(0)} 11:00:00")
    (mount / ".cdrfs/refresh").write_text("/")
    after = path.read_bytes()
    assert [row[0] for row in read_csv(after)[1]][-1] == uuid and after.startswith(before)
    watched.kill()
    watched.wait()
    rest, errors = tail.communicate(timeout=PATIENCE_S)
    assert (tail.returncode, shown + rest, errors) == (0, before, b"")
