"""The system call filter of submissions, compiled by libseccomp.

It refuses what needs no privilege and no submission needs: reading or tracing other processes,
namespaces, mounts, kernel keyrings, System V and POSIX message queues (which outlive a program),
memory that nobody can count, io_uring, BPF, and every socket family but local and internet ones (a
vsock reaches the host of a virtual machine from any network namespace). Signals, limits and
priorities of other processes need no rule: the only processes that a program can name are its own
and PID 1 of its namespace, which sleeps.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import socket
import tempfile

from harness.errors import HarnessError

_DENIED = (
    "acct", "add_key", "bpf", "chroot", "clock_adjtime", "clock_settime", "create_module",
    "delete_module", "fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick",
    "get_kernel_syms", "init_module", "ioperm", "iopl", "io_uring_enter", "io_uring_register",
    "io_uring_setup", "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie",
    "mbind", "migrate_pages", "mount", "mount_setattr", "move_mount", "move_pages", "mq_open",
    "msgctl", "msgget", "msgrcv", "msgsnd", "name_to_handle_at", "nfsservctl",
    "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd", "pivot_root",
    "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace", "query_module",
    "quotactl", "quotactl_fd", "reboot", "request_key", "sched_setattr", "sched_setscheduler",
    "semctl", "semget", "semop", "semtimedop", "set_mempolicy", "setdomainname", "sethostname",
    "setns", "settimeofday", "shmat", "shmctl", "shmget", "swapoff", "swapon", "syslog",
    "umount2", "unshare", "uselib", "userfaultfd", "vhangup",
)  # fmt: skip
_RECENT = ("memfd_secret", "process_mrelease", "set_mempolicy_home_node")
"""Refused where libseccomp knows them. Nobody can count the pages of memfd_secret."""
_NAMESPACES = (
    0x00000080, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
"""clone's flags for new namespaces: time, mount, cgroup, uts, ipc, user, pid, net."""


@functools.cache
def compiled() -> bytes:
    """The filter as BPF instructions.

    Raises:
        HarnessError: libseccomp is not installed.
    """
    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise HarnessError(
            f"the judge's system call filter needs libseccomp ({error}): "
            "apt-get install libseccomp2, pip install pyseccomp"
        ) from None
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    refused = seccomp.ERRNO(errno.EPERM)
    for name in _DENIED:
        rules.add_rule(refused, name)
    for name in _RECENT:
        with contextlib.suppress(OSError):
            rules.add_rule(refused, name)
    for flag in _NAMESPACES:
        rules.add_rule(refused, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    rules.add_rule(
        seccomp.ERRNO(errno.ENOSYS), "clone3"
    )  # its flags cannot be seen; libc falls back
    families = sorted((socket.AF_UNIX, socket.AF_INET, socket.AF_INET6))
    refused_family = seccomp.ERRNO(errno.EAFNOSUPPORT)
    for low, high in zip([-1, *families], [*families, 1 << 31], strict=True):
        for family in range(low + 1, min(high, 64)):
            rules.add_rule(refused_family, "socket", seccomp.Arg(0, seccomp.EQ, family))
    rules.add_rule(refused_family, "socket", seccomp.Arg(0, seccomp.GE, 64))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
