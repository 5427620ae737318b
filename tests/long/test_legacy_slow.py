# SPDX-License-Identifier: MIT
"""Programs of old, the real ones: 32 bits without large-file support, PostgreSQL, LibreOffice."""

import csv
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from harness import HANG_S, day
from postgres import Postgres
from records import read_csv
from test_legacy import OLD, add_odd, table_of

READER = r"""
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
    DIR *d = opendir(argv[1]);
    struct dirent *e;
    struct stat st;
    char path[4096];
    _Static_assert(sizeof(off_t) == 4 && sizeof(ino_t) == 4, "not of old");
    while (errno = 0, argc == 2 && d && (e = readdir(d))) {
        snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
        if (stat(path, &st) < 0)
            break;
        if (e->d_ino != st.st_ino && strcmp(e->d_name, ".."))
            return 3;
        printf("%s %ld\n", e->d_name, (long)st.st_size);
    }
    return errno == 0 ? 0 : errno == EOVERFLOW ? 2 : 1;
}
"""


@pytest.fixture(name="reader")
def _reader(tmp_path):
    """A program of 32 bits that lists a directory with sizes; exit status 2: EOVERFLOW."""
    source = tmp_path / "reader.c"
    source.write_text(READER, encoding="ascii")
    subprocess.run(["gcc", "-m32", "-std=c11", "-D_DEFAULT_SOURCE", "-o", tmp_path / "reader",
                    source], check=True, timeout=HANG_S)
    return tmp_path / "reader"


@pytest.mark.parametrize("inode32", [False, True])
def test_a_program_of_32_bits_needs_inode32(sim_of, mount_of, reader, inode32):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim, **({"inode32": True} if inode32 else {}))
    for path in ("", "by-date", "csv", f"by-date/{OLD}"):
        done = subprocess.run([reader, mount / path], check=False, capture_output=True, text=True,
                              timeout=HANG_S)
        assert done.returncode == (0 if inode32 else 2)
        found = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
        if inode32:
            assert found == {name: str(os.stat(mount / path / name).st_size)
                             for name in [".", "..", *os.listdir(mount / path)]}


# --- tables ---


@pytest.fixture(name="table")
def _table(sim_of, mount_of):
    """(the path of a csv on a mount, its header, its rows)"""
    sim = sim_of({OLD: 207, day(7): 20})
    add_odd(sim)
    path = mount_of(sim, ttl="1h") / f"csv/by-date/{OLD}.csv"
    return (path, *table_of(sim, path))


def test_postgresql_copies_a_csv(table):
    """An empty field is NULL to it, whether the API said null, nothing, or an empty text."""
    path, header, rows = table
    server = Postgres()
    try:
        columns = ", ".join(f'"{name}" text' for name in header)
        server.sql(f"create table calls (n serial, {columns})")
        names = ", ".join(f'"{name}"' for name in header)
        with open(path, "rb") as f:
            server.sql(f"copy calls ({names}) from stdin with (format csv, header match)", stdin=f)
        out = server.sql(f"copy (select {names} from calls order by n) to stdout with "
                         "(format csv, header, force_quote *)")
        assert read_csv(out.encode()) == (header, rows)
        nulls = server.sql(f"copy (select count(*) from calls where \"{header[1]}\" = '') to stdout")
        assert nulls == "0\n"
    finally:
        server.stop()


def test_libreoffice_opens_a_csv(table, tmp_path):
    """With every column as text; as numbers, long ids would lose digits."""
    path, header, rows = table
    columns = "/".join(f"{i}/2" for i in range(1, len(header) + 1))
    subprocess.run(
        ["soffice", "--headless", "--norestore", f"-env:UserInstallation=file://{tmp_path}/profile",
         f"--infilter=Text - txt - csv (StarCalc):44,34,76,1,{columns},0,true,false",
         "--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,false", "--outdir",
         tmp_path / "out", path], check=True, capture_output=True, stdin=subprocess.DEVNULL,
        timeout=HANG_S, env={**os.environ, "HOME": str(tmp_path)})
    with open(tmp_path / "out" / path.name, encoding="utf-8", newline="") as f:
        found = list(csv.reader(f))
    # A cell has one kind of line end.
    lines = [[field.replace("\r\n", "\n") for field in row] for row in (header, *rows)]
    assert found == lines
