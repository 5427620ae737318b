# SPDX-License-Identifier: MIT
"""Programs of old: those that know 32 bits only, those that open to write what they only read, and
those that load a table."""

import csv
import mmap
import os
import subprocess
import time

import pytest

from harness import PATIENCE_S, day
from records import csv_row, in_order

OLD, OTHER = day(6), day(7)
ODD = {
    "comma": r'"from_number": "a,b", "to_number": "say \"hi\""',
    "lines": r'"from_number": "a\nb", "to_number": "a\r\nb"',
    "unicode": r'"from_number": "Z\u00fcrich \ud83d\ude00", "to_number": "\u00e9"',
    "digits": '"bill_duration": 99999999999999999999, "total_amount": "0.00650", "call_id": "007"',
    "nulls": '"from_number": null, "answer_time": null, "srtp": false',
    "extra": r'"zz": "a,\"b\"", "aa": [1, {"x": 0.10}]',
}


def add_odd(sim):
    for uuid, text in ODD.items():
        sim.raw(f"{OLD} 10:00:00",
                f'{{"call_uuid": "{uuid}", {text}, "end_time": "{OLD} 10:00:00"}}')


def table_of(sim, path):
    """Header and rows that the csv at path should hold, as text, told from the API's records."""
    header = path.read_text(encoding="utf-8").split("\n", 1)[0].split(",")
    return header, [csv_row(row["raw"], header) for row in in_order(sim.oracle(OLD))]


@pytest.fixture(name="table", scope="module")
def _table(module_sim, module_mount):
    """(the path of a csv on a mount, its header, its rows)"""
    sim = module_sim({OLD: 207, OTHER: 20})
    add_odd(sim)
    path = module_mount(sim, ttl="1h") / f"csv/by-date/{OLD}.csv"
    header, rows = table_of(sim, path)
    assert len(rows) == 207 + len(ODD)
    return path, header, rows


# --- inode numbers of 32 bits ---


def attributes(mount):
    """What stat and readdir say of all there is, by path."""
    found = {".": (os.stat(mount.path).st_ino, os.stat(mount.path))}
    for folder, names, files in os.walk(mount.path):
        for entry in os.scandir(folder):
            path = os.path.relpath(entry.path, mount.path)
            found[path] = entry.inode(), entry.stat(follow_symlinks=False)
        assert {"." not in names, ".." not in files} == {True}
    return found


def test_with_inode32_every_inode_number_has_32_bits_and_no_file_another_link(sim_of, mount_of):
    sim = sim_of({OLD: 207, OTHER: 20})
    wide, narrow = mount_of(sim), mount_of(sim, inode32=True)
    for mount in (wide, narrow):
        for name in (OLD, OTHER):
            mount.ls(name)
    before, after = attributes(wide), attributes(narrow)
    assert before.keys() == after.keys() and len(after) > 8 * 227
    calls = {}
    for path, (ino, st) in after.items():
        assert 0 < ino == st.st_ino < 1 << 32, path
        assert st.st_nlink == (2 if os.path.isdir(narrow / path) else 1)
        assert (st.st_size, st.st_mode) == (before[path][1].st_size, before[path][1].st_mode)
        if path.endswith(".json"):
            calls.setdefault(os.path.basename(path), set()).add(ino)
            assert before[path][1].st_nlink == 8 and before[path][0] >= 1 << 32
    assert len(calls) == 227 and all(len(numbers) == 1 for numbers in calls.values())
    assert len({path: ino for path, (ino, st) in after.items() if st.st_nlink == 2}) == \
        len({ino for ino, st in after.values() if st.st_nlink == 2})


# --- opened to be written ---

WRITERS = {
    "sed": ["sed", "-i", "s/1/2/"],
    "dd": ["dd", "if=/dev/zero", "conv=notrunc", "count=1"],
    "touch": ["touch"],
    "truncate": ["truncate", "-s", "0"],
    "cp": ["cp", "/etc/hostname"],
    "rm": ["rm", "-f"],
    "chmod": ["chmod", "u+w"],
    "r+": ["/usr/bin/python3", "-c",
           "import sys; f = open(sys.argv[1], 'r+'); f.read(); f.write('x'); f.close()"],
    "append": ["tee", "-a"],
}


@pytest.mark.parametrize("program", WRITERS)
def test_who_changes_a_file_is_told_that_it_cannot(table, program):
    path = table[0]
    before = path.read_bytes(), os.stat(path)[:8]
    command = [*WRITERS[program], f"of={path}" if program == "dd" else path]
    done = subprocess.run(command, check=False, input="x", capture_output=True, text=True,
                          timeout=PATIENCE_S)
    assert done.returncode != 0 and "Read-only file system" in done.stderr
    assert (path.read_bytes(), os.stat(path)[:8]) == before


def test_who_opens_to_write_and_only_reads_is_served(table):
    path, header, _ = table
    with open(path, "r+", encoding="utf-8", newline="") as f:
        assert f.readline() == ",".join(header) + "\n"


def soon_reads(path, expected):
    """Whether it reads so once the kernel has been told, which is no event to anybody else."""
    end = time.monotonic() + PATIENCE_S
    while path.read_bytes() != expected:
        if time.monotonic() > end:
            return False
        os.sched_yield()
    return True


@pytest.mark.parametrize("end", ["flush", "close"])
@pytest.mark.parametrize("kind", ["call", "csv"])
def test_what_was_changed_through_a_mapping_is_not_kept(table, kind, end):
    """The kernel takes it, and is refused when it writes it back."""
    path = table[0]
    if kind == "call":
        day_of = path.parents[2] / "by-date" / OLD
        path = day_of / sorted(os.listdir(day_of))[0]
    before = path.read_bytes()
    with open(path, "r+b", buffering=0) as f:
        changed = mmap.mmap(f.fileno(), 0)
        changed[:3] = b"XXX"
        assert f.read(3) == b"XXX"
        if end == "flush":
            with pytest.raises(OSError, match="Read-only file system"):
                changed.flush()
        changed.close()
    assert soon_reads(path, before)


# --- tables ---


def test_python_reads_a_csv(table):
    path, header, rows = table
    with open(path, encoding="utf-8", newline="") as f:
        assert list(csv.reader(f, strict=True)) == [header, *rows]
    with open(path, encoding="utf-8", newline="") as f:
        assert [row["call_uuid"] for row in csv.DictReader(f)] == \
            [row[header.index("call_uuid")] for row in rows]


def test_sqlite_imports_a_csv(table, tmp_path):
    path, header, rows = table
    script = f'.import --csv "{path}" calls\n.mode json\nselect * from calls order by rowid;\n'
    done = subprocess.run(["sqlite3", "-bail", tmp_path / "calls.db"], check=True, input=script,
                          capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.stderr == ""
    select = ["sqlite3", "-readonly", "-newline", "\x1e", "-separator", "\x1f",
              tmp_path / "calls.db"]
    found = subprocess.run([*select, "select * from calls order by rowid"], check=True,
                           capture_output=True, timeout=PATIENCE_S).stdout.decode()
    assert [row.split("\x1f") for row in found.split("\x1e")[:-1]] == rows
    names = subprocess.run([*select, "select name from pragma_table_info('calls')"], check=True,
                           capture_output=True, text=True, timeout=PATIENCE_S).stdout
    assert names.split("\x1e")[:-1] == header
