# SPDX-License-Identifier: MIT
"""The tools that people look around with, each on a mount: what they say is what is true of the calls,
and what it costs is what a listing costs."""

import json
import mmap
import os
import re
import subprocess

import pytest

from expect import render
from harness import PATIENCE_S, day, epoch
from lab import find
from records import compact

COUNTS = {day(1): 30, day(2): 41, day(6): 120, day(40): 25}
BIG = day(6)


class Tree:
    """A mount of a simulator, and what is true of its calls: {path below by-date: row}."""

    def __init__(self, sim, mount):
        self.sim, self.mount = sim, mount
        self.rows = {f"{row['end_time'][:10]}/{row['call_uuid']}.json": row
                     for row in sim.oracle()}
        self.bodies = {path: render(row["raw"]) for path, row in self.rows.items()}

    def run(self, *command, status=0, **options):
        """What a command says that is run in by-date, and complains of nothing."""
        options = {"cwd": self.mount / "by-date", **options}
        done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, check=False,
                              capture_output=True, timeout=PATIENCE_S, **options)
        assert (done.returncode, done.stderr) == (status, b""), done
        return done.stdout.decode()

    def lines(self, *command, **options):
        """The lines of it, sorted, without a `./` in front."""
        return sorted(re.sub(r"^\./", "", line) for line in self.run(*command, **options).split("\n")[:-1])

    def of(self, test):
        """The paths of the calls of which that is true."""
        return sorted(path for path, row in self.rows.items() if test(path, row))


def make_tree(sim_of, mount_of):
    sim = sim_of(COUNTS)
    sim.calls(12, f"{day(0)} 09:00:00", 60)
    return Tree(sim, mount_of(sim, ttl="1h"))


@pytest.fixture(name="cold")
def _cold(sim_of, mount_of):
    """A tree of whose calls nothing is held."""
    return make_tree(sim_of, mount_of)


@pytest.fixture(name="held", scope="module")
def _held(module_sim, module_mount):
    tree = make_tree(module_sim, module_mount)
    find(tree.mount / "by-date")
    tree.sim.wait(idle=1)
    return tree


@pytest.fixture(name="tree")
def _tree(held):
    """A tree that is held; the test may ask the API nothing."""
    held.sim.clear_log()
    yield held
    assert held.sim.requests() == 0


# --- a first walk ---


def ls_r(tree, *flags):
    """The files of `ls -R`, whose lines end with their names."""
    found, where = [], ""
    for line in tree.run("ls", "-R", *flags, ".").split("\n"):
        if line.endswith(":"):
            where = line[2:-1]
        elif line.endswith(".json"):
            found.append(f"{where}/{line.split()[-1]}")
    return sorted(found)


def counted(tree, *command):
    """The files for which a command prints PATH:LINES, and these are right."""
    counts = dict(line.rsplit(":", 1) for line in tree.lines(*command))
    assert counts == {path: str(body.count(b"\n")) for path, body in tree.bodies.items()}
    return sorted(counts)


def measured(tree, *command):
    """The files of `du`, whose sizes are right."""
    sizes = dict(reversed(line.split("\t")) for line in tree.run(*command).split("\n")[:-1])
    files = {path[2:]: int(n) for path, n in sizes.items() if path.endswith(".json")}
    assert files == {path: len(body) for path, body in tree.bodies.items()}
    assert int(sizes["."]) == sum(files.values())
    return sorted(files)


def walked(tree):
    """os.walk, and every byte by mmap."""
    found = {}
    for where, _, names in os.walk(tree.mount / "by-date"):
        for entry in os.scandir(where) if names else []:
            with open(entry.path, "rb") as f:
                found[os.path.relpath(entry.path, tree.mount / "by-date")] = bytes(
                    mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ))
    assert found == tree.bodies
    return sorted(found)


WALKS = {
    "ls -R": ls_r,
    "ls -lR": lambda t: ls_r(t, "-l"),
    "find": lambda t: t.lines("find", ".", "-name", "*.json"),
    "find -ls": lambda t: sorted(line.split()[-1][2:] for line in
                                 t.lines("find", ".", "-name", "*.json", "-ls")),
    "find -depth": lambda t: t.lines("find", ".", "-depth", "-type", "f"),
    "grep -rc": lambda t: counted(t, "grep", "-rc", "", "."),
    "rg -j1 -c": lambda t: counted(t, "rg", "-j1", "-c", "", "."),
    "rg -j1 --files": lambda t: t.lines("rg", "-j1", "--files", "."),
    "fd -j1": lambda t: t.lines("fdfind", "-j1", "-t", "f"),
    "du -ab": lambda t: measured(t, "du", "-ab", "."),
    "tree": lambda t: [line for line in t.lines("tree", "-fi", "--noreport", ".")
                       if line.endswith(".json")],
    "tree --du -s": lambda t: sorted(line.split("./")[1] for line in
                                     t.lines("tree", "-fi", "--du", "-s", "--noreport", ".")
                                     if line.endswith(".json")),
    "os.walk, scandir, mmap": walked,
    "bash **": lambda t: t.lines("bash", "-c", "shopt -s globstar; printf '%s\n' **/*.json"),
    "zsh **": lambda t: t.lines("zsh", "-fc", "print -l **/*.json(.)"),
    "sh *": lambda t: t.lines("sh", "-c", "ls -d */*.json"),
    "jq over a glob": lambda t: t.lines(
        "sh", "-c", "jq -r '.end_time[:10] + \"/\" + .call_uuid + \".json\"' */*.json"),
}


def check_first_walk(cold, name, walk, most):
    """It is whole and costs at most so many requests; the next one costs none."""
    assert walk(cold) == sorted(cold.rows)
    cold.sim.wait(idle=1)
    first = cold.sim.requests()
    print(f"{name}: {first} requests for {len(cold.rows)} calls")
    assert first <= most
    assert walk(cold) == sorted(cold.rows)
    assert cold.sim.requests() == first


@pytest.mark.parametrize("name", WALKS)
def test_a_first_walk_is_whole_and_costs_what_a_listing_does(cold, name):
    check_first_walk(cold, name, WALKS[name], len(cold.rows) / 20 + 10)


PARALLEL = {
    "rg -j8 -c": lambda t: counted(t, "rg", "-j8", "-c", "", "."),
    "rg -j8 --files": lambda t: t.lines("rg", "-j8", "--files", "."),
    "fd -j8": lambda t: t.lines("fdfind", "-j8", "-t", "f"),
    "fd -j8 -e json -S+1b": lambda t: t.lines("fdfind", "-j8", "-e", "json", "-S+1b"),
}


@pytest.mark.parametrize("name", PARALLEL)
def test_a_first_walk_of_many_threads_is_whole_and_asks_for_no_day_twice(cold, name):
    """They come to the days in no order, so that not all of what they come to is read ahead."""
    check_first_walk(cold, name, PARALLEL[name], 90 + len(cold.rows) / 20)


@pytest.mark.parametrize("name", ["find", "rg -j8 -c", "tree", "zsh **"])
def test_a_walk_in_another_view_is_the_same(tree, name):
    for direction in ("inbound", "outbound"):
        view = Tree(tree.sim, tree.mount)
        view.run = lambda *a, d=direction, v=view, **o: Tree.run(
            v, *a, cwd=v.mount / "by-direction" / d, **o)
        view.rows = {p: r for p, r in tree.rows.items() if r["call_direction"] == direction}
        view.bodies = {p: tree.bodies[p] for p in view.rows}
        assert (WALKS | PARALLEL)[name](view) == sorted(view.rows)


# --- what find looks at ---


def test_find_by_time(tree):
    edge = f"{BIG} 12:00:00"
    newer = tree.of(lambda _, r: r["end_time"] > edge)
    assert tree.lines("find", ".", "-type", "f", "-newermt", f"{edge}Z") == newer
    assert 0 < len(newer) < len(tree.rows)
    middle = tree.of(lambda *_: True)[100]
    assert tree.lines("find", ".", "-type", "f", "-newer", middle) == tree.of(
        lambda _, r: r["end_time"] > tree.rows[middle]["end_time"])
    assert tree.lines("fdfind", "-t", "f", "--changed-before", f"{edge[:10]}T{edge[11:]}Z") == tree.of(
        lambda _, r: r["end_time"] < edge)


def test_find_by_size(tree):
    sizes = sorted(map(len, tree.bodies.values()))
    edge = sizes[len(sizes) // 2]
    for sign, test in (("+", edge.__lt__), ("-", edge.__gt__), ("", edge.__eq__)):
        assert tree.lines("find", ".", "-type", "f", "-size", f"{sign}{edge}c") == sorted(
            path for path, body in tree.bodies.items() if test(len(body)))
    assert tree.lines("find", ".", "-type", "f", "-size", "+1k") == sorted(
        path for path, body in tree.bodies.items() if len(body) > 1024)


def test_find_what_is_empty(tree):
    assert tree.lines("find", ".", "-empty") == []  # days without calls are not listed
    assert tree.lines("find", day(50), "-empty") == [day(50)]  # but there


def test_find_by_links_and_inode(tree):
    assert tree.lines("find", ".", "-type", "f", "-links", "8") == sorted(tree.rows)
    assert tree.lines("find", ".", "-type", "f", "-not", "-links", "8") == []
    path = sorted(tree.rows)[77]
    row = tree.rows[path]
    number = os.stat(tree.mount / "by-date" / path).st_ino
    views = ["by-date", f"by-direction/{row['call_direction']}",
             f"by-hangup-cause/{row['hangup_cause_code']}"]
    found = tree.lines("find", *views, "-inum", number, cwd=tree.mount.path)
    assert found == sorted(f"{view}/{path}" for view in views)
    assert tree.lines("find", *views, "-samefile", f"by-date/{path}", cwd=tree.mount.path) == found


def test_find_and_act(tree):
    """-exec with as many names as fit, -print0 with xargs, -delete, which fails and changes nothing."""
    total = sum(map(len, tree.bodies.values()))
    for how in ("find . -type f -exec cat {} +", "find . -type f -print0 | xargs -0 -P4 -n50 cat"):
        assert tree.run("sh", "-c", f"{how} | wc -c").strip() == str(total)
    done = subprocess.run(["find", BIG, "-type", "f", "-delete"], cwd=tree.mount / "by-date", check=False,
                          capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1 and done.stderr.count("Read-only file system") == COUNTS[BIG]
    assert tree.mount.ls(BIG) == tree.sim.names(BIG)


# --- what is in them ---


def test_a_search_finds_what_the_records_say(tree):
    code = tree.rows[sorted(tree.rows)[0]]["hangup_cause_code"]
    expected = tree.of(lambda _, r: r["hangup_cause_code"] == code)
    assert 0 < len(expected) < len(tree.rows)
    text = f'"hangup_cause_code": {code}'
    for command in (["grep", "-rl", text, "."],
                    ["rg", "-l", text, "."], ["rg", "-l", "--mmap", "-j8", text, "."],
                    ["rg", "-l", "--no-mmap", text, "."], ["zsh", "-fc", f"grep -l '{text}' */*.json"],
                    ["sh", "-c", f"jq -r 'select(.hangup_cause_code == {code}) | input_filename' */*.json"]):
        assert tree.lines(*command) == expected, command


def test_jq_reads_a_day_of_ndjson(tree):
    """It is the records, in order, and a query over it says what one over the files says."""
    ndjson = f"ndjson/by-date/{BIG}.ndjson"
    rows = [row for row in tree.rows.values() if row["end_time"].startswith(BIG)]
    assert sorted(tree.lines("cat", ndjson, cwd=tree.mount.path)) == sorted(
        compact(row["raw"]) for row in rows)
    said = json.loads(tree.run("jq", "-cs", "[length, (map(.call_duration) | add)]", ndjson,
                               cwd=tree.mount.path))
    assert said == [len(rows), sum(json.loads(row["raw"])["call_duration"] for row in rows)]
    files = tree.run("sh", "-c", f"cat by-date/{BIG}/*.json | jq -cs '[length, (map(.call_duration) | add)]'",
                     cwd=tree.mount.path)
    assert json.loads(files) == said


# --- space ---


def test_du_counts_a_call_once_in_however_many_views(tree):
    total = sum(map(len, tree.bodies.values()))
    for views in (["by-date"], ["by-date", "by-direction", "by-stir", "by-hangup-source"], ["."]):
        lines = tree.run("du", "-bsc", "--exclude=csv", "--exclude=ndjson", *views,
                         cwd=tree.mount.path).split("\n")
        assert lines[-2] == f"{total}\ttotal", views
    outbound = tree.of(lambda _, r: r["call_direction"] == "outbound")
    twice = total + sum(len(tree.bodies[path]) for path in outbound)
    counted_twice = tree.run("du", "-bslc", "by-date", "by-direction/outbound", cwd=tree.mount.path)
    assert counted_twice.split("\n")[-2] == f"{twice}\ttotal"


def test_du_in_blocks(tree):
    blocks = sum(-(-len(body) // 512) for body in tree.bodies.values())
    assert tree.run("du", "-sB512", ".").split()[0] == str(blocks)


def test_df_is_full_of_calls(tree):
    total = sum(map(len, tree.bodies.values()))
    fields = "source,fstype,itotal,iused,iavail,size,used,avail,pcent,target"
    line = tree.run("df", "-B1", f"--output={fields}", tree.mount / "by-date" / BIG).split("\n")[1].split()
    calls, size = str(len(tree.rows)), str(-(-total // 512) * 512)
    assert line == [tree.sim.auth_id, "fuse.cdrfs", calls, calls, "0", size, size, "0", "100%",
                    str(tree.mount.path)]


def test_stat_says_what_the_record_does(tree):
    for path, row in list(tree.rows.items())[::40]:
        said = tree.run("stat", "-c", "%s %b %B %h %f %X %Y %Z %W %u %g %F", path).strip()
        n, t = len(tree.bodies[path]), epoch(row["end_time"])
        assert said == (f"{n} {-(-n // 512)} 512 8 8100 {t} {t} {t} 0 {os.getuid()} {os.getgid()} "
                        "regular file")


def test_ls_in_order_of_time(tree):
    """Newest first, as `ls -t` has it, and in a long listing with the time that the record has."""
    rows = sorted((r for r in tree.rows.values() if r["end_time"].startswith(BIG)),
                  key=lambda r: r["end_time"], reverse=True)
    said = tree.run("ls", "-lt", "--time-style=+%F %T", BIG, env={**os.environ, "TZ": "UTC"})
    lines = said.split("\n")[1:-1]
    assert [" ".join(line.split()[5:7]) for line in lines] == [r["end_time"] for r in rows]
    assert {line.split()[0] for line in lines} == {"-r--------"}


# --- attributes that there are not ---


def test_there_are_no_extended_attributes_and_asking_is_an_answer(tree):
    """As where nothing has any. An ACL is then what the modes say, and `ls` and `cp -a` do not mind."""
    path = sorted(tree.rows)[0]
    done = subprocess.run(["getfattr", "-d", "-m-", path], cwd=tree.mount / "by-date", check=False,
                          capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.stdout == "" and done.stderr == f"getfattr: {path}: Operation not supported\n"
    said = tree.run("getfacl", "-c", path, BIG).split()
    assert said == ["user::r--", "group::---", "other::---", "user::r-x", "group::---", "other::---"]
    assert tree.run("ls", "-l", path).startswith("-r-------- 8 ")  # neither a `+` nor a `.` behind


def test_cp_dash_a_keeps_what_there_is(tree, tmp_path):
    copy = tmp_path / "copy"
    tree.run("cp", "-a", BIG, copy)
    names = sorted(os.listdir(copy))
    assert names == tree.sim.names(BIG)
    for name in names:
        path = f"{BIG}/{name}"
        assert (copy / name).read_bytes() == tree.bodies[path]
        assert (copy / name).stat().st_mtime == epoch(tree.rows[path]["end_time"])
    os.chmod(copy, 0o700)


# --- pagers, editors, and who waits for more ---


def test_pagers_and_heads_show_the_bytes(tree):
    path = sorted(tree.rows)[5]
    body = tree.bodies[path].decode()
    for command in (["less"], ["cat"], ["head", "-n1000"], ["tail", "-n1000"], ["tail", "-c+1"],
                    ["vim.tiny", "-R", "-es", "-u", "NONE", "-c", "%print", "-c", "q"]):
        assert tree.run(*command, path) == body, command
    assert tree.run("tail", "-n2", path) == "".join(body.splitlines(True)[-2:])
    assert tree.run("tail", "-c5", path) == body[-5:]


def test_an_editor_leaves_nothing_and_writes_nothing(tree, tmp_path):
    """Nor does it fail for want of a place beside the file; what it holds can be saved elsewhere."""
    path = sorted(tree.rows)[5]
    env = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    where = tree.mount / "by-date" / path
    commands = ["%s/call/CALL/", f"w! {tmp_path}/copy", "w!", "q!"]
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(["vim.tiny", "-R", "-es", "-u", "NONE", *words, where], cwd=tmp_path,
                          env=env, check=False, capture_output=True, timeout=PATIENCE_S)
    assert done.returncode != 0
    assert (tmp_path / "copy").read_bytes() == b"".join(
        line.replace(b"call", b"CALL", 1) for line in tree.bodies[path].splitlines(True))
    assert where.read_bytes() == tree.bodies[path] and tree.mount.ls(BIG) == tree.sim.names(BIG)
