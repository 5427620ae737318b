# SPDX-License-Identifier: MIT
"""System calls that Python has no function for; each fails with an OSError as those of os do."""

import ctypes
import ctypes.util
import os
import struct

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW, AT_EACCESS = 0x100, 0x200
AT_EMPTY_PATH = 0x1000
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
IN_ALL = 0xFFF
STATX_ALL = 0xFFF
FAN_CLASS_NOTIF, FAN_CLOEXEC, FAN_MARK_ADD, FAN_ALL = 0, 1, 1, 0x3B
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FIGETBSZ, FIBMAP, FITRIM = 0x80086601, 0x40086602, 2, 1, 0xC0185879

LIBC = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    """A function of the C library that returns an int."""
    function = getattr(LIBC, name)
    passed = [os.fsencode(a) if isinstance(a, (str, os.PathLike)) else
              ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    ctypes.set_errno(0)
    ret = function(*passed)
    if ret == -1:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return ret


def fallocate(fd, mode, offset, length):
    call("fallocate", fd, mode, offset, length)


def rename2(old, new, flags):
    call("renameat2", AT_FDCWD, old, AT_FDCWD, new, flags)


def faccessat(path, mode, flags):
    call("faccessat", AT_FDCWD, path, mode, flags)


def statx(path, flags=0, mask=STATX_ALL):
    """What statx(2) fills in, by name."""
    buf = ctypes.create_string_buffer(256)
    call("statx", AT_FDCWD, path, flags, mask, buf)
    names = ("mask", "blksize", "attributes", "nlink", "uid", "gid", "mode", "ino", "size",
             "blocks", "attributes_mask", "atime", "btime", "ctime", "mtime", "dev_major",
             "dev_minor")
    values = struct.unpack_from("<IIQIIIH2xQQQQq8xq8xq8xq8x8xII", buf)
    return dict(zip(names, values))


class FileHandle(ctypes.Structure):
    """struct file_handle."""
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]


def handle_of(path):
    """name_to_handle_at(2)."""
    handle, mount_id = FileHandle(bytes=128), ctypes.c_int()
    call("name_to_handle_at", AT_FDCWD, path, ctypes.byref(handle), ctypes.byref(mount_id), 0)
    return handle


def open_handle(mountpoint, handle, flags=os.O_RDONLY):
    """open_by_handle_at(2), of the filesystem that mountpoint is on."""
    at = os.open(mountpoint, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return call("open_by_handle_at", at, ctypes.byref(handle), flags)
    finally:
        os.close(at)


def inotify(path, mask=IN_ALL):
    """A descriptor that watches path."""
    fd = call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        call("inotify_add_watch", fd, path, mask)
    except OSError:
        os.close(fd)
        raise
    return fd


def fanotify(path, mask=FAN_ALL):
    """A descriptor that watches path; root only."""
    fd = call("fanotify_init", FAN_CLASS_NOTIF | FAN_CLOEXEC, os.O_RDONLY)
    try:
        call("fanotify_mark", fd, FAN_MARK_ADD, ctypes.c_uint64(mask), AT_FDCWD, path)
    except OSError:
        os.close(fd)
        raise
    return fd
