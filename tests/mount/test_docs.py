# SPDX-License-Identifier: MIT
"""docs/ARCHITECTURE.md names every thread and lock. The examples of docs/SEMANTICS.md: what stands behind `$` is run in a mount, and prints what stands below
it, for so many requests as it says. They run one after the other, each with what those before it left."""

import re
import subprocess

import pytest

from harness import PATIENCE_S, ROOT, Mount, Sim, clean_env

NOW = "2026-05-27 12:00:00"  # whatever the real day is
ACCOUNT = ["--now", NOW, "--calls", 2000, "--days", 30, "--seed", 7]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
COMMAND = re.compile(r"\$ (?P<line>.*?)(?: +# (?P<requests>\d+) requests?)?")


def arrive(sim):
    sim.calls(3, "2026-05-27 11:50:00", 10)


# What happens between commands, by the sentence that says so.
HAPPENS = {
    "# 3 more calls appear, which ended a while ago.": arrive,
    "# The API answers 503.": lambda sim: sim.refuse(503),
    "# The API is well again.": lambda sim: sim.mend(),
}


def steps():
    """(what is run or happens, what it must print, what it must cost or None) in order."""
    text = (ROOT / "docs/SEMANTICS.md").read_text(encoding="utf-8")
    found = []
    for line in "".join(BLOCK.findall(text)).splitlines():
        command = COMMAND.fullmatch(line)
        if command:
            cost = command["requests"]
            found.append((command["line"], [], int(cost) if cost else None))
        elif line.startswith("# "):
            found.append((line, [], None))
        else:
            found[-1][1].append(line)
    return found


def run(mount, line):
    env = clean_env(LC_ALL="C.UTF-8", TZ="UTC")
    done = subprocess.run(["bash", "-c", line], cwd=mount.path, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE_S,
                          check=False)
    return done.stdout.decode().splitlines()


@pytest.fixture(name="account")
def _account(tmp_path):
    sim = Sim(None, *ACCOUNT)
    mount = Mount(sim, tmp_path / "mnt")
    mount.start()
    yield sim, mount
    mount.clean_up()
    sim.stop()


def test_there_are_examples():
    assert len(steps()) > 40 and sum(cost is not None for _, _, cost in steps()) > 20


def test_each_example_prints_and_costs_what_the_document_says(account):
    sim, mount = account
    for line, printed, cost in steps():
        if line.startswith("# "):
            HAPPENS[line](sim)
            assert printed == []
            continue
        before = sim.requests()
        assert run(mount, line) == printed, line
        sim.wait(idle=1)
        assert cost in (None, sim.requests() - before), line


# --- docs/ARCHITECTURE.md ---


def sources():
    for part in ("api", "cache", "fs", "ctl"):
        for path in sorted((ROOT / part).glob("*.[ch]")):
            yield f"{part}/{path.name}", path.read_text(encoding="utf-8")


def architecture(title):
    text = (ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8")
    return re.search(rf"^## {title}\n(.*?)^## ", text, re.M | re.S)[1]


def test_every_lock_of_the_source_is_in_the_architecture():
    found = [(name, lock) for name, text in sources()
             for lock in re.findall(r"^ +pthread_mutex_t (\w+);", text, re.M)]
    told = re.findall(r"^\| [\w ]+ \| (\S+) `(\w+)` \|", architecture("Locks"), re.M)
    assert sorted(told) == sorted(found) and len(found) > 10


def test_every_thread_of_the_source_is_in_the_architecture():
    found = [name for name, text in sources() for _ in re.findall(r"\bpthread_create\(", text)]
    told = re.findall(r"^\| \w+ \| (\S+/\S+) \|", architecture("Threads"), re.M)
    assert sorted(told) == sorted(found) and len(found) == 7


def test_every_file_that_the_architecture_names_is_there():
    text = (ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8")
    there = {name.split("/")[1] for name, _ in sources()}
    named = {name for name in re.findall(r"`(\w+\.[ch])`", text)}
    assert named <= there and len(named) > 20, named - there
