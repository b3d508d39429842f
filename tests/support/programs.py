"""Programs by what must become of them. Each reads "1 2 3" and ought to print 6."""

from __future__ import annotations

SUM = "print(sum(map(int, input().split())))\n"

ACCEPTED = {
    "plain": SUM,
    "atexit": "import atexit\natexit.register(lambda: print(6))",
    "thread that nobody joins": (
        "import threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print(6))).start()"
    ),
    "file never closed": "out = open(1, 'w')\nout.write('6')",
    "destructor": "class A:\n    def __del__(self): print(6)\na = A()",
    "stdin by path": "print(sum(map(int, open('/dev/stdin').read().split())))",
    "stdin by descriptor": "print(sum(map(int, open(0).read().split())))",
    "bytes": "import sys\nprint(sum(map(int, sys.stdin.buffer.readline().split())))",
    "exit with text none": "import sys\nprint(6)\nsys.exit(None)",
    "exit builtin": "print(6)\nexit()",
    "main module": "import sys\nprint(6 if sys.modules['__main__'].__name__ == '__main__' else 0)",
    "deep recursion": (
        "import sys\nfrom functools import lru_cache\nsys.setrecursionlimit(10**6)\n"
        "@lru_cache(None)\ndef f(n): return 0 if n == 0 else f(n - 1) + 1\n"
        "f(100000)\n" + SUM
    ),
    "thread with a large stack": (
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(512 << 20)\n"
        "t = threading.Thread(target=lambda: print(6))\nt.start()\nt.join()"
    ),
    "process pool": (
        "from multiprocessing import Pool\n"
        "with Pool(2) as pool: print(sum(pool.map(int, input().split())))"
    ),
    "pickling its own class": (
        "import pickle\nclass A: x = 6\nprint(pickle.loads(pickle.dumps(A())).x)"
    ),
    "future import": "from __future__ import annotations\n" + SUM,
    "numpy": "import numpy as np\nprint(int(np.array(input().split(), dtype=int).sum()))",
    "temporary files": (
        "import tempfile\nwith tempfile.TemporaryFile('w+') as f:\n"
        "    f.write('6')\n    f.seek(0)\n    print(f.read())"
    ),
    "own module": "open('helper.py', 'w').write('x = 6')\nimport helper\nprint(helper.x)",
    "subprocess": "import subprocess\nsubprocess.run(['/bin/echo', '6'])",
    "daemon left behind": (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(99)\nprint(6)"
    ),
}

FAILED = {
    "wrong_answer": {
        "silence": "pass",
        "printed by an orphan, too late": (
            "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(0.5)\n"
            "    print(6, flush=True)\nos._exit(0)"
        ),
        "vsock": (
            "import socket\ntry: socket.socket(40)\nexcept OSError: print(7)\nelse: print(6)"
        ),
        "clone3 and clone for namespaces": (
            "import ctypes\nlibc = ctypes.CDLL(None)\nfor flag in (0x10000000, 0x20000000, 0x40000000):"
            "\n    pid = libc.syscall(56, flag | 17, 0, 0, 0, 0)\n    if pid == 0: libc._exit(0)"
            "\n    if pid > 0: print(6)\nprint(7)"
        ),
        "System V memory": (
            "import ctypes\nprint(6 if ctypes.CDLL(None).shmget(1, 4096, 0o1666) >= 0 else 7)"
        ),
        "the init's environment": (
            "try: open('/proc/1/environ').read()\nexcept OSError: print(7)\nelse: print(6)"
        ),
        "the init's descriptors": (
            "import os\ntry: os.listdir('/proc/1/fd')\nexcept OSError: print(7)\nelse: print(6)"
        ),
        "descriptors that it was not given": (
            "import os\nopened = [fd for fd in range(3, 300) if os.path.exists(f'/proc/self/fd/{fd}')]"
            "\nprint(6 if len(opened) > 0 else 7)"
        ),
        "capabilities": (
            "text = open('/proc/self/status').read()\n"
            "print(7 if 'CapEff:\\t0000000000000000' in text and 'CapPrm:\\t0000000000000000' in text"
            " and 'NoNewPrivs:\\t1' in text and 'Seccomp:\\t2' in text else 6)"
        ),
        "writable places": (
            "import os\nfor path in ('/', '/usr', '/judge', '/dev', '/etc'):\n"
            "    try: open(path + '/x', 'w'); print(6)\n    except OSError: pass\nprint(7)"
        ),
        "modules of the judge": (
            "import sys\nprint(6 if any(m.startswith('harness') for m in sys.modules) else 7)"
        ),
    },
    "compile_error": {
        "syntax": "print((6)",
        "null": "print(6)\0",
        "indentation": "if 1:\nprint(6)",
        "lone surrogate": "print('\ud800')",
        "nesting": "print(" + "(" * 5000 + ")" * 5001,
    },
    "runtime_error": {
        "exception": "print(6, flush=True)\nraise ValueError",
        "exit status": "print(6)\nraise SystemExit(3)",
        "exit with a text": "print(6)\nraise SystemExit('no')",
        "end of input": "input(); input()",
        "killed by itself": "import os\nprint(6, flush=True)\nos.kill(os.getpid(), 9)",
        "abort": "import os\nos.abort()",
        "stopped": "import os\nos.kill(os.getpid(), 19)",
        "too many files": "import os\nkept = [os.open('/dev/null', 0) for _ in range(10**4)]",
        "broken at the end": "import sys\nprint(6)\nsys.stdout.flush()\nsys.stdout.close = 1\n1/0",
    },
    "time_limit": {
        "loop": "while True: pass",
        "loop against signals": (
            "import signal\nfor s in range(1, 65):\n"
            "    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
            "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
        ),
        "children": (
            "import os\nfor _ in range(4):\n    if os.fork() == 0:\n        while True: pass\n"
            "os.wait()"
        ),
        "after the end": "import atexit\n@atexit.register\ndef f():\n    while True: pass",
        "sleep": "import time\ntime.sleep(1000)",
    },
    "memory_limit": {
        "one block": "x = [0] * 10**11",
        "growth": "x = []\nwhile True: x.append('x' * 10**6)",
        "caught, and held": "x = bytearray(300 << 20)\nprint(6)",
        "spread over processes": (
            "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
            "        x = bytearray(64 << 20)\n        time.sleep(9)\n        os._exit(0)\nos.wait()"
        ),
    },
    "output_limit": {"endless": "while True: print('6' * 10**6)"},
}
