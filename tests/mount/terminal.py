# SPDX-License-Identifier: MIT
"""A program on a terminal of its own, which is typed at and watched."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from harness import PATIENCE_S

ROWS, COLUMNS = 200, 240
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>78]|\x1b\][^\x07]*\x07|[\x0e\x0f]")


class Terminal:
    """Starts a command; send() types, wait_for() waits for what is shown. close() hangs up."""

    def __init__(self, *command, cwd="/", **env):
        self.shown = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
                os.chdir(cwd)
                os.execvpe(command[0], list(map(str, command)),
                           {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "linux",
                            "LINES": str(ROWS), "COLUMNS": str(COLUMNS), **env})
            finally:
                os._exit(127)

    def send(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds):
        """What else is shown within so many seconds; None when the program has ended."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return ""
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # nobody has the terminal open any more
            return None
        return data.decode(errors="replace") or None

    def wait_until(self, test, what):
        """Reads until test(what is shown), without escapes, is true; returns that."""
        end = time.monotonic() + PATIENCE_S
        while not (found := test(self.shown)):
            more = self.read(max(0, end - time.monotonic()))
            assert more, f"{what} was not shown: {self.shown!r}"
            self.shown = ESCAPES.sub("", self.shown + more)
        return found

    def wait_for(self, pattern):
        """Reads until that is shown, after what was waited for before; returns all up to there."""
        end = self.wait_until(re.compile(pattern).search, pattern).end()
        text, self.shown = self.shown[:end], self.shown[end:]
        return text

    def wait_for_end(self):
        """Reads until the program has ended; returns its exit status."""
        end = time.monotonic() + PATIENCE_S
        while (more := self.read(max(0, end - time.monotonic()))) is not None:
            assert more or time.monotonic() < end, f"it goes on: {self.shown!r}"
            self.shown += more
        pid, self.pid = self.pid, None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def close(self):
        os.close(self.fd)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
