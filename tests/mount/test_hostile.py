# SPDX-License-Identifier: MIT
"""A host that sends anything: what is listed, what is in the files, and what it costs."""

import json
import os
import re
import sys

import pytest

from expect import error_of, render
from harness import NOW, PATIENCE_S, SLOW, day
from lab import foreground, log_lines
from records import csv_row, members, read_csv

CALLS = 19  # plain ones beside the hostile ones of each case
DEEP = 2000 if SLOW == 1 else 500  # a file of 8 MB, most of it blanks, is much for a sanitizer
NAME = re.compile(r"[0-9A-Za-z_-]{1,64}\.json")
CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")
sys.setrecursionlimit(20 * DEEP)  # json.loads() goes down by it


def row(uuid, more="", end="AT"):
    """A record as text; uuid is JSON. AT becomes the time it is filed under, ID differs by case."""
    return f'{{"call_uuid": {uuid}{", " if more else ""}{more}, "end_time": "{end}"}}'


def bad_uuids(*literals):
    return [row(literal) for literal in literals]


def strings(*texts):
    return [json.dumps(text) for text in texts]


# Rows of which none can be a file.
BAD = {
    "paths": bad_uuids(*strings("../evil", "..", ".", "a/b", "/", "//", "/etc/passwd", "a/", "..\\",
                                "%2e%2e%2f", "a.json", "a.b", "~", "a:b", "*", "?")),
    "slashes in escapes": bad_uuids(r'"\/"', r'"..\/x"', r'"\u002e\u002e\u002fx"', r'"a\u002fb"'),
    "NULs": bad_uuids(r'"\u0000"', r'"a\u0000"', r'"a\u0000b"', r'"\u0000/../x"'),
    "lines": bad_uuids(r'"\n"', r'"a\nb"', r'"a\n"', r'"\r\n"', r'"a\u2028b"'),
    "control characters": bad_uuids(r'"\u001b[2J"', r'"\t"', r'"\u007f"', r'"\u0085"',
                                    r'"\u009b1m"'),
    "lengths": bad_uuids(*strings("x" * 65, "x" * 256, "x" * 5000)),
    "nothing": bad_uuids('""', '" "', '"a "', '" a"', '"a b"'),
    "unicode": bad_uuids('"é"', r'"\u00e9"', '"日本"', '"ａ"', r'"\ud83d\ude00"', r'"\u202ea"'),
    "half surrogates": bad_uuids(r'"\ud800"', r'"\udfffa"', r'"a\ud83d"'),
    "types": bad_uuids("5", "0", "-1", "1.5", "1e400", "null", "true", "false", "{}", "[]",
                       '{"call_uuid": "a"}', '["a"]', "18446744073709551616"),
    "no uuid": ['{"end_time": "AT"}', '{"Call_UUID": "a", "end_time": "AT"}',
                '{"uuid": "a", "end_time": "AT"}', '{"call_uuid ": "a", "end_time": "AT"}', "{}"],
    "the last of two uuids": [r'{"call_uuid": "a", "call_uuid": "..", "end_time": "AT"}',
                              r'{"call_uuid": "b", "\u0063all_uuid": 1, "end_time": "AT"}'],
    "no objects": ["1", '"x"', "null", "true", "[]", "[[]]", "[1, 2]", '[{"call_uuid": "a"}]'],
    "no JSON": ["nonsense", "\\", '{"call_uuid": nonsense}', "{1: 2}", "'x'", "NaN", "-", "01",
                '{"a" 1}', "{,}", '{"call_uuid": "a", "end_time": "AT", }',
                '{"call_uuid": "a", "b": 1.}'],
    "bare control characters": [row('"a"', f'"x": "{c}"') for c in "\x01\x1b\x1f\n\t"],
    "a NUL in a key": [row('"a"', r'"\u0000": 1'), row('"b"', r'"x": [{"y\u0000z": 1}]')],
    "no end_time": ['{"call_uuid": "a"}', '{"call_uuid": "b", "answer_time": "AT"}'],
    "end_times that are none": [row('"a"', end=end) for end in (
        "", " ", "yesterday", "AT ", " AT", "AT\\u0000", "ATx", "AT.", "AT+", "AT+25:00", "ATZZ",
        "2026-02-30 10:00:00", "2026-13-01 10:00:00", "2026-05-26", "2026-05-26 24:00:00",
        "2026-05-26 10:60:00", "2026-05-26 10:00", "26-05-2026 10:00:00", "0000-01-01 00:00:00",
        "10000-01-01 00:00:00", "-001-01-01 00:00:00", "1779753600", "../../etc", "%s%n")],
    "end_times of other types": [f'{{"call_uuid": "a", "end_time": {end}}}' for end in (
        "null", "1779753600", "1e400", "{}", "[]", '["AT"]', "true")],
    "200,000 levels": [row('"a"', f'"x": {"[" * 200000}{"]" * 200000}'),
                       row('"b"', '"x": ' + '{"y":' * 200000 + "1" + "}" * 200000), "[" * 200000 +
                       "]" * 200000],
}

# Rows that are files.
GOOD = {
    "the edges of the grammar": [row(json.dumps(uuid)) for uuid in (
        "a", "_", "-", "--", "-rf", "0", "A_-z", "x" * 64, "json", "NUL", "con")],
    "names in escapes": [
        row(r'"ID\u0061\u002d\u0062"'),
        r'{"\u0063all_uuid": "IDk", "\u0065nd_time": "AT", "\u0062ill_duration": 77}'],
    "keys that come twice": [
        row('"IDa"', '"x": 1, "x": 2, "x": [3]'),
        row('"IDb"', '"from_number": "1", "from_number": "2"'),
        '{"call_uuid": "..", "call_uuid": "IDc", "end_time": "never", "end_time": "AT"}',
        r'{"call_uuid": "x", "\u0063all_uuid": "IDd", "end_time": "AT"}'],
    "integers": [
        row('"IDa"', '"x": [9223372036854775807, 9223372036854775808, -9223372036854775809, '
            '18446744073709551615, 18446744073709551616, 123456789012345678901234567890]'),
        row('"IDb"', '"from_number": 18446744073709551616, "bill_duration": 9223372036854775808'),
        row('"IDc"', '"trunk_domain": 986908123123411213, "call_id": 986908123123411213'),
        row('"IDd"', f'"x": {"9" * 4000}, "bill_duration": {"9" * 400}')],
    "other numbers": [
        row('"IDa"', '"x": [-0, 0.1, -0.0, 1e-400, 1E5, 1e+2, 0.10, 0.00650, 100.000]'),
        row('"IDb"', '"x": 0.1000000000000000055511151231257827, "total_amount": -0')],
    "numbers too large for a double": [row('"IDa"', '"x": 1e400, "bill_duration": 1e400'),
                                       row('"IDb"', '"x": [-1e400, {"y": 1E+9999}]')],
    "escapes of a terminal": [
        row('"IDa"', r'"x": "\u001b[31m\u001b]0;title\u0007\u009b2J\u007f\b"'),
        row('"IDb"', r'"from_number": "\u001b[2J", "to_number": "\u0000\u0001"'),
        row('"IDc"', r'"\u001b[31m": "key"')],
    "halves of surrogate pairs": [
        row('"IDa"', r'"x": "\ud800", "\udfff": "\ude00\ud83d", "y": "\uD83D\uDE00"'),
        row('"IDb"', r'"from_number": "\ud800", "call_id": "x\udbff"')],
    "paths in values": [row('"IDa"', '"from_number": "../../etc/passwd", "to_number": "/", '
                                   '"trunk_domain": "..", "call_direction": "../inbound"')],
    "lines and quotes": [
        row('"IDa"', r'"from_number": "a\r\nb,\"c\"", "call_id": "\n", "x": "\"\","'),
        row('"IDb"', '"from_number": "=1+1", "to_number": "\'; DROP TABLE call; --"')],
    "an api_id": [row('"IDa"', r'"api_id": "x", "x": {"api_id": 1}'),
                  row('"IDb"', '"api_id": {"y": []}'),
                  row('"IDc"', '"api_id": 1, "api_id": 2')],
    "blanks": ['\n{\t"call_uuid"\r\n:\n"ID" ,"x" : [ 1 ,\n2 , { } , [ ] ] , "end_time":"AT" }\n'],
    "as deep as can be": [row('"IDa"', f'"x": {"[" * DEEP}{"]" * DEEP}')],
    "objects as deep as can be": [row('"IDa"', '"x": ' + '{"y":' * DEEP + "1" + "}" * DEEP)],
    "3 MiB": [row('"IDa"', f'"x": "{"y" * (3 << 20)}"')],
    "256 KiB of quotes and lines": [
        row('"IDa"', r'"from_number": "%s"' % (r"\"\n" * (1 << 16)))],
    "10,000 keys": [row('"IDa"', r'"half": "\ud800", ' + ", ".join(  # the simulator reads
        f'"k{i}": {i}' for i in range(10000)))],
    "end_times in other forms": [row(f'"ID{i}"', end=end) for i, end in enumerate((
        "ATZ", "AT UTC", "AT+00:00", "AT.5", "AT.999999999999", "AT+05:30", "AT-0730"))],
}
OLDEST = 2
CASES = {**BAD, **GOOD}
DAYS = {name: day(OLDEST + 2 * i) for i, name in enumerate(CASES)}  # in no row: none is read ahead
TIMES = {name: f"{when} 10:00:00" for name, when in DAYS.items()}


def texts(case):
    own = f"case{list(CASES).index(case)}-"
    return [text.replace("AT", TIMES[case]).replace("ID", own) for text in CASES[case]]


@pytest.fixture(name="made", scope="module")
def _made(module_sim, module_mount):
    """A day for each case, with plain calls as well, and a mount in the foreground. (sim, mount)"""
    sim = module_sim({when: CALLS for when in DAYS.values()})
    for case in CASES:
        for text in texts(case):
            sim.raw(TIMES[case], text)
    return sim, foreground(module_mount(sim, start=False, ttl="1h"))


@pytest.fixture(name="mount")
def _mount(made):
    made[0].clear_log()
    return made[1]


def plain(sim, when):
    """The calls of a day that the simulator made up."""
    return [r for r in sim.oracle(when) if len(r["call_uuid"]) == 36 and "hangup" in r["raw"]]


def uuid_of(text):
    return json.loads(text)["call_uuid"]


def expected(sim, case):
    """The records of its day that can be files, by uuid."""
    good = texts(case) if case in GOOD else []
    return {uuid_of(text): text for text in [r["raw"] for r in plain(sim, DAYS[case])] + good}


def check_files(mount, case, records):
    where = mount.day(DAYS[case])
    for uuid, text in records.items():
        body = (where / f"{uuid}.json").read_bytes()
        assert body == render(text) and os.stat(where / f"{uuid}.json").st_size == len(body)
        assert b"\x1b" not in body and (mount / f"by-uuid/{uuid}.json").read_bytes() == body


def without_api_id(text):
    value = json.loads(text)
    value.pop("api_id", None)
    return value


def check_tables(mount, case, records):
    header, rows = read_csv((mount / f"csv/by-date/{DAYS[case]}.csv").read_bytes())
    assert {r[0]: r for r in rows} == {
        uuid: csv_row(text, header) for uuid, text in records.items()
    } if case != "an api_id" else {r[0] for r in rows} == set(records)
    assert len(rows) == len(records) and all(json.loads(r[-1] or "{}") is not None for r in rows)
    lines = (mount / f"ndjson/by-date/{DAYS[case]}.ndjson").read_bytes().decode().split("\n")
    assert lines.pop() == "" and len(lines) == len(records)
    for line in lines:
        assert json.loads(line) == without_api_id(records[uuid_of(line)])


def check_log(mount):
    assert not CONTROL.search(mount.output())
    assert all(line.startswith("cdrfs: ") for line in log_lines(mount))


@pytest.mark.parametrize("case", CASES)
def test_a_day_with_hostile_rows(made, mount, case):
    """Each row counts as one of its walk, and what can be a file is one."""
    sim, rows, records = made[0], CALLS + len(CASES[case]), expected(made[0], case)
    before = len(log_lines(mount, "row set aside"))
    names = mount.ls(DAYS[case])
    assert names == sorted(f"{uuid}.json" for uuid in records)
    assert all(NAME.fullmatch(name) for name in names)
    assert sim.requests() == -(-rows // 20)
    check_files(mount, case, records)
    check_tables(mount, case, records)
    assert mount.ls(DAYS[case]) == names and mount.ls(DAYS[case], "inbound") is not None
    assert sim.requests() == -(-rows // 20)
    said = log_lines(mount, "row set aside")[before:]
    assert len(said) == (len(CASES[case]) if case in BAD else 0)
    check_log(mount)


# --- every column ---

FIELDS = """call_id from_number to_number call_direction call_duration bill_duration billed_duration
    initiation_time answer_time hangup_cause_name hangup_cause_code hangup_source total_rate
    total_amount trunk_domain trunk_id from_country to_country transport_protocol srtp
    secure_trunking secure_trunking_rate stir_verification attestation_indicator cnam_lookup
    cnam_lookup_rate""".split()
WRONG = ["[]", '["inbound", 1, {}]', "{}", '{"a": [1]}', "true", "null", "-1", "1e400", '""',
         r'"\u0000"', r'"\ud800"', '"' + "9" * 5000 + '"', '"../.."']
AXES = ["by-direction/inbound", "by-from/9", "by-to/1", "by-trunk/9", "by-bill-duration/gte-0",
        "by-initiation-time/gte-2000-01-01T00:00", "by-hangup-cause/1", "by-hangup-source/carrier",
        "by-stir/verified"]


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
def test_a_column_may_hold_anything(sim_of, mount_of, dialect):
    sim, when = sim_of({day(6): CALLS}), day(6)
    rows = {f"{field}-{i}": row(f'"{field}-{i}"', f'"{field}": {value}', f"{when} 10:00:00")
            for field in FIELDS for i, value in enumerate(WRONG)}
    for text in rows.values():
        sim.raw(f"{when} 10:00:00", text)
    mount = mount_of(sim, dialect=dialect, ttl="1h")
    names = mount.ls(when)
    assert set(names) >= {f"{uuid}.json" for uuid in rows} and len(names) == len(rows) + CALLS
    assert sim.requests() == -(-len(names) // 20)
    for uuid, text in rows.items():
        assert (mount.day(when) / f"{uuid}.json").read_bytes() == render(text)
    header, table = read_csv((mount / f"csv/by-date/{when}.csv").read_bytes())
    found = {line[0]: line for line in table}
    assert all(found[uuid] == csv_row(text, header) for uuid, text in rows.items())
    assert len(table) == len(names)
    for axis in AXES:
        assert set(os.listdir(mount / axis / when)) <= set(names)
        for name in os.listdir(mount / axis.split("/")[0]):
            assert re.fullmatch("[0-9]+|[a-z0-9T:-]+", name)
    assert sim.requests() == -(-len(names) // 20)


# --- a call in two rows ---


def twice(sim, when, notes):
    """A call with these notes, the newest first, each in a row of its own. Returns the texts."""
    made = []
    for i, note in enumerate(notes):
        made.append(row('"twice"', f'"note": "{note}"', f"{when} 10:00:00"))
        sim.raw(f"{when} 10:00:{59 - i:02}", made[-1])
    return made


@pytest.mark.parametrize("notes", ["aa", "ab", "abc", "abab"])
def test_a_call_in_several_rows_of_a_page_is_the_first_of_them(sim_of, mount_of, notes):
    sim, when = sim_of({day(6): 0}), day(6)
    texts_ = twice(sim, when, notes)
    mount = foreground(mount_of(sim, start=False, ttl=0))
    for _ in range(2):
        assert mount.ls(when) == ["twice.json"]
    body = (mount.day(when) / "twice.json").read_bytes()
    assert body == render(texts_[0])
    header, table = read_csv((mount / f"csv/by-date/{when}.csv").read_bytes())
    assert table == [csv_row(texts_[0], header)] and sim.requests() == 1
    assert len(log_lines(mount, "call twice is there twice")) == len(notes) - 1


@pytest.mark.parametrize("before, requests", [(18, 3), (19, 3 + 4), (20, 3)])
def test_a_call_in_two_rows_on_two_pages_is_one_call(sim_of, mount_of, before, requests):
    """Once the next walk cuts its pages elsewhere."""
    sim, when = sim_of({day(6): 0}), day(6)
    sim.calls(before, f"{when} 12:00:00")
    made = twice(sim, when, "ab")
    sim.calls(45 - before - 2, f"{when} 08:00:00")
    mount = mount_of(sim, connections=1)
    assert set(mount.ls(when)) == set(sim.names(when)) and len(mount.ls(when)) == 44
    assert (mount.day(when) / "twice.json").read_bytes() in map(render, made)
    assert sim.requests() == requests


def test_a_call_in_two_rows_far_apart_is_an_error_and_never_a_short_day(sim_of, mount_of):
    """Nothing tells such a host from one whose rows move while they are read."""
    sim, when = sim_of({day(6): 45, day(7): 45}), day(6)
    for second in ("00:00:01", "23:59:59"):
        sim.raw(f"{when} {second}", row('"twice"', f'"at": "{second}"', f"{when} 10:00:00"))
    mount = mount_of(sim)
    for _ in range(2):
        assert error_of(os.listdir, mount.day(when)) == "EIO"
    assert error_of(os.stat, mount / f"csv/by-date/{when}.csv") == "EIO"
    assert mount.ls(day(7)) == sim.names(day(7))


# --- rows that were not asked for ---

A, B, BEYOND = day(6), day(9), day(200)
STRAYS = [f"{B} 10:00:00", f"{B} 23:59:59", f"{A} 00:00:00+00:01", f"{day(5)} 00:00:00",
          f"{NOW[:10]} 13:00:00", f"{day(-3)} 10:00:00", f"{BEYOND} 10:00:00",
          "0001-01-01 00:00:00", "9999-12-31 23:59:59"]


@pytest.mark.parametrize("says", STRAYS)
def test_a_row_of_another_day_is_filed_where_it_says_it_ended(sim_of, mount_of, says):
    days = {A: CALLS, day(5): 0, day(7): 3, B: 25}
    sim = sim_of(days)
    honest = {when: sim.names(when) for when in days}
    text = row('"stray"', end=says)
    sim.raw(f"{A} 10:00:00", text)
    mount = foreground(mount_of(sim, start=False, ttl="1h"))
    filed = day(7) if says.endswith("+00:01") else says[:10]
    for when in days:
        assert set(mount.ls(when)) == {*honest[when], *(["stray.json"] if when == filed else [])}
    assert sim.requests() == 5
    assert (mount / "by-uuid/stray.json").read_bytes() == render(text)
    assert len(log_lines(mount, "call stray did not end in the time asked for")) == 1
    shown = os.listdir(mount / "by-date")
    assert (filed in shown) == (filed <= day(0)) and len(shown) <= 91 and sim.requests() == 5
    check_log(mount)


@pytest.mark.parametrize("again", [False, True])
def test_a_row_of_another_day_never_hides_a_call_of_that_day(sim_of, mount_of, again):
    """Of 21 calls the first page brings 20, and with the stray one 21 are held."""
    sim = sim_of({A: CALLS, B: 21})
    sim.raw(f"{A} 10:00:00", row('"stray"', end=f"{B} 10:00:00"))
    mount = mount_of(sim)
    mount.ls(A)
    if again:
        mount.unmount()
        mount = mount_of(sim, cache=mount.cache)
    sim.clear_log()
    assert set(mount.ls(B)) == {*sim.names(B), "stray.json"} and sim.requests() == 2


def test_a_row_that_does_not_match_is_listed_where_it_belongs(sim_of, mount_of):
    """The simulator cannot read the half surrogate, so its filters see a call it made up."""
    sim = sim_of({A: CALLS})
    lie = row('"lie"', r'"x": "\ud800", "call_direction": "outbound"', f"{A} 10:00:00")
    sim.raw(f"{A} 10:00:00", lie)
    shown, = [r["call_direction"] for r in sim.oracle(A) if r["raw"] == lie]
    if shown == "outbound":
        sim.amend("lie", call_direction='"inbound"')
    mount = mount_of(sim)
    assert "lie.json" not in mount.ls(A, "inbound") and sim.requests() == 1
    assert "lie.json" in mount.ls(A) and "lie.json" in mount.ls(A, "outbound")


# --- answers that are no list any more ---

BREAKING = ["}", "]", '"', "{", "[", '{"a": [}', '"a" "b"', ", ,", "1 2", '{"a": "\\"}']


def said_of(process):
    return process.communicate(timeout=PATIENCE_S)[1].decode()


def test_a_row_that_breaks_its_page_is_an_error_and_never_a_short_day(sim_of, mount_of, spawn):
    days = {day(3 + i): text for i, text in enumerate(BREAKING)}
    sim = sim_of({**{when: 25 for when in days}, B: 25})
    uuids = [sim.raw(f"{when} 10:00:00", text) for when, text in days.items()]
    mount = foreground(mount_of(sim, start=False, ttl="1h"))
    listings = [spawn("ls", mount.day(when)) for when in days]
    assert all("Bad message" in said_of(process) for process in listings)
    check_log(mount)
    for uuid in uuids:
        sim.call("delete", body={"call_uuid": uuid})
    for when in [*days, B]:
        assert mount.ls(when) == sim.names(when) and len(mount.ls(when)) >= 25


ONES = {'{"call_uuid": "no-end"}': "Bad message",
        '{"call_uuid": "odd-end", "end_time": "never"}': "Bad message",
        # What the simulator cannot read has no name there either.
        '{"call_uuid": "no-json", "end_time": "AT", "x": 01}': "No such file",
        '{"call_uuid": "of-two", "call_uuid": "other", "end_time": "AT"}': "No such file"}


def test_one_call_that_cannot_be_a_file(sim_of, mount_of, spawn):
    sim = sim_of({A: 5})
    for text in ONES:
        sim.raw(f"{A} 10:00:00", text.replace("AT", f"{A} 10:00:00"))
    mount = foreground(mount_of(sim, start=False))
    waiting = [spawn("stat", mount / "by-uuid" / (text.split('"')[3] + ".json")) for text in ONES]
    waiting.append(spawn("stat", mount.day(A) / "no-end.json"))
    for process, expected_ in zip(waiting, [*ONES.values(), "Bad message"]):
        assert expected_ in said_of(process)
    check_log(mount)


# --- names that somebody looks up ---

DIRECTORIES = [
    "", "by-date", f"by-date/{A}", f"by-date/{B}", f"by-date/{A[:7]}", f"by-date/{A}T10", "by-uuid",
    "by-direction", "by-direction/inbound", f"by-direction/inbound/{A}", "by-from", "by-from/1",
    f"by-from/1/{B}", "by-to", "by-trunk", "by-trunk/1", "by-bill-duration", "by-end-time",
    "by-bill-duration/gte-1", "by-initiation-time", "by-hangup-cause", "by-hangup-source",
    "by-stir", "by-stir/verified/by-from/1/by-to", "csv", "csv/by-date", "csv/by-from/1", "ndjson",
    "ndjson/by-direction/inbound", ".cdrfs"]
ODD_NAMES = [
    b"x" * 255, b"x" * 250 + b".json", "é".encode() * 127, b"\n", b"a\nb", b"a.json\n", b"\xff\xfe",
    b"\xc3", b"\xc3.json", b"\xed\xa0\x80", b"\xc2\x9b2J", b"..json", b".json", b"...", b"....json",
    b" ", b".. ", b"\x1b[2J", b"\x01", b"\x7f", b"a b.json", b"%s%n%p", b"\\", b"-", b"*", b"~",
    b"x.json.json", b"\xef\xbb\xbf.json", "\u202egpj.json".encode(), b"2026-05-26\n", b"inbound\n",
    b"180\n", b"by-date\n", b"csv\xff"]
LONG_NAMES = [b"x" * 256, b"x" * 251 + b".json", b"1" * 256, "é".encode() * 128, b"x" * 1000]


@pytest.fixture(name="named", scope="module")
def _named(module_sim, module_mount):
    sim = module_sim({A: 45, B: 45})
    mount = foreground(module_mount(sim, start=False, ttl="1h", log_level="debug"))
    mount.ls(A)
    sim.clear_log()
    return sim, mount


@pytest.mark.parametrize("where", DIRECTORIES)
def test_a_name_that_cannot_be_is_absent_everywhere(named, where):
    sim, mount = named
    asked = sim.requests()
    there = os.fsencode(mount / where)
    for name in ODD_NAMES:
        for call in (os.stat, os.lstat, os.listdir):
            assert error_of(call, there + b"/" + name) == "ENOENT", name
        assert error_of(os.open, there + b"/" + name, os.O_RDONLY) == "ENOENT", name
        assert error_of(os.open, there + b"/" + name, os.O_CREAT | os.O_WRONLY) == "EROFS", name
        assert error_of(os.mkdir, there + b"/" + name) == "EROFS", name
    for name in LONG_NAMES:
        for call in (os.stat, os.listdir, os.mkdir):
            assert error_of(call, there + b"/" + name) == "ENAMETOOLONG", name
    assert sim.requests() == asked
    check_log(mount)


def test_the_log_shows_a_name_without_its_control_characters(named):
    mount = named[1]
    for name in (b"2026-05-26\ncdrfs: x", b"\x1b[31m\xc2\x9b1m", "\u0661".encode(), b"\xff\xc3"):
        assert error_of(os.stat, os.fsencode(mount / "by-date") + b"/" + name) == "ENOENT"
    for shown in ("2026-05-26?cdrfs: x: not a date", "?[31m??1m: not", "\u0661: not", "??: not"):
        assert log_lines(mount, f"cdrfs: {shown}"), shown
    check_log(mount)


def test_dots_lead_where_the_kernel_says(named):
    sim, mount = named
    asked, name = sim.requests(), named[1].ls(A)[0]
    root = os.open(mount.path, os.O_PATH)
    try:
        def inode(path):
            return os.stat(path, dir_fd=root).st_ino
        assert inode(f"by-date/../by-direction/inbound/../../by-date/{A}/.") == \
            inode(f"by-date/{A}")
        assert inode(f"by-date/{A}/../{A}/{name}") == inode(f"by-date/{A}/{name}")
        assert inode("by-from/1/by-to/2/../../../../by-uuid/..") == inode(".")
        for path, expected_ in (
                (f"by-date/{A}/a/../{name}", "ENOENT"), ("nothing/../by-date", "ENOENT"),
                (f"by-date/{A}/{name}/..", "ENOTDIR"), (f"by-date/{A}/{name}/", "ENOTDIR"),
                ("by-uuid/../../nothing", "ENOENT"), ("by-date//./..//by-x", "ENOENT")):
            assert error_of(os.stat, path, dir_fd=root) == expected_, path
    finally:
        os.close(root)
    assert sim.requests() == asked
