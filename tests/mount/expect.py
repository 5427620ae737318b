# SPDX-License-Identifier: MIT
"""What a mount should hold, told independently of it, and ways to look."""

import ctypes
import errno
import os
import re

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.S)


def render(raw):
    """The file of a record: its own text, laid out anew, every literal untouched."""
    tokens = iter(TOKEN.findall(raw))

    def container(close, depth):
        items, item = [], []
        for token in tokens:
            if token in (close, ","):
                items += ["".join(item)] if item else []
                item = []
                if token == close:
                    break
            elif token == ":":
                item.append(": ")
            else:
                item.append(value(token, depth + 1))
        if depth == 0:
            items = [i for i in items if not i.startswith('"api_id":')]
        inner, outer = "\n" + "  " * (depth + 1), "\n" + "  " * depth
        return inner + ("," + inner).join(items) + outer + close if items else close

    def value(token, depth):
        if token in "{[":
            return token + container({"{": "}", "[": "]"}[token], depth)
        return token

    return (value(next(tokens), 0) + "\n").encode()


def error_of(function, *args, **kwargs):
    """The name of the errno a call fails with; None when it does not fail."""
    try:
        function(*args, **kwargs)
    except OSError as e:
        return errno.errorcode[e.errno]
    return None


class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("reclen", ctypes.c_ushort),
                ("type", ctypes.c_ubyte), ("name", ctypes.c_char * 256)]


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
