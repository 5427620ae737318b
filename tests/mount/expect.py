# SPDX-License-Identifier: MIT
"""What a mount should hold, told independently of it, and ways to look."""

import ctypes
import errno
import itertools
import json
import os
import re
import struct

import syscalls

OPEN, CLOSE = {"{", "["}, {"}", "]"}
TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.S)


def without_api_id(tokens):
    """The tokens of a record without its members of that name."""
    items, depth = [[]], 0
    for token in tokens[1:-1]:
        depth += (token in OPEN) - (token in CLOSE)
        if token == "," and depth == 0:
            items.append([])
        else:
            items[-1].append(token)
    left = [[*item, ","] for item in items if item and json.loads(item[0]) != "api_id"]
    return ["{", *list(itertools.chain(*left))[:-1], "}"]


def render(raw):
    """The file of a record: its own text, laid out anew, every literal untouched."""
    text, before, depth = [], "", 0
    for token in without_api_id(TOKEN.findall(raw)):
        depth -= token in CLOSE
        if before == "," or (before in OPEN) != (token in CLOSE):
            text.append("\n" + "  " * depth)
        text.append(": " if token == ":" else token)
        depth += token in OPEN
        before = token
    return ("".join(text) + "\n").encode()


def error_of(function, *args, **kwargs):
    """The name of the errno a call fails with; None when it does not fail."""
    try:
        function(*args, **kwargs)
    except OSError as e:
        return errno.errorcode[e.errno]
    return None


def write_to(path, flags):
    """An open file may be found to be read-only when it is written to."""
    fd = os.open(path, flags, 0o600)
    try:
        os.write(fd, b"x")
    finally:
        os.close(fd)


class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("reclen", ctypes.c_ushort),
                ("type", ctypes.c_ubyte), ("name", ctypes.c_char * 256)]


class Steps:
    """A directory that is read by getdents64(2), with so small a buffer that the filesystem is asked
    for some 20 entries each time."""

    def __init__(self, path, size=4096):
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.buf = ctypes.create_string_buffer(size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def step(self):
        """The next names; none at the end."""
        n = syscalls.call("getdents64", self.fd, self.buf, len(self.buf))
        names, at = [], 0
        while at < n:
            length, _, name = struct.unpack_from("<HB256s", self.buf.raw[at:] + bytes(256), 16)
            names.append(name.split(b"\0")[0].decode())
            at += length
        return names

    def rest(self):
        return list(itertools.chain(*iter(self.step, [])))

    def rewind(self):
        os.lseek(self.fd, 0, os.SEEK_SET)


class Dir:
    """opendir(3) and what goes with it; os.scandir cannot seek."""

    def __init__(self, path):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.opendir.restype = ctypes.c_void_p
        self.libc.readdir64.restype = ctypes.POINTER(Dirent)
        self.libc.telldir.restype = ctypes.c_long
        self.handle = ctypes.c_void_p(self.libc.opendir(os.fsencode(path)))
        if not self.handle:
            raise OSError(ctypes.get_errno(), "opendir", str(path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.libc.closedir(self.handle)

    def read(self):
        """The next name, dots included; None at the end."""
        ctypes.set_errno(0)
        entry = self.libc.readdir64(self.handle)
        if not entry and ctypes.get_errno():
            raise OSError(ctypes.get_errno(), "readdir")
        return entry.contents.name.decode() if entry else None

    def take(self, n):
        return [self.read() for _ in range(n)]

    def rest(self):
        return list(iter(self.read, None))

    def tell(self):
        return self.libc.telldir(self.handle)

    def seek(self, place):
        self.libc.seekdir(self.handle, ctypes.c_long(place))

    def rewind(self):
        self.libc.rewinddir(self.handle)
