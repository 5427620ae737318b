# SPDX-License-Identifier: MIT
"""Measures cdrfs beside its peers. scripts/bench starts it, and says what the options are."""

import argparse
import os
import pathlib
import signal
import sys

import about
import cold
import held
import memory
import messages
import profiling
import report
from place import drops_by_others, workplace
from timing import Failed

SECTIONS = {"cold": cold, "held": held, "memory": memory}
INTRO = """# Benchmarks

`scripts/bench` measures cdrfs beside its peers, in one run, interleaved; `scripts/bench --help`
says how. Only ratios are worth comparing from one machine, or one day, to another. Goals are those
of the project, not limits of a test.
"""


class Bench:
    """A run: what was asked for, and where it works."""

    def __init__(self, args, work):
        self.quick, self.alone, self.work = args.quick, args.alone, work
        self.repeat = args.repeat or (2 if args.quick else 5)
        self.budget_s = 1 if args.quick else 30
        self.counter = messages.counter(work)

    def size(self, full, quick=None):
        """So many, or a tenth of it."""
        return full if not self.quick else quick or full // 10

    def progress(self, text):
        if sys.stderr.isatty():
            print(f"\r\033[K{text}\r", end="", file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", usage="scripts/bench --help")
    for name in ("quick", "alone", *SECTIONS):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--profile")
    return parser.parse_args()


def interrupted(*_):
    """Cleans up, and is not to be hurried."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def measure(args, work):
    """The report."""
    command = " ".join(["scripts/bench", *sys.argv[1:]])
    head = "\n".join(about.lines(command, os.environ["BENCH_BUILDTYPE"]))
    bench = Bench(args, work)
    names = [name for name in SECTIONS if getattr(args, name)] or list(SECTIONS)
    before = drops_by_others()
    text = [INTRO, head, "", *(str(SECTIONS[name].section(bench)) for name in names)]
    if drops := drops_by_others() - before:
        text.append(f"Something else emptied the kernel's caches {drops} times meanwhile: warm rows"
                    " and messages may be wrong.\n")
    return "\n".join(text)


def report_of(args):
    with workplace() as work:
        text = measure(args, work)
    path = args.output or (None if args.quick or args.alone else pathlib.Path("docs/BENCHMARKS.md"))
    if path:
        path.write_text(text, encoding="utf-8")
    print(text)
    print(f"bench: {text.count('| met |')} goals met, {text.count(report.MISSED)} missed"
          + f" ({text.count(report.OUT_OF_REACH)} by the floor too)"
          + (f"; {path}" if path else ""), file=sys.stderr)


def main():
    args = arguments()
    for number in (signal.SIGINT, signal.SIGTERM):  # the first is ignored in a script's background
        signal.signal(number, interrupted)
    if args.profile == "list":
        print("\n".join(profiling.rows()))
        return
    try:
        if args.profile:
            with workplace() as work:
                profiling.profile(Bench(args, work), args.profile)
        else:
            report_of(args)
    except (Failed, OSError) as e:
        sys.exit(f"bench: {e}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")


if __name__ == "__main__":
    main()
