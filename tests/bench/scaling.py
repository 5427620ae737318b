#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The arithmetic of a fleet that shares one tier: the tables of docs/SCALING.md.

    tests/bench/scaling.py           prints them
    tests/bench/scaling.py --write   puts them into the document

What a call and a statement cost was measured by tests/bench/tier.py (MEASURED); how cdrfs behaves is as in cache/tier*.c (the
constants below have its names). A busy hour is played through look by look, the rest is multiplication. Nobody waits for a
database that has too much to do here: a load above 100 % says that it does not hold, not how slow it gets."""

import argparse
import bisect
import dataclasses
import heapq
import math
import pathlib
import random

from report import Table

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/SCALING.md"
BEGIN, END = "<!-- tests/bench/scaling.py -->\n", "<!-- end -->\n"

# Of the API, and of its account.
PAGE, CEILING = 20, 60  # calls a request, requests a second
LATENCY_S, CONNECTIONS = 0.25, 8
# cache/tier.c, cache/tier_claims.c, cache/tier_copy.c
WAIT_MS, WAIT_MOST_MS, BEAT_S, CLOCKS_APART_S, IDLE_S = 100, 1000, 2, 60, 30
# The fleet of the plan.
HOSTS, CALLS_A_DAY, LOOKS_EVERY_S, COLLECTOR_S = 1000, 10_000_000, 60, 30
ROUND_TRIP_S = 0.0005  # within a data centre
LOCK_TRIPS = 4  # of a claim, while it holds its account's row
NETWORK = 125_000_000  # bytes a second of a link of 1 Gbit/s
# Calls of an hour beside those of the mean one: a day at the desk, in one zone or two.
WEIGHTS = [.3, .2, .2, .2, .3, .5, .8, 1.3, 1.8, 2.1, 2.2, 2.1, 1.9, 2., 2.1, 2., 1.8, 1.5, 1.2, .9, .7, .5, .4, .3]


@dataclasses.dataclass(frozen=True)
class Measured:
    """tests/bench/tier.py --calls 100000: PostgreSQL 15, client and server on 2 cores, fsync on."""

    table: float = 1171  # bytes a call
    indexes: float = 176
    log: float = 1443  # WAL
    wire: float = 1101
    publish: float = 18_500  # calls a second, by one host
    copy: float = 43_800
    passed: float = 2_200_000  # rows a second and core, that a copy looks at and leaves
    counted: float = 8_300_000
    sent: float = 1_900_000  # rows a second and core, that it takes
    claims: float = 680  # a second, of one account, without a network
    looks: float = 8_600  # claims that find what they want, and take no lock
    beats: float = 1_290  # of 1,000 hosts


MEASURED = Measured()


def rates(calls_a_day=CALLS_A_DAY):
    """Calls a second, by the hour."""
    return [calls_a_day * w / sum(WEIGHTS) / 3600 for w in WEIGHTS]


PEAK = max(range(24), key=lambda h: rates()[h])


@dataclasses.dataclass(frozen=True)
class Fleet:
    """Who looks at what, and how often. All look at the same window, or at a part of it."""

    hosts: int = HOSTS
    ttl: float = 60
    every: float = LOOKS_EVERY_S
    window: str = "hour"  # or "day"
    share: float = 1  # of the window's calls that a host wants: 0.001 is one number's
    collector: bool = False  # one host more reads all, with a ttl of COLLECTOR_S, so that nobody else has to
    rate: float = CEILING


@dataclasses.dataclass
class Load:
    """Of one hour: how often, and how many calls."""

    looks: int = 0
    local: int = 0  # looks that cost the tier nothing
    leases: int = 0
    requests: int = 0
    copies: int = 0
    polls: int = 0  # by hosts that wait for another one's walk
    copied: float = 0
    passed: float = 0  # rows that copies look at
    published: float = 0
    counted: float = 0
    longest: float = 0  # walk, seconds until the others have it
    seconds: list = dataclasses.field(default_factory=lambda: [0] * 3600)  # times the lock was taken in each

    def lock(self, at):
        self.seconds[int(at)] += 1


NEVER = -1e9


class Hour:
    """The busiest hour, look by look, of which nothing is held when it begins. Calls come evenly."""

    def __init__(self, fleet, seed=1):
        self.fleet, self.load = fleet, Load()
        self.speed = rates()[PEAK]
        self.before = 3600 * sum(rates()[:PEAK]) if fleet.window == "day" else 0
        start = NEVER if fleet.window == "hour" else 0
        self.read_at, self.sums = [start], [0]  # readings, and the calls that came with those up to each
        self.leased_until = -1
        self.pending = None  # a reading that is not published yet
        dice = random.Random(seed)
        self.held = [start] * (fleet.hosts + fleet.collector)
        self.events = [(dice.uniform(0, fleet.every), host, 0, True) for host in range(fleet.hosts)]
        if fleet.collector:
            self.events.append((0, fleet.hosts, 0, True))
        heapq.heapify(self.events)

    def play(self):
        while self.events:
            at, host, tries, new = heapq.heappop(self.events)
            if at >= 3600:
                continue
            if self.pending and at >= self.leased_until:
                self.publish()
            if new:
                self.load.looks += 1
                every = COLLECTOR_S if host == self.fleet.hosts else self.fleet.every
                heapq.heappush(self.events, (at + every, host, 0, True))
            self.look(at, host, tries)
        return self.load

    def publish(self):
        read_at, calls, host = self.pending
        self.read_at.append(read_at)
        self.sums.append(self.sums[-1] + calls)
        self.held[host] = read_at
        self.pending = None

    def look(self, at, host, tries):
        ttl = COLLECTOR_S if host == self.fleet.hosts else self.fleet.ttl
        if at - self.held[host] < ttl:
            self.load.local += 1
        elif at - self.read_at[-1] < ttl and self.read_at[-1] > self.held[host]:
            self.copy(host)
        elif at < self.leased_until:
            self.load.polls += 1
            self.load.lock(at)
            wait = min(WAIT_MS << min(tries, 4), WAIT_MOST_MS) / 1000
            heapq.heappush(self.events, (at + wait, host, tries + 1, False))
        else:
            self.read(at, host)

    def copy(self, host):
        """What was read since a minute before what is held was, out of all that there is."""
        first = bisect.bisect_left(self.read_at, self.held[host] - CLOCKS_APART_S)
        new = self.sums[-1] - (self.sums[first - 1] if first else 0)
        self.load.copies += 1
        self.load.copied += new * self.fleet.share
        self.load.passed += self.before + self.sums[-1]
        self.held[host] = self.read_at[-1]

    def read(self, at, host):
        calls = (at - max(self.read_at[-1], 0)) * self.speed
        pages = max(1, math.ceil(calls / PAGE))
        there = self.before + self.sums[-1] + calls
        walk = LATENCY_S + max((pages - 1) / self.fleet.rate, (pages - 1) / CONNECTIONS * LATENCY_S)
        taken = walk + calls / MEASURED.publish + there / MEASURED.counted
        self.leased_until = at + taken
        self.pending = (at, calls, host)
        self.load.leases += 1
        self.load.lock(at)
        self.load.requests += pages
        self.load.published += calls
        self.load.counted += there
        self.load.longest = max(self.load.longest, taken)


def play(**fleet):
    return Hour(Fleet(**fleet)).play()


# --- what it asks of the tier ---


def lock_s():
    """How long a claim keeps others of its account from being decided."""
    return 1 / MEASURED.claims + LOCK_TRIPS * ROUND_TRIP_S


def lock_load(load):
    """Of the worst second."""
    return max(load.seconds) * lock_s()


def bytes_s(load):
    return load.copied * MEASURED.wire / 3600


def cores(load, hosts):
    """Of the database, kept busy by all of it."""
    rows = load.passed / MEASURED.passed + load.copied / MEASURED.sent + load.counted / MEASURED.counted
    small = (load.copies + load.leases + 2 * load.polls) / MEASURED.looks * 2 + hosts / BEAT_S * 3600 / MEASURED.beats * 2
    return (rows + load.published / MEASURED.publish + small) / 3600


# --- the tables ---


def percent(x):
    return f"{100 * x:.1f} %" if x < 0.1 else f"{100 * x:.0f} %"


def number(x):
    return f"{x:,.1f}" if x < 10 else f"{x:,.0f}"


def the_day():
    table = Table("UTC hour", "calls/s", "requests/s", "of the ceiling")
    for hour in (3, 6, 8, PEAK, 14, 18, 22):
        speed = rates()[hour]
        table.add(f"{hour}", number(speed), number(speed / PAGE), percent(speed / PAGE / CEILING))
    mean = CALLS_A_DAY / 86400
    table.add("mean", number(mean), number(mean / PAGE), percent(mean / PAGE / CEILING))
    return table


def catching_up():
    """How long it takes at the account's ceiling, while new calls come."""
    table = Table("to catch up with", "calls", "takes")
    spare = CEILING * PAGE - rates()[PEAK]
    table.add("ten minutes at the peak without the API", number(rates()[PEAK] * 600), f"{rates()[PEAK] * 600 / spare:.0f} s")
    table.add("an hour at the peak", number(rates()[PEAK] * 3600), f"{rates()[PEAK] * 3600 / spare / 60:.0f} min")
    mean = CEILING * PAGE - CALLS_A_DAY / 86400
    table.add("a day", number(CALLS_A_DAY), f"{CALLS_A_DAY / mean / 3600:.1f} h")
    table.add("the API's 90 days", number(90 * CALLS_A_DAY), f"{90 * CALLS_A_DAY / mean / 86400:.1f} days")
    return table


FLEETS = [
    ("10 hosts, all of the hour", {"hosts": 10}),
    ("100 hosts", {"hosts": 100}),
    ("1,000 hosts", {}),
    ("and ttl=300", {"ttl": 300}),
    ("and a collector", {"collector": True}),
    ("1,000 hosts, all of today", {"window": "day"}),
    ("and ttl=300, a collector", {"window": "day", "ttl": 300, "collector": True}),
    ("1,000 hosts, 0.1 % of the hour each, a collector", {"share": 0.001, "collector": True}),
    ("0.1 % of today each, a collector", {"share": 0.001, "collector": True, "window": "day"}),
    ("and ttl=300", {"share": 0.001, "collector": True, "window": "day", "ttl": 300}),
]


def the_hour():
    table = Table("fleet", "requests/s", "leases/h", "copies/s", "polls/s", "lock, at worst", "calls copied/s", "Mbyte/s", "cores",
                  "longest walk")
    for name, fleet in FLEETS:
        load = play(**fleet)
        table.add(name, number(load.requests / 3600), number(load.leases), number(load.copies / 3600),
                  number(load.polls / 3600), percent(lock_load(load)), number(load.copied / 3600),
                  number(bytes_s(load) / 1e6), number(cores(load, fleet.get("hosts", HOSTS))), f"{load.longest:.1f} s")
    return table


def idle():
    table = Table("hosts", "signs of life/s", "statements/s", "rows counted/s", "cores", "connections, idle",
                  "and all at work")
    for hosts in (10, 100, 1000, 3000):
        beats = hosts / BEAT_S
        table.add(number(hosts), number(beats), number(beats * 5), number(beats * hosts),
                  number(2 * beats / MEASURED.beats), number(hosts), number(3 * hosts))
    return table


def sizes():
    table = Table("", "rows", "table", "its two indexes", "log written")
    for name, days in (("a day", 1), ("a month of 30 days", 30), ("a year", 365)):
        rows = CALLS_A_DAY * days
        table.add(name, number(rows), *(f"{rows * size / 1e9:,.1f} GB"
                                        for size in (MEASURED.table, MEASURED.indexes, MEASURED.log)))
    return table


def limits():
    """What gives way first: how many hosts fill it, everything else as in the plan."""
    table = Table("what", "holds", "1,000 hosts need", "full with")

    def add(what, holds, needs, unit):
        table.add(what, f"{number(holds)} {unit}", number(needs), f"{number(HOSTS * holds / needs)} hosts")

    whole, narrow = play(), play(share=0.001, collector=True)
    add("a link of 1 Gbit/s, all copy all", NETWORK / 1e6, bytes_s(whole) / 1e6, "Mbyte/s")
    add("the same, 0.1 % each", NETWORK / 1e6, bytes_s(narrow) / 1e6, "Mbyte/s")
    add("the account's row in the worst second, no collector", 1 / lock_s(), max(whole.seconds), "claims/s")
    add("signs of life, on 2 cores", MEASURED.beats, HOSTS / BEAT_S, "/s")
    add("the API, a filter of its own each, ttl=60", CEILING, HOSTS / 60, "requests/s")
    return table


def text():
    parts = [
        f"The day, of {CALLS_A_DAY:,} calls; the ceiling is {CEILING} requests/s, {CEILING * PAGE:,} calls/s:", the_day(),
        "At the ceiling, while others come:", catching_up(),
        f"The hour from {PEAK}:00, {rates()[PEAK]:.0f} calls/s; each host looks every {LOOKS_EVERY_S} s, ttl=60 unless said:",
        the_hour(), "While nobody looks at anything:", idle(), "What is kept:", sizes(), "What is full first:", limits()]
    return "\n\n".join(map(str, parts)) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--write", action="store_true", help="puts the tables into docs/SCALING.md")
    if not parser.parse_args().write:
        print(text(), end="")
        return
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
