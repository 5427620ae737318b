# SPDX-License-Identifier: MIT
"""What is in the files, and what stat says of them: the same in every view and for ever."""

import json
import os
import stat

import pytest

from expect import render
from harness import day, epoch

OLD = day(6)
AT = f"{OLD} 10:00:00"
ATTRIBUTES = ("st_ino", "st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks",
              "st_mtime_ns", "st_ctime_ns", "st_atime_ns")


def attributes(path):
    st = os.stat(path)
    return {name: getattr(st, name) for name in ATTRIBUTES}


def everything(mount, name, direction=None):
    """Attributes and bytes of each call of a day, by file name."""
    where = mount.day(name, direction)
    return {n: (attributes(where / n), (where / n).read_bytes()) for n in mount.ls(name, direction)}


def check_bytes(sim, mount, name, dialect="latest"):
    rows = sim.oracle(name, dialect)
    assert len(mount.ls(name)) == len(rows)
    for row in rows:
        assert (mount.day(name) / f"{row['call_uuid']}.json").read_bytes() == render(row["raw"])


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
def test_a_file_is_the_record_laid_out_anew(sim_of, mount_of, dialect):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim, dialect=dialect)
    check_bytes(sim, mount, OLD, dialect)
    assert sim.requests() == 21
    path = "/Zentrunk/Call/" if dialect == "latest" else f"/Account/{sim.auth_id}/Call/"
    assert all(path in entry["url"] for entry in sim.log())


def test_a_direction_of_the_legacy_dialect(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim, dialect="legacy")
    assert mount.ls(OLD, "inbound") == sim.names(OLD, call_direction="inbound")
    assert mount.ls(OLD) == sim.names(OLD)


def test_the_dialects_have_stores_of_their_own(sim_of, mount_of):
    sim = sim_of({OLD: 3})
    first = mount_of(sim)
    second = mount_of(sim, dialect="legacy", cache=first.cache)
    check_bytes(sim, first, OLD)
    check_bytes(sim, second, OLD, "legacy")


def test_attributes_are_those_of_the_record(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    mount.ls(OLD)
    for row in sim.oracle(OLD):
        size, end = len(render(row["raw"])), epoch(row["end_time"]) * 10**9
        path = mount.day(OLD) / f"{row['call_uuid']}.json"
        expected = {"st_ino": os.stat(path).st_ino, "st_mode": stat.S_IFREG | 0o400, "st_nlink": 8,
                    "st_uid": os.getuid(), "st_gid": os.getgid(), "st_size": size,
                    "st_blocks": -(-size // 512), "st_mtime_ns": end, "st_ctime_ns": end,
                    "st_atime_ns": end}
        assert attributes(path) == expected


def test_a_listing_shows_the_inodes_that_stat_shows(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    with os.scandir(mount.day(OLD)) as entries:
        shown = {entry.name: entry.inode() for entry in entries}
    assert shown == {n: os.stat(mount.day(OLD) / n).st_ino for n in shown}
    assert len(set(shown.values())) == 45


def test_a_call_is_the_same_in_every_view_and_after_a_remount(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    first = mount_of(sim)
    by_date = everything(first, OLD)
    both = {**everything(first, OLD, "inbound"), **everything(first, OLD, "outbound")}
    assert by_date == both and len(both) == 45
    first.unmount()
    second = mount_of(sim, cache=first.cache)
    assert everything(second, OLD) == by_date


def test_an_inode_does_not_depend_on_the_store(sim_of, mount_of):
    sim = sim_of({OLD: 45, day(7): 45})
    first, second = mount_of(sim), mount_of(sim)
    first.ls(day(7))
    everything(second, OLD, "outbound")
    assert everything(first, OLD) == everything(second, OLD)


def test_a_file_read_in_pieces_is_the_file(sim_of, mount_of):
    sim = sim_of()
    uuid = sim.calls(1, AT, set={"note": "x" * 300000})[0]
    raw = sim.oracle(OLD)[0]["raw"]
    mount = mount_of(sim)
    expected = render(raw)
    with open(mount.day(OLD) / f"{uuid}.json", "rb", buffering=0) as f:
        for at in (0, 1, 4095, 4096, 131071, 299999, len(expected) - 1, len(expected)):
            f.seek(at)
            assert f.read(777) == expected[at:at + 777]
    with open(mount.day(OLD) / f"{uuid}.json", "rb") as f:
        assert f.read() == expected


# --- odd records ---

ODD = {
    "numbers": '"a": 0.1, "b": 0.00650, "c": 1E5, "d": -0, "e": 1.0e-7, "f": 0.10000000000000001',
    "large integers": '"a": 18446744073709551616, "b": 123456789012345678901234567890, "c": -9e99',
    "ids": '"a": 986908123123411213, "b": 9007199254740993',
    "lone surrogates": r'"a": "\ud800", "b": "\udfff x", "c": "\ud83d\ude00", "\ud800": 1',
    "escapes": r'"a": "\u0000", "b": "\/\"\\\b\f\n\r\t", "c": "\u00e9 é €", "d": "\u0041"',
    "control bytes": r'"a": "\u001b[31m", "from_number": "../../etc/passwd\u0000"',
    "unknown keys": '"zz_new": true, "": 1, " ": 2, "Call_UUID": "other"',
    "nested": '"a": {"b": [1, {"c": {}}, []], "d": {"e": [[], [[1]], {}]}}, "f": [ ], "g": { }',
    "nulls": '"answer_time": null, "bill_duration": null, "call_direction": null',
    "punctuation": '"a": "{[,:]} \\" , }", "b": ["]", "}"]',
    "wrong types": '"bill_duration": {}, "call_direction": [1], "hangup_cause_code": "x"',
    "an api_id": '"api_id": "6c3a8b60-26e0-4842-9387-2350de79f16b", "a": {"api_id": 1}',
    "a key twice": '"a": 1, "a": 2',
    "blanks": '\t"a"\n:\r\n 1  ,"b":[1,2 , 3]',
    "a long value": f'"a": "{"y" * 70000}"',
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_record_keeps_its_literals(sim_of, mount_of, kind):
    sim = sim_of()
    raw = f'{{"call_uuid": "odd-record_1", {ODD[kind]}, "end_time": "{AT}"}}'
    sim.raw(AT, raw)
    mount = mount_of(sim)
    assert mount.ls(OLD) == ["odd-record_1.json"]
    body = (mount.day(OLD) / "odd-record_1.json").read_bytes()
    assert body == render(raw)
    assert os.stat(mount.day(OLD) / "odd-record_1.json").st_size == len(body)


def test_layout_is_two_spaces_and_one_newline(sim_of, mount_of):
    sim = sim_of()
    sim.raw(AT, f'{{"call_uuid":"u","end_time":"{AT}","a":{{"b":[1,[]],"c":{{}}}},"api_id":"x"}}')
    mount = mount_of(sim)
    assert (mount.day(OLD) / "u.json").read_text() == f"""\
{{
  "call_uuid": "u",
  "end_time": "{AT}",
  "a": {{
    "b": [
      1,
      []
    ],
    "c": {{}}
  }}
}}
"""


BAD = {
    "no JSON": '{"call_uuid": nonsense}',
    "no object": '[1, 2]',
    "a scalar": '17',
    "no uuid": f'{{"end_time": "{AT}"}}',
    "no end_time": '{"call_uuid": "no-end"}',
    "an end_time that is none": '{"call_uuid": "bad-end", "end_time": "yesterday"}',
    "a uuid that is a number": f'{{"call_uuid": 5, "end_time": "{AT}"}}',
    "an unfinished member": f'{{"call_uuid": "half", "end_time": "{AT}", "a": }}',
}


@pytest.mark.parametrize("kind", BAD)
def test_one_bad_record_leaves_the_other_nineteen(sim_of, mount_of, kind):
    sim = sim_of({OLD: 19})
    good = sim.names(OLD)
    sim.raw(f"{OLD} 12:00:00", BAD[kind])
    mount = mount_of(sim)
    assert mount.ls(OLD) == good and len(good) == 19
    assert sim.requests() == 1
    assert mount.ls(OLD) == good  # and the day is known now
    assert sim.requests() == 1


HOSTILE = ["../evil", "..", ".", "", "a/b", "/etc/passwd", "a\0b", "x" * 65, "é", "a b", "a\nb",
           "con\u001b[31m", "a.b", "%2e%2e"]


def test_a_hostile_id_is_never_a_name(sim_of, mount_of):
    sim = sim_of({OLD: 30})
    good = sim.names(OLD)
    for i, uuid in enumerate(HOSTILE):
        sim.raw(f"{OLD} 11:00:{i:02}", json.dumps({"call_uuid": uuid, "end_time": AT}))
    mount = mount_of(sim)
    assert mount.ls(OLD) == good and len(good) == 30
    assert sim.requests() == 3
    assert {n for _, _, names in os.walk(mount.day(OLD)) for n in names} == set(good)


def test_an_amended_record_shows_once_its_day_is_read_again(sim_of, mount_of):
    sim = sim_of({OLD: 0})
    uuid, = sim.calls(1, f"{day(0)} 11:59:59")
    mount = mount_of(sim, ttl=0)
    mount.ls(OLD)
    path = mount.day(day(0)) / f"{uuid}.json"
    mount.ls(day(0))
    before = attributes(path)
    sim.amend(uuid, total_amount='"9.99999"', note='"a longer text than before"')
    mount.ls(day(0))
    body = path.read_bytes()
    assert body == render(sim.oracle(day(0))[0]["raw"]) and b"9.99999" in body
    after = attributes(path)
    assert after["st_ino"] == before["st_ino"] and after["st_size"] == len(body)
    assert after["st_mtime_ns"] > before["st_mtime_ns"]
