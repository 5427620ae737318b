# SPDX-License-Identifier: MIT
"""Every fault of the API and of the way to it: its errno, how soon, and that it is over when it
ends. test_tls.py has more of TLS; what takes half a minute is in tests/long."""

import base64
import concurrent.futures
import os
import re
import threading
import time
import urllib.request
from urllib.parse import urlencode

import pytest

from expect import error_of, render
from fault_table import (CALLS, CASES, FOUND, LISTED, NAMED, Place, check, go_through, in_a_hurry,
                         look, seconds_until_whole, status)
from harness import HTTP_S, PATIENCE_S, SLOW, day
from tls import once

HELD = day(7)
PAGES = 21  # of 407 calls
WALKED = {LISTED: 407, NAMED: 1, FOUND: 1}


@pytest.fixture(name="makers")
def _makers(sim_of, mount_of, relay_of, authority):
    return sim_of, mount_of, relay_of, authority


def each(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


@each([c for c in CASES if not c.slow])
def test_a_fault_is_an_errno_until_it_ends(makers, case):
    check(case, go_through(case, makers, hurry=True))


def is_all_there(place):
    """Whether the first listing, and all its files, are what they should be."""
    rows = place.sim.oracle(LISTED)
    assert place.mount.ls(LISTED) == sorted(f"{row['call_uuid']}.json" for row in rows)
    return all((place.mount.day(LISTED) / f"{row['call_uuid']}.json").read_bytes() ==
               render(row["raw"]) for row in rows)


def faults(place):
    """How many answers were spoiled."""
    return sum(1 for entry in place.sim.log() if entry["fault"])


@each([c for c in CASES if c.passes and c.errno != "ETIMEDOUT"])
def test_a_fault_between_good_answers_goes_unnoticed(makers, case):
    place = Place(case.fault, makers, WALKED)
    if place.relay:
        place.relay.turn(once(3, place.way(), place.authority.tls("good")))
    else:
        place.answers(count=1, skip=3)
    assert is_all_there(place)
    assert place.sim.requests() == PAGES + (not place.relay)
    assert place.relay.connections > 4 if place.relay else faults(place) == 1


LOOKED_UP = ["401", "429, Retry-After: 1999", "502", "reset", "HTML",
             "redirect to another host, 302"]


@each([c for c in CASES if c.name in LOOKED_UP])
def test_a_fault_between_good_answers_does_not_spoil_a_name(makers, case):
    place = Place(case.fault, makers, WALKED)
    for name in (NAMED, FOUND):
        place.answers(count=1)
        assert os.stat(place.path(name)).st_size


def fourth_page(sim):
    """The answer that a walk gets to its fourth request."""
    query = {"limit": 20, "offset": 60, "end_time__gte": f"{LISTED} 00:00:00",
             "end_time__lt": f"{day(5)} 00:00:00"}
    url = f"{sim.api_url}/Account/{sim.auth_id}/Zentrunk/Call/?{urlencode(query)}"
    pair = base64.b64encode(f"{sim.auth_id}:{sim.token}".encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {pair}"})
    with sim.opener.open(request, timeout=HTTP_S) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("total", [0, 404, 410, 10**12])
def test_a_wrong_total_between_right_ones_goes_unnoticed(makers, total):
    place = Place({"kind": "body", "match": "offset=60&"}, makers, WALKED)
    right = fourth_page(place.sim)
    wrong = re.sub(r'("total_count": *)407\b', rf"\g<1>{total}", right)
    assert wrong != right
    place.answers(count=1, body=wrong)
    assert is_all_there(place) and faults(place) == 1


def test_a_network_that_is_away_for_a_moment_goes_unnoticed(makers):
    place = Place({"wire": "refused"}, makers, WALKED)
    place.sim.stall(skip=3)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        listing = pool.submit(place.mount.ls, LISTED)
        place.sim.wait(in_flight=8)
        place.begin()
        place.sim.mend()
        back = threading.Timer(0.6, place.end)  # later than the second attempt, before the third
        back.start()
        assert listing.result(PATIENCE_S) == place.sim.names(LISTED)
        back.join()
    assert is_all_there(place)


@each([c for c in CASES if c.name in ("400", "404", "503", "HTML", "stall, deadline=2")])
def test_a_host_that_cannot_be_asked_for_one_call_never_calls_one_absent(makers, case):
    place = Place(in_a_hurry(case.fault), makers, CALLS, dialect="legacy", **case.options)
    place.begin()
    errno, name_errnos, _ = look(place)
    assert errno == case.errno and name_errnos == {case.errno}
    place.sim.mend()
    assert all(os.stat(place.path(name)).st_size for name in (NAMED, FOUND))


def asks(place):
    """Whether a listing that fails asked the API first."""
    before = place.sim.requests()
    assert error_of(os.listdir, place.mount.day(LISTED)) == "EIO"
    return place.sim.requests() > before


def test_an_api_that_is_down_is_said_to_be_so_without_asking_until_it_answers(makers):
    place = Place(in_a_hurry(status(503)), makers, {**CALLS, HELD: 25})
    names = place.mount.ls(HELD)
    place.sim.config(latency_ms=200)  # so that five failures take a while
    place.begin()
    began = time.monotonic()
    while asks(place):
        assert time.monotonic() - began < 20 * SLOW
    place.sim.clear_log()
    for _ in range(30):
        assert look(place)[:2] == ("EIO", {"EIO"})
        assert place.mount.ls(HELD) == names
    assert place.sim.requests() < 30  # all who looked together: the API was only probed
    place.end()
    seconds_until_whole(place, 20 * SLOW)  # after at most the fourth pause
