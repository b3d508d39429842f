"""Programs that act on what judges them, hold memory or use time out of sight, or leave things.

Each reads "1 2 3" and ought to print 6, and acts on its own namespace alone. By name: what must
become of it. WATCHER holds honest programs too, which do nothing but ask.
"""

from __future__ import annotations

_LIBC = "import ctypes, os, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"
_EVERYBODY = "others = [int(p) for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()] + [0]\n"
_HELD = "import os, time, mmap, socket\ndef block(): return b'x' * (1 << 20)\n"
_LASTS = "\ntime.sleep(0.7)\nprint(6)\n"
_BURNS = (
    "import os, signal, time\ndef burn(seconds):\n    end = time.process_time() + seconds\n"
    "    while time.process_time() < end: pass\n"
)

# A wrong program that acts on its watcher stays wrong.
WATCHER = {
    "signals to everybody": (
        "import os, signal\n" + _EVERYBODY + "for s in range(1, 32):\n    for p in others:\n"
        "        if p > 0:\n            try: os.kill(p, s)\n            except OSError: pass\nprint(7)"
    ),
    "queued signals": (
        _LIBC + "buffer = ctypes.create_string_buffer(128)\nfor s in (2, 15, 9, 19, 34):\n"
        "    libc.syscall(129, 1, s, buffer)\n    libc.syscall(200, 1, s)\nprint(7)"
    ),
    "a signal by descriptor": (
        "import os, signal\nfd = os.pidfd_open(1)\nfor s in (2, 15, 9):\n"
        "    try: signal.pidfd_send_signal(fd, s)\n    except OSError: pass\nprint(7)"
    ),
    "signals by owner of a pipe": (
        "import fcntl, os\nr, w = os.pipe()\nfcntl.fcntl(r, fcntl.F_SETOWN, 1)\n"
        "fcntl.fcntl(r, 10, 2)\nfcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)\nos.write(w, b'x')\nprint(7)"
    ),
    "limits of everybody": (
        "import os, resource\n" + _EVERYBODY + "for p in others:\n    for what in (0, 1, 6, 7, 9):\n"
        "        if p > 0:\n            try: resource.prlimit(p, what, (0, 0))\n"
        "            except (OSError, ValueError): pass\nprint(7)"
    ),
    "priority of everybody": (
        "import os\n" + _EVERYBODY + "for which in (0, 1, 2):\n    for p in (1, os.getuid()):\n"
        "        try: os.setpriority(which, p, 19)\n        except OSError: pass\nprint(7)"
    ),
    "cores of everybody": (
        "import os\n" + _EVERYBODY + "for p in others:\n    try: os.sched_setaffinity(p, {0})\n"
        "    except OSError: pass\nprint(7)"
    ),
    "scheduling of PID 1": (
        "import os\ntry: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0))\n"
        "except OSError: pass\nprint(7)"
    ),
    "input and output priority": _LIBC + "libc.syscall(251, 1, 1, 3 << 13)\nlibc.syscall(251, 3, 1000, 3 << 13)\nprint(7)",
    "files of PID 1": (
        "for name in ('oom_score_adj', 'mem', 'comm', 'timerslack_ns', 'clear_refs', 'autogroup',\n"
        "             'coredump_filter', 'attr/current', 'task/1/comm'):\n"
        "    try: open('/proc/1/' + name, 'r+').write('9')\n    except OSError: pass\nprint(7)"
    ),
    "tracing of everybody": (
        _LIBC + _EVERYBODY + "print(6 if any(libc.ptrace(16, p, 0, 0) == 0 for p in others) else 7)"
    ),
    "memory of PID 1": (
        _LIBC + "b = ctypes.create_string_buffer(8)\nv = (ctypes.c_void_p * 2)(ctypes.addressof(b), 8)\n"
        "w = (ctypes.c_void_p * 2)(id(b), 8)\n"
        "print(6 if libc.process_vm_readv(1, v, 1, w, 1, 0) > 0 else 7)"
    ),
    "a descriptor of PID 1": "import os\n" + _LIBC + "print(6 if libc.syscall(438, os.pidfd_open(1), 0, 0) >= 0 else 7)",
    "keys and counters": (
        _LIBC + "found = [libc.syscall(n, 0, 0, 0, 0, 0) for n in (248, 250, 298, 321, 425, 447)]\n"
        "print(6 if any(x >= 0 for x in found) else 7)"
    ),
    "namespaces": _LIBC + "print(6 if any(libc.unshare(1 << n) == 0 for n in (17, 25, 26, 27, 28, 29, 30)) else 7)",
    "capabilities again": _LIBC + "print(6 if libc.prctl(24, 21, 0, 0, 0) == 0 and libc.unshare(1 << 17) == 0 else 7)",
    "processes of others": (
        "import os\nprint(6 if [p for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, os.getpid())] else 7)"
    ),
    "its own limits away": (
        "import resource\nfor what in (0, 1, 6, 7, 9):\n"
        "    try: resource.setrlimit(what, (-1, -1))\n    except (OSError, ValueError): pass\nprint(7)"
    ),
    "its output cut and sealed": (
        "import fcntl, os\nfor fd in (1, 2):\n    for act in (lambda: fcntl.fcntl(fd, 1033, 15),\n"
        "                lambda: os.ftruncate(fd, 60 << 20), lambda: os.ftruncate(fd, 0),\n"
        "                lambda: fcntl.flock(fd, 2)):\n"
        "        try: act()\n        except OSError: pass\nos.write(1, b'7')"
    ),
    "a stop of its group, and on": (
        "import os, signal, time\nme = os.getpid()\nif os.fork() == 0:\n    os.setsid()\n"
        "    for _ in range(20): os.kill(me, signal.SIGSTOP); os.kill(me, signal.SIGCONT)\n"
        "    os._exit(0)\nos.wait()\nprint(7)"
    ),
}  # fmt: skip

HONEST = {
    "asks for its own limits": "import os, resource\nresource.prlimit(os.getpid(), resource.RLIMIT_NOFILE)\nresource.setrlimit(resource.RLIMIT_STACK, resource.getrlimit(resource.RLIMIT_STACK))\nprint(6)",
    "chooses its core": "import os\nos.sched_setaffinity(0, os.sched_getaffinity(os.getpid()))\nprint(6)",
    "is nice": "import os\nos.nice(1)\nprint(6)",
    "handles an interrupt": "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    signal.pause()\nexcept KeyboardInterrupt: print(6)",
    "shares memory between processes": (
        "import ctypes, multiprocessing as m\ndef fill(a): ctypes.memset(a, 2, ctypes.sizeof(a))\n"
        "a = m.RawArray('i', 45 << 18)\nps = [m.Process(target=fill, args=(a,)) for _ in range(6)]\n"
        "[p.start() for p in ps]\n[p.join() for p in ps]\nimport time\ntime.sleep(0.2)\nprint(a[5] % 7 * 3)"
    ),
    "a block of shared memory": (
        "from multiprocessing import shared_memory as s\nm = s.SharedMemory(create=True, size=40 << 20)\n"
        "m.buf[:] = b'x' * (40 << 20)\nimport time\ntime.sleep(0.2)\nm.close()\nm.unlink()\nprint(6)"
    ),
    "maps much and touches little": "import mmap, time\nm = mmap.mmap(-1, 1 << 29)\nm[:6] = b'x' * 6\ntime.sleep(0.2)\nprint(m.rfind(b'x', 0, 99) + 1)",
    "a memory file": "import os, time\nfd = os.memfd_create('x')\nos.write(fd, bytes(40 << 20))\ntime.sleep(0.2)\nprint(6)",
    "sockets and pipes": (
        "import os, socket, time\nkept = [socket.socketpair() for _ in range(20)], [os.pipe() for _ in range(20)]\n"
        "time.sleep(0.2)\nprint(6)"
    ),
    "listens and connects": (
        "import socket\ns = socket.create_server(('127.0.0.1', 5055))\nc = socket.create_connection(('127.0.0.1', 5055))\n"
        "d, _ = s.accept()\nd.close()\nc.recv(1)\nc.close()\nprint(6)"
    ),
    "an abstract address": "import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('\\0taken')\ns.listen()\nprint(6)",
    "passes a descriptor": (
        "import os, socket\na, b = socket.socketpair()\nsocket.send_fds(a, [b'x'], [0])\n"
        "print(6 if socket.recv_fds(b, 1, 1)[1] else 7)"
    ),
    "waits for its children": _BURNS + "for _ in range(4):\n    p = os.fork()\n    if p == 0:\n        burn(0.08)\n        os._exit(0)\n    os.waitpid(p, 0)\nprint(6)",
    "does not wait for its children": _BURNS + "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nfor _ in range(3):\n    if os.fork() == 0:\n        burn(0.05)\n        os._exit(0)\ntime.sleep(0.4)\nprint(6)",
    "sleeps in a child": "import os, time\nif os.fork() == 0:\n    time.sleep(1.5)\n    os._exit(0)\nos.wait()\nprint(6)",
    "says MemoryError and goes on": "import sys\nprint('MemoryError', file=sys.stderr)\nprint(6)",
    "catches a MemoryError": "try: [0] * 10**12\nexcept MemoryError: print(6)",
    "leaves files without rights": "import os\nopen('x', 'w').close()\nos.chmod('x', 0)\nos.mkdir('d')\nos.chmod('d', 0)\nprint(6)",
    "takes the rights of its folder": "import os\nos.chmod('/tmp', 0)\nprint(6)",
    "fills its folder": "f = open('x', 'wb')\ntry:\n    while True: f.write(bytes(1 << 20))\nexcept OSError: pass\nprint(6)",
    "many files": "try:\n    for n in range(9000): open(str(n), 'w').close()\nexcept OSError: pass\nprint(6)",
}  # fmt: skip

MEMORY = {
    "memory files": _HELD + "kept = []\nfor n in range(20):\n    fd = os.memfd_create('x')\n    [os.write(fd, block()) for _ in range(30)]\n    kept.append(fd)" + _LASTS,
    "a memory file of a child": (
        _HELD + "if os.fork() == 0:\n    fds = [os.memfd_create('x') for _ in range(8)]\n"
        "    [os.write(fd, block()) for fd in fds for _ in range(50)]\n    time.sleep(9)" + _LASTS
    ),
    "memory that a child has written": (
        _HELD + "m = mmap.mmap(-1, 400 << 20)\nif os.fork() == 0:\n    for n in range(400): m[n << 20:(n + 1) << 20] = block()\n"
        "    os._exit(0)\nos.wait()" + _LASTS
    ),
    "memory files mapped and closed": (
        _HELD + "kept = []\nfor n in range(12):\n    fd = os.memfd_create('x')\n    [os.write(fd, block()) for _ in range(50)]\n"
        "    kept.append(mmap.mmap(fd, 50 << 20))\n    os.close(fd)" + _LASTS
    ),
    "memory files on their way": (
        _HELD + "a, b = socket.socketpair()\nfor n in range(12):\n    fd = os.memfd_create('x')\n"
        "    [os.write(fd, block()) for _ in range(50)]\n    socket.send_fds(a, [b'x'], [fd])\n    os.close(fd)" + _LASTS
    ),
    "released from its resident set": (
        _HELD + "m = mmap.mmap(-1, 400 << 20)\nfor n in range(400):\n    m[n << 20:(n + 1) << 20] = block()\n"
        "    m.madvise(mmap.MADV_DONTNEED)" + _LASTS
    ),
    "a child that cannot be read": (
        _HELD + "import ctypes\nfor _ in range(4):\n    if os.fork() == 0:\n        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"
        "        x = bytearray(80 << 20)\n        time.sleep(9)" + _LASTS
    ),
    "half here, half in files": (
        _HELD + "x = bytearray(150 << 20)\nfds = [os.memfd_create('x') for _ in range(3)]\n"
        "[os.write(fd, block()) for fd in fds for _ in range(50)]" + _LASTS
    ),
    "half here, half in its folder": _HELD + "x = bytearray(190 << 20)\nopen('x', 'wb').write(bytes(60 << 20))" + _LASTS,
    "an exception that nobody caught": "x = [0] * 10**12",
}  # fmt: skip

TIME = {
    "children that are discarded": (
        _BURNS + "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nr, w = os.pipe()\nfor _ in range(12):\n"
        "    if os.fork() == 0:\n        burn(0.4)\n        os.write(w, b'x')\n        os._exit(0)\n"
        "    os.read(r, 1)\nprint(6)"
    ),
    "many short children that are discarded": (
        _BURNS + "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nr, w = os.pipe()\nfor _ in range(150):\n"
        "    if os.fork() == 0:\n        burn(0.06)\n        os.write(w, b'x')\n        os._exit(0)\n"
        "    os.read(r, 1)\nprint(6)"
    ),
    "orphans that have ended": (
        _BURNS + "r, w = os.pipe()\nfor _ in range(6):\n    if os.fork() == 0:\n        if os.fork() == 0:\n"
        "            burn(0.4)\n            os.write(w, b'x')\n        os._exit(0)\n    os.wait()\n    os.read(r, 1)\nprint(6)"
    ),
    "orphans of sessions of their own": (
        _BURNS + "for _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0: burn(9)\n"
        "        os._exit(0)\ntime.sleep(9)\nprint(6)"
    ),
    "a child that waits for nobody": (
        _BURNS + "r, w = os.pipe()\nif os.fork() == 0:\n    for _ in range(12):\n        if os.fork() == 0:\n            burn(0.4)\n"
        "            os.write(w, b'x')\n            os._exit(0)\n        os.read(r, 1)\n    os.write(w, b'xx')\n    os._exit(0)\n"
        "time.sleep(9)\nprint(6)"
    ),
    "threads": _BURNS + "import threading\n[threading.Thread(target=burn, args=(9,)).start() for _ in range(4)]",
}  # fmt: skip

FAILS = {
    "says MemoryError and exits": "import sys\nprint('MemoryError', file=sys.stderr)\nsys.exit(1)",
    "says MemoryError and raises": "import sys\nprint('MemoryError', file=sys.stderr)\nraise ValueError('MemoryError')",
    "kills its namespace": "import os\nos.kill(-1, 9)\nos.kill(os.getpid(), 9)",
    "kills its group": "import os\nos.killpg(0, 9)",
    "stops and is not continued": "import os\nos.kill(0, 19)",
    "no processes left": "import os\ntry:\n    while True:\n        if os.fork() == 0: import time; time.sleep(9)\nexcept OSError: raise SystemExit(1)",
    "no descriptors left": "import os\nkept = [os.open('/dev/null', 0) for _ in range(300)]",
}  # fmt: skip

KINDS = {
    "wrong_answer": WATCHER, "correct": HONEST, "memory_limit": MEMORY, "time_limit": TIME,
    "runtime_error": FAILS,
}  # fmt: skip
"""By the verdict due."""
