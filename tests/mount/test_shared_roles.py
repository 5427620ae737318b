# SPDX-License-Identifier: MIT
"""Databases that allow less than all: roles that may only read, other versions of the tables,
passwords."""

import pathlib
import subprocess

import pytest

from harness import PATIENCE_S
from shared import DAYS, all_the_same, metric, pages, published, until, wait_for

OLD, OTHER, THIRD = list(DAYS)[:3]
PASSWORD = "tr0ub4dor"


@pytest.fixture(name="role_of")
def _role_of(postgres):
    """role_of(name, *options): a role, and the URL of the database for it."""
    made = []

    def make(name, options="", grants=""):
        postgres.role(name, grants, options)
        made.append(name)
        return postgres.url(name)

    yield make
    postgres.mend()
    for name in made:
        postgres.drop_role(name)


def contents(postgres):
    """Everything that is in the tables, but for who lives."""
    tables = postgres.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").split()
    return {t: postgres.sql(f"SELECT t::text FROM {t} t ORDER BY 1") for t in tables
            if t not in ("cdrfs_host", "cdrfs_budget")}


# --- who may only read ---


@pytest.mark.parametrize("how", ["grant", "transactions"])
def test_a_role_that_may_only_read_copies_and_reads_the_rest_alone(hosts, mount_of, postgres,
                                                                   role_of, how):
    sim, (first,) = hosts(1)
    first.ls(OLD)
    published(first)
    url = role_of("reader", grants="SELECT ON ALL TABLES IN SCHEMA public")
    if how == "transactions":
        postgres.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO reader",
                     "ALTER ROLE reader SET default_transaction_read_only = on")
    reader = mount_of(sim, shared=url)
    wait_for(reader, "only read", "permission denied" if how == "grant" else "read-only")
    before = contents(postgres)
    sim.clear_log()
    all_the_same(sim, [reader], [OLD])
    assert sim.requests() == 0
    all_the_same(sim, [reader], [OTHER])
    assert sim.requests() == pages(DAYS[OTHER])
    assert contents(postgres) == before
    assert postgres.sql("SELECT count(*) FROM cdrfs_host") == "1\n"
    assert metric(reader, "cdrfs_shared_up") == 0


def test_a_role_that_may_only_read_an_empty_database_goes_on_alone(sim_of, mount_of, role_of):
    sim = sim_of(DAYS)
    url = role_of("reader")
    mount = mount_of(sim, shared=url.replace("/postgres?", "/template1?"))
    wait_for(mount, "lost", "permission denied")
    assert mount.ls(OLD) == sim.names(OLD)


def test_who_may_write_again_gives_what_it_has(hosts, postgres, role_of):
    sim, (first, _) = hosts(2)
    url = role_of("reader", grants="SELECT ON ALL TABLES IN SCHEMA public")
    first.unmount()
    first.options = first.options.replace(postgres.url(), url)
    first.start()
    wait_for(first, "only read")
    first.ls(OLD)
    postgres.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO reader", "GRANT cdrfs TO reader")
    wait_for(first, "together")
    published(first)
    assert postgres.sql("SELECT count(*) FROM cdrfs_span") == "1\n"
    assert first.ls(OLD) == sim.names(OLD)


def test_a_server_that_takes_no_more_connections_keeps_nobody_waiting(hosts, mount_of, postgres,
                                                                      role_of):
    """One is let in, which is the one that leases; so what it leased cannot be published."""
    sim, (other,) = hosts(1)
    url = role_of("narrow", "CONNECTION LIMIT 1")
    postgres.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO narrow")
    mount = mount_of(sim, shared=url)
    wait_for(mount, "together")
    assert mount.ls(OLD) == sim.names(OLD)
    assert other.ls(OLD) == sim.names(OLD)
    wait_for(mount, "only read", "too many connections")
    postgres.sql("ALTER ROLE narrow CONNECTION LIMIT -1")
    postgres.sql("GRANT cdrfs TO narrow")
    wait_for(mount, "together")
    published(mount, other)
    all_the_same(sim, [mount, other], [OLD, OTHER])


def test_a_table_that_cannot_be_read_is_done_without(hosts, mount_of, postgres, role_of):
    sim, (first,) = hosts(1)
    first.ls(OLD)
    published(first)
    url = role_of("partly", grants="ALL ON ALL TABLES IN SCHEMA public")
    table = f"cdrfs_call_{OLD[:7].replace('-', '_')}"
    postgres.sql(f"REVOKE ALL ON {table} FROM partly")
    mount = mount_of(sim, shared=url)
    wait_for(mount, "together")
    sim.clear_log()
    assert mount.ls(OLD) == sim.names(OLD)
    assert sim.requests() == pages(DAYS[OLD])
    wait_for(mount, "only read", f"permission denied for table {table}")
    postgres.sql(f"GRANT ALL ON {table} TO partly")
    wait_for(mount, "together")
    published(mount)


# --- versions ---


def set_version(postgres, number):
    postgres.sql(f"UPDATE cdrfs_meta SET value = {number} WHERE name = 'version'")


def test_tables_of_a_newer_version_are_left_alone(hosts, mount_of, postgres):
    sim, (first,) = hosts(1)
    first.ls(OLD)
    published(first)
    first.unmount()
    set_version(postgres, 99)
    before = contents(postgres)
    mount = mount_of(sim, shared=postgres.url())
    wait_for(mount, "lost", "upgrade")
    all_the_same(sim, [mount], [OLD, OTHER])
    assert contents(postgres) == before
    set_version(postgres, 1)
    wait_for(mount, "together")
    published(mount)


def test_tables_that_are_upgraded_while_hosts_use_them_are_left_alone(hosts, postgres):
    sim, mounts = hosts(2)
    mounts[0].ls(OLD)
    published(mounts[0])
    set_version(postgres, 99)
    before = contents(postgres)
    for mount in mounts:
        assert mount.ls(OTHER) == sim.names(OTHER)
    for mount in mounts:
        wait_for(mount, "lost", "upgrade")  # also of one that asks for nothing
    all_the_same(sim, mounts, [OLD, THIRD])
    assert contents(postgres) == before
    set_version(postgres, 1)
    for mount in mounts:
        wait_for(mount, "together")
    published(*mounts)
    assert postgres.sql("SELECT count(DISTINCT lo) FROM cdrfs_span") == "3\n"


def test_accounts_of_one_database_know_nothing_of_each_other(hosts, mount_of, sim_of, postgres):
    sim, (first,) = hosts(1)
    first.ls(OLD)
    published(first)
    another = sim_of({OLD: 7}, "--auth-id", "MAANOTHERACCOUNT0000", "--seed", 5)
    second = mount_of(another, shared=postgres.url())
    wait_for(second, "together", "1 host")
    assert second.ls(OLD) == another.names(OLD)
    assert first.ls(OLD) == sim.names(OLD)
    assert metric(second, "cdrfs_shared_copied_calls_total") == 0


# --- passwords ---


@pytest.mark.parametrize("url", [
    f"postgresql://cdrfs:{PASSWORD}@db.example.org/cdrfs",
    f"postgresql://db.example.org/cdrfs?password={PASSWORD}",
    f"postgresql://db.example.org/cdrfs?sslpassword={PASSWORD}"])
def test_a_url_with_a_password_is_refused(cdrfs, tmp_path, url):
    where = tmp_path / "mnt"
    where.mkdir()
    done = cdrfs("-o", f"cache_dir={tmp_path}/cache,shared={url}", where,
                 PLIVO_AUTH_ID="MASIMULATOR000000000", PLIVO_AUTH_TOKEN="x")
    assert done.returncode != 0 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "PGPASSFILE" in done.stderr
    assert PASSWORD not in done.stderr


@pytest.fixture(name="guarded")
def _guarded(postgres, role_of):
    """The URL of a role that needs PASSWORD."""
    url = role_of("guarded", f"PASSWORD '{PASSWORD}'")
    postgres.sql("GRANT cdrfs TO guarded")
    rules = postgres.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"local all guarded scram-sha-256\n{before}")
    postgres.sql("SELECT pg_reload_conf()")
    yield url
    rules.write_text(before)
    postgres.mend()
    postgres.sql("SELECT pg_reload_conf()")


def passfile(folder, password):
    path = pathlib.Path(folder) / "pgpass"
    path.write_text(f"*:*:*:guarded:{password}\n")
    path.chmod(0o600)
    return path


def everything_said(mount):
    """All that can be read of a mount without asking its process's memory."""
    said = [(mount / ".cdrfs" / name).read_bytes() for name in ("config", "errors", "metrics",
                                                                "status")]
    said += [pathlib.Path(f"/proc/{mount.pid}/{name}").read_bytes() for name in ("cmdline", "comm")]
    said += [pathlib.Path("/proc/self/mountinfo").read_bytes(), mount.stderr]
    return b"".join(said)


def test_a_password_of_a_passfile_is_used_and_never_shown(sim_of, mount_of, postgres, guarded,
                                                          tmp_path):
    sim = sim_of(DAYS)
    mount = mount_of(sim, shared=guarded,
                     env={"PGPASSFILE": str(passfile(tmp_path, PASSWORD))})
    wait_for(mount, "together")
    mount.ls(OLD)
    published(mount)
    postgres.restart()
    wait_for(mount, "together")
    assert PASSWORD.encode() not in everything_said(mount)
    assert b"shared tier" in everything_said(mount)


@pytest.mark.parametrize("given", ["wrong", None])
def test_a_wrong_or_no_password_is_a_tier_that_is_lost(sim_of, mount_of, guarded, tmp_path, given):
    sim = sim_of(DAYS)
    env = {"PGPASSFILE": str(passfile(tmp_path, f"{PASSWORD}-{given}"))} if given else {}
    mount = mount_of(sim, shared=guarded, env=env)
    wait_for(mount, "lost", "password")
    assert mount.ls(OLD) == sim.names(OLD)
    assert PASSWORD.encode() not in everything_said(mount)


def test_a_foreground_log_has_no_password(sim_of, mount_of, postgres, guarded, tmp_path):
    sim = sim_of(DAYS)
    mount = mount_of(sim, shared=guarded, debug=True,
                     env={"PGPASSFILE": str(passfile(tmp_path, PASSWORD))})
    wait_for(mount, "together")
    postgres.halt()
    wait_for(mount, "lost")
    until(lambda: b"shared tier" in mount.output())
    assert PASSWORD.encode() not in mount.output()
    postgres.start()


def test_a_service_file_names_the_database(sim_of, mount_of, postgres, tmp_path):
    sim = sim_of(DAYS)
    services = tmp_path / "pg_service.conf"
    services.write_text(f"[calls]\nhost={postgres.folder}\ndbname=postgres\nuser=cdrfs\n")
    mount = mount_of(sim, shared="postgresql://?service=calls",
                     env={"PGSERVICEFILE": str(services)})
    wait_for(mount, "together")
    done = subprocess.run(["cat", mount / ".cdrfs/status"], capture_output=True, check=True,
                          timeout=PATIENCE_S)
    assert b"together" in done.stdout
