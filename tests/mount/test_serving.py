# SPDX-License-Identifier: MIT
"""The mount, served on: bound elsewhere, below an overlay, by handles, and gone while it is used. All of
that is root's, in a world of its own."""

import contextlib
import pathlib

import pytest

from harness import day

OLD, COLD = day(6), day(8)
HANDLES = pathlib.Path(__file__).with_name("handles.py")
PYTHON = "/usr/bin/python3"


@pytest.fixture(name="served")
def _served(sim_of, world):
    """A mount of root's. (sim, world, its path)"""
    sim = sim_of({OLD: 45, COLD: 45})
    world.mount(sim, user=0, ttl="1h")
    yield sim, world, world.point(0)
    world.run("umount", "-l", world.point(0))


@contextlib.contextmanager
def mounted(world, *command, name="there"):
    """Runs a mount command, to which the path of a new folder is added."""
    there = world.home(0) / name
    world.out("mkdir", there)
    world.out(*command, there)
    try:
        yield there
    finally:
        world.out("umount", there)


def ls(world, path):
    return sorted(world.out("ls", "-A", path).split())


# --- bind mounts ---


def test_a_view_can_be_bound_elsewhere(served):
    sim, world, mount = served
    with mounted(world, "mount", "--bind", mount / "by-date") as there:
        assert ls(world, there / COLD) == sim.names(COLD)
        assert sim.requests() == 3


def test_a_read_only_bind_reads_and_writes_nothing(served):
    sim, world, mount = served
    with mounted(world, "mount", "--bind", "-o", "ro", mount) as there:
        assert ls(world, there / "by-date" / OLD) == sim.names(OLD)
        done = world.run("sh", "-c", f"echo / >{there}/.cdrfs/refresh")
        assert done.returncode and "Read-only file system" in done.stderr
        assert world.out("cat", there / ".cdrfs/status")


# --- an overlay above ---


@pytest.fixture(name="overlay")
def _overlay(served):
    """(sim, world, the mount, an overlay on it that can be written)"""
    sim, world, mount = served
    with mounted(world, "mount", "-t", "tmpfs", "none", name="disk") as disk:
        world.out("mkdir", disk / "upper", disk / "work")
        options = f"lowerdir={mount},upperdir={disk}/upper,workdir={disk}/work"
        with mounted(world, "mount", "-t", "overlay", "-o", options, "overlay") as there:
            yield sim, world, mount, there


def test_an_overlay_shows_what_is_below(overlay):
    sim, world, mount, there = overlay
    assert ls(world, there / "by-date" / COLD) == sim.names(COLD) and sim.requests() == 3
    world.out("diff", "-r", there / "by-date" / COLD, mount / "by-date" / COLD)
    name = sim.names(COLD)[0]
    assert len({world.out("stat", "-c", "%i %s %Y", path / "by-date" / COLD / name)
                for path in (there, mount)}) == 1
    assert world.out("cat", there / f"csv/by-date/{COLD}.csv") == \
        world.out("cat", mount / f"csv/by-date/{COLD}.csv")
    assert world.out("cat", there / f"by-uuid/{name}") and sim.requests() == 3


def test_what_is_written_to_an_overlay_stays_there(overlay):
    sim, world, mount, there = overlay
    first, second, *_ = names = ls(world, mount / "by-date" / OLD)
    over, under = there / "by-date" / OLD, mount / "by-date" / OLD
    before = world.out("cat", under / first)
    world.out("sh", "-c", 'echo a note >>"$0"', over / first)
    world.out("sh", "-c", 'echo a note >"$0"', over / "note.txt")
    world.out("rm", over / second)
    assert world.out("cat", over / first) == before + "a note\n"
    assert world.out("cat", under / first) == before
    assert ls(world, over) == sorted({*names, "note.txt"} - {second})
    assert ls(world, under) == names == sim.names(OLD)


@pytest.mark.parametrize("changed", [False, True])
def test_new_calls_come_up_through_an_overlay(overlay, changed):
    sim, world, mount, there = overlay
    over = there / "by-date" / OLD
    before = ls(world, over)
    if changed:
        world.out("touch", over / "note.txt")
        assert ls(world, over) == sorted({*before, "note.txt"})
    sim.calls(3, f"{OLD} 10:00:00")
    world.out("sh", "-c", f"echo / >{mount}/.cdrfs/refresh")
    assert ls(world, mount / "by-date" / OLD) == sim.names(OLD)
    assert ls(world, over) == sorted({*sim.names(OLD), *(["note.txt"] if changed else [])})


def test_an_error_below_is_an_error_above(overlay):
    sim, world, _, there = overlay
    sim.refuse(500)
    done = world.run("ls", there / "by-date" / COLD)
    assert done.returncode == 2 and "Input/output error" in done.stderr


# --- handles, by which NFS remembers files ---


def give(world, path):
    return world.out(PYTHON, HANDLES, "give", path).strip()


def path_behind(world, mount, handle):
    return world.out(PYTHON, HANDLES, "open", mount, handle).strip()


def test_a_handle_opens_its_file_while_the_kernel_knows_it(served):
    sim, world, mount = served
    paths = [mount / "by-date" / OLD / name for name in ls(world, mount / "by-date" / OLD)]
    paths = [paths[0].parent, paths[7], mount / f"csv/by-date/{OLD}.csv"]
    with_handle = [(path, give(world, path)) for path in paths]
    for path, handle in with_handle[:2]:
        assert path_behind(world, mount, handle) == str(path)
    world.out("mount", "-i", "-o", "remount,ro", mount)  # it forgets what nobody has open
    assert {path_behind(world, mount, handle) for _, handle in with_handle} == {"ESTALE"}
    assert sim.requests() == 3


def test_a_handle_of_an_earlier_mount_opens_nothing(served):
    """The ids of nodes begin anew: that of a date is then another directory's."""
    sim, world, mount = served
    name = ls(world, mount / "by-date" / OLD)[7]
    handles = [give(world, mount / "by-date" / path) for path in (OLD, f"{OLD}/{name}")]
    pid = world.holder(sim, user=0)
    world.out("umount", mount)
    world.gone(pid)
    world.mount(sim, user=0)
    for path in ("csv/by-date", "ndjson/by-date", "by-direction/inbound", f"by-date/{OLD}/{name}"):
        world.out("stat", mount / path)
    assert [path_behind(world, mount, handle) for handle in handles] == ["ESTALE", "ESTALE"]


# --- an unmount while it is in use ---


def test_what_is_open_can_be_read_to_its_end_after_a_lazy_unmount(served):
    sim, world, mount = served
    call = mount / "by-date" / OLD / ls(world, mount / "by-date" / OLD)[0]
    paths = [call, mount / f"csv/by-date/{OLD}.csv"]
    bodies = [world.out("cat", path) for path in paths]
    pid = world.holder(sim, user=0)
    readers = [world.start("sh", "-c", 'exec 3<"$0"; echo open; read -r go; cat <&3', path)
               for path in paths]
    assert [reader.stdout.readline() for reader in readers] == ["open\n"] * 2
    world.out("umount", "-l", mount)
    assert not world.is_mounted(0)
    refused = world.run(*world.line(user=0), env=world.account(sim))
    assert refused.returncode == 1 and f"in use by process {pid}" in refused.stderr
    for reader, body in zip(readers, bodies):
        assert reader.communicate("go\n")[0] == body
    world.gone(pid)
    world.mount(sim, user=0)
    assert world.out("cat", call) == bodies[0]
