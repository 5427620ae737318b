# SPDX-License-Identifier: MIT
"""The frozen store: data/store-1.db as version 1 wrote it, and what every file of it must read like.

Run as a program, it makes both anew from a simulator; that is right for a new version's store beside
the old ones, and never for one that was released."""

import hashlib
import json
import os
import pathlib
import sys

DATA = pathlib.Path(__file__).parent / "data"
CLOCK = "2026-05-26 12:00:00"
DAYS = {"2026-05-20": 45, "2026-05-21": 20}
ODD = ["0.1", "1.50", "99999999999999999999", "1e400", r'"\ud800 \u0000 \/ Zürich"', "[]", "{}",
       '{"a": [1, {"b": null}]}', "true", "null"]


def describe(root):
    """Every file below by-date, csv and ndjson: hash, size, mtime, and of calls the inode."""
    found = {}
    for top in ("by-date", "csv/by-date", "ndjson/by-date"):
        for folder, _, names in os.walk(root / top):
            for name in names:
                path = pathlib.Path(folder) / name
                st = path.stat()
                found[str(path.relative_to(root))] = [
                    hashlib.sha256(path.read_bytes()).hexdigest(), st.st_size, int(st.st_mtime),
                    st.st_ino]
    return found


def make(version):
    sys.path.insert(0, str(DATA.parent))
    import shutil  # pylint: disable=import-outside-toplevel
    import tempfile  # pylint: disable=import-outside-toplevel
    from harness import Mount, Sim  # pylint: disable=import-outside-toplevel

    sim = Sim(DAYS)
    sim.clock(now=CLOCK)
    for i, value in enumerate(ODD):
        sim.raw("2026-05-21 08:00:00", f'{{"call_uuid": "odd-{i}", "end_time": "2026-05-21 08:00:00",'
                f' "call_direction": "inbound", "bill_duration": 60, "odd": {value}}}')
    with tempfile.TemporaryDirectory() as folder:
        mount = Mount(sim, where=pathlib.Path(folder) / "mnt")
        mount.start()
        for name in DAYS:
            mount.ls(name)
        (DATA / f"store-{version}.json").write_text(
            json.dumps(describe(mount.path), indent=0, sort_keys=True) + "\n")
        mount.unmount()
        shutil.copy(mount.cache / f"{sim.auth_id}.db", DATA / f"store-{version}.db")
        mount.clean_up()
    sim.stop()


if __name__ == "__main__":
    make(sys.argv[1])
