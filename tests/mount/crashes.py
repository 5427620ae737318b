# SPDX-License-Identifier: MIT
"""A store whose mount is killed again and again while much goes on, and copies of it that are made
meanwhile; what each must still be good for.

A day is old and final, so that what was listed whole once is whole for ever; only today grows. Records
are amended, so a call has versions, and any of them is right."""

import collections
import contextlib
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

from expect import render
from harness import CDRFS, NOW, PATIENCE_S, SLOW, Mount, Sim, day
from lab import params

VIEWS = {"by-date": {}, "by-direction/inbound": {"call_direction": "inbound"},
         "by-direction/outbound": {"call_direction": "outbound"},
         "by-hangup-source/carrier": {"hangup_source": "carrier"}}
NAMES = {"direction=1..2;": "inbound", "direction=2..3;": "outbound"}
ABSENT = "6c3a8b60-26e0-4842-9387-2350de79f16b.json"


class Oracle:
    """The calls of the simulator, with every version that their records had. Any thread."""

    def __init__(self, sim):
        self.sim, self.lock = sim, threading.Lock()
        self.rows, self.bodies = {}, collections.defaultdict(set)  # by file name
        self.learn()

    def learn(self, name=None):
        with self.lock:
            for row in self.sim.oracle(name):
                file = f"{row['call_uuid']}.json"
                self.rows[file] = row
                self.bodies[file].add(render(row["raw"]))

    def names(self, name, match):
        with self.lock:
            return sorted(file for file, row in self.rows.items() if row["end_time"][:10] == name
                          and row["end_time"] <= NOW and all(row[k].lower() == v for k, v in match.items()))

    def is_version(self, file, data):
        with self.lock:
            return data in self.bodies[file]

    def amend(self, rng):
        with self.lock:
            file = rng.choice(sorted(self.rows))
            self.sim.amend(file[:-5], note='"' + "x" * rng.randint(0, 900) + '"')
            row, = [r for r in self.sim.oracle(self.rows[file]["end_time"][:10])
                    if r["call_uuid"] == file[:-5]]
            self.bodies[file].add(render(row["raw"]))


class Crashes:
    def __init__(self, folder, seed, days=24, calls=70):
        self.folder, self.rng = pathlib.Path(folder), random.Random(seed)
        self.days = [day(ago) for ago in range(4, 4 + days)]
        self.sim = Sim({name: calls - i % 3 * 30 for i, name in enumerate(self.days)})
        self.sim.calls(40, NOW, step_s=-60)
        self.oracle = Oracle(self.sim)
        self.cache = self.folder / "cache"
        self.shown = set()  # days that were listed whole from this store
        self.figures = collections.Counter()
        self.mount, self.copies = None, []
        self.over = threading.Event()
        self.wrong = []

    def end(self):
        self.over.set()
        if self.mount:
            self.mount.clean_up()
        self.sim.stop()

    # --- one life ---

    def start(self, cache, number=0):
        """A mount on that store, or the one line that says why not."""
        options = {"ttl": self.rng.choice([0, 60]), "connections": self.rng.choice([2, 8])}
        mount = Mount(self.sim, self.folder / f"mnt{number}", cache=cache, deadline=20, **options)
        mount.given = {"deadline": 20, **options}
        if number:
            mount.path.mkdir(exist_ok=True)
            done = subprocess.run([CDRFS, "-o", mount.options, mount.path], env=mount.env, text=True,
                                  stdin=subprocess.DEVNULL, timeout=PATIENCE_S, capture_output=True,
                                  check=False)
            if done.returncode:
                assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done
                assert str(mount.store) in done.stderr, done
                return done.stderr
            mount.follow()
        else:
            mount.start()  # also on a dead mount
        return mount

    @staticmethod
    def leave(mount):
        """Unmounts; the WAL goes into the file then, which a busy disk may delay."""
        subprocess.run(["fusermount3", "-u", mount.path], check=True, timeout=PATIENCE_S)
        assert mount.is_gone(PATIENCE_S)
        mount.clean_up()

    def again(self, mount):
        """A new mount on the same store, which has not yet learned that the API fails."""
        self.leave(mount)
        new = Mount(self.sim, mount.path, mount.cache, **mount.given)
        new.start()
        return new

    def live_and_die(self, longest, *more):
        """Readers, arrivals, amendments and refreshes, and at some moment a kill."""
        self.over.clear()
        self.sim.config(latency_ms=self.rng.choice([0, 1, 5]))
        self.sim.arrivals(self.rng.choice([0, 50]))
        tasks = [self.read, self.read, self.read, self.change, self.disturb, *more]
        threads = [threading.Thread(target=self.guard, args=(task, random.Random(self.rng.random())),
                                    daemon=True) for task in tasks]
        for thread in threads:
            thread.start()
        time.sleep(self.rng.uniform(0, longest) * SLOW)
        self.mount.kill()
        self.over.set()
        for thread in threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        self.sim.arrivals(0)
        self.sim.config(latency_ms=0)
        self.sim.wait(idle=1)
        self.oracle.learn(day(0))
        self.figures["kills"] += 1

    def guard(self, task, rng):
        """Errors of the mount are what a kill looks like from outside."""
        while not self.over.is_set():
            try:
                task(rng)
            except OSError:
                if self.over.wait(.002):
                    return
            except Exception as e:  # pylint: disable=broad-except
                self.wrong.append(repr(e))
                return

    def read(self, rng):
        name = rng.choice([*self.days, day(0)])
        view = rng.choice(list(VIEWS))
        names = os.listdir(self.mount / view / name)
        if view == "by-date" and name != day(0):
            self.shown.add(name)
        for file in rng.sample(names, min(5, len(names))):
            data = (self.mount / view / name / file).read_bytes()
            if name != day(0) and not self.oracle.is_version(file, data):
                self.wrong.append(f"{view}/{name}/{file}: other bytes")
        self.figures["listings while alive"] += 1

    def change(self, rng):
        self.oracle.amend(rng)
        if rng.random() < .5:
            (self.mount / ".cdrfs/refresh").write_text(rng.choice(["/", f"by-date/{rng.choice(self.days)}"]))
        self.over.wait(.01)

    def disturb(self, rng):
        """What else there is: files of a day, a call by its name, names that are not there."""
        what = rng.choice(["csv", "ndjson", "by-uuid", "absent"])
        name = rng.choice(self.days)
        if what == "by-uuid":
            with self.oracle.lock:
                file = rng.choice(sorted(self.oracle.rows))
            (self.mount / "by-uuid" / file).read_bytes()
        elif what == "absent":
            with contextlib.suppress(FileNotFoundError):
                os.stat(self.mount / "by-date" / name / ABSENT)
        else:
            (self.mount / what / "by-date" / f"{name}.{what}").read_bytes()

    # --- copies ---

    def copy(self, how, rng):
        """Copies the store's files while they are written, in that order: db, wal, or stopped, which
        is both at one moment."""
        target = self.folder / f"copy{self.figures['copies']}"
        self.figures["copies"] += 1
        target.mkdir(mode=0o700)
        files = {"db": ["", "-wal"], "wal": ["-wal", ""], "only db": [""], "stopped": ["", "-wal"]}[how]
        if how == "stopped":
            self.mount.send(signal.SIGSTOP)
        shown = set(self.shown)
        try:
            for tail in files:
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(f"{self.mount.store}{tail}", target)
                if how != "stopped":
                    self.over.wait(rng.uniform(0, .05))
        finally:
            if how == "stopped":
                self.mount.send(signal.SIGCONT)
        self.copies.append((target, how, shown))

    def keep_copying(self, rng):
        self.over.wait(rng.uniform(0, .1))
        with contextlib.suppress(ProcessLookupError):
            self.copy(rng.choice(["db", "wal", "only db", "stopped"]), rng)

    def lose_the_end(self, wal):
        """As a power cut may: what was written last is not there, or in part."""
        data = bytearray(wal.read_bytes())
        if self.rng.random() < .5:
            del data[self.rng.randint(0, len(data)):]
            how = "cut"
        else:
            for _ in range(3):
                at = self.rng.randint(max(0, len(data) - 12288), max(0, len(data) - 512))
                data[at:at + 512] = self.rng.randbytes(min(512, len(data) - at))
            how = "torn"
        wal.write_bytes(data)
        return how

    def check_copy(self, target, how, shown):
        """A mount on it serves whole listings, or fetches again, or fails; where both files are of one
        moment, nothing is lost either."""
        wal = target / f"{self.mount.store.name}-wal"
        if wal.exists() and self.rng.random() < .5:
            how = f"{how}, WAL {self.lose_the_end(wal)}"
        good = how == "stopped"
        mount = self.start(target, self.figures["copies checked"] + 1)
        self.figures["copies checked"] += 1
        if isinstance(mount, str):
            assert not good, mount
            self.figures[f"{how}: refused"] += 1
            return
        errors = self.figures["EIO"]
        try:
            days = self.rng.sample(self.days, min(12, len(self.days)))
            self.check_without_api(mount, shown if good else set(), True if good else "damage", days)
            self.figures[f"{how}: {'serves' if errors == self.figures['EIO'] else 'lacks some'}"] += 1
            mount = self.again(mount)
            errors = self.figures["EIO"]
            for name in days:
                self.look(mount, name, "by-date", False if good else "damage")
            if errors != self.figures["EIO"]:
                self.figures[f"{how}: is damaged"] += 1
        finally:
            mount.clean_up()

    def check_copies(self, most):
        self.rng.shuffle(self.copies)
        for made in self.copies[:most]:
            self.check_copy(*made)
        for target, _, _ in self.copies:
            shutil.rmtree(target)
        self.copies.clear()

    # --- what must hold afterwards ---

    def check_file(self, store):
        """SQLite finds nothing wrong, and coverage claims nothing that is not held."""
        with sqlite3.connect(store) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            held = {row[0] for row in db.execute("SELECT uuid FROM call JOIN body USING(id)")}
            spans = db.execute("SELECT filters, lo, hi FROM span").fetchall()
        db.close()
        for filters, lo, hi in spans:
            if filters and filters not in NAMES:
                continue
            low, high = (time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(max(0, min(t, 1 << 33))))
                         for t in (lo, hi))
            owed = {row["call_uuid"] for row in self.oracle.rows.values()
                    if low <= row["end_time"] < high and row["end_time"][:10] != day(0)
                    and (not filters or row["call_direction"] == NAMES[filters])}
            assert owed <= held, f"{filters} [{low}, {high}) lacks {len(owed - held)} calls"
            self.figures["spans"] += 1

    def look(self, mount, name, view, may_fail):
        """One listing and some of its files: whole and right, or EIO if that may be. Returns whether it
        was listed."""
        path = mount / view / name
        expected = self.oracle.names(name, VIEWS[view])
        try:
            names = sorted(os.listdir(path))
        except OSError as e:
            assert may_fail and e.strerror == "Input/output error", f"{path}: {e}"
            self.figures["EIO"] += 1
            return False
        assert names == expected, f"{path}: {len(names)} of {len(expected)} calls"
        for file in self.rng.sample(names, min(8, len(names))):
            try:
                data = (path / file).read_bytes()
                assert self.oracle.is_version(file, data), f"{path}/{file}: other bytes"
            except OSError as e:
                assert may_fail == "damage" and e.strerror == "Input/output error", f"{path}/{file}: {e}"
        self.figures["whole"] += 1
        return True

    def check_without_api(self, mount, shown, may_fail=True, days=None):
        """What was once shown whole is there; all else is whole or an error."""
        self.sim.refuse(500)
        for name in days or self.days:
            for view in VIEWS:
                kept = name in shown and may_fail != "damage"
                self.look(mount, name, view, False if kept else may_fail)
        self.sim.mend()

    def check_costs_nothing(self, mount):
        """What was shown whole is not asked for; what comes beside it may be, to be read ahead."""
        self.sim.wait(idle=1)
        self.sim.clear_log()
        for name in self.shown:
            self.look(mount, name, "by-date", False)
        for entry in self.sim.log():
            low, high = (params(entry)[f"end_time__{end}"] for end in ("gte", "lt"))
            asked = [name for name in self.shown if low < f"{name} 24" and high > f"{name} 00:00:00"]
            assert not asked, (asked, entry)

    def round(self, longest, *more):
        """One life on the store as it is, and its end; more: what else goes on in it."""
        self.mount = self.start(self.cache)
        self.check_without_api(self.mount, self.shown)
        self.mount = self.again(self.mount)
        self.check_costs_nothing(self.mount)
        self.live_and_die(longest, *more)
        assert not self.wrong, self.wrong
        aside = self.folder / "aside"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        for tail in ("", "-wal"):
            if os.path.exists(f"{self.mount.store}{tail}"):
                shutil.copy(f"{self.mount.store}{tail}", aside)
        self.check_file(aside / self.mount.store.name)
        self.mount.watchdog.cancel()
        os.close(self.mount.pidfd)
        self.mount.pidfd = None

    def begin_anew(self):
        shutil.rmtree(self.cache)
        self.shown.clear()
        self.figures["new stores"] += 1

    def finish(self):
        """In the end all is there, for what it costs."""
        self.mount = self.start(self.cache)
        (self.mount / ".cdrfs/refresh").write_text("/")
        for name in [*self.days, day(0)]:
            for view in VIEWS:
                if name != day(0) or view == "by-date":
                    self.look(self.mount, name, view, False)
        self.leave(self.mount)
        self.mount = None


@contextlib.contextmanager
def crashing(*args, **options):
    """Crashes that are finished when all went well, and ended in any case; prints the figures."""
    crashes = Crashes(*args, **options)
    try:
        yield crashes
        crashes.finish()
    finally:
        crashes.end()
        for what in sorted(crashes.figures):
            print(f"{what:32} {crashes.figures[what]:7}")
