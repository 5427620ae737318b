# SPDX-License-Identifier: MIT
"""updatedb of plocate never costs a request, and stays out where it is told to."""

import pytest

from harness import ROOT, day
from world import environment

HELD, COLD = day(6), day(7)
DISTRIBUTION = 'PRUNE_BIND_MOUNTS="yes"\nPRUNEPATHS="/var/spool"\nPRUNEFS="NFS proc sysfs"\n'


@pytest.fixture(name="index")
def _index(world, sim_of):
    """index(updatedb.conf): the paths that updatedb finds below a folder with a mount in it."""
    sim = sim_of({HELD: 45, COLD: 45})
    world.mount(sim, user=0)
    world.out("ls", world.point(0) / f"by-date/{HELD}")
    sim.clear_log()
    (world.folder / "beside").touch()

    def make(conf):
        path = world.folder / "updatedb.conf"
        path.write_text(conf, encoding="utf-8")
        world.out("mount", "--bind", path, "/etc/updatedb.conf")
        database = world.folder / "database"
        world.out("updatedb.plocate", "-l", "0", "-U", world.folder, "-o", database)
        found = world.out("plocate", "-d", database, world.folder, env=environment()).splitlines()
        assert sim.requests() == 0 and str(world.folder / "beside") in found
        below = str(world.point(0)) + "/"
        return [line.removeprefix(below) for line in found if line.startswith(below)], sim

    yield make


def edited(world, text, times):
    path = world.folder / "edited.conf"
    path.write_text(text, encoding="utf-8")
    for _ in range(times):
        world.out("sed", "-i", "-f", ROOT / "dist/updatedb.sed", path)
    return path.read_text(encoding="utf-8")


def test_updatedb_finds_what_is_held_and_asks_nothing(index):
    found, sim = index(DISTRIBUTION)
    assert {f"by-date/{HELD}/{name}" for name in sim.names(HELD)} <= set(found)
    assert not [path for path in found if path.startswith(f"by-date/{COLD}/")]


@pytest.mark.parametrize("times", [1, 2])
def test_updatedb_stays_out_where_its_configuration_says_so(index, world, times):
    conf = edited(world, DISTRIBUTION, times)
    assert conf == DISTRIBUTION.replace('PRUNEFS="', 'PRUNEFS="fuse.cdrfs ')
    assert index(conf)[0] == []
