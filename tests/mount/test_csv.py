# SPDX-License-Identifier: MIT
"""csv/ and ndjson/: a day's calls as one file."""

import datetime
import json
import os
import subprocess

import pytest

from expect import error_of, write_to
from harness import NOW, PATIENCE_S, TODAY, day
from lab import filters
from records import compact, csv_row, csv_text, in_order, members, ndjson_text, read_csv, uuid_of

OLD = day(6)
EMPTY = day(7)
COLD = day(8)
TREES = ["csv", "ndjson"]
DIALECTS = ["latest", "legacy"]
AT = f"{OLD} 10:00:00"
LATEST = {  # API.md section 3
    "call_uuid", "call_id", "from_number", "to_number", "call_direction", "call_duration",
    "bill_duration", "billed_duration", "initiation_time", "answer_time", "end_time",
    "hangup_cause_name", "hangup_cause_code", "hangup_source", "total_rate", "total_amount",
    "trunk_domain", "from_country", "to_country", "transport_protocol", "srtp", "secure_trunking",
    "secure_trunking_rate", "stir_verification", "attestation_indicator", "cnam_lookup",
    "cnam_lookup_rate"}
LEGACY = {
    "call_uuid", "from_number", "to_number", "call_direction", "duration", "bill_duration",
    "initiation_time", "answer_time", "end_time", "hangup_cause", "hangup_code",
    "hangup_initiator", "rate", "total_amount", "trunk_id", "trunk_domain", "region",
    "from_country", "to_country", "transport_protocol", "srtp", "secure_trunking",
    "secure_trunking_rate", "stir_verification"}
ODD = {
    "comma_1": r'"from_number": "a,b", "to_number": "say \"hi\"", "call_id": "\"", "region": ","',
    "lines_2": r'"from_number": "a\nb", "to_number": "a\r\nb", "call_id": "\r", "region": "\n"',
    "escapes": r'"from_number": "\u0000", "to_number": "\u0041\u00e9\/\\\t", "call_id": "\u001b[m"',
    "lone_half": r'"from_number": "\ud800", "to_number": "x\uDFFF", "call_id": "\uDE00\ud83d"',
    "pairs": r'"from_number": "\ud83d\ude00", "to_number": "\uD83D\uDE00é€😀", '
             r'"call_id": "\udbff\udfff"',
    "literals": '"from_number": 14155551234, "to_number": 0, "bill_duration": 1E5, "rate": 0.10, '
                '"total_amount": 0.00650, "total_rate": -0, "trunk_id": 986908123123411213',
    "nulls": '"from_number": null, "to_number": "null", "bill_duration": null, "srtp": false, '
             '"answer_time": null, "attestation_indicator": "null", "secure_trunking": true',
    "nested": '"from_number": {"a": [1, 2.0]}, "to_number": [], "call_id": {  }',
    "blanks": '"from_number": "  x ", "to_number": "", "call_id": "\\u0020", "region": "\'"',
    "formula": '"from_number": "=1+1", "to_number": "@SUM(A1)", "call_id": "-1", "region": "+1"',
    "unknown": r'"zz": "a,\"b\"", "aa": [1, {"x": 0.10}], "\n": null, "": "\ud800", "é": 1E5',
    "long": f'"from_number": "{"x," * 50000}", "note": "{"y" * 300000}"',
}


@pytest.fixture(name="tree", scope="module", params=DIALECTS)
def _tree(request, module_sim, module_mount):
    """A mount that holds OLD, with odd records, and EMPTY. (sim, mount, dialect)"""
    sim = module_sim({OLD: 207, COLD: 45})
    for i, (uuid, text) in enumerate(ODD.items()):
        sim.raw(f"{OLD} 10:00:{i // 3:02}",
                f'{{"call_uuid": "{uuid}", {text}, "end_time": "{OLD} 10:00:{i // 3:02}"}}')
    sim.raw(AT, f'{{"end_time":"{AT}","call_uuid":"bare"}}')
    mount = module_mount(sim, dialect=request.param, ttl="1h")
    mount.ls(OLD)
    mount.ls(EMPTY)
    return sim, mount, request.param


def file_of(mount, tree, name, view="by-date"):
    return mount / tree / view / f"{name}.{tree}"


def header_of(mount, name=OLD):
    return read_csv(file_of(mount, "csv", name).read_bytes())[0]


def check_file(path, expected):
    """Size before the first read is that of the contents, which are as expected."""
    size = os.stat(path).st_size
    data = path.read_bytes()
    assert data == expected and size == len(data)


# --- contents ---


def test_the_header_has_the_keys_of_the_dialect_and_other(tree):
    _, mount, dialect = tree
    header = header_of(mount)
    assert header[-1] == "other" and len(set(header)) == len(header)
    assert set(header[:-1]) == (LATEST if dialect == "latest" else LEGACY)
    for name in (EMPTY, COLD, day(0), f"{OLD}T11"):
        assert header_of(mount, name) == header
    assert file_of(mount, "csv", EMPTY).read_bytes() == (",".join(header) + "\n").encode()
    assert file_of(mount, "ndjson", EMPTY).read_bytes() == b""


def test_a_csv_has_the_values_of_the_records(tree):
    sim, mount, dialect = tree
    header, rows = read_csv(file_of(mount, "csv", OLD).read_bytes())
    expected = [csv_row(row["raw"], header) for row in in_order(sim.oracle(OLD, dialect))]
    assert len(rows) == 207 + len(ODD) + 1
    for row, values in zip(rows, expected):
        assert row == values
    assert rows == expected


def test_a_csv_is_rfc_4180_with_lf(tree):
    sim, mount, dialect = tree
    check_file(file_of(mount, "csv", OLD), csv_text(sim.oracle(OLD, dialect), header_of(mount)))


def test_other_is_json(tree):
    sim, mount, dialect = tree
    header, rows = read_csv(file_of(mount, "csv", OLD).read_bytes())
    others = {row[0]: row[-1] for row in rows}
    assert others["bare"] == ""
    for row in sim.oracle(OLD, dialect):
        extra = [(json.loads(k), v) for k, v in members(row["raw"]) if json.loads(k) not in header]
        text = others[uuid_of(row)]
        assert json.loads(text or "{}") == {k: json.loads(v) for k, v in extra}
    assert '"aa":[1,{"x":0.10}]' in others["unknown"] and r'"\n":null' in others["unknown"]


def test_ndjson_is_the_records_text_compact(tree):
    sim, mount, dialect = tree
    rows = sim.oracle(OLD, dialect)
    path = file_of(mount, "ndjson", OLD)
    check_file(path, ndjson_text(rows))
    lines = path.read_bytes().decode().split("\n")[:-1]
    assert [json.loads(line) for line in lines] == [json.loads(r["raw"]) for r in in_order(rows)]


def test_ndjson_has_no_api_id(sim_of, mount_of):
    sim = sim_of()
    sim.raw(AT, f'{{"api_id": "x", "call_uuid": "u", "a": {{"api_id": 1}}, "end_time": "{AT}"}}')
    mount = mount_of(sim)
    assert file_of(mount, "ndjson", OLD).read_text() == \
        compact(f'{{"call_uuid": "u", "a": {{"api_id": 1}}, "end_time": "{AT}"}}') + "\n"


@pytest.mark.parametrize("kind", TREES)
def test_a_file_agrees_with_its_directory(tree, kind):
    _, mount, _ = tree
    for view in ("by-date", "by-direction/inbound", "by-from/1", "by-bill-duration/gte-60"):
        data = file_of(mount, kind, OLD, view).read_bytes()
        found = [row[0] for row in read_csv(data)[1]] if kind == "csv" else \
            [json.loads(line)["call_uuid"] for line in data.decode().split("\n")[:-1]]
        assert sorted(f"{uuid}.json" for uuid in found) == sorted(os.listdir(mount / view / OLD))


@pytest.mark.parametrize("kind", TREES)
def test_combinations_hours_and_months_are_files_too(sim_of, mount_of, kind):
    sim = sim_of({day(ago): 15 for ago in range(1, 70)})
    mount = mount_of(sim, ttl="1h")
    month = f"{TODAY.replace(day=1) - datetime.timedelta(days=1):%Y-%m}"
    rows = [row for row in sim.oracle() if row["end_time"] <= NOW]
    header = header_of(mount, f"{day(1)}T05")

    def whole(date, **match):
        chosen = [r for r in rows if r["end_time"].startswith(date.replace("T", " "))
                  and all(r[k] == v for k, v in match.items())]
        return csv_text(chosen, header) if kind == "csv" else ndjson_text(chosen)

    check_file(file_of(mount, kind, month), whole(month))
    check_file(file_of(mount, kind, f"{month}-10T07"), whole(f"{month}-10T07"))
    check_file(file_of(mount, kind, month, "by-direction/inbound/by-hangup-source/carrier"),
               whole(month, call_direction="inbound", hangup_source="carrier"))
    assert len(sim.log()) <= -(-sum(r["end_time"].startswith(month) for r in rows) // 20) + 1
    check_file(file_of(mount, kind, day(0)[:7]), whole(day(0)[:7]))


def test_a_file_read_in_pieces_is_the_file(tree):
    sim, mount, dialect = tree
    expected = ndjson_text(sim.oracle(OLD, dialect))
    with open(file_of(mount, "ndjson", OLD), "rb", buffering=0) as f:
        for at in (len(expected) - 5, 131071, 4096, 1, 0, len(expected)):
            f.seek(at)
            assert f.read(777) == expected[at:at + 777]


# --- what is listed, and what it costs ---


@pytest.mark.parametrize("kind", TREES)
def test_only_days_held_whole_are_listed_and_others_are_fetched(sim_of, mount_of, kind):
    sim = sim_of({OLD: 45, COLD: 45})
    mount = mount_of(sim, ttl="1h")
    assert os.listdir(mount / kind / "by-date") == [] and sim.requests() == 0
    mount.ls(OLD)
    os.listdir(mount.day(COLD, "inbound"))
    sim.clear_log()
    assert os.listdir(mount / kind / "by-date") == [f"{OLD}.{kind}"]
    assert sorted(os.listdir(mount / kind / "by-direction/inbound")) == [
        f"{COLD}.{kind}", f"{OLD}.{kind}"]
    listed = subprocess.run(["ls", mount / kind / "by-date"], check=True, timeout=PATIENCE_S,
                            capture_output=True, text=True).stdout
    assert listed == f"{OLD}.{kind}\n" and sim.requests() == 0
    check_file(file_of(mount, kind, COLD), csv_text(sim.oracle(COLD), header_of(mount))
               if kind == "csv" else ndjson_text(sim.oracle(COLD)))
    assert 1 <= sim.requests() <= 3
    assert sorted(os.listdir(mount / kind / "by-date")) == [f"{COLD}.{kind}", f"{OLD}.{kind}"]


@pytest.mark.parametrize("kind", TREES)
def test_a_cold_file_costs_what_its_directory_would_and_is_pushed_down(sim_of, mount_of, kind):
    sim = sim_of({OLD: 207})
    mount = mount_of(sim)
    file_of(mount, kind, OLD, "by-hangup-source/carrier").read_bytes()
    matching = sum(row["hangup_source"] == "carrier" for row in sim.oracle(OLD))
    assert sim.requests() == -(-matching // 20)
    assert all(filters(entry) == {"hangup_source": "carrier"} for entry in sim.log())
    file_of(mount, kind, OLD, "by-hangup-source/carrier").read_bytes()
    assert sim.requests() == -(-matching // 20)


@pytest.mark.parametrize("kind", TREES)
def test_the_roots_list_the_axes(tree, kind):
    _, mount, _ = tree
    axes = {name for name in os.listdir(mount.path) if name.startswith("by-")} - {"by-uuid"}
    assert set(os.listdir(mount / kind)) - {"by-uuid"} == axes
    assert sorted(os.listdir(mount / kind / "by-direction")) == ["inbound", "outbound"]


@pytest.mark.parametrize("name", [
    f"csv/by-date/{OLD}", f"csv/by-date/{OLD}.ndjson", f"csv/by-date/{OLD}.CSV", "csv/by-date/.csv",
    f"ndjson/by-date/{OLD}.json", f"by-date/{OLD}.csv", "csv/by-date/2026-13-40.csv",
    f"csv/by-date/{day(-1)}.csv", f"csv/{OLD}.csv", f"csv/by-direction/x/{OLD}.csv",
    "csv/by-nothing", f"csv/by-date/{OLD}.csv.gz"])
def test_a_name_that_is_no_file_is_absent(tree, name):
    assert error_of(os.stat, tree[1] / name) == "ENOENT"


def test_a_day_that_nobody_has_any_more_says_so(tree):
    assert error_of(os.stat, file_of(tree[1], "csv", day(91))) == "ENODATA"


def test_a_file_that_cannot_be_fetched_is_an_error(sim_of, mount_of):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim)
    sim.refuse(500, skip=3)
    assert error_of(os.stat, file_of(mount, "csv", OLD)) == "EIO"
    assert os.listdir(mount / "csv/by-date") == []
    sim.mend()
    assert len(read_csv(file_of(mount, "csv", OLD).read_bytes())[1]) == 407


@pytest.mark.parametrize("kind", TREES)
def test_nothing_can_be_written(tree, kind):
    path = file_of(tree[1], kind, OLD)
    before = path.read_bytes()
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
        assert error_of(write_to, path, flags) == "EROFS"
    assert error_of(os.truncate, path, 0) == error_of(os.unlink, path) == "EROFS"
    assert error_of(os.open, path.parent / "new.csv", os.O_CREAT | os.O_WRONLY) == "EROFS"
    assert path.read_bytes() == before


# --- snapshots ---


@pytest.mark.parametrize("kind", TREES)
def test_an_open_file_is_one_snapshot_and_a_new_look_up_another(sim_of, mount_of, kind):
    sim = sim_of({OLD: 0})
    sim.calls(300, NOW)  # in order of uuid, so that new ones come in between
    mount = mount_of(sim, ttl=0)
    path = file_of(mount, kind, day(0))
    header = header_of(mount, OLD)

    def whole():
        rows = [row for row in sim.oracle(day(0)) if row["end_time"] <= NOW]
        return csv_text(rows, header) if kind == "csv" else ndjson_text(rows)

    first = whole()
    with open(path, "rb", buffering=0) as held:
        assert held.read(1000) == first[:1000]
        sim.calls(30, NOW)
        assert len(mount.ls(day(0))) == 330
        check_file(path, whole())
        assert os.fstat(held.fileno()).st_size == len(first)
        assert held.read() == first[1000:] and len(whole()) > len(first)
        with open(path, "rb", buffering=0) as second:
            sim.calls(1, NOW)
            check_file(path, whole())
            assert len(second.read()) < len(whole())
        held.seek(0)
        assert held.read() == first


def test_a_file_of_what_did_not_change_stays_the_same(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    path = file_of(mount, "csv", OLD)
    before = os.stat(path)
    mount.ls(COLD)
    file_of(mount, "csv", COLD).read_bytes()
    after = os.stat(path)
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (
        before.st_ino, before.st_mtime_ns, before.st_size)
    assert sim.requests() == 4
