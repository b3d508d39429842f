"""The system calls that the standard library lacks, through ctypes. OSError names the call that failed."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import socket
import struct
from collections.abc import Callable

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_MS_NOSUID_NODEV = 0x2 | 0x4
_MS_NOEXEC = 0x8
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_FILTER_STEP = 8  # bytes of one BPF instruction

_CLONE_VM = 0x00000100
_CLONE_VFORK = 0x00004000
_SIGCHLD = 17
_MAP_NORESERVE = 0x4000
_SMALL_STACK = 1 << 16
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)
_entry_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_capabilities = (
    ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)),
    ctypes.create_string_buffer(24),
)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move into new namespaces; a new pid namespace takes effect for children only."""
    _check(_libc.unshare(flags), "unshare")


def mount_proc() -> None:
    """Mount the /proc of the current pid namespace over the present one."""
    flags = ctypes.c_ulong(_MS_NOSUID_NODEV | _MS_NOEXEC)
    _check(_libc.mount(b"proc", b"/proc", b"proc", flags, None), "mount /proc")


def start_loopback() -> None:
    """Switch the loopback interface of the current network namespace on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        name = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack("16xH14x", fcntl.ioctl(channel, _SIOCGIFFLAGS, name))
        fcntl.ioctl(channel, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def mount_tmp(size: int) -> None:
    """Mount an empty tmpfs of at most `size` bytes on /tmp."""
    options = f"mode=0700,size={size},nr_inodes=4096".encode()
    flags = ctypes.c_ulong(_MS_NOSUID_NODEV)
    _check(_libc.mount(b"tmpfs", b"/tmp", b"tmpfs", flags, options), "mount /tmp")


def set_dumpable(allowed: bool) -> None:
    """Whether processes of the same user may trace this one and read its memory."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, int(allowed), 0, 0, 0), "PR_SET_DUMPABLE")


def become_subreaper() -> None:
    """Become the parent of all orphaned descendants."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "PR_SET_CHILD_SUBREAPER")


def drop_privileges() -> None:
    """Drop every capability and every way to gain one, irrevocably."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    _check(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "PR_CAP_AMBIENT")
    _check(_libc.capset(*_capabilities), "capset")


class SharedProcess:
    """Runs a function as a process that shares this process's memory.

    As with vfork this process is suspended meanwhile, so that the two never touch the memory at
    once and nothing has to be copied.

    Args:
        function: what it runs; it returns the exit status.
        stack: bytes of its stack, and of the stack of a fork that it makes.
        namespaces: CLONE_NEW* flags of namespaces that it gets for itself.
    """

    def __init__(self, function: Callable[[], int], stack: int, namespaces: int = 0) -> None:
        self._stack = _Stack(stack)
        self._flags = _CLONE_VM | _CLONE_VFORK | namespaces | _SIGCHLD
        self._entry = _entry_type(lambda _: function())

    def run(self) -> int:
        """Run the function to its end and return its wait status."""
        pid = _libc.clone(self._entry, self._stack.top, self._flags, None)
        _check(pid, "clone")
        return os.waitpid(pid, 0)[1]


class Sleeper:
    """Starts processes that do nothing, for PID 1 of a namespace: they sleep in libc's pause.

    They share this process's memory and never run Python, so that one costs next to nothing. No
    signal may have a handler in this process: it would run in them as well.
    """

    def __init__(self) -> None:
        self._stack = _Stack(_SMALL_STACK)

    def start(self) -> int:
        """Start one and return its process id; one at a time, for they have one stack."""
        pid: int = _libc.clone(_libc.pause, self._stack.top, _CLONE_VM | _SIGCHLD, None)
        _check(pid, "clone")
        return pid


class _Stack:
    def __init__(self, size: int) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        self._memory = mmap.mmap(-1, size, flags=flags)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self.top = ctypes.c_void_p((base + size) & ~15)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class SyscallFilter:
    """A compiled seccomp filter, ready to be installed in a child."""

    def __init__(self, code: bytes) -> None:
        self._code = ctypes.create_string_buffer(code, len(code))
        address = ctypes.cast(self._code, ctypes.c_void_p)
        self._program = _Program(len(code) // _FILTER_STEP, address)

    def install(self) -> None:
        """Apply the filter to this process and all processes that it starts."""
        program = ctypes.byref(self._program)
        _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program), "PR_SET_SECCOMP")


def set_default_thread_stack(size: int) -> None:
    """Set the default stack size of threads, which glibc derives from a limit that is raised here."""
    attributes = ctypes.create_string_buffer(64)
    _libc.pthread_attr_init(attributes)
    _libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(size))
    _libc.pthread_setattr_default_np(attributes)
    _libc.pthread_attr_destroy(attributes)
