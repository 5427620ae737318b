#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The table of faults: what each is at the shell, how soon, and how soon it is over.

The ordinary tests go through it in a hurry: an answer that can say so allows another attempt at
once. Run as a program, it goes through it at full length and prints what it saw."""

import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import sys
import tempfile
import time

from expect import error_of, render
from harness import SLOW, day
from lab import params
from tls import Authority, plaintext

LISTED, NAMED, FOUND = day(6), day(8), day(9)
CALLS = {LISTED: 45, NAMED: 1, FOUND: 1}
DNS_S = 10  # a resolver that does not answer


@dataclasses.dataclass(frozen=True)
class Case:
    """A fault that every request meets. Its first member says whose it is: `kind` the simulator's
    answers', `config` the simulator's, `wire` the relay's in front of it, `host` the name's."""

    name: str
    fault: dict
    errno: str  # of a listing, and of names in a day and in by-uuid; None: none
    requests: tuple = (4,)  # for that listing, one of these; (): any number
    within_s: float = 10  # the error must be there
    whole_s: float = 5  # after the fault ended, all must be there
    name_errno: str = None  # of names, when another
    passes: bool = True  # once in a walk, nobody sees it
    slow: bool = False  # not for the ordinary tests
    options: dict = dataclasses.field(default_factory=dict)


def status(code, **members):
    return {"kind": "status", "status": code, **members}


def body(text, **members):
    return {"kind": "body", "body": text, **members}


def page(meta, objects="[]"):
    return body(f'{{"meta": {meta}, "objects": {objects}}}')


OR_BY_CURL = (4, 5)  # it makes one again itself when the connection had been used before
LATER = {"Retry-After": "1"}
TOO_LATE = {"Retry-After": "3600"}
NOT_A_TIME = {"Retry-After": "soon"}
LAST_CENTURY = {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}

CASES = [
    Case("400", status(400), "EIO"),
    Case("401", status(401), "EACCES", (2,), whole_s=35),
    Case("403", status(403), "EACCES", (2,), whole_s=35),
    Case("404", status(404), "EIO", name_errno="ENOENT"),
    Case("404, of lists only", status(404, match="limit="), "EIO"),
    Case("405", status(405), "EIO"),
    Case("429", status(429), "EBUSY", within_s=20),
    Case("429, Retry-After: 1", status(429, headers=LATER), "EBUSY", slow=True),
    Case("429, Retry-After: 3600", status(429, headers=TOO_LATE), "EBUSY", (1,), passes=False),
    Case("429, Retry-After: 1999", status(429, headers=LAST_CENTURY), "EBUSY"),
    Case("500", status(500), "EIO"),
    Case("500, 200,000 brackets", status(500, body="[" * 200000), "EIO"),
    Case("502", status(502, body="<html>bad gateway</html>"), "EIO"),
    Case("503", status(503, body=""), "EIO"),
    Case("503, Retry-After that is none", status(503, headers=NOT_A_TIME), "EIO",
         slow=True),
    Case("503, Retry-After: 3600", status(503, headers=TOO_LATE), "EIO", (1,), passes=False),
    Case("504", status(504), "EIO"),
    Case("redirect to another host, 302", {"kind": "redirect"}, "EIO"),
    Case("redirect to another host, 308", {"kind": "redirect", "status": 308}, "EIO"),
    Case("204", status(204, body=""), "EIO"),
    Case("206", status(206), "EIO"),
    Case("closed", {"kind": "close"}, "EIO", OR_BY_CURL),
    Case("reset", {"kind": "reset"}, "EIO", OR_BY_CURL),
    Case("body cut short", {"kind": "truncate"}, "EIO"),
    Case("stall", {"kind": "stall"}, "ETIMEDOUT", (), 35, slow=True),
    Case("stall, deadline=2", {"kind": "stall"}, "ETIMEDOUT", (), 5, options={"deadline": 2}),
    Case("a byte a second", {"kind": "drip"}, "ETIMEDOUT", (), 35, slow=True),
    Case("a byte a second, deadline=2", {"kind": "drip"}, "ETIMEDOUT", (), 5,
         options={"deadline": 2}),
    Case("empty", body(""), "EBADMSG"),
    Case("HTML", body("<!doctype html><title>gateway</title>"), "EBADMSG"),
    Case("JSON cut off", body('{"meta": {"total_count": 1}, "objects": [{"call_uuid": "x"'),
         "EBADMSG"),
    Case("more behind the JSON", body('{"meta": {"total_count": 0}, "objects": []} x'), "EBADMSG"),
    Case("an array", body("[]"), "EBADMSG"),
    Case("a number", body("1"), "EBADMSG"),
    Case("200,000 brackets", body("[" * 200000), "EBADMSG"),
    Case("200,000 brackets in meta", page("[" * 200000), "EBADMSG"),
    Case("200,000 brackets in objects", page('{"total_count": 1}', "[" * 200000), "EBADMSG"),
    Case("100 MB", {"kind": "body", "body_repeat": {"text": " " * 1000, "times": 100000}},
         "EBADMSG", within_s=30),
    Case("gzip that is none", body("{}", headers={"Content-Encoding": "gzip"}), "EBADMSG"),
    Case("no objects", body('{"meta": {"total_count": 0}}'), "EBADMSG"),
    Case("objects are an object", page('{"total_count": 1}', "{}"), "EBADMSG"),
    Case("objects are null", page('{"total_count": 1}', "null"), "EBADMSG"),
    Case("no meta", body('{"objects": []}'), "EBADMSG"),
    Case("meta is null", page("null"), "EBADMSG"),
    Case("meta is a text", page('"total_count"'), "EBADMSG"),
    Case("no total", page("{}"), "EBADMSG"),
    Case("the total is a text", page('{"total_count": "many"}'), "EBADMSG"),
    Case("the total is negative", page('{"total_count": -1}'), "EBADMSG"),
    Case("the total has a fraction", page('{"total_count": 1.5}'), "EBADMSG"),
    Case("the total is beyond 64 bits", page('{"total_count": 99999999999999999999}'), "EBADMSG"),
    Case("the total is 10^12", page('{"total_count": 1000000000000}'), "EBADMSG"),
    Case("45 calls, but no rows", page('{"total_count": 45}'), "EIO", (), name_errno="EBADMSG",
         passes=False),
    Case("the total is 0", {"config": {"total_fixed": 0}}, None, (), passes=False),
    Case("the total is 3 too many", {"config": {"total_delta": 3}}, None, (), passes=False),
    Case("the total is 3 too few", {"config": {"total_delta": -3}}, None, (), passes=False),
    Case("refused", {"wire": "refused"}, "EHOSTUNREACH", (), passes=False),
    Case("no such host", {"host": "cdrfs.invalid"}, "EHOSTUNREACH", (), 4 * DNS_S, passes=False),
    Case("TLS: expired", {"wire": "expired"}, "EHOSTUNREACH", ()),
    Case("TLS: another host's", {"wire": "wrong-host"}, "EHOSTUNREACH", ()),
    Case("TLS: self-signed", {"wire": "self-signed"}, "EHOSTUNREACH", ()),
    Case("TLS: plaintext", {"wire": "plaintext"}, "EHOSTUNREACH", ()),
]


def in_a_hurry(fault):
    """The same fault, but where an answer can say so, another attempt may be made at once."""
    if fault.get("kind") not in ("status", "redirect", "body"):
        return fault
    return {**fault, "headers": {"Retry-After": "0", **fault.get("headers", {})}}


def tls_env(relay, authority, host="127.0.0.1"):
    """The environment of a mount that goes through the relay, and trusts the authority."""
    return {"PLIVO_API_URL": f"https://{host}:{relay.port}/v1", "no_proxy": "*",
            "SSL_CERT_FILE": str(authority.ca)}


class Place:
    """A simulator and a mount of it, and a fault that comes and goes."""

    def __init__(self, fault, makers, calls, **options):
        sim_of, mount_of, relay_of, self.authority = makers
        self.fault = fault
        self.mount_of = mount_of
        self.sim = sim_of(calls)
        self.other = sim_of(calls) if fault.get("kind") == "redirect" else None
        self.relay = relay_of(self.sim, self.authority.tls("good")) if "wire" in fault else None
        env = tls_env(self.relay, self.authority) if self.relay else {}
        self.options = {"ttl": 0, "rate": 1000, **options}
        self.mount = mount_of(self.sim, env=env, **self.options)

    def answers(self, count=-1, **members):
        """The simulator's fault."""
        if self.other:
            members["location"] = f"{self.other.api_url}/Account/"
        self.sim.fault(**{**self.fault, **members}, count=count)

    def remount(self, env):
        self.mount.unmount()
        self.mount = self.mount_of(self.sim, cache=self.mount.cache, env=env, **self.options)

    def way(self):
        """What the relay does in the fault."""
        wire = self.fault["wire"]
        return plaintext if wire == "plaintext" else self.authority.tls(wire)

    def begin(self):
        if "kind" in self.fault:
            self.answers()
        elif "config" in self.fault:
            self.sim.config(**self.fault["config"])
        elif "host" in self.fault:
            self.remount({"PLIVO_API_URL": f"https://{self.fault['host']}/v1", "no_proxy": "*",
                          "RES_OPTIONS": "timeout:1 attempts:1"})
        elif self.fault["wire"] == "refused":
            self.relay.leave()
        else:
            self.relay.turn(self.way())

    def end(self):
        if "host" in self.fault:
            self.remount({})
        elif self.fault.get("wire") == "refused":
            self.relay.listen()
        elif "wire" in self.fault:
            self.relay.turn(self.authority.tls("good"))
        else:
            self.sim.config(total_delta=0, total_fixed=None)
            self.sim.mend()

    def path(self, name):
        """A call that is there, by its day or, of the last day, by its uuid."""
        file = self.sim.names(name)[0]
        return self.mount / "by-uuid" / file if name == FOUND else self.mount.day(name) / file

    def requests(self):
        """Those made for the listing."""
        return sum(1 for e in self.sim.log() if params(e).get("end_time__gte", "")[:10] == LISTED)


def list_it(place):
    """The errno of a listing, and its seconds."""
    began = time.monotonic()
    return error_of(os.listdir, place.mount.day(LISTED)), time.monotonic() - began


def look(place, together=True):
    """Three who look at what nothing is held of, at once or the listing first: its errno, those of
    the names, and the seconds of the listing."""
    paths = [place.path(NAMED), place.path(FOUND)]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        listing = pool.submit(list_it, place)
        if not together:
            listing.result()
        names = [pool.submit(error_of, os.stat, path) for path in paths]
        errno, error_s = listing.result()
        return errno, {name.result() for name in names}, error_s


def is_whole(place):
    """Whether the day is listed whole, each file its own bytes, and both names are there. What is
    listed at all must be whole."""
    try:
        listed = place.mount.ls(LISTED)
        sizes = [os.stat(place.path(name)).st_size for name in (NAMED, FOUND)]
    except OSError:
        return False
    assert listed == place.sim.names(LISTED) and all(sizes)
    for row in place.sim.oracle(LISTED):
        with open(place.mount.day(LISTED) / f"{row['call_uuid']}.json", "rb") as f:
            assert f.read() == render(row["raw"])
    return True


def seconds_until_whole(place, most_s):
    """Seconds until all is there. A pause after a refusal ends with time alone, so this asks and
    asks."""
    began = time.monotonic()
    while not is_whole(place):
        assert time.monotonic() - began < most_s, "it is not whole again"
        time.sleep(0.05)
    return time.monotonic() - began


@dataclasses.dataclass
class Seen:
    errno: str
    name_errnos: set
    error_s: float
    requests: int
    whole_s: float


def go_through(case, makers, hurry=False):
    """Brings the fault upon a mount, and takes it away again."""
    fault = in_a_hurry(case.fault) if hurry else case.fault
    place = Place(fault, makers, CALLS, **case.options)
    place.begin()
    heard = len(place.relay.heard) if place.relay else 0
    # Who is refused first decides for all, so that it is not told how often each was asked for.
    errno, name_errnos, error_s = look(place, together=case.errno != "EACCES")
    requests = place.requests()
    assert not place.relay or b"HTTP/" not in place.relay.heard[heard:]
    assert case.errno or is_whole(place)
    place.end()
    if place.other:
        assert place.other.stats()["requests"] == place.other.stats()["connections"] == 0
    whole_s = None
    if not hurry or case.whole_s < 20:
        whole_s = seconds_until_whole(place, case.whole_s * SLOW)
    return Seen(errno, name_errnos, error_s, requests, whole_s)


def check(case, seen):
    """Holds what was seen against the table."""
    assert seen.errno == case.errno
    if case.errno:
        assert seen.name_errnos == {case.name_errno or case.errno}
    assert not case.requests or seen.requests in case.requests
    assert seen.error_s < case.within_s * SLOW


def seconds(value):
    return f"{value:.1f}" if value >= 0.05 else "0"


def row(case, seen):
    names = sorted(seen.name_errnos - {seen.errno})
    errno = " ".join([seen.errno or "none", *(f"(names: {name})" for name in names if name)])
    return (f"| {case.name} | {errno} | {seconds(seen.error_s)} | {seen.requests} "
            f"| {seconds(seen.whole_s)} |")


def measure(case):
    """The case at full length, on a simulator and a mount of its own."""
    from conftest import mounts, relays, simulators  # pylint: disable=import-outside-toplevel

    with tempfile.TemporaryDirectory() as folder, simulators() as sim_of, \
            mounts(pathlib.Path(folder)) as mount_of, relays() as relay_of:
        authority = Authority(pathlib.Path(folder, "authority"))
        return go_through(case, (sim_of, mount_of, relay_of, authority))


def main():
    """Four at a time, as the time goes by waiting."""
    print("| fault | errno | seconds until then | requests | seconds until whole, after it ended |")
    print("|---|---|---|---|---|")
    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for case, seen in zip(CASES, pool.map(measure, CASES)):
            print(row(case, seen), flush=True)
            with contextlib.suppress(AssertionError):
                check(case, seen)
                continue
            wrong += 1
            print(f"{case} is {seen}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
