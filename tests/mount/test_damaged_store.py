# SPDX-License-Identifier: MIT
"""A store that something has damaged, on real mounts: refused in one line, or EIO where the damage is;
never a crash, a short listing, an absence or other bytes. tests/unit/test_damage.c has many more."""

import os
import pathlib
import random
import shutil
import sqlite3
import threading

import pytest

from expect import error_of, render
from harness import day
from lab import foreground, log_lines

DAYS = [day(ago) for ago in range(6, 10)]
PAGE = 4096


@pytest.fixture(name="made", scope="module")
def _made(module_sim, module_mount):
    """A simulator, and a store that holds all of its days."""
    sim = module_sim({name: 150 for name in DAYS})
    mount = module_mount(sim)
    for name in DAYS:
        assert mount.ls(name) == sim.names(name)
    mount.unmount()
    sim.rows = {name: sim.oracle(name) for name in DAYS}
    return sim, mount.store


@pytest.fixture(name="store")
def _store(made, tmp_path):
    """A copy of it, to be damaged."""
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    return pathlib.Path(shutil.copy(made[1], folder))


def leaves(store, table):
    """The numbers, from 1, of the pages that hold a table's rows."""
    with sqlite3.connect(store) as db:
        return [page for page, in db.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,))]


def account(sim):
    return {"PLIVO_AUTH_ID": sim.auth_id, "PLIVO_AUTH_TOKEN": sim.token, "PLIVO_API_URL": sim.api_url}


def refused(sim, cdrfs, store, *words):
    where = store.parent.parent / "mnt"
    where.mkdir()
    done = cdrfs("-o", f"cache_dir={store.parent}", where, **account(sim))
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == "" and len(lines) == 1, done
    assert str(store) in lines[0] and all(word in lines[0] for word in words), lines[0]
    assert not os.path.ismount(where)


def attempt(function, *args):
    """The result, or the name of the errno."""
    try:
        return function(*args)
    except OSError as e:
        return os.strerror(e.errno)


def look(sim, mount):
    """Everything that is given is right; returns how much could not be given."""
    failed = 0
    for name in DAYS:
        names = attempt(mount.ls, name)
        assert names in (sim.names(name), "Input/output error")
        failed += names == "Input/output error"
        for row in sim.rows[name][::7]:
            data = attempt((mount.day(name) / f"{row['call_uuid']}.json").read_bytes)
            assert data in (render(row["raw"]), "Input/output error")
            failed += data == "Input/output error"
    return failed


def spoil(store, at, data):
    with open(store, "r+b") as f:
        f.seek(at)
        f.write(data)


@pytest.mark.parametrize("what, words", [
    ("zeros", ["file is not a database", "move it away"]),
    ("noise", ["file is not a database", "move it away"]),
    ("half", ["malformed", "move it away"]),
    ("one page", ["malformed", "move it away"]),
    ("15 bytes", ["file is not a database", "move it away"]),
    ("another program", ["not a store of cdrfs", "move it away"]),
    ("newer", ["newer cdrfs", "upgrade"]),
    ("a folder", ["move it away"]),
    ("pages of two moments", ["not of one piece", "another copy"])])
def test_it_is_refused_in_one_line(made, cdrfs, store, what, words):
    sim, size = made[0], store.stat().st_size
    if what in ("zeros", "noise"):
        store.write_bytes(bytes(size) if what == "zeros" else random.Random(1).randbytes(size))
    elif what in ("half", "one page", "15 bytes"):
        os.truncate(store, {"half": size // 2, "one page": PAGE, "15 bytes": 15}[what])
    elif what == "a folder":
        store.unlink()
        store.mkdir()
    elif what == "another program":
        store.unlink()
        with sqlite3.connect(store) as db:
            db.execute("CREATE TABLE bookmarks(url)")
        db.close()
    else:
        with sqlite3.connect(store) as db:
            db.execute("PRAGMA user_version = 1000" if what == "newer" else "DELETE FROM span WHERE id = 2")
        db.close()
    refused(sim, cdrfs, store, *words)


def test_an_empty_file_becomes_a_store(made, mount_of, store):
    store.write_bytes(b"")
    mount = mount_of(made[0], cache=store.parent)
    assert mount.ls(DAYS[0]) == made[0].names(DAYS[0]) and mount.stderr == b""


@pytest.mark.parametrize("seed", range(8))
def test_damage_in_the_middle_is_an_error_where_it_is(made, mount_of, store, seed):
    """A page of calls that is noise, and twenty flipped bits elsewhere; without and with the API."""
    sim, rng = made[0], random.Random(seed)
    pages = store.stat().st_size // PAGE
    spoil(store, (rng.choice(leaves(store, "call")) - 1) * PAGE, rng.randbytes(PAGE))
    for _ in range(20):
        at = rng.randint(pages // 4 * PAGE, pages * PAGE - 1)
        with open(store, "rb") as f:
            f.seek(at)
            byte = f.read(1)
        spoil(store, at, bytes([byte[0] ^ 1 << rng.randint(0, 7)]))
    mount = foreground(mount_of(sim, start=False, cache=store.parent))
    sim.refuse(500)
    failed = look(sim, mount)
    sim.mend()
    assert look(sim, mount) > 0 < failed
    assert 1 <= len(log_lines(mount, str(store))) <= 6  # each kind of damage once
    assert log_lines(mount, str(store), "check the disk")
    assert str(store) in (mount / ".cdrfs/status").read_text()
    mount.unmount()
    assert mount.process.returncode == 0


@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_file_cut_short_while_it_is_mounted_is_no_crash(made, mount_of, store, size):
    """As is a page that the disk cannot give: mapped into memory that would end the process."""
    sim = made[0]
    mount = mount_of(sim, cache=store.parent)
    assert mount.ls(DAYS[0]) == sim.names(DAYS[0])
    os.truncate(store, size * PAGE * 10)
    look(sim, mount)
    assert attempt(os.listdir, mount.path) != "Transport endpoint is not connected"
    mount.unmount()


def test_another_program_that_locks_it_is_told(made, mount_of, store):
    """What is held is served meanwhile, and all is well when it has gone."""
    sim = made[0]
    sim.calls(30, f"{day(60)} 10:00:00", step_s=1)
    mount = foreground(mount_of(sim, start=False, cache=store.parent))
    db = sqlite3.connect(store, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    results = []
    waiting = threading.Thread(target=lambda: results.append(error_of(mount.ls, day(60))))
    waiting.start()
    while not sim.requests():
        assert mount.ls(DAYS[1]) == sim.names(DAYS[1])
    assert look(sim, mount) == 0
    waiting.join()
    assert results == ["EIO"]
    assert len(log_lines(mount, str(store), "locked", "another program")) == 1
    db.execute("ROLLBACK")
    db.close()
    assert mount.ls(day(60)) == sim.names(day(60))
