# SPDX-License-Identifier: MIT
"""What is true of the calls of a simulator that lives, and what of it a mount owes a reader.

A call is known here from the moment the simulator has it at the latest, with every version its
record had. What a listing owes follows from docs/SEMANTICS.md, "Freshness". With V the moment a
call was there, E its end and L the moment the listing began, all by the server's clock: what may
answer at L was read less than ttl before L, or less than a tenth of how long it had been over, so
after L - (L - E) / 11; or is final, and then V was more than `settle` after E, or before it was
read. While the API fails stale_if_error stands for ttl. A refresh owes what was there when it
was written. And what any reader was shown stays. A name that was looked up before it was there is
kept by the kernel for as long as its window was fresh then, at most a minute, whatever is shown
or refreshed meanwhile."""

import collections
import datetime
import threading
import time

from expect import render
from harness import epoch
from queries import Row
from records import compact, csv_row

DAY_S = 86400
KEEP_ABSENT_S = 60
RESULTS = ["0.00120", "0.30000", "1.5", "0"]


def date_of(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d")


def time_of(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


class Clock:
    """The simulator's running clock, known without asking: within a second."""

    def __init__(self, sim):
        self.offset = epoch(sim.clock(advance_s=0)) - time.monotonic()

    def now(self):
        return time.monotonic() + self.offset

    def advanced(self, seconds):
        self.offset += seconds


class Version:
    """One text that a record had, and what each kind of file makes of it; made when needed."""

    def __init__(self, raw):
        self.raw = raw
        self.made = {}

    def once(self, what, function, *args):
        if what not in self.made:
            self.made[what] = function(self.raw, *args)
        return self.made[what]

    def body(self):
        return self.once("body", render)

    def line(self):
        return self.once("line", compact)

    def fields(self, header):
        return self.once("fields", csv_row, header)


class Call(Row):
    """A call, and since when it has been there by the server's clock, at the latest."""

    def __init__(self, row, there):
        super().__init__(row)
        self.uuid, self.day, self.ended = row["call_uuid"], self.end[:10], epoch(self.end)
        self.there = max(there, self.ended)
        self.versions = [Version(row["raw"])]
        self.shown = None  # the moment, by CLOCK_MONOTONIC, since when a reader has seen its name

    def learn(self, raw):
        if all(version.raw != raw for version in self.versions):
            self.versions.append(Version(raw))

    def has_body(self, data):
        return any(version.body() == data for version in self.versions)

    def has_line(self, text):
        return any(version.line() == text for version in self.versions)

    def has_fields(self, fields, header):
        return any(version.fields(header) == fields for version in self.versions)


class Truth:
    """All calls there ever were. Any thread."""

    def __init__(self, sim, clock, rules):
        self.sim, self.clock, self.rules = sim, clock, rules
        self.lock = threading.RLock()  # guards the calls, and every change of a record
        self.days = collections.defaultdict(dict)  # {day: {file name: call}}
        self.calls = {}
        self.polled = clock.now()
        self.learn(sim.oracle(), float("-inf"))

    def learn(self, rows, there):
        for row in rows:
            call = self.calls.get(row["call_uuid"])
            if call:
                call.learn(row["raw"])
            else:
                call = Call(row, there)
                self.calls[call.uuid] = self.days[call.day][call.name] = call

    def rows_between(self, low, high):
        return self.sim.call("oracle", {"from": time_of(low), "to": time_of(high)})

    def catch_up(self):
        """Learns of what has come by itself."""
        with self.lock:
            now = self.clock.now()
            low = min(self.polled, now) - self.rules.late_most - 5
            self.learn(self.rows_between(low, now + 5), self.clock.now())
            self.polled = now

    def add(self, **members_):
        """New calls, as Sim.calls()."""
        with self.lock:
            uuids = self.sim.calls(**members_)
            first = epoch(members_["end_time"])
            span = members_.get("step_s", 0) * members_.get("n", 1)
            rows = self.rows_between(min(first, first + span), max(first, first + span) + 1)
            self.learn(rows, self.clock.now())
            return [self.calls[uuid] for uuid in uuids]

    def amend(self, call, rng):
        """Another version of a record, of another length."""
        with self.lock:
            self.sim.amend(call.uuid, total_amount=f'"{rng.choice(RESULTS)}"',
                           note='"' + "x" * rng.randint(0, 600) + '"')
            for row in self.rows_between(call.ended, call.ended + 1):
                if row["call_uuid"] == call.uuid:
                    call.learn(row["raw"])

    def of_day(self, name):
        with self.lock:
            return list(self.days[name].values()) if name in self.days else []

    def of(self, date, match):
        """The calls of a day, month or hour, as a path writes it, that match."""
        prefix = date.replace("T", " ")
        with self.lock:
            names = [d for d in self.days if d.startswith(prefix[:10])]
            calls = [call for d in names for call in self.days[d].values()]
        return [call for call in calls if call.end.startswith(prefix) and match(call)]

    def all(self):
        with self.lock:
            return list(self.calls.values())

    def days_with_calls(self):
        with self.lock:
            return sorted(self.days)

    def settled(self, test):
        """Whether test() holds, if need be after learning what came meanwhile."""
        if test():
            return True
        self.catch_up()
        with self.lock:  # a record is not being changed now
            return test()

    # --- what is owed ---

    def served_from(self, now):
        """The oldest second that the mount asks for."""
        return (int(now) // DAY_S - 89) * DAY_S

    def owes(self, call, ask, kept=0):
        """Whether what was asked then must have contained the call, given that it succeeded; kept:
        how long ago its absence may have been noted elsewhere."""
        if call.shown is not None and call.shown < ask.began - kept:
            return True
        rules, now = self.rules, ask.now
        edge = self.served_from(ask.until + rules.slack)
        if ask.jumped or call.ended < edge or call.there + rules.slack > now:
            return False
        in_time = call.there <= call.ended + rules.settle
        over = (now - call.ended) / 11
        if ask.troubled:
            return in_time and call.there <= now - max(rules.stale, over) - rules.walk
        if in_time and call.there + rules.slack <= now - max(rules.ttl, over):
            return True
        return call.there + rules.slack <= ask.refreshed < now - kept

    def owes_name(self, call, ask):
        return self.owes(call, ask, KEEP_ABSENT_S + self.rules.slack)
