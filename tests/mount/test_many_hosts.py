# SPDX-License-Identifier: MIT
"""What a mount tells of the shared tier: status, cdrfsctl, metrics, explain. And the recipe of docs/SCALING.md."""

import pytest

from harness import day
from postgres import Postgres
from test_shared import wait_for

OLD = day(6)


@pytest.fixture(name="postgres", scope="module")
def _postgres():
    server = Postgres()
    yield server
    server.stop()


def test_a_store_that_joins_gives_what_it_has(sim_of, mount_of, postgres):
    """It was noted in a transaction that who published did not always see."""
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    mount.ls(OLD)
    for _ in range(6):
        mount.unmount()
        postgres.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")  # another tier
        again = mount_of(sim, cache=mount.cache, shared=postgres.url())
        wait_for(again, "45 published, 0 still", name="shared calls")
        assert postgres.sql("SELECT count(*) FROM cdrfs_span").strip() == "1"
        mount = again
