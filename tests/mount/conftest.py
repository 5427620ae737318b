# SPDX-License-Identifier: MIT
"""Fixtures of the mount tests: each hands out a maker, and cleans up whatever was made."""

import contextlib
import subprocess

import pytest

from harness import CDRFS, NOW, PATIENCE_S, SLOW, Mount, Sim, clean_env
from postgres import Postgres
from shared import DAYS, wait_for
from tls import Authority, Relay
from world import World


def pytest_report_header():
    return f"cdrfs: {CDRFS}; simulated time: {NOW}; patience times {SLOW}"


@contextlib.contextmanager
def simulators():
    made = []

    def make(counts=None, *args):
        made.append(Sim(counts, *args))
        return made[-1]

    yield make
    for sim in made:
        sim.stop()


@contextlib.contextmanager
def mounts(folder):
    made = []

    def make(sim, start=True, **options):
        made.append(Mount(sim, **{"where": folder / f"mnt{len(made)}", **options}))
        if start:
            made[-1].start()
        return made[-1]

    yield make
    for mount in made:
        mount.clean_up()


@contextlib.contextmanager
def relays():
    made = []

    def make(sim, enter):
        made.append(Relay(sim, enter))
        return made[-1]

    yield make
    for relay in made:
        relay.stop()


@pytest.fixture(name="sim_of")
def _sim_of():
    """sim_of({day: calls}, *arguments): a simulator."""
    with simulators() as make:
        yield make


@pytest.fixture(name="spawn")
def _spawn():
    """spawn(*command): a process whose output is captured; ended with the test, after the mounts it
    may wait for."""
    made = []

    def make(*command):
        made.append(subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return made[-1]

    yield make
    for process in made:
        process.kill()
    for process in made:
        process.communicate(timeout=PATIENCE_S)


@pytest.fixture(name="mount_of")
def _mount_of(tmp_path, sim_of, spawn):  # pylint: disable=unused-argument
    """mount_of(sim, **options): a mount of it, on a store of its own unless cache= says which."""
    with mounts(tmp_path) as make:
        yield make


@pytest.fixture(name="disk_of")
def _disk_of(tmp_path):
    """disk_of(Kind, **options): a disk of that kind; ended with the test."""
    made = []

    def make(kind, **options):
        made.append(kind(tmp_path / f"disk{len(made)}", **options))
        return made[-1]

    yield make
    for disk in made:
        disk.end()


@pytest.fixture(name="module_sim", scope="module")
def _module_sim():
    """sim_of() for a simulator that the tests of a module share."""
    with simulators() as make:
        yield make


@pytest.fixture(name="module_mount", scope="module")
def _module_mount(tmp_path_factory, module_sim):  # pylint: disable=unused-argument
    """mount_of() for a mount that the tests of a module share."""
    with mounts(tmp_path_factory.mktemp("module")) as make:
        yield make


@pytest.fixture(name="module_postgres", scope="module")
def _module_postgres():
    """A server that the tests of a module share."""
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(name="postgres")
def _postgres(module_postgres):
    """An empty database of that server, which runs."""
    module_postgres.empty()
    yield module_postgres
    module_postgres.mend()


@pytest.fixture(name="hosts")
def _hosts(sim_of, mount_of, postgres):
    """hosts(n, days, **options): a simulator with those days, and mounts of it that share, each with
    a store of its own."""
    def make(n, days=None, **options):
        sim = sim_of(days or DAYS)
        made = [mount_of(sim, **{"shared": postgres.url(), **options}) for _ in range(n)]
        for mount in made:
            wait_for(mount, "together", f"{n} host")
        sim.clear_log()
        return sim, made

    return make


@pytest.fixture(name="authority", scope="session")
def _authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(name="relay_of")
def _relay_of():
    """relay_of(sim, enter): a port through which that simulator is reached."""
    with relays() as make:
        yield make


@pytest.fixture(name="cdrfs")
def _cdrfs(tmp_path):
    """cdrfs(*arguments, cwd=None, **environment): runs the command, which should refuse, and returns
    what became of it."""

    def run(*args, cwd=None, **env):
        return subprocess.run([CDRFS, *map(str, args)], env=clean_env(**env), text=True, cwd=cwd,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S,
                              check=False)

    yield run
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        left = [line.split()[4] for line in table if f" {tmp_path}/" in line]
    for path in left:  # it did not refuse
        subprocess.run(["fusermount3", "-uz", path], check=False, timeout=PATIENCE_S)


@pytest.fixture(name="world")
def _world():
    """Other users, and a /dev that a test may change."""
    world = World()
    yield world
    world.close()
