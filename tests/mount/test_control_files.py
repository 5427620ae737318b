# SPDX-License-Identifier: MIT
"""/.cdrfs: what the mount says about itself is true, costs no request, and tells no secret."""

import json
import os
import re
import stat
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from expect import error_of
from harness import NOW, PATIENCE_S, day, epoch
from lab import absent_calls, find

OLD, OTHER = day(6), day(7)
FILES = ["config", "errors", "explain", "metrics", "prefetch", "refresh", "status"]


def explain(mount, path):
    return json.loads((mount / ".cdrfs/explain" / path).read_text())


def errors(mount):
    return [json.loads(line) for line in (mount / ".cdrfs/errors").read_text().splitlines()]


def metrics(mount):
    """(name, labels as text) -> value; what is no valid text of Prometheus is an error."""
    text = (mount / ".cdrfs/metrics").read_text()
    return {(s.name, ",".join(f"{k}={v}" for k, v in s.labels.items())): s.value
            for family in text_string_to_metric_families(text) for s in family.samples}


def is_about_now(text):
    """The clock of the mount goes on while that of the simulator stands still."""
    return 0 <= epoch(text.rstrip("Z").replace("T", " ")) - epoch(NOW) < PATIENCE_S


def refresh(mount, path):
    (mount / ".cdrfs/refresh").write_text(path)


def wishes(mount):
    return [json.loads(line) for line in (mount / ".cdrfs/prefetch").read_text().splitlines()]


def prefetch(mount, path):
    """Has it read ahead, and waits for the end of that: each turn is a round trip to the mount."""
    (mount / ".cdrfs/prefetch").write_text(path)
    while (wish := wishes(mount)[-1])["state"] == "running":
        mount.sim.call("wait", {"idle": 1, "timeout_ms": PATIENCE_S * 1000})
    return wish


@pytest.fixture(name="world", scope="module")
def _world(module_sim, module_mount):
    sim = module_sim({OLD: 45, OTHER: 20, day(0): 5})
    mount = module_mount(sim)
    mount.ls(OLD)
    return sim, mount


# --- what is there ---


def test_it_is_listed_whole_and_costs_nothing(world):
    sim, mount = world
    sim.clear_log()
    assert sorted(os.listdir(mount / ".cdrfs")) == FILES
    modes = {n: stat.S_IMODE(os.stat(mount / ".cdrfs" / n).st_mode) for n in FILES}
    assert modes == {**dict.fromkeys(FILES, 0o400), "explain": 0o500, "refresh": 0o200,
                     "prefetch": 0o600}
    done = subprocess.run(["grep", "-r", "", mount / ".cdrfs"], capture_output=True, check=True,
                          timeout=PATIENCE_S, text=True)
    assert "/.cdrfs/config:" in done.stdout and "cdrfs_build_info" in done.stdout
    subprocess.run(["ls", "-lR", mount / ".cdrfs"], capture_output=True, check=True,
                   timeout=PATIENCE_S)
    assert sim.requests() == 0


@pytest.mark.parametrize("name", ["status", "metrics", "errors", "config", f"explain/by-date/{OLD}"])
def test_what_is_only_read_cannot_be_written(world, name):
    _, mount = world
    assert error_of((mount / ".cdrfs" / name).write_text, "x") == "EROFS"
    assert not os.access(mount / ".cdrfs" / name, os.W_OK)


def test_no_file_has_the_token(sim_of, mount_of):
    sim = sim_of({OLD: 5})
    mount = mount_of(sim)
    sim.refuse(404, body=json.dumps({"error": f"no account {sim.token}", "api_id": sim.token}))
    assert error_of(mount.ls, OLD) == "EIO"
    texts = [(mount / ".cdrfs" / n).read_text() for n in
             ["status", "metrics", "errors", "config", "prefetch", f"explain/by-date/{OLD}"]]
    assert not any(sim.token in text for text in texts)
    assert errors(mount)[-1]["cause"] == "HTTP 404: no account ***"


def test_config_has_what_is_in_force_as_an_option_takes_it(world):
    sim, mount = world
    lines = (mount / ".cdrfs/config").read_text().splitlines()
    assert sim.auth_id in lines[0] and str(mount.path) in lines[0]
    assert {"ttl=60", "settle=172800", "rate=1000", "umask=077", "dialect=latest",
            f"api_url={sim.api_url}", f"cache_dir={mount.cache}", f"uid={os.getuid()}"} <= set(lines)
    assert not any(line.startswith("ro") for line in lines)


def test_status_names_the_account_what_is_held_and_the_rate(world):
    sim, mount = world
    text = (mount / ".cdrfs/status").read_text()
    assert f"account: {sim.auth_id} at {sim.api_url} (latest)" in text
    assert re.search(r"^held: \d+ calls, \d+ bytes$", text, re.M)
    assert re.search(r"^rate: 1000 a second of 1000, 8 at once; an answer takes \d+ ms$", text, re.M)


def test_status_shows_a_window_on_its_way(sim_of, mount_of, spawn):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    sim.stall(skip=1)
    spawn("ls", mount.day(OLD))
    sim.wait(in_flight=2)
    reading, waiting = f"reading: by-date/{OLD}, 20 of 45 calls\n", "system calls waiting: 1\n"
    while not (reading in (text := (mount / ".cdrfs/status").read_text()) and waiting in text):
        assert f"reading: by-date/{OLD}, " in text  # the page that came is just being taken
    values = metrics(mount)
    assert values["cdrfs_parked_requests", ""] == 1
    assert values["cdrfs_windows", "state=reading"] == 1
    assert values["cdrfs_api_running_requests", ""] == 2
    sim.mend()


def test_a_failure_right_behind_a_success_is_the_last(sim_of, mount_of):
    sim = sim_of({OLD: 1, OTHER: 1, day(8): 1})
    mount = mount_of(sim)
    status = mount / ".cdrfs/status"
    mount.ls(OLD)
    sim.refuse(404)
    assert error_of(mount.ls, OTHER) == "EIO"
    assert "api: failed" in status.read_text() and metrics(mount)["cdrfs_api_up", ""] == 0
    sim.mend()
    mount.ls(day(8))
    assert "api: answered" in status.read_text() and metrics(mount)["cdrfs_api_up", ""] == 1


def test_a_failed_request_for_one_call_is_a_failure_too(sim_of, mount_of):
    sim = sim_of({OLD: 1})
    mount = mount_of(sim)
    status, name = mount / ".cdrfs/status", sim.names(OLD)[0]
    sim.refuse(401)
    assert error_of(os.stat, mount / "by-uuid" / name) == "EACCES"
    assert "api: failed" in status.read_text() and metrics(mount)["cdrfs_api_up", ""] == 0
    assert [e["errno"] for e in errors(mount)] == ["EACCES"]


def test_that_there_is_no_such_call_is_an_answer(sim_of, mount_of):
    sim = sim_of({OLD: 1})
    mount = mount_of(sim)
    sim.refuse(404, match=f"gte={OLD}")
    assert error_of(mount.ls, OLD) == "EIO"
    assert "api: failed" in (mount / ".cdrfs/status").read_text()
    assert error_of(os.stat, mount / "by-uuid" / next(absent_calls(1))) == "ENOENT"
    assert "api: answered" in (mount / ".cdrfs/status").read_text()


# --- metrics ---


def test_metrics_agree_with_what_the_simulator_saw(sim_of, mount_of):
    sim = sim_of({OLD: 45, OTHER: 20})
    mount = mount_of(sim)
    before = metrics(mount)
    assert before["cdrfs_api_requests_total", "code=200"] == 1  # the proof of the credentials
    mount.ls(OLD)
    mount.ls(OLD)
    sim.fault("status", status=503, count=1, headers={"Retry-After": "0"})
    mount.ls(OTHER)
    sim.fault("close", count=1)
    sim.fault("status", status=404, count=-1, headers={"Retry-After": "0"})
    assert error_of(mount.ls, day(20)) == "EIO"
    sim.wait(idle=1)
    log, after = sim.log(), metrics(mount)
    for status in {entry["status"] for entry in log}:
        code = f"code={status or 'none'}"
        grown = after["cdrfs_api_requests_total", code] - before.get(
            ("cdrfs_api_requests_total", code), 0)
        assert grown == sum(entry["status"] == status for entry in log), status
    answered = sum(entry["status"] > 0 for entry in log)
    assert after["cdrfs_api_latency_seconds_count", ""] == 1 + answered
    assert after["cdrfs_api_latency_seconds_bucket", "le=+Inf"] == 1 + answered
    assert after["cdrfs_api_failures_total", ""] == 1
    retries = after["cdrfs_api_retries_total", ""]  # of 5 pages; curl may make one by itself
    assert len(log) - 6 <= retries <= len(log) - 5
    assert after["cdrfs_api_received_bytes_total", ""] > 65 * 500
    assert after["cdrfs_store_calls", ""] == 65
    assert after["cdrfs_windows", "state=final"] == 2
    assert after["cdrfs_cache_hits_total", ""] == 1 and after["cdrfs_cache_misses_total", ""] == 3
    assert after["cdrfs_errors_total", ""] == 1 and after["cdrfs_parked_requests", ""] == 0
    assert after["cdrfs_fuse_messages_total", "op=lookup"] > 5
    assert after["cdrfs_fuse_messages_total", "op=readdir"] >= 4


def test_every_metric_has_help_and_counters_end_in_total(world):
    _, mount = world
    for family in text_string_to_metric_families((mount / ".cdrfs/metrics").read_text()):
        assert family.documentation.endswith("."), family
        assert family.samples and re.fullmatch(r"cdrfs_[a-z_]+", family.name)
        counter = all(s.name.endswith("_total") for s in family.samples)
        assert counter == (family.type == "counter"), family


# --- errors ---


@pytest.mark.parametrize("status, errno, remedy", [
    (401, "EACCES", "check PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN"),
    (403, "EACCES", "ask Plivo whether SIP trunking is enabled for this account"),
    (429, "EBUSY", "the account's request budget is used up; lower rate= or stop other programs"),
    (500, "EIO", "try again")])
def test_a_failure_has_its_cause_remedy_status_and_api_id(sim_of, mount_of, status, errno, remedy):
    sim = sim_of({OLD: 1})
    mount = mount_of(sim, deadline=60)
    assert errors(mount) == []
    sim.refuse(status, body=json.dumps({"error": "so it is", "api_id": "11112222-3333"}))
    if status == 401:  # these credentials were accepted: asked again after a second
        sim.mend()
        sim.fault("status", status=status, count=-1,
                  body=json.dumps({"error": "so it is", "api_id": "11112222-3333"}))
    assert error_of(mount.ls, OLD) == errno
    last = errors(mount)[-1]
    assert is_about_now(last["time"]) and last["path"] == f"by-date/{OLD}"
    assert last["errno"] == errno and last["http_status"] == status and last["times"] == 1
    assert last["cause"] == f"HTTP {status}: so it is" and last["remedy"] == remedy
    assert last["api_id"] == "11112222-3333"


def test_the_same_failure_is_one_line_that_counts(sim_of, mount_of):
    sim = sim_of({OLD: 1})
    mount = mount_of(sim)
    sim.refuse(404)
    for _ in range(3):
        assert error_of(mount.ls, OLD) == "EIO"
    assert error_of(os.stat, mount / "by-uuid" / next(absent_calls(1))) == "ENOENT"
    assert [(e["path"], e["times"]) for e in errors(mount)] == [(f"by-date/{OLD}", 3)]


def test_one_call_and_filters_have_their_path(sim_of, mount_of):
    sim = sim_of({OLD: 1})
    mount = mount_of(sim)
    sim.refuse(500)
    name = next(absent_calls(1))
    assert error_of(os.stat, mount / "by-uuid" / name) == "EIO"
    assert error_of(os.listdir, mount / "by-direction/inbound" / OLD) == "EIO"
    assert [e["path"] for e in errors(mount)] == [f"by-uuid/{name}", f"by-direction/inbound/{OLD}"]


def test_records_that_are_set_aside_are_there(sim_of, mount_of):
    sim = sim_of({OLD: 1})
    mount = mount_of(sim)
    sim.raw(f"{OLD} 10:00:00", '{"call_uuid": "../../etc", "end_time": "%s 10:00:00"}' % OLD)
    assert len(mount.ls(OLD)) == 1
    (last,) = errors(mount)
    assert last["errno"] == "EBADMSG" and last["cause"].startswith("row set aside: ")
    assert last["path"] == f"by-date/{OLD}"


def test_a_date_that_nobody_has_any_more_and_a_deadline_are_there(sim_of, mount_of):
    sim = sim_of({OLD: 1})
    mount = mount_of(sim, deadline=1)
    assert error_of(os.stat, mount / "by-date" / day(400)) == "ENODATA"
    sim.stall()
    assert error_of(mount.ls, OLD) == "ETIMEDOUT"
    found = [(e["errno"], e["path"]) for e in errors(mount)]
    assert found == [("ENODATA", f"by-date/{day(400)}"), ("ETIMEDOUT", f"by-date/{OLD}")]
    sim.mend()


def test_only_the_last_hundred_are_kept(sim_of, mount_of):
    sim = sim_of()
    mount = mount_of(sim)
    gone = [day(1000 + i) for i in range(120)]
    for name in gone:
        assert error_of(os.stat, mount / "by-date" / name) == "ENODATA"
    assert [e["path"] for e in errors(mount)] == [f"by-date/{name}" for name in gone[20:]]
    assert metrics(mount)["cdrfs_errors_total", ""] == 120


# --- explain ---


def test_a_cold_window_is_told_before_a_request_is_spent(sim_of, mount_of):
    sim = sim_of({OLD: 15})
    mount = mount_of(sim)
    told = explain(mount, f"by-date/{OLD}")
    assert sim.requests() == 0
    assert told["path"] == f"by-date/{OLD}" and told["state"] == "not held"
    assert not told["covered"] and not told["complete"] and told["covered_by"] == []
    assert told["fetched_at"] is None and told["expires_at"] is None and told["calls"] == 0
    assert told["read"]["requests"] == 1 and told["at_least"]
    mount.ls(OLD)
    assert sim.requests() == told["read"]["requests"]


def test_the_curl_line_asks_what_is_asked_then_and_has_no_secret(sim_of, mount_of):
    sim = sim_of({OLD: 15})
    mount = mount_of(sim)
    curl = explain(mount, f"by-direction/inbound/{OLD}")["curl"]
    assert curl.startswith(f"curl -u '{sim.auth_id}':\"$PLIVO_AUTH_TOKEN\" 'http")
    os.listdir(mount / f"by-direction/inbound/{OLD}")
    (entry,) = sim.log()
    assert curl.endswith(f"{entry['url']}'")
    sim.clear_log()
    done = subprocess.run(["sh", "-c", f"{curl} -s --noproxy '*'"], capture_output=True, check=True,
                          env={**os.environ, "PLIVO_AUTH_TOKEN": sim.token}, timeout=PATIENCE_S)
    inbound = len(sim.names(OLD, call_direction="inbound"))
    assert json.loads(done.stdout)["meta"]["total_count"] == inbound


def test_a_covered_window_costs_nothing_and_says_why(sim_of, mount_of):
    sim = sim_of({OLD: 45, OTHER: 20})
    mount = mount_of(sim)
    mount.ls(OLD)
    sim.clear_log()
    for path in [f"by-date/{OLD}", f"by-direction/outbound/{OLD}", f"csv/by-date/{OLD}.csv",
                 f"by-date/{OLD}T12"]:
        told = explain(mount, path)
        assert told["covered"] and told["complete"] and told["state"] == "final", path
        assert is_about_now(told["fetched_at"]) and told["expires_at"] is None
        assert told["read"] == {"requests": 0, "seconds": 0} and not told["at_least"]
        assert [r["path"] for r in told["covered_by"]] == [f"by-date/{OLD}"]
        assert os.stat(mount / path) and sim.requests() == 0
    told = explain(mount, f"by-date/{OLD}")
    assert told["calls"] == 45 and told["pages"] == 3


def test_a_window_to_be_read_anew_costs_what_it_says(sim_of, mount_of):
    sim = sim_of({OLD: 45, day(0): 30})
    mount = mount_of(sim, ttl=60)
    for name in [OLD, day(0)]:
        mount.ls(name)
    assert explain(mount, f"by-date/{OLD}")["reread"]["requests"] == 1
    refresh(mount, f"by-date/{OLD}")
    told = explain(mount, f"by-date/{OLD}")
    assert told["state"] == "stale" and told["complete"] and not told["covered"]
    assert told["calls"] == 45 and told["read"]["requests"] == 1 and not told["at_least"]
    sim.clear_log()
    mount.ls(OLD)
    assert sim.requests() == 1
    assert explain(mount, f"by-date/{OLD}")["read"]["requests"] == 0


def test_today_expires_after_the_ttl(sim_of, mount_of):
    sim = sim_of({day(0): 30})
    mount = mount_of(sim, ttl=600)
    mount.ls(day(0))
    cost = sim.requests()
    told = explain(mount, f"by-date/{day(0)}")
    fetched, expires = (epoch(told[k].rstrip("Z").replace("T", " "))
                        for k in ("fetched_at", "expires_at"))
    assert told["state"] == "fresh" and abs(expires - fetched - 600) <= 2
    assert told["calls"] == len(mount.ls(day(0))) and sim.requests() == cost


def test_an_axis_that_is_evaluated_here_costs_the_whole_day(sim_of, mount_of):
    sim = sim_of({OLD: 18})
    mount = mount_of(sim)
    trunk = json.loads(sim.oracle(OLD)[0]["raw"])["trunk_domain"].split(".")[0]
    told = explain(mount, f"by-trunk/{trunk}/{OLD}")
    assert told["evaluated_here"] == ["by-trunk"] and "trunk" not in told["curl"].split("?")[1]
    assert told["read"]["requests"] == 1
    os.listdir(mount / f"by-trunk/{trunk}/{OLD}")
    assert sim.requests() == 1
    assert explain(mount, f"by-date/{OLD}")["covered"]
    told = explain(mount, f"by-direction/inbound/by-trunk/{trunk}/{OLD}")
    assert told["covered"] and told["read"]["requests"] == 0


def test_a_range_of_dates_has_a_name_there(sim_of, mount_of):
    sim = sim_of({OLD: 5, OTHER: 5, day(8): 5})
    mount = mount_of(sim)
    mount.ls(OTHER)
    sim.clear_log()
    told = explain(mount, f"by-date/{day(8)}..{OLD}")
    assert told["path"] == f"by-date/{day(8)}..{OLD}" and told["state"] == "held in part"
    assert told["read"]["requests"] == 2 and told["calls"] == 5
    assert error_of(os.stat, mount / f"by-date/{day(8)}..{OLD}") == "ENOENT"
    assert error_of(os.stat, mount / f".cdrfs/explain/by-date/{OLD}..{OTHER}") == "ENOENT"
    assert sim.requests() == 0


def test_a_call_is_explained_below_by_uuid(sim_of, mount_of):
    sim = sim_of({OLD: 5, OTHER: 5})
    mount = mount_of(sim)
    held = mount.ls(OLD)[0]
    other = sim.names(OTHER)[0]
    sim.clear_log()
    told = explain(mount, f"by-uuid/{held}")
    assert told["covered"] and told["calls"] == 1 and told["read"]["requests"] == 0
    told = explain(mount, f"by-uuid/{other}")
    assert not told["covered"] and told["read"]["requests"] == 1 and told["at_least"]
    assert other.removesuffix(".json") in told["curl"] and sim.requests() == 0
    os.stat(mount / "by-uuid" / other)
    assert sim.requests() == 2  # it is there: its row is read, too


def test_what_the_api_no_longer_serves_can_be_explained(world):
    _, mount = world
    told = explain(mount, f"by-date/{day(200)}")
    assert told["state"] == "no longer served" and told["read"]["requests"] == 0


def test_a_contradiction_is_known_to_be_empty(world):
    sim, mount = world
    sim.clear_log()
    told = explain(mount, f"by-stir/verified/by-stir/not-applicable/{OTHER}")
    assert told["path"] is None and told["covered"] and told["read"]["requests"] == 0
    assert told["curl"] is None and told["calls"] == 0 and sim.requests() == 0


def test_directories_above_resolve_and_are_empty(world):
    sim, mount = world
    sim.clear_log()
    for path in ["", "by-date", "by-direction", "by-direction/inbound", "by-from/1415", "by-uuid",
                 "csv", "csv/by-date", "ndjson/by-to/44/by-date"]:
        assert os.listdir(mount / ".cdrfs/explain" / path) == []
    for path in ["nonsense", ".cdrfs", "by-date/2026-13-01", f"by-date/{day(-2)}", "by-uuid/x",
                 f"by-direction/sideways/{OLD}"]:
        assert error_of(os.stat, mount / ".cdrfs/explain" / path) == "ENOENT"
    assert sim.requests() == 0


def test_legacy_is_explained_in_its_own_words(sim_of, mount_of):
    sim = sim_of({OLD: 5})
    mount = mount_of(sim, dialect="legacy")
    told = explain(mount, f"by-hangup-cause/4000/{OLD}")
    assert told["evaluated_here"] == ["by-hangup-cause"]
    os.listdir(mount / f"by-hangup-cause/4000/{OLD}")
    assert told["curl"].endswith(f"{sim.log()[0]['url']}'")


# --- prefetch ---


def test_thirty_days_are_read_ahead_and_a_walk_then_costs_nothing(sim_of, mount_of):
    counts = {day(i): 1 + i * 7 % 60 for i in range(3, 33)}
    sim = sim_of(counts)
    mount = mount_of(sim)
    wish = prefetch(mount, f"by-date/{day(32)}..{day(3)}\n")
    total = sum(counts.values())
    assert wish["state"] == "done" and wish["errno"] is None
    assert wish["calls"] == wish["calls_expected"] == total and wish["requests_left"] == 0
    assert wish["requests"] == sim.requests() <= total / 20 + 8
    sim.clear_log()
    ends = [day(3), day(32)]  # between them nothing is read ahead of who goes through them
    for name in [*ends, *counts]:
        assert len(mount.ls(name)) == counts[name]
    assert sim.requests() == 0
    assert prefetch(mount, f"by-date/{day(32)}..{day(3)}")["requests"] == 0 and sim.requests() == 0


def test_all_that_is_served_is_read_ahead_and_find_then_costs_nothing(sim_of, mount_of):
    counts = {day(i): 3 + i % 5 for i in range(1, 85, 3)}
    sim = sim_of(counts)
    mount = mount_of(sim, ttl=3600)
    assert prefetch(mount, "/")["calls"] == sum(counts.values())
    assert sim.requests() <= sum(counts.values()) / 20 + 10
    sim.clear_log()
    assert len(find(mount / "by-date", "-name", "*.json")) == sum(counts.values())
    assert len(find(mount / "by-direction", "-name", "*.json")) == sum(counts.values())
    assert sim.requests() == 0


@pytest.mark.parametrize("path", [OLD, f"/by-date/{OLD}/", f"csv/by-date/{OLD}.csv",
                                  f"{OLD}..{OLD}", f"by-direction/inbound/{OLD}"])
def test_a_path_is_read_ahead(sim_of, mount_of, path):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    assert prefetch(mount, path)["state"] == "done"
    assert 0 < sim.requests() <= 3
    sim.clear_log()
    os.listdir(mount / f"by-direction/inbound/{OLD}")
    assert sim.requests() == 0


def test_what_somebody_waits_for_goes_first(sim_of, mount_of, spawn):
    sim = sim_of({day(20): 600, OLD: 5})
    mount = mount_of(sim, connections=1)
    sim.stall(skip=1)
    (mount / ".cdrfs/prefetch").write_text(day(20))
    sim.wait(requests=2, in_flight=1)
    while (before := metrics(mount)["cdrfs_api_waiting_requests", ""]) < 1:
        pass  # until another page is in the queue
    assert metrics(mount)["cdrfs_prefetches", ""] == 1
    assert f"prefetch: by-date/{day(20)}, 20 calls so far" in (mount / ".cdrfs/status").read_text()
    reader = spawn("ls", mount.day(OLD))
    while metrics(mount)["cdrfs_api_waiting_requests", ""] == before:
        pass  # each turn is a round trip to the mount
    sim.mend()
    assert reader.wait(PATIENCE_S) == 0
    assert OLD in sim.log()[2]["url"]


def test_a_failure_ends_it_and_it_can_be_gone_on_with(sim_of, mount_of):
    sim = sim_of({day(i): 100 for i in range(3, 13)})
    mount = mount_of(sim)
    sim.refuse(500, skip=6)
    wish = prefetch(mount, f"{day(12)}..{day(3)}")
    assert wish["state"] == "failed" and wish["errno"] == "EIO"
    assert errors(mount)[-1]["http_status"] == 500
    sim.mend()
    sim.clear_log()
    wish = prefetch(mount, f"{day(12)}..{day(3)}")
    assert wish["state"] == "done" and wish["calls"] == 1000 and sim.requests() < 55


@pytest.mark.parametrize("path, expected", [
    ("nonsense", "ENOENT"), (f"{OLD}..{OTHER}", "ENOENT"), (f"by-date/{day(-3)}", "ENOENT"),
    ("\n", "EINVAL"), (day(300), "ENODATA"), (f"by-date/{OLD}/x/y", "ENOTDIR")])
def test_what_cannot_be_read_ahead_is_refused(world, path, expected):
    sim, mount = world
    sim.clear_log()
    assert error_of((mount / ".cdrfs/prefetch").write_text, path) == expected
    assert sim.requests() == 0


def test_the_end_of_the_mount_ends_it(sim_of, mount_of):
    sim = sim_of({day(20): 200})
    mount = mount_of(sim)
    sim.stall(skip=1)
    (mount / ".cdrfs/prefetch").write_text("/")
    sim.wait(in_flight=1)
    mount.unmount()


def test_with_ro_nothing_is_read_ahead(sim_of, mount_of):
    mount = mount_of(sim_of(), flags=("-o", "ro"))
    assert error_of((mount / ".cdrfs/prefetch").write_text, "/") == "EROFS"
    assert (mount / ".cdrfs/prefetch").read_text() == ""
