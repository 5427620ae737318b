#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What one call, claim, copy and sign of life cost a PostgreSQL on this machine, for scaling.py.

    scripts/build && tests/bench/tier.py [--calls N] [--seconds S]

A simulator, a server on a socket of its own with fsync on, and two mounts: the first reads and publishes, the second copies.
Then pgbench(1) sends the statements of cache/tier*.c, each in the order in which a host does, from --clients connections."""

import argparse
import contextlib
import os
import pathlib
import re
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/mount"))

from harness import PATIENCE_S, Mount, Sim, day  # noqa: E402 pylint: disable=wrong-import-position
from postgres import Postgres  # noqa: E402 pylint: disable=wrong-import-position

NOW = "extract(epoch from clock_timestamp())"
DAYS = 5
ACCOUNT = "MASIMULATOR000000000 latest"
LOOK = f"""SELECT filters, lo, hi, fetched_at FROM cdrfs_span
 WHERE account = '{ACCOUNT}' AND lo < :t + 3600 AND (hi > :t OR hi > fetched_at);
"""
LOCK = f"""BEGIN;
SELECT number, (SELECT value FROM cdrfs_meta WHERE name = 'version') FROM cdrfs_account
 WHERE account = '{ACCOUNT}' FOR UPDATE;
SELECT filters, lo, hi FROM cdrfs_lease WHERE account = '{ACCOUNT}'
 AND host <> 'host' AND expires > {NOW} AND lo < :t + 3600 AND hi > :t;
"""
SET = "\\set t random(1700000000, 1800000000)\n\\set host random(1, 1000)\n\\set n random(1, 1000000000)\n"
SCRIPTS = {
    "look": SET + LOOK,
    "claim": SET + LOOK + LOCK + LOOK + f"""INSERT INTO cdrfs_lease
 VALUES('{ACCOUNT}', 'host' || :host, :n, '', :t, :t + 60, {NOW} + 6);
COMMIT;
DELETE FROM cdrfs_lease WHERE account = '{ACCOUNT}' AND host = 'host' || :host AND number = :n;
""",
    "wait": SET + LOOK + LOCK + LOOK + "COMMIT;\n",
    "beat": SET + f"""INSERT INTO cdrfs_host(account, host, seen)
 VALUES('{ACCOUNT}', 'host' || :host, {NOW}) ON CONFLICT (account, host) DO UPDATE SET seen = excluded.seen;
UPDATE cdrfs_lease SET expires = {NOW} + 6 WHERE account = '{ACCOUNT}' AND host = 'host' || :host;
DELETE FROM cdrfs_lease WHERE account = '{ACCOUNT}' AND expires < {NOW} - 60;
DELETE FROM cdrfs_host WHERE account = '{ACCOUNT}' AND seen < {NOW} - 3600;
SELECT count(*) FROM cdrfs_host WHERE account = '{ACCOUNT}' AND host <> 'host' || :host AND seen > {NOW} - 15;
""",
    "turn": f"""UPDATE cdrfs_budget SET next_slot = GREATEST(next_slot, {NOW} - 0.1) + 0.02
 WHERE account = '{ACCOUNT}' RETURNING next_slot - {NOW};
""",
}


class Server(Postgres):
    """One that keeps what it says it has."""

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o",
                 f"-k {self.folder} -c listen_addresses= -c shared_buffers=512MB -c max_wal_size=4GB", "start")

    def bench(self, script, clients, seconds):
        """Transactions a second."""
        path = self.folder / "script"
        path.write_text(script)
        os.chmod(path, 0o644)
        out = self.run("pgbench", "-h", self.folder, "-U", "cdrfs", "-n", "-M", "extended", "-c", clients, "-j", 2,
                       "-T", seconds, "-f", path, "postgres")
        return float(re.search(r"tps = ([\d.]+)", out)[1])


def status(mount):
    return (mount / ".cdrfs/status").read_text()


def until(mount, text):
    end = time.monotonic() + PATIENCE_S
    while not re.search(text, status(mount)):
        assert time.monotonic() < end, status(mount)
        time.sleep(0.02)


def row(name, value, unit):
    print(f"{name:34} {value:14,.1f} {unit}", flush=True)


def measure_calls(server, sim, work, calls):
    with contextlib.ExitStack() as stack:
        def mount(name, **options):
            made = Mount(sim, work / name, cache=work / f"{name}.cache", shared=server.url(), **options)
            stack.callback(made.clean_up)
            made.start()
            return made

        measure_mounts(server, sim, mount, calls)


def measure_mounts(server, sim, mount, calls):
    first = mount("one", rate=100000, connections=4)
    until(first, "shared tier: together")
    started = time.monotonic()
    (first / ".cdrfs/prefetch").write_text(f"{day(DAYS + 9)}..{day(10)}")
    until(first, f"held: {calls} calls")
    row("read and stored by one", calls / (time.monotonic() - started), "calls/s")
    until(first, f"{calls} published, 0 still")
    row("read and published by one", calls / (time.monotonic() - started), "calls/s")
    first.unmount()
    server.sql("DELETE FROM cdrfs_span; DELETE FROM cdrfs_account; TRUNCATE " + ", ".join(tables(server)))
    started = time.monotonic()
    first = mount("one")  # a store that joins a new tier gives all it has
    until(first, f"{calls} published, 0 still")
    row("published by one", calls / (time.monotonic() - started), "calls/s")
    second = mount("two")
    until(second, "shared tier: together")
    started = time.monotonic()
    (second / ".cdrfs/prefetch").write_text(f"{day(DAYS + 9)}..{day(10)}")
    until(second, f"held: {calls} calls")
    row("copied by one", calls / (time.monotonic() - started), "calls/s")
    assert sim.requests() == 0, (sim.log(), status(second))


def tables(server):
    return server.sql("SELECT relname FROM pg_class WHERE relname LIKE 'cdrfs_call%' AND relkind = 'r'").split()


def measure_sizes(server, calls):
    server.sql("VACUUM ANALYZE")
    def total(function):
        return sum(int(server.sql(f"SELECT {function}('{t}')")) for t in tables(server)) / calls
    row("table", total("pg_table_size"), "bytes a call")
    row("its two indexes", total("pg_indexes_size"), "bytes a call")
    (t, *_) = tables(server)
    sent = ("octet_length(uuid) + 8*9 + octet_length(from_number) + octet_length(to_number) + octet_length(trunk)"
            " + octet_length(body) + 7 + 4*14")
    row("on the wire, copied", float(server.sql(f"SELECT avg({sent}) FROM {t}")), "bytes a call")
    row("body", float(server.sql(f"SELECT avg(octet_length(body)) FROM {t}")), "bytes a call")
    wal = server.sql("SELECT pg_current_wal_lsn() - '0/0'")
    server.sql(f"CREATE TABLE again (LIKE {t} INCLUDING ALL); INSERT INTO again SELECT * FROM {t}")
    n = int(server.sql("SELECT count(*) FROM again"))
    row("log (WAL)", (float(server.sql("SELECT pg_current_wal_lsn() - '0/0'")) - float(wal)) / n, "bytes a call")


def timed(server, sql):
    """Seconds the server itself takes."""
    plan = server.sql(f"EXPLAIN (ANALYZE, TIMING OFF) {sql}")
    return float(re.search(r"Execution Time: ([\d.]+)", plan)[1]) / 1000, plan


def measure_scans(server):
    (t, *_) = tables(server)
    n = int(server.sql(f"SELECT count(*) FROM {t}"))
    base = f"FROM {t} WHERE account = '{ACCOUNT}' AND end_time >= 0 AND end_time < 4000000000"
    row("rows passed over by a copy", n / timed(server, f"SELECT uuid, body {base} AND (read_at >= 4000000000 OR "
                                                "end_time >= 4000000000)")[0], "rows/s")
    row("rows counted by a publication", n / timed(server, f"SELECT count(*) {base}")[0], "rows/s")
    row("rows handed out by one backend", n / timed(server, f"SELECT * {base}")[0], "rows/s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--calls", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--clients", default="1,16,64")
    args = parser.parse_args()
    server = Server()
    each = args.calls // DAYS
    sim = Sim({day(n): each for n in range(10, 10 + DAYS)})
    try:
        with tempfile.TemporaryDirectory() as work:
            measure_calls(server, sim, pathlib.Path(work), each * DAYS)
        measure_sizes(server, each * DAYS)
        measure_scans(server)
        server.sql(f"INSERT INTO cdrfs_host SELECT '{ACCOUNT}', 'host' || n, {NOW} FROM generate_series(1, 1000) n")
        server.sql(f"INSERT INTO cdrfs_span SELECT '{ACCOUNT}', '', 1700000000 + n * 3600, 1700003600 + n * 3600,"
                   " 1800000000 FROM generate_series(1, 2160) n")
        server.sql("VACUUM ANALYZE")
        for name, script in SCRIPTS.items():
            for clients in map(int, args.clients.split(",")):
                row(f"{name}, {clients} connections", server.bench(script, clients, args.seconds), "/s")
        row("commit", 1e6 / server.bench("SELECT 1;\n", 1, 1), "us for a round trip alone")
    finally:
        sim.stop()
        server.stop()


if __name__ == "__main__":
    main()
