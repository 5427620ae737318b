# SPDX-License-Identifier: MIT
"""Proves that the simulator behaves as the API is known to, so that other tests may rely on it."""

import base64
import collections
import concurrent.futures
import datetime
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CDRFS_SIM", str(ROOT / "build/tests/sim/cdrfs-sim"))
NOW = "2026-05-26 12:00:00"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
Reply = collections.namedtuple("Reply", "status headers body")


def shift(seconds, base=NOW):
    """The UTC time `seconds` after `base`, as the API writes it."""
    at = datetime.datetime.strptime(base, "%Y-%m-%d %H:%M:%S") + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%d %H:%M:%S")


DAY = 86400


class Sim:
    """A running simulator and one keep-alive connection to it."""

    def __init__(self, *options, wrap=(), **popen):
        self.process = subprocess.Popen(
            [*wrap, BINARY, *map(str, options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, **popen)
        self.info = json.loads(self.process.stdout.readline())
        self.port = self.info["port"]
        self.id = self.info["auth_id"]
        pair = f"{self.id}:{self.info['auth_token']}".encode()
        self.auth = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        self.latest = f"/v1/Account/{self.id}/Zentrunk/Call/"
        self.legacy = f"/v1/Account/{self.id}/Call/"
        self.kept = None

    def stop(self):
        if self.kept:
            self.kept.close()
        if self.process.poll() is None:
            self.process.terminate()
        assert self.process.wait(10) == 0
        self.process.stdin.close()
        self.process.stdout.close()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def once(self, path, method="GET", headers=None, body=None):
        """A request on a connection of its own."""
        conn = self.connect()
        try:
            conn.request(method, path, body, self.auth if headers is None else headers)
            answer = conn.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            conn.close()

    def get(self, path, **kwargs):
        """A request on the kept connection."""
        if not self.kept:
            self.kept = self.connect()
        self.kept.request("GET", path, headers=kwargs.get("headers", self.auth))
        answer = self.kept.getresponse()
        return Reply(answer.status, answer.headers, answer.read())

    def list(self, base=None, **filters):
        """A listing page, decoded."""
        answer = self.get((base or self.latest) + ("?" + urlencode(filters) if filters else ""))
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def total(self, base=None, **filters):
        return self.list(base, limit=1, **filters)["meta"]["total_count"]

    def refusal(self, base=None, **filters):
        answer = self.get((base or self.latest) + "?" + urlencode(filters))
        body = json.loads(answer.body)
        assert answer.status == 400 and body["status"] == "error"
        assert UUID.fullmatch(body["app_id"])
        return body["error"]

    def walk(self, base=None, **filters):
        """All rows of a listing, page by page."""
        rows, offset = [], 0
        while True:
            page = self.list(base, offset=offset, **filters)
            rows += page["objects"]
            offset += 20
            if len(page["objects"]) < 20:
                return rows

    def post(self, endpoint, expect=200, **body):
        answer = self.once("/control/" + endpoint, "POST", {}, json.dumps(body))
        assert answer.status == expect, answer.body
        return json.loads(answer.body)

    def control(self, endpoint, expect=200):
        answer = self.once("/control/" + endpoint, headers={})
        assert answer.status == expect, answer.body
        if answer.headers["Content-Type"] == "application/x-ndjson":
            return [json.loads(line) for line in answer.body.splitlines()]
        return json.loads(answer.body)

    def oracle(self, dialect="latest", begin=None, end=None):
        query = {"dialect": dialect}
        query.update({"from": begin} if begin else {}, **({"to": end} if end else {}))
        return self.control("oracle?" + urlencode(query))

    def fault(self, kind, **members):
        return self.post("faults", kind=kind, **members)


@pytest.fixture(name="start")
def _start():
    """Starts simulators; ends them, and wants them to leave with 0."""
    running = []

    def start(*options, **kwargs):
        running.append(Sim(*options, **kwargs))
        return running[-1]

    yield start
    for sim in running:
        sim.stop()


@pytest.fixture(scope="module", name="shared")
def _shared():
    """A simulator for tests that change nothing: 6000 calls of 80 days, clock frozen."""
    sim = Sim("--calls", 6000, "--days", 80, "--now", NOW, "--frozen")
    yield sim
    sim.stop()


@pytest.fixture(scope="module", name="all_calls")
def _all_calls(shared):
    return shared.oracle()


@pytest.fixture(name="sim")
def _sim(start):
    """A small one to play with: 100 calls of one day."""
    return start("--calls", 0, "--day-counts", "2026-05-25=100", "--now", NOW, "--frozen")


# --- starting and stopping ---------------------------------------------------------------------------------


def test_the_ready_line_is_the_only_output_and_names_everything(start):
    sim = start("--calls", 1)
    assert sim.info["pid"] == sim.process.pid
    assert sim.info["api_url"] == f"http://127.0.0.1:{sim.port}/v1"
    assert sim.info["control_url"] == f"http://127.0.0.1:{sim.port}/control"
    assert len(sim.info["auth_id"]) == 20 and sim.info["auth_token"] == "simulator-token"
    sim.process.terminate()
    assert sim.process.wait(5) == 0
    assert sim.process.stdout.read() == b""


def test_help_lists_every_option():
    text = subprocess.run([BINARY, "--help"], capture_output=True, check=True, text=True).stdout
    for option in ("dialect calls days seed now frozen day-counts auth-id auth-token latency rate "
                   "console-tz-offset exit-on-eof help").split():
        assert f"--{option}" in text


@pytest.mark.parametrize("options", [
    ["--dialect", "new"], ["--calls", "-1"], ["--calls", "1x"], ["--now", "2026-05-26"],
    ["--day-counts", "2026-02-30=1"], ["--day-counts", "2026-02-03"], ["--auth-id", "short"],
    ["--nonsense"], ["stray"]])
def test_a_bad_option_is_refused_with_status_2(options):
    done = subprocess.run([BINARY, *options], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2 and done.stderr and not done.stdout


def test_calls_without_any_free_day_cannot_start():
    done = subprocess.run([BINARY, "--calls", "5", "--days", "1", "--now", "2026-05-26 23:59:59",
                           "--day-counts", "2026-05-25=1,2026-05-26=1"],
                          capture_output=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 1 and done.stderr


def test_two_simulators_never_share_a_port(start):
    assert start("--calls", 0).port != start("--calls", 0).port


def test_it_listens_on_loopback_only(start):
    sim = start("--calls", 0)
    with socket.socket() as other:
        with pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", sim.port))


def test_exit_on_eof(start):
    sim = start("--calls", 0, "--exit-on-eof")
    sim.process.stdin.write(b"some input does no harm\n")
    sim.process.stdin.flush()
    assert sim.list()["objects"] == []
    sim.process.stdin.close()
    assert sim.process.wait(5) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_though_requests_stall(sim, number):
    sim.fault("stall", count=-1)
    conns = [sim.connect() for _ in range(8)]
    for conn in conns:
        conn.request("GET", sim.latest, headers=sim.auth)
    sim.control("wait?in_flight=8")
    began = time.monotonic()
    sim.process.send_signal(number)
    assert sim.process.wait(5) == 0
    assert time.monotonic() - began < 1
    for conn in conns:
        conn.close()


# --- paths and credentials ---------------------------------------------------------------------------------


def test_a_missing_slash_is_redirected(shared):
    for path in (shared.latest, shared.legacy, shared.latest + "f3f74402-59af-40b3-909c-80c50a4b063f/"):
        answer = shared.get(path[:-1] + "?limit=3")
        assert answer.status == 301 and answer.headers["Location"] == path + "?limit=3"


def test_wrong_credentials_get_401_without_api_id(shared):
    wrong = base64.b64encode(f"{shared.id}:wrong".encode()).decode()
    for headers in ({}, {"Authorization": "Basic " + wrong}, {"Authorization": "Bearer stk_x"}):
        answer = shared.get(shared.latest, headers=headers)
        assert answer.status == 401
        assert json.loads(answer.body) == {"error": "authentication credentials were not provided"}


def test_another_account_is_401_though_the_credentials_are_good(shared):
    assert shared.get("/v1/Account/MAOTHER0000000000000/Zentrunk/Call/").status == 401


def test_unknown_paths_and_methods(shared):
    assert shared.get("/v1/nothing/").status == 404
    assert shared.get(shared.legacy + "f3f74402-59af-40b3-909c-80c50a4b063f/").status == 404
    assert shared.get(shared.latest + "f3f74402-59af-40b3-909c-80c50a4b063f/Insights/").status == 404
    assert shared.once(shared.latest, "POST", body="{}").status == 405


def test_a_server_of_one_dialect_does_not_know_the_other(start):
    latest, legacy = start("--dialect", "latest"), start("--dialect", "legacy")
    assert latest.get(latest.latest).status == 200 and latest.get(latest.legacy).status == 404
    assert legacy.get(legacy.latest).status == 404 and legacy.get(legacy.legacy).status == 200


def test_other_credentials(start):
    sim = start("--auth-id", "SA" + "7" * 18, "--auth-token", "tök\"en", "--calls", 3)
    assert sim.info["auth_id"] == "SA" + "7" * 18
    assert sim.total() == 3


# --- rows and pages ----------------------------------------------------------------------------------------

LATEST_KEYS = """call_uuid call_id from_number to_number call_direction call_duration bill_duration
    billed_duration initiation_time answer_time end_time hangup_cause_name hangup_cause_code hangup_source
    total_rate total_amount trunk_domain from_country to_country transport_protocol srtp secure_trunking
    secure_trunking_rate stir_verification attestation_indicator cnam_lookup cnam_lookup_rate""".split()
LEGACY_KEYS = """call_uuid from_number to_number call_direction duration bill_duration initiation_time
    answer_time end_time hangup_cause hangup_code hangup_initiator rate total_amount trunk_id trunk_domain
    region from_country to_country transport_protocol srtp secure_trunking secure_trunking_rate
    stir_verification""".split()


def test_latest_rows_have_the_forms_of_the_latest_api(shared):
    page = shared.list()
    assert list(page) == ["api_id", "meta", "objects"] and UUID.fullmatch(page["api_id"])
    assert len(page["objects"]) == 20
    for row in page["objects"]:
        assert list(row) == LATEST_KEYS
        assert UUID.fullmatch(row["call_uuid"])
        assert isinstance(row["from_number"], str) and isinstance(row["call_duration"], int)
        for money in ("total_rate", "total_amount", "secure_trunking_rate", "cnam_lookup_rate"):
            assert re.fullmatch(r"\d+\.\d{5}", row[money])
        assert isinstance(row["srtp"], bool) and isinstance(row["cnam_lookup"], bool)


def test_legacy_rows_have_the_forms_of_the_legacy_api(shared):
    rows = [row for offset in range(0, 400, 20) for row in shared.list(shared.legacy, offset=offset)["objects"]]
    for row in rows:
        assert list(row) == LEGACY_KEYS
        assert type(row["rate"]) in (int, float) and type(row["total_amount"]) in (int, float)
        assert type(row["to_number"]) is int
    assert {0.318, 0.1, 0} <= {row["rate"] for row in rows}
    assert {type(row["from_number"]) for row in rows} == {int, str}
    assert any(row["region"] for row in rows) and any(not row["region"] for row in rows)


def test_both_dialects_tell_of_the_same_calls(shared):
    new, old = shared.list(limit=20)["objects"], shared.list(shared.legacy, limit=20)["objects"]
    assert [r["call_uuid"] for r in new] == [r["call_uuid"] for r in old]
    assert [r["call_duration"] for r in new] == [r["duration"] for r in old]
    assert [float(r["total_amount"]) for r in new] == [float(r["total_amount"]) for r in old]


def test_blanks_follow_colons(shared):
    assert b'"call_uuid": "' in shared.get(shared.latest).body


def test_meta_of_latest_is_null_or_a_relative_url_without_filters(shared):
    total = shared.total()
    first = shared.list(call_direction="inbound", limit=5)["meta"]
    assert list(first) == ["limit", "offset", "total_count", "previous", "next"]
    assert first["previous"] is None
    assert first["next"] == shared.latest[1:] + "?limit=5&offset=5"
    middle = shared.list(offset=30, limit=20)["meta"]
    assert middle["previous"] == shared.latest[1:] + "?limit=20&offset=10"
    last = shared.list(offset=total - 3)
    assert last["meta"]["next"] is None and len(last["objects"]) == 3


def test_meta_of_legacy_is_boolean(shared):
    total = shared.total(shared.legacy)
    assert [shared.list(shared.legacy, offset=o)["meta"][k] for o in (0, 20, total - 1)
            for k in ("previous", "next")] == [False, True, True, True, True, False]


def test_the_default_page_has_twenty_rows_newest_first_and_offset_counts_records(shared):
    page = shared.list()
    assert (page["meta"]["limit"], page["meta"]["offset"]) == (20, 0)
    rows = [row for offset in range(0, 200, 20) for row in shared.list(offset=offset)["objects"]]
    assert rows[:20] == page["objects"]
    assert shared.list(offset=7, limit=3)["objects"] == rows[7:10]
    keys = [(row["end_time"], [-ord(c) for c in row["call_uuid"]]) for row in rows]
    assert keys == sorted(keys, reverse=True)


def test_an_offset_beyond_the_end_gives_an_empty_page(shared):
    page = shared.list(offset=10 ** 12)
    assert page["objects"] == [] and page["meta"]["total_count"] == shared.total()


def test_api_id_changes_and_rows_do_not(shared):
    one, two = shared.get(shared.latest).body, shared.get(shared.latest).body
    assert one != two
    assert one.split(b'"objects"')[1] == two.split(b'"objects"')[1]


def test_date_follows_the_virtual_clock(shared):
    assert shared.get(shared.latest).headers.get_all("Date") == ["Tue, 26 May 2026 12:00:00 GMT"]


# --- one call ----------------------------------------------------------------------------------------------


def test_one_call_is_flat_and_has_the_bytes_of_its_row(shared):
    page = shared.get(shared.latest + "?limit=1").body
    row = page.split(b'"objects": [')[1][:-2]
    answer = shared.get(shared.latest + json.loads(row)["call_uuid"] + "/")
    assert answer.status == 200 and answer.body == row


def test_one_call_may_be_wrapped_and_may_carry_an_api_id(sim):
    row = sim.list(limit=1)["objects"][0]
    path = sim.latest + row["call_uuid"] + "/"
    sim.post("config", wrap_object=True)
    assert json.loads(sim.get(path).body) == {"object": row}
    sim.post("config", api_id_in_single=True)
    both = json.loads(sim.get(path).body)
    assert set(both) == {"api_id", "object"} and both["object"] == row
    sim.post("config", wrap_object=False)
    flat = json.loads(sim.get(path).body)
    assert UUID.fullmatch(flat.pop("api_id")) and flat == row


def test_an_unknown_uuid_is_404(shared):
    for name in ("f3f74402-59af-40b3-909c-80c50a4b063f", "nonsense", "%2e%2e", "x" * 300):
        answer = shared.get(shared.latest + name + "/")
        assert answer.status == 404 and json.loads(answer.body)["error"] == "not found"


# --- filters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["srtp", "trunk_id", "initiation_time", "initiation_time__gte", "call_uuid",
                                 "from_number__gt", "bill_duration__ne", "call_duration", "limit__gt",
                                 "end_time__between", "hangup_source__gt", "xend_time", "next"])
def test_latest_refuses_what_it_cannot_filter(shared, key):
    assert shared.refusal(**{key: "1"}) == f"filtering not allowed on {key}"


@pytest.mark.parametrize("key", ["hangup_cause_code", "hangup_source", "stir_verification", "srtp"])
def test_legacy_refuses_what_it_cannot_filter(shared, key):
    assert shared.refusal(shared.legacy, **{key: "1"}) == f"filtering not allowed on {key}"


@pytest.mark.parametrize("key", ["end_time__gte", "bill_duration", "call_direction", "from_number",
                                 "to_number", "hangup_cause_code", "hangup_source", "stir_verification",
                                 "limit", "offset"])
def test_an_empty_value_is_refused(shared, key):
    assert key in shared.refusal(**{key: ""})


@pytest.mark.parametrize("key,value", [
    ("limit", "0"), ("limit", "21"), ("limit", "-1"), ("limit", "x"), ("offset", "-1"), ("offset", "1.5"),
    ("call_direction", "sideways"), ("hangup_source", "Carrier"), ("hangup_cause_code", "30x0"),
    ("stir_verification", "verified"), ("bill_duration", "1.5"), ("bill_duration__gte", "-1")])
def test_a_bad_value_is_refused(shared, key, value):
    assert key in shared.refusal(**{key: value})


@pytest.mark.parametrize("value", [
    "2026-05-20", "2026-05-20T10:00:00", "2026-05-20T10:00:00Z", "2026-05-20 10:00:00+00:00",
    "2026-05-20 10:00:00Z", "2026-02-30 10:00", "2026-05-20 24:00", "2026-05-20 10:60", "2026-5-20 10:00",
    "2026-05-20 10", "2026-05-20 10:00:00.", "2026-05-20 10:00:00.1234567", "1779000000", "now"])
def test_other_forms_of_time_are_refused(shared, value):
    assert "end_time" in shared.refusal(end_time__gte=value)


@pytest.mark.parametrize("value", ["2026-05-20 10:00", "2026-05-20 10:00:00", "2026-05-20 10:00:00.000000"])
def test_three_forms_of_time_are_one(shared, all_calls, value):
    want = sum(c["end_time"] >= "2026-05-20 10:00:00" for c in all_calls)
    assert shared.total(end_time__gte=value) == want


def test_blank_and_colon_may_be_encoded_in_any_way(shared):
    paths = [shared.latest + "?limit=1&end_time__gte=2026-05-20" + rest
             for rest in ("%2010:00:00", "+10:00:00", "%2010%3A00%3A00")]
    assert len({json.loads(shared.get(p).body)["meta"]["total_count"] for p in paths}) == 1


def test_a_malformed_escape_is_refused(shared):
    assert shared.get(shared.latest + "?from_number=%zz").status == 400
    assert shared.get(shared.latest + "?from_number=%00").status == 400


def test_an_upper_bound_without_a_lower_is_refused(shared):
    for base in (shared.latest, shared.legacy):
        for key in ("end_time__lt", "end_time__lte"):
            assert "end_time" in shared.refusal(base, **{key: NOW})
    assert shared.total(end_time__gte=shift(-DAY)) > 0


def test_windows_beyond_ninety_days_are_refused(shared):
    assert "90 days" in shared.refusal(end_time__gte=shift(-90 * DAY - 61))
    assert "90 days" in shared.refusal(end_time=shift(-91 * DAY))
    assert shared.get(shared.latest + "?" + urlencode({"end_time__gte": shift(-90 * DAY - 60)})).status == 200
    assert "longer" in shared.refusal(end_time__gte=shift(-80 * DAY), end_time__lt=shift(11 * DAY))
    assert shared.total(end_time__gte=shift(-80 * DAY), end_time__lt=shift(10 * DAY)) == 6000


def test_without_a_window_thirty_days_are_searched(shared, all_calls):
    assert shared.total() == sum(c["end_time"] >= shift(-30 * DAY) for c in all_calls) < 6000
    assert shared.total(end_time__gte=shift(-90 * DAY)) == 6000


def test_calls_older_than_ninety_days_are_gone(start):
    sim = start("--calls", 0, "--day-counts", "2026-02-24=10,2026-02-26=10", "--now", NOW, "--frozen")
    old = sim.oracle(begin="2026-02-24 00:00:00", end="2026-02-25 00:00:00")
    assert len(old) == 10
    assert sim.total(end_time__gte=shift(-90 * DAY)) == 10
    assert sim.get(sim.latest + old[0]["call_uuid"] + "/").status == 404
    kept = sim.oracle(begin="2026-02-26 00:00:00")[0]["call_uuid"]
    assert sim.get(sim.latest + kept + "/").status == 200
    sim.post("clock", advance_s=2 * DAY)
    assert sim.get(sim.latest + kept + "/").status == 404


def test_a_call_that_has_not_ended_is_not_there_yet(sim):
    uuid = sim.post("calls", end_time=shift(60))["uuids"][0]
    assert sim.total() == 100 and sim.get(sim.latest + uuid + "/").status == 404
    sim.post("clock", advance_s=60)
    assert sim.total() == 101 and sim.list(limit=1)["objects"][0]["call_uuid"] == uuid
    assert sim.get(sim.latest + uuid + "/").status == 200


OPERATORS = {"": "__eq__", "__gt": "__gt__", "__gte": "__ge__", "__lt": "__lt__", "__lte": "__le__"}


@pytest.mark.parametrize("form", OPERATORS)
def test_all_forms_of_end_time(shared, all_calls, form):
    at = all_calls[4000]["end_time"]
    low = {} if form not in ("__lt", "__lte") else {"end_time__gte": shift(-89 * DAY)}
    want = [c["call_uuid"] for c in all_calls if getattr(c["end_time"], OPERATORS[form])(at)]
    page = shared.list(**{"end_time" + form: at}, **low)
    assert page["meta"]["total_count"] == len(want)
    assert {r["call_uuid"] for r in page["objects"]} <= set(want)


@pytest.mark.parametrize("form", OPERATORS)
@pytest.mark.parametrize("dialect", ["latest", "legacy"])
def test_all_forms_of_bill_duration(shared, all_calls, form, dialect):
    want = sum(getattr(c["bill_duration"], OPERATORS[form])(60) for c in all_calls)
    base = getattr(shared, dialect)
    assert want and shared.total(base, end_time__gte=shift(-89 * DAY), **{"bill_duration" + form: 60}) == want


@pytest.mark.parametrize("form", OPERATORS)
def test_all_forms_of_initiation_time_in_the_zone_of_the_console(start, form):
    sim = start("--calls", 500, "--now", NOW, "--frozen", "--console-tz-offset", 330)
    calls = sim.oracle("legacy")
    at = calls[250]["initiation_time"]
    want = sum(getattr(c["initiation_time"], OPERATORS[form])(at) for c in calls)
    assert sim.total(sim.legacy, **{"initiation_time" + form: shift(330 * 60, at)}) == want > 0


def test_equality_of_a_minute_means_its_first_second(sim):
    sim.post("calls", n=60, end_time="2026-05-26 10:07:00")
    assert sim.total(end_time="2026-05-26 10:07") == 1
    assert sim.total(end_time="2026-05-26 10:07:59") == 1
    assert sim.total(end_time="2026-05-26 10:07:30.5") == 0
    assert sim.total(end_time__gt="2026-05-26 10:07:58.5") == 1
    assert sim.total(end_time__gte="2026-05-26 10:07:58.5", end_time__lt="2026-05-26 10:07:59.5") == 1
    assert sim.total(end_time__gte="2026-05-26 10:07", end_time__lt="2026-05-26 10:08") == 60


def digits(number):
    """The digits a number filter can see, or None when the text is no number."""
    text = number[1:] if number.startswith("+") else number
    return text if re.fullmatch(r"[0-9]*", text) else None


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
@pytest.mark.parametrize("prefix", ["1415555", "14155550211", "44207946", "91", "7", "999"])
def test_numbers_match_by_prefix(shared, all_calls, dialect, prefix):
    base, window = getattr(shared, dialect), {"end_time__gte": shift(-89 * DAY)}
    for key in ("from_number", "to_number"):
        want = sum((digits(c[key]) or "").startswith(prefix) for c in all_calls)
        assert shared.total(base, **window, **{key: prefix}) == want


def test_a_number_that_is_the_prefix_of_others_exists(shared):
    rows = shared.walk(from_number="1415555")
    numbers = {row["from_number"] for row in rows}
    assert "+1415555" in numbers and len(numbers) > 10


def test_a_number_with_plus_gives_nothing_and_no_error(shared):
    for query in ("from_number=%2B1415555", "from_number=+1415555", "to_number=%2B1"):
        page = json.loads(shared.get(shared.latest + "?" + query).body)
        assert page["meta"]["total_count"] == 0 and page["objects"] == []


def test_the_other_filters_and_their_conjunction(shared, all_calls):
    window = {"end_time__gte": shift(-89 * DAY)}
    def count(**want):
        return sum(all(str(c[k]).lower() == v.lower() for k, v in want.items()) for c in all_calls)
    for want in ({"call_direction": "inbound"}, {"call_direction": "outbound"}, {"hangup_source": "carrier"},
                 {"hangup_source": "customer"}, {"hangup_source": "zentrunk"}, {"hangup_cause_code": "3010"},
                 {"stir_verification": "Verified"}, {"stir_verification": "Not Verified"},
                 {"stir_verification": "Not Applicable"},
                 {"call_direction": "inbound", "hangup_source": "carrier", "stir_verification": "Not Applicable"}):
        assert shared.total(**window, **want) == count(**want) > 0
    trunk = all_calls[0]["trunk_id"]
    assert shared.total(shared.legacy, **window, trunk_id=trunk) == count(trunk_id=trunk) > 0


def test_a_filtered_walk_brings_each_match_once(shared, all_calls):
    rows = shared.walk(end_time__gte=shift(-89 * DAY), call_direction="inbound", bill_duration__gt=30)
    want = [c["call_uuid"] for c in all_calls if c["call_direction"] == "inbound" and c["bill_duration"] > 30]
    assert [r["call_uuid"] for r in rows] == want[::-1]


def test_a_repeated_filter_follows_what_changes(sim):
    def known():
        return sim.total(call_direction="inbound")
    before = known()
    uuid = sim.post("calls", set={"call_direction": "inbound"})["uuids"][0]
    assert known() == before + 1
    sim.post("amend", call_uuid=uuid, set={"call_direction": '"outbound"'})
    assert known() == before
    sim.post("amend", call_uuid=uuid, set={"call_direction": '"inbound"'})
    assert known() == before + 1
    sim.post("delete", call_uuid=uuid)
    assert known() == before


# --- the generator -----------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes(start):
    options = ("--calls", 300, "--now", NOW, "--frozen", "--seed")
    texts = []
    for seed in (7, 7, 8):
        sim = start(*options, seed)
        texts.append([sim.once("/control/oracle?dialect=" + d, headers={}).body for d in ("latest", "legacy")])
    assert texts[0] == texts[1] and texts[0][0] != texts[2][0]


def test_day_counts_are_exact_and_go_with_calls(start):
    sim = start("--calls", 500, "--days", 5, "--now", NOW, "--day-counts", "2026-05-24=33,2026-05-23=0")
    calls = sim.oracle()
    days = collections.Counter(c["end_time"][:10] for c in calls)
    assert len(calls) == 533 and days["2026-05-24"] == 33 and days["2026-05-23"] == 0
    assert sim.total(end_time__gte="2026-05-24 00:00:00", end_time__lt="2026-05-25 00:00:00") == 33


def test_calls_look_like_life(shared, all_calls):
    rows = [json.loads(c["raw"]) for c in all_calls]
    unanswered = [r for r in rows if r["answer_time"] is None]
    assert 0.2 < len(unanswered) / len(rows) < 0.3
    assert all(r["call_duration"] == r["bill_duration"] == 0 for r in unanswered)
    for row in rows:
        times = [row["initiation_time"], row["answer_time"] or row["initiation_time"], row["end_time"]]
        assert times == sorted(times)
    assert any(r["initiation_time"][:10] < r["end_time"][:10] for r in rows)
    assert len({r["trunk_domain"] for r in rows}) == 6 and "" in {r["trunk_domain"] for r in rows}
    assert {14, 16, 17, 18} <= {len(r["trunk_domain"].split(".")[0]) for r in rows}
    assert {r["attestation_indicator"] for r in rows} == {"A", "B", "C", "null"}
    assert {"Not Applicable", "not applicable"} <= {r["stir_verification"] for r in rows}
    assert len({r["from_number"] for r in rows}) > 150
    hours = collections.Counter(r["end_time"][11:13] for r in rows)
    assert hours["10"] > 5 * hours["03"]
    answered = [r for r in rows if r["answer_time"]]
    for row in answered:
        units = round(float(row["total_rate"]) * 100000) * row["bill_duration"] // 60
        assert row["total_amount"] == f"{units // 100000}.{units % 100000:05d}"
    assert len({r["call_uuid"] for r in rows}) == len(rows)


def test_odd_caller_ids_occur(shared, all_calls):
    callers = {c["from_number"] for c in all_calls}
    assert {"anonymous", "../../etc/passwd", "sip:alice@example.org", "+", "7", "Zürich ☎", "a\0b",
            'say "hi"', "back\\slash/", ""} <= callers
    assert any("\\u0000" in c["raw"] for c in all_calls)


def test_a_million_calls_are_ready_soon_and_paged_at_depth(start):
    began = time.monotonic()
    sim = start("--calls", 1000000, "--days", 89, "--now", NOW, "--frozen")
    assert time.monotonic() - began < 20
    window = {"end_time__gte": shift(-89 * DAY)}
    assert sim.total(**window) == 1000000
    inbound = sim.total(**window, call_direction="inbound")
    assert 400000 < inbound < 500000
    began = time.monotonic()
    for n in range(500):
        page = sim.list(**window, call_direction="inbound", offset=n * 800)
        assert len(page["objects"]) == 20 and page["meta"]["total_count"] == inbound
    assert time.monotonic() - began < 20
    assert len(sim.list(**window, offset=999990)["objects"]) == 10


# --- control: looking --------------------------------------------------------------------------------------


def test_the_log_tells_every_request(sim):
    sim.list(limit=7, offset=3)
    sim.get(sim.latest + "?srtp=1", headers={**sim.auth, "User-Agent": "test/1"})
    sim.get(sim.latest, headers={})
    sim.control("wait?requests=3&idle=1")
    log = sim.control("log")
    assert [(e["n"], e["method"], e["status"], e["rows"], e["total"], e["offset"], e["limit"], e["auth"], e["done"])
            for e in log] == [(1, "GET", 200, 7, 100, 3, 7, True, True),
                              (2, "GET", 400, None, None, None, None, True, True),
                              (3, "GET", 401, None, None, None, None, False, True)]
    assert log[0]["url"] == sim.latest + "?limit=7&offset=3" and log[1]["user_agent"] == "test/1"
    assert log[0]["t"] <= log[1]["t"] <= log[2]["t"] and len({e["conn"] for e in log}) == 1
    sim.post("log/clear")
    assert sim.control("log") == [] and sim.control("stats")["requests"] == 0
    sim.list()
    assert [e["n"] for e in sim.control("log")] == [1]


def test_stats_count(sim):
    for _ in range(3):
        sim.list()
    sim.once(sim.latest + "?srtp=1")
    sim.control("wait?idle=1")
    stats = sim.control("stats")
    assert stats == {"requests": 4, "by_status": {"200": 3, "400": 1}, "in_flight": 0,
                     "max_in_flight": stats["max_in_flight"], "max_in_5s": 4, "connections": 2}
    assert 1 <= stats["max_in_flight"] <= 2


def test_wait_answers_on_the_event_or_with_408(sim):
    sim.control("wait?requests=1&timeout_ms=50", expect=408)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(sim.control, "wait?requests=2&timeout_ms=20000")
        sim.list()
        sim.list()
        assert waiting.result(20)["requests"] == 2
    sim.control("wait?in_flight=1&timeout_ms=50", expect=408)
    sim.control("wait?requests=x", expect=400)


def test_the_oracle_knows_all_and_speaks_both_dialects(sim):
    sim.post("calls", end_time="2025-01-01 00:00:00", set={"hangup_source": "carrier"})
    new, old = sim.oracle("latest"), sim.oracle("legacy")
    assert len(new) == 101 and [c["call_uuid"] for c in new] == [c["call_uuid"] for c in old]
    assert list(new[0]) == """call_uuid end_time initiation_time call_direction from_number to_number
        bill_duration hangup_cause_code hangup_source stir_verification trunk_domain trunk_id raw""".split()
    assert new[0]["hangup_source"] == "carrier" and new[0]["end_time"] == "2025-01-01 00:00:00"
    bytes_of_pages = sim.get(sim.latest).body + sim.get(sim.legacy).body
    for call in new[-20:] + old[-20:]:
        assert call["raw"].encode() in bytes_of_pages
    day = sim.oracle(begin="2026-05-25 00:00:00", end="2026-05-26 00:00:00")
    assert len(day) == 100 and sim.oracle(begin="2026-05-26 00:00:00") == []
    for call in day:
        assert call["trunk_id"] == call["trunk_domain"].split(".")[0]
    edge = day[50]["end_time"]
    assert all(c["end_time"] < edge for c in sim.oracle(end=edge))
    sim.control("oracle?dialect=klingon", expect=400)
    sim.control("oracle?from=2026-05-25", expect=400)


# --- control: settings -------------------------------------------------------------------------------------


def test_latency_and_jitter_delay_answers(sim):
    sim.post("config", latency_ms=150, jitter_ms=50)
    began = time.monotonic()
    sim.list()
    assert 0.15 <= time.monotonic() - began < 5
    sim.post("config", latency_ms=0, jitter_ms=0)
    sim.list()


def test_latent_requests_do_not_hold_up_each_other(start):
    sim = start("--calls", 10, "--latency", 400)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: sim.once(sim.latest).status, range(64)))
    assert answers == [200] * 64 and 0.4 <= time.monotonic() - began < 4
    assert sim.control("stats")["max_in_flight"] > 32


def test_more_than_the_rate_is_429(start):
    sim = start("--calls", 1, "--rate", 5)
    assert [sim.get(sim.latest).status for _ in range(7)] == [200] * 5 + [429] * 2
    assert sim.control("stats")["by_status"] == {"200": 5, "429": 2}
    sim.post("config", rate=0)
    assert sim.get(sim.latest).status == 200


def test_order_may_be_turned(sim):
    newest_first = [r["call_uuid"] for r in sim.walk()]
    sim.post("config", order="asc")
    assert [r["call_uuid"] for r in sim.walk()] == newest_first[::-1]
    sim.post("config", order="desc")
    assert [r["call_uuid"] for r in sim.walk()] == newest_first


def test_totals_may_lie(sim):
    sim.post("config", total_delta=-3)
    assert sim.total() == 97
    sim.post("config", total_fixed=12345)
    assert sim.total() == 12345 and len(sim.walk()) == 100
    sim.post("config", total_fixed=None, total_delta=0)
    assert sim.total() == 100


def test_next_may_lie(sim):
    sim.post("config", next="always_true")
    for base in (sim.latest, sim.legacy):
        assert sim.list(base, offset=99)["meta"]["next"] is True
    sim.post("config", next="garbage")
    assert "elsewhere" in sim.list()["meta"]["next"]
    sim.post("config", next="normal")
    assert sim.list(sim.legacy, offset=99)["meta"]["next"] is False


def test_pages_may_overlap_by_a_row(sim):
    rows = sim.walk()
    sim.post("config", repeat_pages=True)
    assert sim.list()["objects"] == rows[:20]
    assert sim.list(offset=20)["objects"] == rows[19:39]


def test_filters_may_be_refused(sim):
    sim.post("config", refuse_filters=["hangup_source", "end_time"])
    assert sim.refusal(hangup_source="carrier") == "filtering not allowed on hangup_source"
    assert sim.refusal(end_time__gte=shift(-DAY)) == "filtering not allowed on end_time__gte"
    sim.post("config", refuse_filters=[])
    sim.list(hangup_source="carrier")


def test_the_date_header_may_be_wrong_or_missing(sim):
    sim.post("config", date_skew_s=-3600)
    assert sim.get(sim.latest).headers["Date"] == "Tue, 26 May 2026 11:00:00 GMT"
    sim.post("config", no_date=True)
    assert "Date" not in sim.get(sim.latest).headers


def test_a_bad_setting_changes_nothing(sim):
    sim.post("config", total_delta=1)
    for bad in ({"nonsense": 1}, {"latency_ms": "x"}, {"order": "up"}, {"next": 1}, {"refuse_filters": [1]},
                {"total_delta": 2, "no_date": 1}, {"total_fixed": "x"}, {"rate": -1}):
        assert sim.post("config", expect=400, **bad)["error"]
    assert sim.total() == 101


def test_control_refuses_nonsense(sim):
    assert sim.once("/control/nothing", headers={}).status == 404
    assert sim.once("/control/config", headers={}).status == 405
    for body in ("{", "[]", '"x"', '{"rate":1,"rate":2}'):
        assert sim.once("/control/config", "POST", {}, body).status == 400
    assert "in_flight" in sim.control("stats")


# --- control: faults ---------------------------------------------------------------------------------------


def test_fault_status_with_headers_and_body(sim):
    sim.fault("status", status=503, headers={"Retry-After": "1"}, body="upstream gone")
    answer = sim.get(sim.latest)
    assert (answer.status, answer.headers["Retry-After"], answer.body) == (503, "1", b"upstream gone")
    assert sim.get(sim.latest).status == 200
    assert sim.control("log")[0]["fault"] == "status"


def test_faults_choose_by_url_skip_and_count(sim):
    sim.fault("status", status=500, match="offset=20", count=2)
    sim.fault("status", status=502, skip=1, count=-1)
    sim.fault("status", status=504, match="never")
    pages = [0, 20, 0, 20, 20]
    assert [sim.get(f"{sim.latest}?offset={o}").status for o in pages] == [200, 500, 502, 500, 502]
    sim.post("faults/clear")
    assert sim.get(sim.latest).status == 200


def test_fault_reset_is_a_tcp_reset(sim):
    sim.fault("reset")
    with socket.create_connection(("127.0.0.1", sim.port), 10) as conn:
        conn.sendall(f"GET {sim.latest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            conn.recv(1)
    sim.control("wait?idle=1")
    entry = sim.control("log")[0]
    assert (entry["status"], entry["done"], entry["fault"]) == (0, False, "reset")


def test_fault_close_says_nothing(sim):
    sim.fault("close")
    with socket.create_connection(("127.0.0.1", sim.port), 10) as conn:
        conn.sendall(f"GET {sim.latest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert conn.recv(1) == b""


def test_fault_truncate_announces_all_and_sends_half(sim):
    sim.fault("truncate", body="0123456789")
    with pytest.raises(http.client.IncompleteRead) as caught:
        sim.once(sim.latest)
    assert caught.value.partial == b"01234" and caught.value.expected == 5
    sim.fault("truncate")
    with pytest.raises(http.client.IncompleteRead) as caught:
        sim.once(sim.latest)
    assert caught.value.partial.startswith(b'{"api_id"') and len(caught.value.partial) > 5000


def test_fault_stall_waits_for_the_release(sim):
    sim.fault("stall")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        stalled = pool.submit(sim.once, sim.latest)
        assert sim.control("wait?in_flight=1")["in_flight"] == 1
        assert sim.get(sim.latest).status == 200 and not stalled.done()
        assert sim.post("release") == {"released": 1}
        assert stalled.result(10).status == 200


def test_fault_stall_ends_when_the_client_leaves(sim):
    sim.fault("stall")
    conn = sim.connect()
    conn.request("GET", sim.latest, headers=sim.auth)
    sim.control("wait?in_flight=1")
    conn.close()
    sim.control("wait?idle=1")
    assert sim.control("log")[0]["done"] is False


def test_sixty_four_stalled_requests_block_nobody(sim):
    sim.fault("stall", count=64)
    conns = [sim.connect() for _ in range(64)]
    for conn in conns:
        conn.request("GET", sim.latest, headers=sim.auth)
    sim.control("wait?in_flight=64")
    for _ in range(50):
        assert sim.get(sim.latest).status == 200
    assert sim.post("release") == {"released": 64}
    for conn in conns:
        assert conn.getresponse().status == 200
        conn.close()
    assert sim.control("stats")["max_in_flight"] >= 64


def test_fault_drip_sends_a_byte_a_second(sim):
    sim.fault("drip", body="drop by drop")
    with socket.create_connection(("127.0.0.1", sim.port), 10) as conn:
        conn.sendall(f"GET {sim.latest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        got = b""
        while b"\r\n\r\nd" not in got:
            got += conn.recv(4096)
        assert got.endswith(b"\r\n\r\nd")
        began = time.monotonic()
        assert conn.recv(4096) == b"r" and 0.9 < time.monotonic() - began < 3
        assert sim.post("release") == {"released": 1}
        rest = b""
        while chunk := conn.recv(4096):
            rest += chunk
        assert rest == b"op by drop" and time.monotonic() - began < 4


def test_fault_body_is_sent_as_it_is(sim):
    sim.fault("body", body="{\"objects\": [", status=200)
    answer = sim.get(sim.latest)
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (
        200, "application/json", b'{"objects": [')
    sim.fault("body", body_repeat={"text": "[", "times": 200000})
    assert sim.get(sim.latest).body == b"[" * 200000
    sim.fault("body", status=404, body="")
    assert sim.get(sim.latest)[::2] == (404, b"")


def test_fault_redirect_names_another_place(sim):
    sim.fault("redirect", location="http://127.0.0.1:1/stolen/")
    answer = sim.get(sim.latest)
    assert (answer.status, answer.headers["Location"]) == (302, "http://127.0.0.1:1/stolen/")
    sim.fault("redirect", location="/x", status=307)
    assert sim.get(sim.latest).status == 307


def test_a_bad_fault_is_refused(sim):
    for bad in ({}, {"kind": "explode"}, {"kind": "status"}, {"kind": "status", "status": 99},
                {"kind": "redirect"}, {"kind": "reset", "count": -2}, {"kind": "reset", "skip": "x"},
                {"kind": "body", "body": 1}, {"kind": "body", "body_repeat": {"text": "x"}},
                {"kind": "status", "status": 500, "headers": {"a": 1}}, {"kind": "reset", "nonsense": 1}):
        assert sim.post("faults", expect=400, **bad)["error"]
    assert sim.get(sim.latest).status == 200


# --- control: data -----------------------------------------------------------------------------------------


def test_calls_arrive_late_or_now(sim):
    made = sim.post("calls", n=3, end_time="2026-05-26 09:00:00", step_s=10,
                    set={"from_number": "+4915100000", "total_amount": "9.50000", "answer_time": None,
                         "note": {"x": 1}})["uuids"]
    rows = sim.walk(from_number="4915")
    assert [r["call_uuid"] for r in rows] == made[::-1]
    assert [r["end_time"] for r in rows] == [f"2026-05-26 09:00:{s}" for s in ("20", "10", "00")]
    assert rows[0]["total_amount"] == "9.50000" and rows[0]["answer_time"] is None
    assert rows[0]["note"] == {"x": 1} and list(rows[0]) == LATEST_KEYS + ["note"]
    old = sim.walk(sim.legacy, from_number="4915")
    assert old[0]["from_number"] == 4915100000 and old[0]["total_amount"] == 9.5
    assert b'"total_amount": 9.5,' in sim.get(sim.legacy + "?from_number=4915").body
    sim.post("calls")
    assert sim.list(limit=1)["objects"][0]["end_time"] == NOW
    for bad in ({"n": -1}, {"end_time": "today"}, {"set": []}, {"step_s": 0.5}, {"nonsense": 1}):
        sim.post("calls", expect=400, **bad)


def test_a_call_may_be_given_the_uuid_of_another(sim):
    twin = sim.list(limit=1)["objects"][0]["call_uuid"]
    sim.post("calls", set={"call_uuid": twin})
    assert [r["call_uuid"] for r in sim.walk()].count(twin) == 2
    sim.post("calls", set={"call_uuid": "../x"})
    assert sim.list(limit=1, offset=0)["meta"]["total_count"] == 102


def test_raw_rows_are_sent_verbatim(sim):
    broken = '{"call_uuid": "x", oops'
    sim.post("raw", end_time="2026-05-26 11:00:00", json=broken)
    assert broken.encode() in sim.get(sim.latest).body and broken.encode() in sim.get(sim.legacy).body
    good = '{"call_uuid":"0e6b5f0e-6f0a-4c39-8e9f-7e3a90f8a3b1",  "from_number":"+77712","end_time":"x"}'
    made = sim.post("raw", end_time="2026-05-26 11:30:00", json=good)["uuids"]
    assert made == ["0e6b5f0e-6f0a-4c39-8e9f-7e3a90f8a3b1"]
    assert good.encode() in sim.get(sim.latest + "?from_number=777").body
    assert sim.get(sim.latest + made[0] + "/").body == good.encode()
    assert [c["raw"] for c in sim.oracle(begin="2026-05-26 00:00:00")] == [broken, good]
    sim.post("raw", expect=400, json=1)


def test_a_raw_row_is_filed_where_it_was_told_to_be(sim):
    lie = '{"call_uuid": "lie", "end_time": "2026-05-20 11:00:00"}'
    sim.post("raw", end_time="2026-05-26 11:00:00", json=lie)
    assert lie.encode() in sim.get(sim.latest + "?end_time__gte=2026-05-26%2000:00:00").body


def test_a_raw_row_may_be_as_deep_as_the_parser_goes(sim):
    deep = '{"call_uuid": "deep", "a": %s}' % ("[" * 2040 + "]" * 2040)
    sim.post("raw", end_time="2026-05-26 11:00:00", json=deep)
    assert deep.encode() in sim.get(sim.latest + "deep/").body


def test_records_may_be_amended(sim):
    uuid = sim.list(limit=1)["objects"][0]["call_uuid"]
    path = sim.latest + uuid + "/"
    sim.post("amend", call_uuid=uuid, set={"total_amount": '"9.99000"', "hangup_cause_code": "null",
                                           "note": "[1,  2]", "srtp": None})
    answer = sim.get(path).body
    assert b'"total_amount": "9.99000"' in answer and b'"note": [1,  2]' in answer
    row = json.loads(answer)
    assert row["hangup_cause_code"] is None and "srtp" not in row
    assert sim.list(limit=1)["objects"][0] == row
    sim.post("amend", call_uuid=uuid, set={"end_time": '"2026-05-20 00:00:00"'})
    assert sim.walk()[-1]["call_uuid"] == uuid
    sim.post("amend", call_uuid=uuid, set={"total_amount": "NaN"})
    assert b'"total_amount": NaN' in sim.get(path).body
    sim.post("amend", expect=404, call_uuid="x", set={})
    sim.post("amend", expect=400, call_uuid=uuid, set={"x": 1})
    sim.post("amend", expect=400, call_uuid=uuid)


def test_records_may_be_deleted(sim):
    uuid = sim.list(limit=1)["objects"][0]["call_uuid"]
    sim.post("delete", call_uuid=uuid)
    assert sim.total() == 99 and sim.get(sim.latest + uuid + "/").status == 404
    assert uuid not in {c["call_uuid"] for c in sim.oracle()}
    sim.post("delete", expect=404, call_uuid=uuid)
    sim.post("delete", expect=400)


def test_calls_stream_in_and_stop(start):
    sim = start("--calls", 0)
    began = time.monotonic()
    sim.post("arrivals", per_second=200.0, late_max_s=30)
    while sim.total() < 60:
        assert time.monotonic() - began < 20
    sim.post("arrivals", per_second=0)
    assert time.monotonic() - began >= 0.25
    count = len(sim.oracle())
    assert count >= 60 and len(sim.oracle()) == count
    assert len({c["end_time"] for c in sim.oracle()}) > 10
    for bad in ({}, {"per_second": -1}, {"per_second": "x"}, {"per_second": 1, "late_max_s": -1}):
        sim.post("arrivals", expect=400, **bad)


def test_the_clock_may_be_moved(sim):
    assert sim.post("clock", now="2026-05-25 00:00:00") == {"now": "2026-05-25 00:00:00"}
    assert sim.total() < 3
    assert sim.post("clock", advance_s=DAY) == {"now": "2026-05-26 00:00:00"}
    assert sim.total() == 100
    sim.post("clock", advance_s=40 * DAY)
    assert sim.total() == 0
    for bad in ({}, {"now": "x"}, {"advance_s": "x"}, {"now": NOW, "advance_s": 1}):
        sim.post("clock", expect=400, **bad)


def test_an_unfrozen_clock_advances(start):
    sim = start("--calls", 0, "--now", "2026-05-26 23:59:59")
    began = time.monotonic()
    while sim.get(sim.latest).headers["Date"] != "Wed, 27 May 2026 00:00:00 GMT":
        assert time.monotonic() - began < 5


def test_it_leaves_after_an_unmount(start, tmp_path):
    """In a mount namespace of its own, so that the machine's table stays as it is."""
    point = tmp_path / "a mount"
    point.mkdir()
    root = os.geteuid() == 0
    enter = ["unshare", "-m"] if root else ["unshare", "-rm"]
    sim = start("--calls", 0, wrap=[*enter, "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(point)])
    sim.post("exit-after-unmount", expect=409, path=str(tmp_path))
    sim.post("exit-after-unmount", expect=400, path="relative")
    sim.post("exit-after-unmount", path=str(point) + "/")
    assert sim.get(sim.latest).status == 200
    join = ["nsenter", "-m", "-r", "-t", str(sim.info["pid"])]  # -r: also from within a chroot
    join += [] if root else ["-U", "--preserve-credentials"]
    subprocess.run([*join, "mount", "-t", "tmpfs", "none", str(tmp_path)], check=True)
    subprocess.run([*join, "umount", str(tmp_path)], check=True)
    assert sim.get(sim.latest).status == 200
    subprocess.run([*join, "umount", str(point)], check=True)
    assert sim.process.wait(5) == 0
