# SPDX-License-Identifier: MIT
"""The manual pages and the completions say what the tables of the source say."""

import json
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from harness import CDRFS, PATIENCE_S, ROOT, clean_env

MAN = ROOT / "docs/man"
PAGES = ["cdrfs.1", "cdrfsctl.1", "cdrfs-tree.5"]
COMMANDS = ["status", "explain", "refresh", "prefetch"]


def out(*command, **options):
    """What a command that must succeed, and has nothing to say on stderr, prints."""
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=PATIENCE_S, check=False, **options)
    assert done.returncode == 0 and done.stderr == b"", done
    return done.stdout.decode()


@pytest.fixture(name="tables", scope="module")
def _tables():
    return json.loads(out(pathlib.Path(CDRFS).parent / "tests/unit/tables"))


def source(page):
    return (MAN / f"{page}.scd").read_text(encoding="utf-8")


def section(text, title):
    """What stands below that heading, up to the next one."""
    return re.search(rf"^#+ {title}\n(.*?)(?=^#+ |\Z)", text, re.M | re.S)[1]


# --- manuals ---


def scdoc(page):
    with open(MAN / f"{page}.scd", "rb") as f:
        done = subprocess.run(["scdoc"], stdin=f, capture_output=True, timeout=PATIENCE_S, check=True)
    assert done.stderr == b""
    return done.stdout.decode()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_renders_without_a_warning(tmp_path, page):
    (tmp_path / page).write_text(scdoc(page), encoding="utf-8")
    env = clean_env(LC_ALL="C.UTF-8", MANROFFSEQ="", MANWIDTH="80", PATH="/usr/bin:/bin")
    text = out("man", "--warnings", "-E", "UTF-8", "-l", tmp_path / page, env=env)
    name, number = page.split(".")
    assert text.startswith(f"{name}({number})") and "NAME\n" in text and "SEE ALSO\n" in text


def range_of(option):
    least, most = option["least"], option["most"]
    return {"seconds": f" From {least:.0f} to {most:.0f}, also as in 90s, 5m, 48h, 2d.",
            "whole": f" From {least:.0f} to {most:.0f}.",
            "number": f" More than {least:.0f}, at most {most:.0f}.",
            "octal": f" From {int(least):03o} to {int(most):03o}."}.get(option["type"], "")


def default_of(option):
    """Where the table has none, the help says in parentheses what holds."""
    if option["fallback"] not in (None, "-1"):
        return option["fallback"].replace("*", "\\*")
    said = re.search(r"\((.*)\)$", option["help"])
    return said[1] if said else "none"


def entry_of(option):
    """How the manual must introduce it."""
    if option["type"] == "flag":
        return f"*{option['name']}*\n\t"
    values = re.sub(r"\w+", r"_\g<0>_", option["values"])
    variable = f" Variable: {option['env']}." if option["env"] else ""
    return (f"*{option['name']}*={values}\n\tDefault: {default_of(option)}.{range_of(option)}"
            f"{variable}\n\n\t")


def test_the_second_name_of_the_command_has_the_manual_of_the_first(tmp_path):
    subprocess.run(["meson", "install", "-C", pathlib.Path(CDRFS).parent, "--no-rebuild", "--destdir",
                    tmp_path], check=True, capture_output=True, timeout=PATIENCE_S)
    page = next(tmp_path.rglob("mount.fuse.cdrfs.8"))
    assert page.parent.name == "man8"
    text = out("man", "-M", page.parents[1], "8", "mount.fuse.cdrfs",
               env=clean_env(LC_ALL="C.UTF-8", MANWIDTH="80", PATH="/usr/bin:/bin"))
    assert text.startswith("cdrfs(1)")


def test_the_manual_has_each_option_with_its_default_range_and_variable(tables):
    text = section(source("cdrfs.1"), "OPTIONS")
    assert len(tables["options"]) > 15
    for option in tables["options"]:
        assert f"\n{entry_of(option)}" in text, entry_of(option)
    found = re.findall(r"^\*(\w+)\*", text, re.M)
    assert found == [option["name"] for option in tables["options"]]  # no other, and in this order


def test_the_manual_has_each_flag(tables):
    text = section(source("cdrfs.1"), "OPTIONS")
    expected = [[flag["name"], *([flag["longer"]] if flag["longer"] else [])]
                for flag in tables["flags"]]
    lines = re.findall(r"^\*-.*$", text, re.M)
    assert [re.findall(r"\*(-[-\w]+)\*", line) for line in lines] == expected


@pytest.mark.parametrize("title, kernel", [("For the kernel", True), ("Without effect", False)])
def test_the_manual_has_each_option_that_is_not_ours(tables, title, kernel):
    lines = re.findall(r"^\*.*$", section(source("cdrfs.1"), title), re.M)
    found = re.findall(r"\*([^*]+)\*", " ".join(lines).replace("\\", ""))
    assert sorted(found) == sorted(o["name"] for o in tables["foreign"] if o["kernel"] == kernel)


def test_the_rendered_page_has_every_option(tables, tmp_path):
    (tmp_path / "cdrfs.1").write_text(scdoc("cdrfs.1"), encoding="utf-8")
    text = out("man", "-E", "UTF-8", "-l", tmp_path / "cdrfs.1",
               env=clean_env(LC_ALL="C.UTF-8", MANWIDTH="100", PATH="/usr/bin:/bin"))
    for option in tables["options"]:
        left = option["name"] + (f"={option['values']}" if option["values"] else "")
        assert f"\n       {left}\n" in text, left


def test_the_manual_has_each_variable_that_is_read():
    used = set()
    for path in [*ROOT.glob("fs/*.c"), *ROOT.glob("api/*.c"), *ROOT.glob("cache/*.c")]:
        used.update(re.findall(r'(?<!un)(?:getenv\("|CA_FILE ")(\w+)"',
                               path.read_text(encoding="utf-8")))
    used.add("PLIVO_API_URL")  # through the table of options
    lines = re.findall(r"^\*.*$", section(source("cdrfs.1"), "ENVIRONMENT"), re.M)
    assert set(re.findall(r"\*(\w+)\*", " ".join(lines))) == used


def values_of(axis):
    return {"choice": ", ".join(axis["choices"]), "code": "CODE", "prefix": "NUMBER", "id": "ID",
            "seconds": "N, gt-N, gte-N, lt-N, lte-N",
            "time": "TIME, gt-TIME, gte-TIME, lt-TIME, lte-TIME"}[axis["form"]]


def test_the_manual_of_the_tree_has_each_axis(tables):
    found = re.findall(r"^\*(by-\S+)\*\n\t(.*)$", source("cdrfs-tree.5"), re.M)
    expected = [(a["dir"], f"{values_of(a)}: {a['doc']}") for a in tables["axes"]]
    assert found == [("by-date", "DATE: the day in which the call ended"), *expected]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_manual_of_the_control_program_has_each_command(command):
    assert re.search(rf"^\*{command}\*", section(source("cdrfsctl.1"), "COMMANDS"), re.M)


# --- completions ---


def named(tables):
    """Every option as it may begin: with `=` where a value follows."""
    ours = [o["name"] + ("" if o["type"] == "flag" else "=") for o in tables["options"]]
    return sorted(ours + [o["name"] for o in tables["foreign"]])


def flags(tables):
    return sorted(name for f in tables["flags"] for name in (f["name"], f["longer"]) if name)


def choices(tables):
    return {o["name"]: o["values"].split("|") for o in tables["options"] if o["type"] == "choice"}


def bash(program, *words, cwd=None):
    """What bash offers for the last of these words, which are as it breaks a line."""
    script = ('. "$0"; function=_$1; COMP_WORDS=("$@"); COMP_WORDS=("${COMP_WORDS[@]}"); '
              'COMP_CWORD=$(($# - 1)); "$function"; printf "%s\\n" "${COMPREPLY[@]}"')
    text = out("bash", "--norc", "-c", script, ROOT / f"completions/{program}.bash", program, *words,
               cwd=cwd)
    return sorted(text.split())


def test_bash_offers_each_option(tables):
    assert bash("cdrfs", "-o", "") == named(tables)
    assert bash("cdrfs", "mnt", "-o", "") == named(tables)
    assert bash("cdrfs", "-o", "ro,") == [f"ro,{name}" for name in named(tables)]
    assert bash("cdrfs", "-o", "ttl", "=", "5,sta") == ["5,stale_if_error="]
    assert bash("cdrfs", "-o", "ttl", "=", "5", "-o", "log") == ["log_level="]
    assert bash("cdrfs", "-") == flags(tables)


def test_bash_offers_values(tables, tmp_path):
    for name, values in choices(tables).items():
        assert bash("cdrfs", "-o", name, "=") == sorted(values)
        assert bash("cdrfs", "-o", name, "=", values[0][:2]) == [values[0]]
        assert bash("cdrfs", "-o", "ttl", "=", f"5,{name}", "=") == sorted(values)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    assert bash("cdrfs", "-o", "cache_dir", "=", cwd=tmp_path) == ["folder"]
    assert bash("cdrfs", "-o", "auth_token_file", "=", "f", cwd=tmp_path) == ["file", "folder"]
    assert bash("cdrfs", "f", cwd=tmp_path) == ["folder"]
    assert bash("cdrfs", "-o", "ttl", "=") == []


def test_bash_offers_the_commands_of_the_control_program(tmp_path):
    (tmp_path / "path").mkdir()
    assert bash("cdrfsctl", "") == sorted(COMMANDS)
    assert bash("cdrfsctl", "re") == ["refresh"]
    assert bash("cdrfsctl", "status", "", cwd=tmp_path) == ["path"]


def fish(line):
    """What fish offers at the end of a line."""
    program = line.split()[0]
    text = out("fish", "--no-config", "-c", f"source completions/{program}.fish; complete -C '{line}'",
               cwd=ROOT, env=clean_env(TERM="dumb"))
    return sorted(row.split("\t")[0] for row in text.splitlines())


def test_fish_offers_each_option_with_its_values(tables):
    expected = set(named(tables))
    for name, values in choices(tables).items():
        expected.remove(f"{name}=")
        expected.update(f"{name}={value}" for value in values)
    assert fish("cdrfs -o ") == sorted(expected)
    assert fish("cdrfs -o ttl=5,log_level=e") == ["ttl=5,log_level=error"]
    assert fish("cdrfs -") == flags(tables)
    assert fish("cdrfs comple") == ["completions/"]


def test_fish_offers_the_commands_of_the_control_program():
    assert fish("cdrfsctl ") == sorted(COMMANDS)
    assert fish("cdrfsctl status completio") == ["completions/"]


class Zsh:
    """An interactive zsh on a terminal, with our completions and nobody's settings."""

    def __init__(self, folder):
        for program in ("cdrfs", "cdrfsctl"):
            shutil.copy(ROOT / f"completions/{program}.zsh", folder / f"_{program}")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], clean_env(TERM="dumb"))
        self.after(f"stty cols 200 rows 100; fpath=({folder} $fpath); autoload -Uz compinit; "
                   "compinit -u -D; unset zle_bracketed_paste; unsetopt prompt_sp prompt_cr; "
                   "PS1='%%> '; LISTMAX=1000; bindkey ^T list-choices\n")

    def after(self, keys):
        """What is shown after those keys, up to the next prompt: keys that come before it are lost."""
        os.write(self.fd, f"{keys}\x15echo do''ne\n".encode())  # ^U: what stands there is dropped
        shown, end = "", time.monotonic() + PATIENCE_S
        while not shown.rpartition("done\r\n")[2].endswith("%> ") or "done\r\n" not in shown:
            assert time.monotonic() < end, shown
            if select.select([self.fd], [], [], 1)[0]:
                shown += os.read(self.fd, 65536).decode(errors="replace")
        return shown

    def lists(self, line):
        """The words it offers at the end of a line: those with a text behind them, then the others."""
        shown = self.after(f"{line}\x14").partition("\r\n")[2].partition("%> ")[0]
        described = re.findall(r"^(\S+(?: +\S+)??) +-- ", shown, re.M)
        bare = [row for row in shown.split("\r\n") if " -- " not in row]
        return sorted(" ".join(described).split()) + sorted(" ".join(bare).split())

    def close(self):
        os.write(self.fd, b"\x15exit\n")
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture(name="zsh")
def _zsh(tmp_path):
    shell = Zsh(tmp_path)
    yield shell
    shell.close()


def test_zsh_offers_each_option(zsh, tables):
    assert sorted(zsh.lists("cdrfs -o ")) == sorted(name.rstrip("=") for name in named(tables))
    assert zsh.lists("cdrfs -") == flags(tables)


def test_zsh_offers_values(zsh, tables):
    for name, values in choices(tables).items():
        for value in values:
            assert f"cdrfs -o {name}={value}" in zsh.after(f"cdrfs -o {name}={value[:-1]}\t")
            assert f",{name}={value}" in zsh.after(f"cdrfs -o ttl=5,{name}={value[:-1]}\t")


def test_zsh_offers_the_commands_of_the_control_program(zsh):
    assert zsh.lists("cdrfsctl ") == sorted(COMMANDS)
    for command in COMMANDS:
        assert f"cdrfsctl {command}" in zsh.after(f"cdrfsctl {command[:-1]}\t")
