# SPDX-License-Identifier: MIT
"""A mount of a simulator that lives, misbehaves and is left alone by nobody; and what must hold all
the time.

Readers ask and judge what they get by truth.py. Meanwhile the weather changes (faults), the world
goes on (calls come, also late ones, records are amended, days pass), and the mount ends and begins
again on the same store. Whoever finds that something does not hold calls wrong(), which ends it.

What must hold: a listing that succeeds contains what it owes, nothing that never was, nothing
twice; a file is one of the versions its record had; an error is one of those that the fault
explains, and never ENOENT for a call that is owed; a system call takes no longer than the deadline;
an interrupted reader ends; the process ends when it is told to, and is not larger in the end than
the calls it came to know explain."""

import collections
import contextlib
import errno
import os
import pathlib
import random
import shutil
import signal
import subprocess
import threading
import time
import traceback

from harness import CDRFS, GONE_S, HANG_S, PATIENCE_S, SLOW, Mount
from lab import RunningSim
from queries import FILTERS, seen
from records import read_csv, uuid_of
from truth import DAY_S, Clock, Truth, date_of, time_of

ABSENT = "6c3a8b60-26e0-4842-9387-2350de79f16b.json"
NO_NAMES = [".git", "desktop.ini", "a b.json", "x" * 65 + ".json"]
TROUBLE = {"EIO", "EBADMSG", "EBUSY", "ETIMEDOUT", "EHOSTUNREACH"}
NOTHING = ("ENOENT", "ENODATA")
RETRY_NOW = {"Retry-After": "0"}
BABBLE = ["<html>gateway</html>", "", "[]", '{"objects": []}', '{"meta": {"total_count": 1}',
          '{"meta": {"total_count": "many"}, "objects": []}']
VIEWS = ["by-direction/inbound", "by-direction/outbound", "by-hangup-source/carrier",
         "by-hangup-source/customer", "by-stir/verified", "by-stir/not-verified"]
REFUSABLE = ["call_direction", "from_number", "to_number", "bill_duration", "hangup_cause_code",
             "hangup_source", "stir_verification"]
SEEN_AXES = ["by-trunk", "by-from", "by-to", "by-hangup-cause"]
SLOWER = min(SLOW, 3)  # of what is mostly waiting, and not computing
TRACES = 40  # lines of a log that are kept when something did not hold
QUICK_S = 5 * SLOW  # for what is done at once, on a machine that has other things to do too


class Rules:
    """The mount's options, and by how much more than these a promise may be late."""

    ttl, settle, stale, late_most = 3, 30, 20, 15
    slack = 4 * SLOWER  # the server's Date, and walks that are under way, in seconds

    def __init__(self, deadline, calm):
        self.deadline = deadline
        self.calm = calm * SLOWER  # so long after a fault nothing of it is left
        self.walk = 60 * SLOWER    # the longest that a walk goes on while the API fails


class View:
    """Conditions of a path, and which calls fulfil them."""

    def __init__(self, path, match, dates="/"):
        self.path, self.match, self.dates = path, match, dates

    def date(self, name):
        return f"{self.path}{self.dates}{name}"


def plain_views():
    """Those that people use most."""
    attributes = {"by-direction": "direction", "by-hangup-source": "source", "by-stir": "stir"}
    yield View("by-date", lambda call: True)
    for path in VIEWS:
        axis, value = path.split("/")
        yield View(path, lambda call, a=attributes[axis], v=value.replace("-", " "):
                   getattr(call, a) == v)


def random_views(rng, calls, count):
    """Others, each a conjunction that some call fulfils. Few enough that what is kept of each has an
    end."""
    for _ in range(count):
        row = rng.choice(calls)
        made = [axis(rng, row) for axis in rng.choices(FILTERS, k=rng.choice([1, 1, 2]))]
        yield View("/".join(f"{axis}/{value}" for axis, value, _ in made),
                   lambda call, tests=tuple(test for _, _, test in made):
                   all(test(call) for test in tests))


class Ask:
    """One thing that a reader wants of the mount."""

    def __init__(self, turmoil, what, path, allowed):
        self.turmoil, self.what, self.path, self.allowed = turmoil, what, path, allowed
        self.seat = turmoil.seat
        self.refreshed = turmoil.refreshed
        self.began, self.now = time.monotonic(), turmoil.clock.now()
        self.until, self.error, self.longest = self.now, None, 0

    def end(self):
        """Fixes what happened meanwhile."""
        self.until = self.turmoil.clock.now()
        self.jumped = self.turmoil.jumped.touches(self.began, time.monotonic(), QUICK_S)
        self.troubled = self.jumped or self.turmoil.trouble.touches(
            self.began, time.monotonic(), self.turmoil.rules.calm)
        self.moved = self.seat != self.turmoil.seat or self.seat % 2

    def step(self, function, *args):
        """One system call."""
        begun = time.monotonic()
        try:
            return function(*args)
        finally:
            self.longest = max(self.longest, time.monotonic() - begun)

    def __str__(self):
        return f"{self.what} {self.path} (began {time_of(self.now)}, took {self.until - self.now:.1f} s)"


class Times:
    """Periods of something, of which one may be going on."""

    def __init__(self):
        self.past, self.since = collections.deque(maxlen=64), None

    @contextlib.contextmanager
    def going_on(self):
        self.since = time.monotonic()
        yield
        self.past.append((self.since, time.monotonic()))
        self.since = None

    def touches(self, begin, end, after):
        """Whether any of it was between these moments, or ended so shortly before."""
        since, past = self.since, list(self.past)  # in this order: one that ends now is in either
        return (since is not None and since <= end) or any(
            a <= end and b + after >= begin for a, b in past)


class Sample:
    """What the process holds."""

    def __init__(self, pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        fields = dict(line.split(":\t", 1) for line in status.splitlines())
        kb = {key: int(fields[key].split()[0]) for key in ("VmRSS", "VmSize", "RssAnon")}
        self.at = time.monotonic()
        self.rss, self.size, self.anon = (kb[k] for k in ("VmRSS", "VmSize", "RssAnon"))
        self.threads = int(fields["Threads"])
        self.fds = len(os.listdir(f"/proc/{pid}/fd"))


class Waits:
    """How long the threads of a process were ready to run, and others ran: a machine that has too much
    to do keeps no promises."""

    def __init__(self, pid):
        self.tasks, self.first, self.last = pathlib.Path(f"/proc/{pid}/task"), {}, {}
        self.total = 0.0
        self.for_a_processor()

    def for_a_processor(self):
        with contextlib.suppress(OSError):
            for task in self.tasks.iterdir():
                with contextlib.suppress(OSError, IndexError):
                    waited = int((task / "schedstat").read_text(encoding="ascii").split()[1]) / 1e9
                    self.last[task] = waited
                    self.first.setdefault(task, waited)
        self.total = sum(self.last[task] - self.first[task] for task in self.last)
        return self.total


def doings(pid):
    """What each thread of a process is doing, for who may look."""
    found = []
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                state = (task / "stat").read_text(encoding="ascii").rsplit(") ", 1)[1][0]
                stack = " < ".join(line.split("] ")[1].split("+")[0] for line in
                                   (task / "stack").read_text(encoding="ascii").splitlines()[:5])
                found.append(f"{(task / 'comm').read_text(encoding='ascii').strip()} {state} {stack}")
    return "; ".join(found)


def holders(path):
    """The mount namespaces that have something on that path, each with a process of it."""
    found = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f" {path} " in (process / "mountinfo").read_text(encoding="utf-8", errors="replace"):
                found[os.readlink(process / "ns/mnt")] = (process / "comm").read_text().strip()
    return found


class Generation:
    """One life of the mount's process."""

    def __init__(self, number, mount, known):
        self.number, self.mount, self.samples, self.known = number, mount, [], known
        self.begun, self.how = time.monotonic(), None

    def sample(self):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, KeyError):
            self.samples.append(Sample(self.mount.pid))


class SoakMount(Mount):
    """Started whatever the API does, and for as long as it takes."""

    def begin(self, foreground):
        dead = self.is_mounted()  # cleaned up by the new one, which says so by going to the background
        if not dead:
            self.path.mkdir(parents=True, exist_ok=True)
        if foreground and not dead:
            self.start_in_foreground(CDRFS, "-f", "-o", self.options, self.path)
        else:
            self.run(CDRFS, "-o", self.options, self.path)
        self.follow()
        self.watchdog.cancel()

    def forget(self, detach):
        """It has ended. What a kill leaves behind is left to the next."""
        if detach:
            self.detach()
        os.close(self.pidfd)
        self.pidfd = None

    def tail(self):
        return self.output().decode(errors="replace")[-3000:] if self.process else "(in the background)"

    def says(self, name):
        """The end of a file of .cdrfs, by a process that may hang."""
        try:
            return subprocess.run(["tail", f"-n{TRACES}", self.path / ".cdrfs" / name], timeout=QUICK_S,
                                  capture_output=True, check=True).stdout.decode(errors="replace")
        except subprocess.SubprocessError as e:
            return str(e)


class Turmoil:
    def __init__(self, folder, seed, rules, counts, views=24, arrivals=2, log=None):
        self.folder, self.rules, self.rng = pathlib.Path(folder), rules, random.Random(seed)
        self.sim = RunningSim(counts, now=time_of(time.time()))
        self.sim.call("calls", body={"n": 200, "step_s": -1})
        self.clock = Clock(self.sim)
        self.truth = Truth(self.sim, self.clock, rules)
        calls = self.truth.all()
        self.views = [*plain_views(), *random_views(self.rng, calls, views)]
        self.arrivals = arrivals
        self.log = log or (lambda line: None)
        self.figures, self.figures_lock = collections.Counter(), threading.Lock()
        self.longest = collections.Counter()
        self.inodes = {}
        self.history = collections.deque(maxlen=60)  # what was done lately, for who looks for a cause
        self.stopping, self.found, self.left = threading.Event(), [], []
        self.trouble, self.jumped = Times(), Times()
        self.days_passed = 0
        self.sky = threading.Lock()  # held while there is a fault, and by who needs that there is none
        self.seat = 1  # odd while there is no mount, or may be none
        self.refreshed = float("-inf")  # since then, by the server's clock, all is read anew
        self.gate = threading.Event()   # readers may begin
        self.asks = {}                  # {thread: what it asks now}
        self.generations, self.squatters = [], []
        self.begun = time.monotonic()

    # --- what happened ---

    def count(self, what, n=1):
        with self.figures_lock:
            self.figures[what] += n

    def note(self, text):
        self.history.append(f"{time.monotonic() - self.begun:7.1f} {time_of(self.clock.now())} {text}")

    def wrong(self, text):
        self.note(f"WRONG: {text}")
        self.found.append(text)
        self.stopping.set()

    def traces(self):
        """What the mount and the simulator say of the last moments; to be had while both are there."""
        mount = self.generations[-1].mount if self.generations else None
        status = mount and mount.process and mount.process.poll()
        yield from [f"--- log of the mount ({status=})", mount.tail() if mount else ""]
        if mount and self.seat % 2 == 0:
            yield from ["--- .cdrfs", mount.says("errors"), mount.says("status")]
        yield "--- log of the simulator"
        with contextlib.suppress(OSError):
            yield from map(str, self.sim.log()[-TRACES:])

    def evidence(self):
        return "\n".join(["", *self.found, "--- what was done", *self.history, *self.left])

    @property
    def mount(self):
        return self.generations[-1].mount

    # --- asking ---

    @contextlib.contextmanager
    def asking(self, what, path, allowed=()):
        """An error of the mount is judged here; then ask.error has its name. Who allows some judges
        these."""
        ask = self.asks[threading.get_ident()] = Ask(self, what, path, allowed)
        try:
            yield ask
        except OSError as e:
            ask.error = errno.errorcode[e.errno]
        finally:
            del self.asks[threading.get_ident()]
        ask.end()
        self.count(what)
        self.judge(ask)

    def judge(self, ask):
        with self.figures_lock:
            self.longest[ask.what] = max(self.longest[ask.what], ask.longest)
        if ask.longest > self.rules.deadline + QUICK_S:
            self.wrong(f"{ask}: one system call took {ask.longest:.1f} s")
        if not ask.error:
            return
        self.count(f"{ask.what}: {ask.error}")
        if ask.moved or ask.error in ask.allowed:
            return
        if ask.error not in TROUBLE or not ask.troubled:
            self.wrong(f"{ask}: {ask.error}{' during faults' if ask.troubled else ''}")

    def names_of(self, ask, path, pause=None):
        """Reads a directory to its end."""
        names = []
        with ask.step(os.scandir, path) as entries:
            while (entry := ask.step(next, entries, None)) is not None:
                names.append(entry.name)
                if pause and self.stopping.wait(pause):
                    pause = None
        return names

    def check_names(self, ask, date, match, names):
        """Judges a listing that succeeded."""
        if len(set(names)) < len(names):
            self.wrong(f"{ask}: twice: {collections.Counter(names).most_common(2)}")
        self.check_present(ask, date, match, set(names))
        known = lambda: set(names) <= {call.name for call in self.truth.of(date, match)}
        if not self.truth.settled(known):
            there = {call.name for call in self.truth.of(date, match)}
            self.wrong(f"{ask}: never was there: {sorted(set(names) - there)[:3]}")
        self.note_shown(names)

    def check_present(self, ask, date, match, names):
        missing = [call for call in self.truth.of(date, match)
                   if call.name not in names and self.truth.owes(call, ask)]
        if missing:
            some = [f"{c.uuid} ended {c.end}, there {c.there - ask.now:.1f}, shown "
                    f"{c.shown and c.shown - ask.began}" for c in missing[:3]]
            self.wrong(f"{ask}: {len(missing)} of {len(names) + len(missing)} missing: {some}, "
                       f"{ask.troubled=} {ask.moved=} {ask.refreshed - ask.now=:.1f}")

    def note_shown(self, names):
        now = time.monotonic()
        for name in names:
            call = self.truth.calls.get(name.removesuffix(".json"))
            if call and call.shown is None:
                call.shown = now

    def owed_here(self, ask, date, match):
        return [call for call in self.truth.of(date, match) if self.truth.owes(call, ask)]

    # --- readers ---

    def any_day(self, rng):
        today = self.clock.now() - self.rules.slack
        ago = rng.choice([0, 0, 0, 0, 1, 1, rng.randint(2, 89), rng.randint(2, 89),
                          rng.randint(85, 89 + self.days_passed)])
        return date_of(today - ago * DAY_S)

    def any_date(self, rng):
        """A day, or the hour that is running, or the month."""
        name = self.any_day(rng)
        return rng.choice([name] * 8 + [time_of(self.clock.now() - self.rules.slack)[:13].replace(" ", "T"),
                                           name[:7]])

    def is_missing_rightly(self, ask, date):
        """Whether an error that says that there is nothing may be true."""
        if ask.error == "ENODATA":
            gone = date_of(self.truth.served_from(ask.until + self.rules.slack)) > date[:10]
            return gone and not any(call.shown is not None and call.shown < ask.began
                                    for call in self.truth.of(date[:10], lambda call: True))
        return ask.jumped and ask.error == "ENOENT" and date[:10] >= date_of(ask.now)

    def is_window_there(self, ask, date):
        """False: the directory could not be had, and that was judged."""
        if ask.error in NOTHING and not ask.moved:
            if not self.is_missing_rightly(ask, date):
                self.wrong(f"{ask}: {ask.error}")
        return not ask.error

    def list_window(self, rng):
        view, date = rng.choice(self.views[:7] * 3 + self.views), self.any_date(rng)
        slow = rng.random() < .1
        what = "slow listing" if slow else "listing"
        path = view.date(date)
        names = []
        with self.asking(what, path, NOTHING) as ask:
            names = self.names_of(ask, self.mount / path, .002 if slow else None)
        if self.is_window_there(ask, date):
            self.count("names listed", len(names))
            self.check_names(ask, date, view.match, names)

    def list_dates(self, rng):
        view = rng.choice(self.views)
        with self.asking("dates", view.path) as ask:
            names = self.names_of(ask, self.mount / view.path)
        if ask.error:
            return
        owed = {name for name in self.truth.days_with_calls()
                if self.owed_here(ask, name, view.match)}
        if not owed <= set(names):
            self.wrong(f"{ask}: missing {sorted(owed - set(names))[:5]}")
        far = [n for n in names if n > date_of(ask.until + self.rules.slack) or len(n) != 10]
        if far or len(names) != len(set(names)):
            self.wrong(f"{ask}: {far} {names[-3:]}")

    def list_axis(self, rng):
        axis = rng.choice(SEEN_AXES)
        with self.asking("axis", axis) as ask:
            names = self.names_of(ask, self.mount / axis)
        if not ask.error and not self.truth.settled(
                lambda: set(names) <= set(seen(self.truth.all(), axis))):
            self.wrong(f"{ask}: {sorted(set(names) - set(seen(self.truth.all(), axis)))[:5]}")

    def read_call(self, ask, path):
        """(status, bytes), by as many system calls as a reader makes."""
        fd = ask.step(os.open, path, os.O_RDONLY)
        try:
            st, data = os.fstat(fd), b""
            while piece := ask.step(os.read, fd, 1 << 17):
                data += piece
        finally:
            os.close(fd)
        return st, data

    def check_call(self, ask, call, st, data):
        if not self.truth.settled(lambda: call.has_body(data)):
            self.wrong(f"{ask}: not a version of {len(call.versions)}: {len(data)} bytes {data[-60:]!r}, "
                       f"{[len(v.body()) for v in call.versions]}")
        if len(call.versions) == 1 and (st.st_size, int(st.st_mtime)) != (len(data), call.ended):
            self.wrong(f"{ask}: size {st.st_size}, mtime {st.st_mtime}")
        if self.inodes.setdefault(call.uuid, st.st_ino) != st.st_ino:
            self.wrong(f"{ask}: inode {st.st_ino}, was {self.inodes[call.uuid]}")

    def read_one(self, what, path, call):
        with self.asking(what, path, NOTHING) as ask:
            st, data = self.read_call(ask, self.mount / path)
        if ask.error in NOTHING and not ask.moved and self.truth.owes_name(call, ask):
            self.wrong(f"{ask}: {ask.error}, ended {call.end}, there {call.there - ask.now:.1f}, "
                       f"shown {call.shown and call.shown - ask.began}")
        if not ask.error:
            self.check_call(ask, call, st, data)
            self.note_shown([call.name])

    def read_files(self, rng):
        view, date = rng.choice(self.views[:7] * 3 + self.views), self.any_day(rng)
        calls = self.truth.of(date, view.match)
        for call in rng.sample(calls, min(len(calls), 8)):
            self.read_one("read", f"{view.date(date)}/{call.name}", call)

    def read_by_uuid(self, rng):
        calls = self.truth.of_day(self.any_day(rng))
        for call in rng.sample(calls, min(len(calls), 3)):
            self.read_one("by-uuid", f"by-uuid/{call.name}", call)

    def read_absent(self, rng):
        where = rng.choice([f"by-date/{self.any_day(rng)}", "by-uuid"])
        name = rng.choice(NO_NAMES + [ABSENT, ABSENT.replace("2350", f"{rng.randint(0, 9999):04}")])
        with self.asking("absent name", f"{where}/{name}", NOTHING) as ask:
            ask.step(os.stat, self.mount / where / name)
        if not ask.error:
            self.wrong(f"{ask}: is there")
        elif name in NO_NAMES and ask.error not in NOTHING and not ask.moved:
            self.wrong(f"{ask}: {ask.error}")

    def read_rendered(self, rng):
        view, date = rng.choice(self.views), self.any_day(rng)
        tree = rng.choice(["csv", "ndjson"])
        path = f"{tree}/{view.date(date)}.{tree}"
        with self.asking(tree, path, NOTHING) as ask:
            st, data = self.read_call(ask, self.mount / path)
        if not self.is_window_there(ask, date):
            return
        if st.st_size != len(data):
            self.wrong(f"{ask}: {len(data)} of {st.st_size} bytes")
        check = self.check_csv if tree == "csv" else self.check_ndjson
        names = check(ask, data)
        if names is not None:
            self.check_names(ask, date, view.match, names)
            ends = [(self.truth.calls[n[:-5]].end, n[:-5]) for n in names if n[:-5] in self.truth.calls]
            if ends != sorted(ends):
                self.wrong(f"{ask}: not in order")

    def check_csv(self, ask, data):
        header, rows = read_csv(data)
        at = header.index("call_uuid")
        return self.check_rows(ask, [(row[at], row) for row in rows],
                               lambda call, row: call.has_fields(row, header))

    def check_ndjson(self, ask, data):
        lines = data.decode().splitlines()
        return self.check_rows(ask, [(uuid_of({"raw": line}), line) for line in lines],
                               lambda call, line: call.has_line(line))

    def check_rows(self, ask, rows, is_version):
        """The file names of rendered rows, each of which must be a version of its call."""
        calls = self.truth.calls
        good = lambda: all(uuid in calls and is_version(calls[uuid], row) for uuid, row in rows)
        if self.truth.settled(good):
            return [f"{uuid}.json" for uuid, _ in rows]
        bad = [row for uuid, row in rows if uuid not in calls or not is_version(calls[uuid], row)]
        self.wrong(f"{ask}: {len(bad)} rows are no version: {bad[0]}")
        return None

    def run_program(self, ask, *command, cwd=None):
        """What a program prints; its complaint is raised like an error of the mount."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False,
                              stdin=subprocess.DEVNULL, cwd=cwd)
        if done.returncode:
            names = {os.strerror(n): n for n in errno.errorcode}
            said = done.stderr.strip().splitlines()[-1:] or ["?: ?"]
            raise OSError(names.get(said[0].rsplit(": ", 1)[-1], errno.EPROTO), done.stderr)
        return done.stdout

    def run_find(self, rng):
        view, date = rng.choice(self.views[:7]), self.any_day(rng)
        with self.asking("find", view.date(date), NOTHING) as ask:
            out = self.run_program(ask, "find", self.mount / view.date(date), "-type", "f")
        if self.is_window_there(ask, date):
            self.check_names(ask, date, view.match, [n.rsplit("/", 1)[-1] for n in out.splitlines()])

    def find_everything(self, rng):
        view = rng.choice(self.views[:7])
        with self.asking("find all", view.path) as ask:
            out = self.run_program(ask, "find", self.mount / view.path, "-type", "f")
        if ask.error:
            return
        names = collections.defaultdict(list)
        for line in out.splitlines():
            name = line.rsplit("/", 2)
            names[name[1]].append(name[2])
        for name in set(self.truth.days_with_calls()) | set(names):
            self.check_names(ask, name, view.match, names[name])

    def stand_inside(self, rng):
        """Readers whose working directory is in the mount."""
        date = self.any_day(rng)
        with self.asking("from inside", f"by-date/{date}", NOTHING) as ask:
            out = self.run_program(ask, "ls", "-U", ".", cwd=self.mount / "by-date" / date)
        if self.is_window_there(ask, date):
            self.check_names(ask, date, lambda call: True, out.splitlines())

    def interrupt(self, rng):
        view, date, number = rng.choice(self.views), self.any_date(rng), rng.choice(
            [signal.SIGINT, signal.SIGKILL])
        command = rng.choice([["ls", "-lU"], ["find"], ["cat"]])
        path = view.date(date) + ("/" + ABSENT if command == ["cat"] else "")
        with self.asking("interrupted", path) as ask:
            process = subprocess.Popen([*command, self.mount / path], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.stopping.wait(rng.choice([0, .002, .02, .2, 2]))
            begun = time.monotonic()
            process.send_signal(number)
            try:
                process.wait(HANG_S)
            finally:
                process.kill()
        if time.monotonic() - begun > QUICK_S:
            self.wrong(f"{ask}: {command[0]} ended {time.monotonic() - begun:.1f} s after {number!r}")

    def look_around(self, rng):
        """What never waits for the API."""
        with self.asking("status", ".cdrfs/status") as ask:
            text = ask.step((self.mount / ".cdrfs/status").read_text)
            ask.step(os.statvfs, self.mount.path)
            top = ask.step(os.listdir, self.mount.path)
        if not ask.error and not ask.moved and ("held: " not in text or "by-date" not in top):
            self.wrong(f"{ask}: {text!r} {top}")

    READERS = {list_window: 30, read_files: 20, list_dates: 4, list_axis: 2, read_by_uuid: 6,
               read_absent: 6, read_rendered: 8, run_find: 4, find_everything: .1, stand_inside: 4,
               interrupt: 6, look_around: 2}

    def read_on(self, number, pause):
        rng = random.Random(f"{number} {self.rng.random()}")
        kinds, weights = list(self.READERS), list(self.READERS.values())
        while not self.stopping.wait(rng.random() * pause):
            if self.gate.wait(1):
                rng.choices(kinds, weights)[0](self, rng)

    # --- the weather ---

    FAULTS = {
        "status": lambda rng: {"status": rng.choice([429, 500, 503]), **rng.choice(
            [{"headers": RETRY_NOW}, {"headers": {"Retry-After": "1"}}, {}])},
        "reset": lambda rng: {}, "truncate": lambda rng: {}, "close": lambda rng: {},
        "drip": lambda rng: {}, "stall": lambda rng: {},
        "body": lambda rng: {"body": rng.choice(BABBLE)},
    }

    def break_it(self, rng, kind):
        """Begins a fault, and returns how to end it."""
        if kind == "stopped":
            os.kill(self.sim.process.pid, signal.SIGSTOP)
            return lambda: os.kill(self.sim.process.pid, signal.SIGCONT)
        if kind == "totals":  # too small ones cannot be told from true ones, so they are too large
            self.sim.config(total_delta=rng.choice([1, 2, 7, 40]))
            return lambda: self.sim.config(total_delta=0)
        if kind == "slow":
            self.sim.config(latency_ms=rng.choice([300, 1500]), jitter_ms=100)
            return lambda: self.sim.config(latency_ms=0, jitter_ms=0)
        if kind == "pages":
            self.sim.config(**rng.choice([{"repeat_pages": True}, {"next": "garbage"}]))
            return lambda: self.sim.config(repeat_pages=False, next="normal")
        members = self.FAULTS[kind](rng)
        match = rng.choice([{}, {}, {"match": "offset=20"}, {"match": "Call/?"}])
        self.sim.fault(kind, count=rng.choice([-1, -1, 3, 20]), **members, **match)
        return self.sim.mend

    def change_weather(self, rng, longest, pause):
        """One fault, or two, and then the time that it takes to recover."""
        kinds = rng.sample([*self.FAULTS, "stopped", "totals", "slow", "pages"], rng.choice([1, 1, 2]))
        kinds.sort(key=lambda kind: kind == "stopped")  # who is stopped takes no orders
        with self.trouble.going_on():
            with self.sky:
                self.note(f"fault {'+'.join(kinds)}")
                ends = []
                for kind in kinds:
                    ends.append(self.break_it(rng, kind))
                    self.count(f"fault {kind}")
                self.stopping.wait(rng.uniform(.3, 1) * longest)
                for end in reversed(ends):
                    end()
            self.note(f"mended {'+'.join(kinds)}")
            self.recover()
            self.note("recovered")
        self.stopping.wait(rng.random() * pause)

    def recover(self):
        """Returns when the mount has seen that the API is back, which must be soon."""
        until = time.monotonic() + 45 * SLOW
        while not self.stopping.is_set():
            if self.gate.wait(1) and self.asks_anew() and self.is_well():
                return
            if time.monotonic() > until:
                self.wrong("the API is back, and the mount does not believe it")
            self.stopping.wait(.2)

    def asks_anew(self):
        """Whether a listing for which the API must be asked succeeded."""
        today = f"by-date/{date_of(self.clock.now() - self.rules.slack)}"
        with self.asking("after a fault", today, (*TROUBLE, *NOTHING)) as ask:
            (self.mount / ".cdrfs/refresh").write_text(today)
            ask.step(os.listdir, self.mount / today)
        return not ask.error

    def is_well(self):
        text = ""
        with contextlib.suppress(OSError):
            text = (self.mount / ".cdrfs/status").read_text()
        return "api: answered" in text and "listings: fresh" in text

    def weather(self, longest, pause):
        rng = random.Random(self.rng.random())
        while not self.stopping.wait(rng.random() * pause):
            self.change_weather(rng, longest, pause)

    # --- the world ---

    def call_late(self, rng):
        """One that is listed only now, of a day gone by."""
        seconds = self.clock.now() - rng.choice([60, 3600, rng.randint(1, 88) * DAY_S])
        self.truth.add(n=rng.choice([1, 1, 25]), end_time=time_of(seconds), step_s=0)

    def call_often(self, rng):
        self.truth.add(n=rng.choice([5, 21, 45]), end_time=time_of(self.clock.now() - 1), step_s=0)

    def amend(self, rng):
        calls = self.truth.of_day(self.any_day(rng))
        if calls:
            self.truth.amend(rng.choice(calls), rng)

    def refresh(self, rng):
        whole = rng.random() < .5
        path = "/" if whole else rng.choice(self.views).date(self.any_date(rng))
        with self.asking("refresh", path) as ask:
            seat, now = self.seat, self.clock.now()
            (self.mount / ".cdrfs/refresh").write_text(path)
            if whole and seat == self.seat:
                self.refreshed = now
        if ask.error and not ask.moved:
            self.wrong(f"{ask}: {ask.error}")

    def hang_up(self, rng):  # pylint: disable=unused-argument
        with contextlib.suppress(ProcessLookupError, OSError):
            self.mount.send(signal.SIGHUP)

    def reorder(self, rng):
        self.sim.config(order=rng.choice(["asc", "desc"]))

    def refuse(self, rng):
        """The host no longer filters by some of these, or does again."""
        self.sim.config(refuse_filters=rng.sample(REFUSABLE, rng.choice([0, 1, 3])))

    def squat(self, rng):
        """Somebody stays in the mount, and does nothing."""
        with contextlib.suppress(OSError):
            where = self.mount / "by-date" / rng.choice(["", self.any_day(rng)])
            self.squatters.append(subprocess.Popen(["sleep", "3600"], cwd=where))

    def clear_squatters(self):
        while self.squatters:
            process = self.squatters.pop()
            process.kill()
            process.wait(PATIENCE_S)

    WORLD = {call_late: 3, call_often: 2, amend: 8, refresh: 3, hang_up: 1, reorder: .5, refuse: .5,
             squat: 1}

    def go_on(self, pause):
        rng = random.Random(self.rng.random())
        kinds, weights = list(self.WORLD), list(self.WORLD.values())
        while not self.stopping.wait(rng.random() * pause):
            kind = rng.choices(kinds, weights)[0]
            if self.gate.wait(1) and not (kind is Turmoil.squat and len(self.squatters) > 3):
                self.note(kind.__name__)
                self.count(f"world {kind.__name__}")
                kind(self, rng)

    def poll(self, pause):
        while not self.stopping.wait(pause):
            self.truth.catch_up()

    def pass_a_day(self):
        """The clock goes to the next day, and the oldest leaves the API. While the mount cannot know
        yet, only what was shown is owed."""
        now = self.clock.now()
        seconds = int(DAY_S - now % DAY_S + self.rng.randint(5, 3000))
        with self.sky, self.jumped.going_on():
            with self.truth.lock:
                self.sim.clock(advance_s=seconds)
                self.clock.advanced(seconds)
            self.days_passed += 1
            self.count("days passed")
            self.note("a day has passed")
            self.learn_the_time()

    def learn_the_time(self):
        until = time.monotonic() + PATIENCE_S
        while not self.stopping.is_set():
            with contextlib.suppress(OSError):
                (self.mount / ".cdrfs/refresh").write_text("/")
                os.listdir(self.mount / "by-date" / date_of(self.clock.now() - DAY_S))
                os.stat(self.mount / "by-date" / date_of(self.clock.now()))
                return
            if time.monotonic() > until:
                self.wrong("the mount does not see that a day has passed")
            self.stopping.wait(.2)

    # --- the mount ---

    def start_mount(self, foreground=None):
        rng = self.rng
        options = {"ttl": rng.choice([0, 1, self.rules.ttl]), "settle": rng.choice([self.rules.settle, "48h"]),
                   "connections": rng.choice([2, 8])}
        mount = SoakMount(self.sim, self.folder / "mnt", self.folder / "cache", deadline=self.rules.deadline,
                          stale_if_error=self.rules.stale, log_level=rng.choice(["warning", "info"]), **options)
        number = len(self.generations)
        if number and rng.random() < .4:
            self.begin_anew()
        self.note(f"mount {number} {options}")
        self.generations.append(Generation(number, mount, len(self.truth.calls)))
        mount.begin(rng.random() < .5 if foreground is None else foreground)
        self.refreshed = float("-inf")
        self.seat += 1
        self.gate.set()

    def begin_anew(self):
        """Another store, so that there is something to be fetched again."""
        self.note("a new store")
        self.count("new stores")
        shutil.rmtree(self.folder / "cache")
        for call in self.truth.all():
            call.shown = None

    def hold_readers(self):
        """Nobody begins to read, and who reads ends."""
        self.gate.clear()
        until = time.monotonic() + HANG_S
        while self.asks and time.monotonic() < until and not self.stopping.is_set():
            self.stopping.wait(.01)

    def must_be_gone(self, how, seconds=GONE_S):
        begun, waited = time.monotonic(), Waits(self.mount.pid)
        while not self.mount.is_gone(.05):
            if time.monotonic() - begun > seconds + waited.for_a_processor():
                self.wrong(f"{how}: still there after {seconds} s, {waited.total:.1f} s without a processor: "
                           f"mounted for {holders(self.mount.path)}; {doings(self.mount.pid)}")
                if not self.mount.is_gone(PATIENCE_S):
                    self.mount.kill()
                self.note(f"{how}: gone after {time.monotonic() - begun:.1f} s")
        with self.figures_lock:
            self.longest[f"end by {how}"] = max(self.longest[f"end by {how}"], time.monotonic() - begun)
        if self.mount.process and how != "kill" and self.mount.process.returncode:
            self.wrong(f"{how}: exit status {self.mount.process.returncode}")

    def end_mount(self, how):
        """unmount: nobody is in it. lazy: who is in it stays until he has what he wants. term, int,
        kill: whatever anybody does."""
        self.note(f"end by {how}")
        if how == "unmount":
            self.hold_readers()
            self.clear_squatters()
        self.seat += 1
        if how in ("unmount", "lazy"):
            self.gate.clear()
            self.leave(["-z"] if how == "lazy" else [])
            self.clear_squatters()
            if how == "lazy":
                self.hold_readers()
        else:
            self.mount.send({"term": signal.SIGTERM, "int": signal.SIGINT, "kill": signal.SIGKILL}[how])
            self.gate.clear()
        self.must_be_gone(how)
        self.count(f"end by {how}")
        self.generations[-1].how = how
        self.mount.forget(detach=how != "kill")

    def leave(self, flags):
        """fusermount3 -u; who was about to read when readers were held may be in the way."""
        for _ in range(100):
            done = subprocess.run(["fusermount3", "-u", *flags, self.mount.path], check=False,
                                  timeout=PATIENCE_S, capture_output=True)
            if done.returncode == 0:
                return
            self.stopping.wait(.1)
        self.wrong(f"fusermount3 -u: {done.stderr}")

    def remount(self, how, foreground=None):
        self.end_mount(how)
        # Without an answer at the start the local clock counts, which is behind once days passed.
        with self.sky if self.days_passed else contextlib.nullcontext():
            self.start_mount(foreground)
        self.clear_squatters()

    # --- who watches ---

    def watch(self, pause):
        """Takes samples, and sees that nobody hangs."""
        while not self.stopping.wait(pause):
            self.generations[-1].sample()
            for ask in list(self.asks.values()):
                if time.monotonic() - ask.began > HANG_S:
                    ask.end()
                    self.wrong(f"{ask}: hangs since {time.monotonic() - ask.began:.0f} s")
                    self.mount.kill()  # so that it ends

    def guarded(self, function, *args):
        try:
            function(*args)
        except Exception:  # pylint: disable=broad-except
            if not self.stopping.is_set():
                self.wrong(traceback.format_exc())

    # --- from the beginning to the end ---

    def run(self, seconds, steady=0, readers=6, pace=1.0, weather=(8, 20), lives=(10, 45), days=2,
            tick=None):
        """So long; the last so many seconds of it on one mount. Raises AssertionError if anything
        did not hold."""
        threads = []

        def begin(function, *args):
            thread = threading.Thread(target=self.guarded, args=(function, *args), daemon=True)
            thread.start()
            threads.append(thread)

        try:
            self.start_mount()
            self.sim.arrivals(self.arrivals, late_max_s=self.rules.late_most)
            for number in range(readers):
                begin(self.read_on, number, .2 * pace)
            begin(self.weather, *weather)
            begin(self.go_on, 1.0 * pace)
            begin(self.poll, .5 * pace)
            begin(self.watch, min(2, seconds / 20))
            if tick:
                begin(tick)
            self.guarded(self.live, seconds, steady, lives, days)
            self.stopping.set()
            for thread in threads:
                thread.join(HANG_S + 30)
            if not self.found:
                self.stopping.clear()
                self.guarded(self.compare_at_the_end)
        finally:
            self.stopping.set()
            self.left = list(self.traces()) if self.found else []
            self.clean_up()
        assert not self.found, self.evidence()

    def live(self, seconds, steady, lives, days):
        """The mount's lives, and the days that pass."""
        turns = self.begun = time.monotonic()
        jumps = [turns + (seconds - steady) * (i + 1) / (days + 1) for i in range(days)]
        ways = []
        while time.monotonic() < turns + seconds - steady and not self.stopping.is_set():
            self.stopping.wait(self.rng.uniform(*lives))
            if jumps and time.monotonic() > jumps[0] and not self.stopping.is_set():
                jumps.pop(0)
                self.pass_a_day()
            if not self.stopping.is_set():
                ways = ways or self.rng.sample(["unmount", "lazy", "term", "int", "kill", "kill"], 6)
                self.remount(ways.pop())
        if steady and not self.stopping.is_set():
            self.remount("unmount", foreground=True)
        self.stopping.wait(max(0, turns + seconds - time.monotonic()))

    def compare_at_the_end(self):
        """The weather is good and nothing comes any more: every listing is exactly what it should
        be."""
        self.sim.arrivals(0)
        self.sim.mend()
        self.sim.config(order="desc", refuse_filters=[])
        with self.trouble.going_on():
            self.recover()
        self.truth.catch_up()
        (self.mount / ".cdrfs/refresh").write_text("/")
        begun = time.monotonic()
        served = date_of(self.truth.served_from(self.clock.now()))
        for view in self.views[:3]:
            for name in self.truth.days_with_calls():
                # Of a day that is served no more, what was shown is owed; more may be held, that was
                # read ahead or for somebody who did not wait for it.
                there = {c.name for c in self.truth.of(name, view.match)}
                owed = {c.name for c in self.truth.of(name, view.match)
                        if name >= served or c.shown}
                if owed:
                    names = os.listdir(self.mount / view.date(name))
                    assert owed <= set(names) <= there and len(names) == len(set(names)), (
                        view.date(name), owed - set(names), set(names) - there)
                    self.count("compared at the end", len(names))
        for name in self.truth.days_with_calls()[::9]:
            for call in self.truth.of_day(name)[::5]:
                if call.shown:
                    assert call.has_body((self.mount / "by-date" / name / call.name).read_bytes())
        self.note(f"compared in {time.monotonic() - begun:.1f} s")
        self.end_mount("unmount")

    def clean_up(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.sim.process.pid, signal.SIGCONT)
        self.clear_squatters()
        if self.generations:
            self.mount.clean_up()
        self.sim.stop()
