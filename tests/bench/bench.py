# SPDX-License-Identifier: MIT
"""Measures cdrfs beside its peers. scripts/bench starts it."""

import argparse
import os
import pathlib
import signal
import sys

import about
import cold
import held
import messages
from place import workplace
from timing import Failed

SECTIONS = {"cold": cold, "held": held}
INTRO = """# Benchmarks

`scripts/bench` measures cdrfs beside its peers, in one run, interleaved; `scripts/bench --help`. Only the
ratios are worth comparing from one machine, or one day, to another. Goals are those of the project, not limits
of a test.
"""


class Bench:
    """A run: what was asked for, and where it works."""

    def __init__(self, args, work):
        self.quick, self.work = args.quick, work
        self.repeat = args.repeat or (2 if args.quick else 5)
        self.budget_s = 2 if args.quick else 30
        self.counter = messages.counter(work)

    def size(self, full, quick=None):
        """So many, or a tenth of it."""
        return full if not self.quick else quick or full // 10

    def progress(self, text):
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.split("\n", 1)[0])
    for name, module in SECTIONS.items():
        parser.add_argument(f"--{name}", action="store_true",
                            help=f"only: {module.__doc__.split(chr(10), 1)[0]}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes, 2 rounds")
    parser.add_argument("--repeat", type=int, metavar="N", help="rounds (5)")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE",
                        help="where the tables go; docs/BENCHMARKS.md, with --quick only stdout")
    return parser.parse_args()


def interrupted(*_):
    raise KeyboardInterrupt


def measure(args):
    """The report's chapters."""
    names = [n for n in SECTIONS if getattr(args, n)] or list(SECTIONS)
    with workplace() as work:
        bench = Bench(args, work)
        return [SECTIONS[name].section(bench) for name in names]


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, interrupted)
    if os.geteuid():
        sys.exit("bench: only root can mount a tmpfs and empty the kernel's caches")
    command = " ".join(["scripts/bench", *sys.argv[1:]])
    head = "\n".join(about.lines(command, os.environ["BENCH_BUILDTYPE"]))
    try:
        chapters = measure(args)
    except Failed as e:
        sys.exit(f"bench: {e}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
    text = "\n".join([INTRO, head, "", *map(str, chapters)])
    output = args.output or (None if args.quick else pathlib.Path("docs/BENCHMARKS.md"))
    if output:
        output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
