# SPDX-License-Identifier: MIT
"""What is not held: from the API, which answers each request after 80 ms, on 8 connections."""

import collections
import contextlib
import datetime
import math
import os
import pathlib
import time

import report
from harness import day
from peers import Httpdirfs, RcloneHttp, StaticServer
from place import empty, mounted, simulator
from timing import Failed, Samples, output, run, timed

LATENCY_MS, CONNECTIONS, PAGE, RATE = 80, 8, 20, 30
LATENCY = LATENCY_MS / 1000
NOWHERE = "a text that no record has"
CURL_LOOP = pathlib.Path(__file__).parent / "curl_loop"
DAYS, SMALL = 90, 7  # a walk: so many days, so many calls a small one
WINDOW, SHORT, LONG, FILES, PACED = map(day, (10, 12, 14, 16, 18))


def pages(calls):
    return max(1, math.ceil(calls / PAGE))


def limit(calls):
    """Seconds a window costs at least: its first page, then the rest on all connections."""
    return LATENCY * (1 + math.ceil((pages(calls) - 1) / CONNECTIONS))


def paced_limit(calls):
    """The same under rate=, behind the request that proved the credentials: a bucket that holds
    half a second's worth, and never more than five seconds' worth in any 5 s."""
    spans, within = divmod(pages(calls), 5 * RATE)
    return LATENCY + 5 * spans + max(0, within + 1 - RATE / 2) / RATE


def listing(path, calls):
    """Lists a day: seconds to its first entry, to half of them, and to the end."""
    times = []
    begin = time.perf_counter()
    with os.scandir(path) as entries:
        for _ in entries:
            times.append(time.perf_counter() - begin)
    end = time.perf_counter() - begin
    if len(times) != calls:
        raise Failed(f"{path}: {len(times)} of {calls} calls")
    return times[0], times[len(times) // 2], end


def first_entry(path):
    """Seconds to the first entry; the rest is not waited for."""
    begin = time.perf_counter()
    with os.scandir(path) as entries:
        next(entries)
        return time.perf_counter() - begin


def list_url(sim, name):
    """The list of a day, without an offset."""
    after = datetime.date.fromisoformat(name) + datetime.timedelta(days=1)
    return (f"{sim.api_url}/Account/{sim.auth_id}/Zentrunk/Call/?end_time__gte={name}%2000:00:00"
            f"&end_time__lt={after}%2000:00:00&limit={PAGE}")


def account(sim):
    return f"{sim.auth_id}:{sim.token}"


class Cold:
    """The simulators, and what is measured of them."""

    def __init__(self, bench, stack):
        self.bench = bench
        self.work = bench.work / "cold"
        self.work.mkdir()
        self.calls = {WINDOW: bench.size(6000), SHORT: 60, LONG: bench.size(50000),
                      FILES: bench.size(600, 40), PACED: bench.size(6000, 3000)}
        slow = ("--latency", LATENCY_MS)
        self.sim = stack.enter_context(simulator(self.calls, *slow))
        self.small = stack.enter_context(
            simulator({day(i): SMALL for i in range(1, DAYS)}, *slow))
        self.none = stack.enter_context(simulator({}, *slow))
        self.fast = stack.enter_context(simulator({LONG: self.calls[LONG]}))
        self.samples = Samples(bench.budget_s)
        self.counts = collections.defaultdict(list)
        self.peers = [] if bench.alone else self.http_peers(stack)
        self.number = 0

    def http_peers(self, stack):
        """Those that show a web server's files, which are those of the day FILES."""
        tree = self.work / "web"
        tree.mkdir()
        with self.mount(self.sim) as mount:
            run(["cp", "-a", mount.day(FILES), tree])
        server = StaticServer(tree, LATENCY_MS)
        stack.callback(server.stop)
        server.start()
        peers = [RcloneHttp(self.work, server.url), Httpdirfs(self.work, server.url)]
        for peer in peers:
            stack.callback(peer.stop)
        return peers

    def mount(self, sim, **options):
        """cdrfs with nothing held."""
        empty(self.work / "store")
        return mounted(sim, self.work / "mnt", self.work / "store", connections=CONNECTIONS,
                       **options)

    def add(self, row, seconds, who="cdrfs"):
        self.samples.add(self.number, row, who, seconds)

    # --- what one round measures ---

    def window(self):
        with self.mount(self.sim) as mount:
            first, half, end = listing(mount.day(WINDOW), self.calls[WINDOW])
        self.add("window", end)
        self.add("first window", first)
        self.add("half", half)

    def first(self):
        for name in (SHORT, LONG):
            with self.mount(self.sim) as mount:
                self.add(f"first {name}", first_entry(mount.day(name)))

    def paced(self):
        with self.mount(self.sim, rate=RATE) as mount:
            self.add("paced", listing(mount.day(PACED), self.calls[PACED])[2])
        self.counts["paced"].append(self.sim.stats()["max_in_5s"])

    def walk(self, row, sim, calls):
        with self.mount(sim) as mount:
            begin = time.perf_counter()
            found = output("find", mount / "by-date", "-type", "f").count("\n")
            self.add(row, time.perf_counter() - begin)
            self.counts[row].append(sim.requests())
        if found != calls:
            raise Failed(f"{row}: {found} of {calls} calls")

    def throughput(self):
        with self.mount(self.fast) as mount:
            self.add("throughput", listing(mount.day(LONG), self.calls[LONG])[2])
        last = self.calls[LONG] - PAGE
        url = f"{list_url(self.fast, LONG)}&offset=[0-{last}:{PAGE}]"
        curl = ["curl", "-fZ", "--no-progress-meter", "--parallel-max", CONNECTIONS,
                "-u", account(self.fast), "-o", "/dev/null", url]
        self.add("throughput", timed(curl), "curl -Z")

    def curl_loop(self, name, row):
        """The loop, and what was wanted of its files."""
        folder = self.work / "files"
        empty(folder)
        begin = time.perf_counter()
        run([CURL_LOOP, list_url(self.sim, name), account(self.sim), folder])
        run(["grep", "-r", NOWHERE, folder], ok=1)
        self.add(row, time.perf_counter() - begin, "curl")
        if len(os.listdir(folder)) != self.calls[name]:
            raise Failed("the curl loop is wrong")

    def read_window(self):
        with self.mount(self.sim) as mount:
            self.add("read", timed(["grep", "-r", NOWHERE, mount.day(WINDOW)], ok=1))
        if self.samples.wants("read", "curl"):
            self.curl_loop(WINDOW, "read")

    def files(self):
        """A smaller day, by those that need a request a file."""
        for row, command, ok in (("web ls", ["ls", "-l"], 0),
                                 ("web read", ["grep", "-r", NOWHERE], 1)):
            with self.mount(self.sim) as mount:
                self.add(row, timed([*command, mount.day(FILES)], ok))
            for peer in self.peers:
                if self.samples.wants(row, peer.name):
                    peer.start()
                    self.add(row, timed([*command, peer.path / FILES], ok), peer.name)
                    peer.stop()
        if self.samples.wants("web read", "curl"):
            self.curl_loop(FILES, "web read")

    def round(self):
        steps = [self.window, self.first, self.paced,
                 lambda: self.walk("small", self.small, SMALL * (DAYS - 1)),
                 lambda: self.walk("none", self.none, 0), self.throughput]
        if not self.bench.alone:
            steps += [self.read_window, self.files]
        for i, step in enumerate(steps):
            step()
            self.bench.progress(f"cold {i + 1} of {len(steps)}, round {self.number + 1}")
        self.number += 1

    # --- tables ---

    def against(self, table, title, row, least, goal):
        """A row: seconds against the least they can be."""
        ratios = [s / least for s in self.samples.taken[row, "cdrfs"].values()]
        table.add(title, f"{self.samples.median(row, 'cdrfs'):.3f} s", f"{least:.3f} s",
                  f"**{report.median(ratios):.2f}**", report.spread(ratios),
                  *report.at_most(report.median(ratios), goal))

    def counted(self, table, title, row, least, goal=1):
        """The same of a number of requests."""
        values = self.counts[row]
        ratios = [v / least for v in values]
        table.add(title, f"{report.median(values):g}", f"{least:g}",
                  f"**{report.median(ratios):.2f}**", report.spread(ratios),
                  *report.at_most(max(ratios), goal))

    def limits(self):
        table = report.Table("", "measured", "limit", "ratio", "of", "goal", "")
        calls = self.calls
        self.against(table, f"a day of {calls[WINDOW]:,} calls", "window", limit(calls[WINDOW]),
                     1.15)
        self.against(table, f"rate={RATE}, a day of {calls[PACED]:,} calls", "paced",
                     paced_limit(calls[PACED]), 1.05)
        self.counted(table, f"rate={RATE}, most requests in any 5 s", "paced", RATE * 5)
        for name, row in ((SHORT, f"first {SHORT}"), (WINDOW, "first window"),
                          (LONG, f"first {LONG}")):
            self.against(table, f"first entry of {calls[name]:,}, against one round trip", row,
                         LATENCY, 1.25)
        self.against(table, f"half of {calls[WINDOW]:,} entries, against half of the limit", "half",
                     limit(calls[WINDOW]) / 2, 1.25)
        for row, title, held in (("small", f"{DAYS} days of {SMALL} calls", SMALL * (DAYS - 1)),
                                 ("none", f"{DAYS} empty days", 0)):
            self.counted(table, f"walk of {title}: requests", row, math.ceil(held / PAGE) + 10)
            busy = LATENCY * math.ceil(report.median(self.counts[row]) / CONNECTIONS)
            self.against(table, f"walk of {title}: as many requests, eight at a time", row, busy,
                         None)
        return table

    def speed(self):
        calls = self.calls[LONG]
        ours = [calls / s for s in self.samples.taken["throughput", "cdrfs"].values()]
        curl = self.samples.median("throughput", "curl -Z")
        ratio = self.samples.ratio("throughput", "cdrfs", "curl -Z")
        table = report.Table("", "calls/s", "of", "goal", "", "curl -Z, calls/s",
                             "time, to curl -Z's")
        table.add(f"{calls:,} calls, no latency", f"**{report.median(ours):,.0f}**",
                  f"{min(ours):,.0f}–{max(ours):,.0f}",
                  *report.at_least(report.median(ours), 20000), f"{calls / curl:,.0f}",
                  f"{ratio:.2f}")
        return table

    def beside(self):
        names = {"curl": "curl, jq", **{p.name: p.name for p in self.peers}}
        table = report.Table("", "limit", "cdrfs", *names.values())

        def cell(row, who):
            if not self.samples.runs(row, who):
                return ""
            return (f"{self.samples.median(row, who):.2f} s"
                    f" ({self.samples.ratio(row, who, 'cdrfs'):.1f})")

        for row, title, name in (("read", "all contents of {:,} calls", WINDOW),
                                 ("web read", "all contents of {:,} calls", FILES),
                                 ("web ls", "ls -l of {:,} calls", FILES)):
            table.add(title.format(self.calls[name]), f"{limit(self.calls[name]):.2f} s",
                      f"{self.samples.median(row, 'cdrfs'):.2f} s",
                      *(cell(row, who) for who in names))
        return table


def section(bench):
    """The chapter of what comes from the API."""
    with contextlib.ExitStack() as stack:
        cold = Cold(bench, stack)
        for _ in range(bench.repeat):
            cold.round()
        text = [
            f"The simulator answers each request after {LATENCY_MS} ms, on {CONNECTIONS}"
            f" connections; nothing is held. Median of {bench.repeat} rounds; `of` is the least and"
            " the most.",
            str(cold.limits()),
            "From the socket to the store, on the processors that the simulator runs on too. curl"
            " -Z fetches the same pages and throws them away.",
            str(cold.speed())]
        if not bench.alone:
            text += [
                "Beside others, seconds and in brackets the ratio to cdrfs. curl and jq are a loop"
                " of eight at a time that writes the same files; rclone and httpdirfs mount them"
                f" from a web server that answers after {LATENCY_MS} ms too.",
                str(cold.beside())]
        return report.Section("Cold", text)
