"""Small programs whose output depends on how the interpreter runs and ends them, by family.

Each reads `STDIN`. What is right is what `python3 solution.py` does; nothing is expected here.
"""

from __future__ import annotations

from itertools import product

STDIN = "3\n1 2 3\nlast line without its end"

_OUT = """
class Out:
    def __init__(self, fd=1):
        self.fd, self.parts = fd, []
    def write(self, text):
        self.parts.append(text)
        return len(text)
    def flush(self):
        os.write(self.fd, ''.join(self.parts).encode())
        self.parts = []
"""
_FAST = """
class Fast(io.IOBase):
    newlines = 0
    def __init__(self, file):
        self._fd = file.fileno()
        self.buffer = io.BytesIO()
        self.writable = True
        self.write = self.buffer.write
    def flush(self):
        os.write(self._fd, self.buffer.getvalue())
        self.buffer.truncate(0), self.buffer.seek(0)
class Wrapper(io.IOBase):
    def __init__(self, file):
        self.buffer = Fast(file)
        self.flush = self.buffer.flush
        self.writable = self.buffer.writable
        self.write = lambda s: self.buffer.write(s.encode())
"""
REPLACED = {
    "kept": "",
    "a class": _OUT + "sys.stdout = Out()",
    "a class with closed": _OUT + "Out.closed = False\nsys.stdout = Out()",
    "a class, closed": _OUT + "Out.closed = True\nsys.stdout = Out()",
    "a class with __del__": _OUT + "Out.__del__ = Out.flush\nsys.stdout = Out()",
    "a class without flush": _OUT + "del Out.flush\nsys.stdout = Out()",
    "a class whose flush fails": _OUT + "Out.flush = lambda self: 1 / 0\nsys.stdout = Out()",
    "a subclass of IOBase": _FAST + "sys.stdout = Wrapper(sys.stdout)",
    "a subclass of TextIOBase": (
        "class Text(io.TextIOBase):\n    def write(self, s): return os.write(1, s.encode())\n"
        "sys.stdout = Text()"
    ),
    "StringIO dropped": "sys.stdout = io.StringIO()",
    "StringIO given back": "old, sys.stdout = sys.stdout, io.StringIO()\nback = True",
    "StringIO in atexit": (
        "sys.stdout = io.StringIO()\n"
        "atexit.register(lambda: sys.__stdout__.write(sys.stdout.getvalue()))"
    ),
    "TextIOWrapper over BytesIO": (
        "b = io.BytesIO()\nsys.stdout = io.TextIOWrapper(b)\n"
        "@atexit.register\ndef w():\n    sys.stdout.flush()\n"
        "    sys.__stdout__.write(b.getvalue().decode())"
    ),
    "BytesIO in atexit, by os.write": (
        "b = io.BytesIO()\nsys.stdout = io.TextIOWrapper(b, write_through=True)\n"
        "atexit.register(lambda: os.write(1, b.getvalue()))"
    ),
    "open by descriptor": "sys.stdout = open(1, 'w')",
    "open by descriptor, not closed": "sys.stdout = open(1, 'w', closefd=False)",
    "fdopen": "sys.stdout = os.fdopen(1, 'w')",
    "fdopen of a copy": "sys.stdout = os.fdopen(os.dup(1), 'w', 1 << 16)",
    "fdopen in bytes": "sys.stdout = io.TextIOWrapper(os.fdopen(1, 'wb', 1 << 16))",
    "open by path": "sys.stdout = open('/dev/stdout', 'w')",
    "codecs": "import codecs\nsys.stdout = codecs.getwriter('utf-8')(sys.stdout.buffer)",
    "its own buffer": "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')",
    "detached": "sys.stdout = io.TextIOWrapper(sys.stdout.detach(), write_through=False)",
    "delegating": (
        "class D:\n    def __init__(self, o): self.o = o\n"
        "    def __getattr__(self, name): return getattr(self.o, name)\nsys.stdout = D(sys.stdout)"
    ),
    "write replaced": "w = sys.stdout.write\nsys.stdout.write = lambda s: w(s.upper())",
    "flush replaced": "sys.stdout.flush = lambda: os.write(1, b'flushed')",
    "redirected": "import contextlib\ncontextlib.redirect_stdout(io.StringIO()).__enter__()",
    "the error stream": "sys.stdout = sys.stderr",
    "line buffered": "sys.stdout.reconfigure(line_buffering=True)",
    "saved and put back": "old = sys.stdout\nsys.stdout = io.StringIO()\nsys.stdout = old",
    "saved and put back, text left": (
        "old = sys.stdout\nsys.stdout = open(1, 'w')\nsys.stdout.write('left')\nkept = sys.stdout\n"
        "sys.stdout = old"
    ),
}  # fmt: skip
"""Ways to replace sys.stdout."""

_BACK = "\nif 'back' in globals(): old.write(sys.stdout.getvalue())\n"
ENDED = {
    "by falling off": "print(sum(range(4)))" + _BACK,
    "by exit": "print(6)" + _BACK + "sys.exit()",
    "by an exit status": "print(6)" + _BACK + "sys.exit(3)",
    "by an error": "print(6)" + _BACK + "raise ValueError('x')",
    "by _exit": "print(6)" + _BACK + "os._exit(0)",
    "in a destructor": "class A:\n    def __del__(self): print('del', os.getpid() > 0)\na = A()\nprint(6)" + _BACK,
    "in atexit": "@atexit.register\ndef last():\n    print('last')\n    sys.__stdout__.write('own')\nprint(6)" + _BACK,
    "in a thread": (
        "import threading, time\nended = threading.Event()\n"
        "threading.Thread(target=lambda: (ended.wait(), time.sleep(.05), print('t'))).start()\n"
        "print(6)" + _BACK + "ended.set()"
    ),
}  # fmt: skip


def replaced() -> dict[str, str]:
    """Every way to replace sys.stdout with every way to end."""
    return {
        f"{kind}, ended {end}": f"import atexit, io, os, sys\n{setup}\n{text}\n"
        for (kind, setup), (end, text) in product(REPLACED.items(), ENDED.items())
    }


_LOUD = "import os, sys\nclass A:\n    def __init__(self, n=0): self.n = n\n    def __del__(self): print('del', self.n)\n"
DESTROYED = {
    "an object": "a = A()",
    "three objects": "a, c, b = A(1), A(2), A(3)",
    "a list": "x = [A(1)]",
    "a cycle": "x = A(1); x.me = x",
    "two cycles": "x = A(1); x.me = x; y = A(2); y.other = x",
    "a default argument": "def f(a=A(1)): pass",
    "a class attribute": "class B: a = A(1)",
    "a private name": "_a = A(1); b = A(2)",
    "an attribute of sys": "sys.kept = A(1)",
    "an attribute of os": "os.kept = A(1)",
    "an attribute of random": "import random; random.kept = A(1)",
    "an attribute of builtins": "import builtins; builtins.kept = A(1)",
    "an own module": "import types; m = types.ModuleType('m'); m.a = A(1); sys.modules['m'] = m; del m",
    "a thread's local": "import threading; l = threading.local(); l.a = A(1)",
    "a closure": "def f():\n    a = A(1)\n    return lambda: a\ng = f()",
    "a cache": "import functools\n@functools.cache\ndef f(x): return A(x)\nf(1)",
    "the error": "def f():\n    a = A(1)\n    raise ValueError(a)\nf()",
    "the error's frame": "def f():\n    a = A(1)\n    1 / 0\ntry: f()\nexcept ZeroDivisionError as e: kept = e",
    "after exit": "a = A(1)\nsys.exit(4)",
    "after _exit": "a = A(1)\nprint(5, flush=True)\nos._exit(0)",
    "one that fails": "A.__del__ = lambda self: 1 / 0\na = A()\nprint(6)",
    "one that exits": "A.__del__ = lambda self: sys.exit(3)\na = A()\nprint(6)",
    "one that leaves": "A.__del__ = lambda self: os._exit(3)\na = A()\nprint(6, flush=True)",
    "one that imports": "def d(self):\n    import math\n    print(math.pi)\nA.__del__ = d\na = A()",
    "one that uses a global": "r = 5\nA.__del__ = lambda self: print(r, n)\nn = 4\na = A()",
    "one that writes to __stdout__": "A.__del__ = lambda self: sys.__stdout__.write('x')\na = A()",
    "one that writes to a descriptor": "A.__del__ = lambda self: os.write(1, b'x')\na = A()\nprint(6)",
    "one with slots": "class B:\n    __slots__ = ()\n    def __del__(self): print('slots')\nb = B()",
    "one that revives": "kept = []\nA.__del__ = lambda self: (print('d'), kept.append(self))\na = A()",
    "a metaclass": "class M(type):\n    def __del__(cls): print('type')\nclass B(metaclass=M): pass",
    "deleted before": "a = A(1); del a; print('end')",
    "a generator": "def g():\n    try: yield 1\n    finally: print('finally')\nx = g(); next(x)",
    "a generator not begun": "def g():\n    try: yield 1\n    finally: print('finally')\nx = g()",
    "a generator that uses a global": "r = 7\ndef g():\n    try: yield 1\n    finally: print(r)\nx = g(); next(x)",
    "a generator that ended": "x = (i for i in range(3)); print(list(x))",
    "a generator halfway": "x = (i for i in range(3)); print(next(x))",
    "a context manager": "import contextlib\n@contextlib.contextmanager\ndef c():\n    try: yield\n    finally: print('out')\nx = c(); x.__enter__()",
    "a coroutine": "async def f():\n    try: await g()\n    finally: print('aw')\nclass g:\n    def __await__(self): yield\nx = f(); x.send(None)",
    "a reference's callback": "import weakref\nclass B: pass\nb = B()\nr = weakref.ref(b, lambda r: print('gone'))",
    "a proxy's callback": "import weakref\nclass B: pass\nb = B()\nr = weakref.proxy(b, lambda r: print('gone'))",
    "a callback that prints the reference": "import weakref\nclass B: pass\nb = B()\nr = weakref.ref(b, lambda r: print(r() is None))",
    "finalize": "import weakref\nclass B: pass\nb = B()\nweakref.finalize(b, print, 'final', 6)",
    "finalize, not at exit": "import weakref\nclass B: pass\nb = B()\nweakref.finalize(b, print, 'x').atexit = False",
    "two of finalize": "import weakref\nclass B: pass\nb = B()\nfor i in 1, 2: weakref.finalize(b, print, i)",
    "a weak dictionary": "import weakref\nd = weakref.WeakValueDictionary()\na = A(1)\nd[1] = a\nprint(len(d))",
    "abstract classes": "import collections.abc as c\nclass B: pass\nc.Sized.register(B)\nprint(isinstance([], c.Iterable), isinstance(B(), c.Sized))",
    "a temporary file": "import tempfile\nf = tempfile.NamedTemporaryFile('w')\nf.write('x')\nprint(6)",
    "a callback of the collector": "import gc\ngc.callbacks.append(lambda phase, info: os.write(1, b'g') if phase == 'never' else None)\nprint(6)",
    "an ExitStack": "import contextlib\ns = contextlib.ExitStack()\ns.callback(print, 'never')\nprint(6)",
    "the collector off": "import gc\ngc.disable()\nx = A(1); x.me = x",
    "the old stdout": "import io\nold = sys.stdout\nsys.stdout = io.StringIO()\nA.__del__ = lambda self: old.write('kept')\na = A()",
    "a class in a function": "def f():\n    class B:\n        def __del__(self): print('inner')\n    return B()\nb = f()",
}  # fmt: skip


def destroyed() -> dict[str, str]:
    """What freeing the program's objects prints."""
    return {f"destroyed: {name}": f"{_LOUD}{text}\n" for name, text in DESTROYED.items()}


_THREADS = "import sys, os, threading, time, atexit\nT = threading.Thread\n"
THREADS = {
    "joined": "t = T(target=print, args=(6,)); t.start(); t.join()",
    "not joined": "e = threading.Event(); T(target=lambda: (e.wait(), print(6))).start(); print(5); e.set()",
    "after an error": "T(target=lambda: (time.sleep(.02), print(6))).start(); 1 / 0",
    "after exit": "T(target=lambda: (time.sleep(.02), print(6))).start(); sys.exit(2)",
    "before atexit": "atexit.register(print, 'a'); T(target=lambda: (time.sleep(.02), print(6))).start()",
    "that starts another": "T(target=lambda: T(target=lambda: (time.sleep(.02), print(6))).start()).start()",
    "daemon": "T(target=lambda: (time.sleep(9), print(6)), daemon=True).start(); print(5)",
    "daemon that loops": "T(target=lambda: [0 for _ in iter(int, 1)], daemon=True).start(); print(5)",
    "daemon and destructor": "class A:\n    def __del__(self): print('d')\na = A()\nT(target=time.sleep, args=(9,), daemon=True).start()",
    "timer": "threading.Timer(.02, print, (6,)).start()",
    "that fails": "t = T(target=lambda: 1 / 0); t.start(); t.join(); print(6)",
    "that fails, own hook": "threading.excepthook = lambda a: print(a.exc_type.__name__)\nt = T(target=lambda: 1 / 0); t.start(); t.join()",
    "that exits": "t = T(target=sys.exit, args=(3,)); t.start(); t.join(); print(6)",
    "that leaves": "T(target=lambda: os._exit(4)).start(); time.sleep(.5)",
    "pool": "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as p: print(sum(p.map(int, '123')))",
    "pool left open": "from concurrent.futures import ThreadPoolExecutor\np = ThreadPoolExecutor(2)\np.submit(lambda: (time.sleep(.02), print(6)))",
    "queue": "import queue\nq = queue.Queue()\ndef w():\n    while True: print(q.get()); q.task_done()\nT(target=w, daemon=True).start()\nfor i in range(3): q.put(i)\nq.join()",
    "large stack": "threading.stack_size(64 << 20)\nsys.setrecursionlimit(10**5)\ndef f(n): return n and f(n - 1)\nt = T(target=lambda: print(f(20000))); t.start(); t.join()",
    "that reads": "t = T(target=lambda: print(input())); t.start(); t.join(); print(input())",
    "main": "print(threading.current_thread().name, threading.main_thread() is threading.current_thread(), threading.active_count())",
    "asyncio": "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    print(6)\nasyncio.run(f())",
    "asyncio left": "import asyncio\nl = asyncio.new_event_loop()\nl.run_until_complete(asyncio.sleep(0))\nprint(6)",
}  # fmt: skip
_ATEXIT = "import atexit, os, sys\n"
ATEXIT = {
    "order": "for i in range(3): atexit.register(print, i)\nprint('end')",
    "error": "atexit.register(print, 1)\n@atexit.register\ndef f(): 1 / 0\natexit.register(print, 2)",
    "exit": "atexit.register(print, 1)\natexit.register(sys.exit, 3)\natexit.register(print, 2)",
    "leave": "atexit.register(print, 1)\natexit.register(os._exit, 3)\natexit.register(print, 2)",
    "unregister": "atexit.register(print, 1)\natexit.register(print, 2)\natexit.unregister(print)\nprint(3)",
    "register again": "atexit.register(lambda: atexit.register(print, 'inner'))",
    "run by hand": "atexit.register(print, 1)\natexit._run_exitfuncs()\nprint(2)",
    "clear": "atexit.register(print, 1)\natexit._clear()\nprint(2)",
    "clear with a destructor": "class A:\n    def __del__(self): print('d')\na = A()\natexit._clear()",
    "status": "atexit.register(print, 1)\nsys.exit(5)",
    "after an error": "atexit.register(print, 1)\n1 / 0",
    "file name": "atexit.register(lambda: print('__file__' in globals(), '__cached__' in globals()))",
    "file name after exit": "atexit.register(lambda: print('__file__' in globals()))\nsys.exit(1)",
    "last error": "atexit.register(lambda: print(getattr(sys, 'last_type', None)))\n1 / 0",
    "globals": "x = 1\n@atexit.register\ndef f(): print(x, y, len(sys.argv))\ny = 2",
    "input": "atexit.register(lambda: print(input()))\ninput()",
    "closed": "atexit.register(sys.stdout.close)\nprint(6)",
    "replaced": "@atexit.register\ndef f(): sys.stdout = open(1, 'w'); print(7)\nprint(6)",
    "logging": "import logging, logging.handlers\nh = logging.StreamHandler(sys.stdout)\nm = logging.handlers.MemoryHandler(99, target=h)\nlogging.getLogger().addHandler(m)\nlogging.error('x')\nprint(6)",
    "logging to a file kept open": "import logging\nlogging.basicConfig(filename='/dev/stdout')\nlogging.error('x')",
    "logging.shutdown": "import logging\nlogging.basicConfig(stream=sys.stdout)\nlogging.error('x')\nlogging.shutdown()\nprint(6)",
    "in a function": "def main():\n    atexit.register(lambda: print('x'))\nmain()",
    "forked": "atexit.register(print, 'a')\npid = os.fork()\nif pid: os.waitpid(pid, 0)",
    "forked, child leaves": "atexit.register(print, 'a')\npid = os.fork()\nif not pid: os._exit(0)\nos.waitpid(pid, 0)",
}  # fmt: skip
_EXITS = "import os, signal, sys\nprint('before')\n"
EXITS = {
    **{
        f"sys.exit({code})": f"sys.exit({code})"
        for code in ("None", "0", "1", "3", "255", "256", "257", "-1", "True", "2**31", "2**63",
                     "-2**70", "'text'", "''", "1.5", "(1, 2)", "[]", "b'x'", "sys")
    },
    "exit()": "exit()", "quit(2)": "quit(2)", "exit('x')": "exit('x')",
    "raise SystemExit": "raise SystemExit", "raise SystemExit(7)": "raise SystemExit(7)",
    "SystemExit of two": "raise SystemExit(1, 2)",
    "a subclass": "class E(SystemExit): pass\nraise E(9)",
    "a subclass with a code": "class E(SystemExit): code = 8\nraise E",
    "caught": "try: sys.exit(3)\nexcept SystemExit: print('caught')",
    "in finally": "try: sys.exit(3)\nfinally: print('finally')",
    "finally exits": "try: 1 / 0\nfinally: sys.exit(0)",
    "_exit": "os._exit(5)", "_exit after flush": "sys.stdout.flush(); os._exit(0)",
    "abort": "os.abort()", "error": "1 / 0", "assertion": "assert False, 'x'",
    "interrupt": "raise KeyboardInterrupt", "interrupted": "os.kill(os.getpid(), signal.SIGINT)",
    "terminated": "os.kill(os.getpid(), signal.SIGTERM)",
    "killed": "sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)",
    "alarm": "signal.signal(signal.SIGALRM, lambda *a: sys.exit(4))\nsignal.setitimer(signal.ITIMER_REAL, .01)\nsignal.pause()",
    "handled signal": "signal.signal(signal.SIGTERM, lambda *a: print('term'))\nos.kill(os.getpid(), signal.SIGTERM)",
    "recursion": "def f(): f()\nf()", "recursion caught": "def f(): f()\ntry: f()\nexcept RecursionError: print('deep')",
    "recursion of 900": "def f(n): return n and f(n - 1)\nprint(f(900), sys.getrecursionlimit())",
    "how deep recursion goes": "def f(n): return n and f(n - 1)\nfor n in range(900, 1100):\n    try: f(n)\n    except RecursionError: break\nprint(n)",
    "how deep recursion goes after a new limit": "sys.setrecursionlimit(1500)\ndef f(n): return n and f(n - 1)\nfor n in range(1400, 1600):\n    try: f(n)\n    except RecursionError: break\nprint(n)",
    "recursion of 20000": "sys.setrecursionlimit(10**6)\ndef f(n): return n and f(n - 1)\nprint(f(20000))",
    "a group": "raise ExceptionGroup('g', [ValueError(1)])", "base": "raise BaseException",
    "stop": "next(iter(()))", "generator exit": "raise GeneratorExit", "no memory": "raise MemoryError",
    "hook": "sys.excepthook = lambda *a: print('hook', a[0].__name__)\n1 / 0",
    "hook with the trace": "sys.excepthook = lambda t, e, b: print(b.tb_lineno, b.tb_next is None, e.__traceback__ is b)\n1 / 0",
    "hook that fails": "sys.excepthook = lambda *a: 1 / 0\n[][0]",
    "hook that exits": "sys.excepthook = lambda *a: sys.exit(6)\n[][0]",
    "hook that leaves": "sys.excepthook = lambda *a: os._exit(0)\n[][0]",
    "no hook": "del sys.excepthook\n1 / 0", "hook and exit": "sys.excepthook = print\nsys.exit(2)",
    "hook that prints a trace": "import traceback\nsys.excepthook = lambda t, e, b: print(len(traceback.extract_tb(b)))\ndef f(): 1 / 0\nf()",
    "unraisable hook": "sys.unraisablehook = lambda u: print('un', u.exc_type.__name__)\nclass A:\n    def __del__(self): 1 / 0\nA()",
    "unraisable hook at the end": "sys.unraisablehook = lambda u: print('un', u.exc_type.__name__)\nclass A:\n    def __del__(self): 1 / 0\na = A()",
    "code run by exec": "exec('print(6)\\nraise SystemExit(3)')",
    "bad code run by exec": "exec('x =')", "error stream gone": "sys.stderr = None\n1 / 0",
    "stdout gone": "sys.stdout = None\nprint(6)", "stdout deleted": "del sys.stdout",
    "stdout closed": "sys.stdout.close()", "stdout closed, then printed to": "sys.stdout.close()\nprint(6)",
    "stderr closed": "sys.stderr.close()\n1 / 0", "descriptor closed": "os.close(1)",
    "descriptor closed, error": "os.close(1)\n1 / 0", "descriptor closed, exit": "os.close(1)\nsys.exit(3)",
    "descriptor replaced": "os.dup2(os.open('/dev/null', os.O_WRONLY), 1)",
    "full device": "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)",
    "full device, error": "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)\n1 / 0",
    "_exit replaced": "os._exit = print", "exit replaced": "sys.exit = print\nsys.exit(3)",
    "modules cleared": "sys.modules.clear()", "main replaced": "sys.modules['__main__'] = None",
    "main deleted": "class A:\n    def __del__(self): print('d')\na = A()\ndel sys.modules['__main__']\nprint(a is not None)",
    "globals cleared": "globals().clear()", "builtins replaced": "import builtins\nbuiltins.print = None",
    "warning": "import warnings\nwarnings.warn('x')\nprint(6)",
    "warning as error": "import warnings\nwarnings.simplefilter('error')\nwarnings.warn('x')",
    "trace": "n = []\nsys.settrace(lambda *a: n.append(a[1]))\n(lambda: 1)()\nsys.settrace(None)\nprint(n)",
}  # fmt: skip
_BUFFERED = "import io, os, sys\n"
BUFFERED = {
    "open kept": "out = open(1, 'w')\nout.write('6')",
    "open kept, print too": "out = open(1, 'w')\nout.write('6')\nprint(5)",
    "fdopen kept": "out = os.fdopen(1, 'w')\nout.write('6')",
    "fdopen kept in a list": "outs = [os.fdopen(1, 'w')]\nouts[0].write('6')",
    "fdopen in a function": "def f():\n    out = os.fdopen(1, 'w', closefd=False)\n    out.write('6')\nf()\nprint(5)",
    "fdopen of a copy": "out = os.fdopen(os.dup(1), 'wb')\nout.write(b'6')\nprint(5)",
    "kept by a class": "class O: out = open(1, 'w')\nO.out.write('6')",
    "kept by a cycle": "class O: pass\no = O(); o.me = o; o.out = open(1, 'w', closefd=False)\no.out.write('6')",
    "kept by a module": "import random\nrandom.out = open(1, 'w')\nrandom.out.write('6')",
    "kept by builtins": "import builtins\nbuiltins.out = open(1, 'w')\nout.write('6')",
    "kept by print": "import builtins, functools\nbuiltins.print = functools.partial(print, file=open(1, 'w'))\nprint(6)",
    "kept, then _exit": "out = open(1, 'w')\nout.write('6')\nos._exit(0)",
    "kept, then error": "out = open(1, 'w')\nout.write('6')\n1 / 0",
    "closed": "with open(1, 'w') as out: out.write('6')\n", "closed, then print": "with open(1, 'w') as out: out.write('6')\nprint(5)",
    "buffered writer": "out = io.BufferedWriter(io.FileIO(1, 'w'), 1 << 20)\nout.write(b'6' * 99999)",
    "unbuffered": "out = open(1, 'wb', 0)\nout.write(b'6')\nprint(5)",
    "buffer": "sys.stdout.buffer.write(b'6')\nprint(5)", "print, buffer": "print(5)\nsys.stdout.buffer.write(b'6')",
    "os.write between": "print(5)\nos.write(1, b'6')\nprint(7)",
    "os.write between, flushed": "print(5, flush=True)\nos.write(1, b'6')\nprint(7)",
    "much": "for i in range(30000): print(i)", "much, os.write between": "print('x' * 10000)\nos.write(1, b'6')\nprint('y' * 3)",
    "writelines": "sys.stdout.writelines(f'{i}\\n' for i in range(9))",
    "print without end": "print(6, end='')", "print to the path": "print(6, file=open('/dev/stdout', 'w'))",
    "printf": "import ctypes\nctypes.CDLL(None).printf(b'%d\\n', 6)\nprint(5)",
    "puts": "import ctypes\nctypes.CDLL(None).puts(b'6')", "null in text": "print('a\\0b')",
    "text": "print('héé 日本 😀')", "lone surrogate": "print('\\udc80')", "bytes": "sys.stdout.buffer.write(bytes(range(256)))",
    "lines": "print('a\\r\\nb')\nprint('a', 'b', sep='\\n', end='')", "csv": "import csv\ncsv.writer(sys.stdout).writerow([1, 'a b', 'c,d'])",
    "json": "import json\njson.dump({'a': [1, 2.5, None]}, sys.stdout)", "pprint": "import pprint\npprint.pprint({i: 'x' * i for i in range(20)})",
    "sent": "import tempfile\nf = tempfile.TemporaryFile()\nf.write(b'6'); f.flush()\nos.sendfile(1, f.fileno(), 0, 1)",
    "sys.displayhook": "sys.displayhook(6)", "tell": "print(sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.errors, sys.stdout.fileno(), sys.stdout.mode, sys.stdout.name)",
    "truncated": "print('abc', flush=True)\nos.ftruncate(1, 1)\nprint('d')", "fsync": "print(6, flush=True)\nos.lseek(1, 0, 0)\nprint(7)",
    "no newline on error": "print(6, end='')\nprint(7, file=sys.stderr)", "help": "print(len.__doc__)",
}  # fmt: skip
_CHILDREN = "import os, subprocess, sys\n"
CHILDREN = {
    "run": "subprocess.run(['/bin/echo', '6'])\nprint(5)", "run, flushed": "print(5, flush=True)\nsubprocess.run(['/bin/echo', '6'])",
    "output": "print(subprocess.check_output(['/bin/echo', '6']))", "system": "os.system('echo 6')", "popen": "print(os.popen('echo 6').read())",
    "input": "print(subprocess.run(['cat'], input=b'6', capture_output=True).stdout)", "cat": "subprocess.run(['cat'])",
    "left open": "p = subprocess.Popen(['/bin/echo', '6'])\np.wait()", "failed": "print(subprocess.run(['false']).returncode)",
    "python": "subprocess.run([sys.executable, '-c', 'print(6)'])", "exec": "os.execv('/bin/echo', ['echo', '6'])",
    "exec, text left": "print(5)\nos.execv('/bin/echo', ['echo', '6'])", "fork": "if os.fork(): os.wait()\nprint(6)",
    "fork, text left": "print(5)\nif os.fork(): os.wait()\nprint(6)", "fork, child exits": "pid = os.fork()\nif not pid: sys.exit(3)\nprint(os.waitstatus_to_exitcode(os.wait()[1]))",
    "spawn": "os.waitpid(os.posix_spawn('/bin/echo', ['echo', '6'], {}), 0)", "pipe": "r, w = os.pipe()\nos.write(w, b'6')\nprint(os.read(r, 9))",
    "process": "from multiprocessing import Process\np = Process(target=print, args=(6,))\np.start()\np.join()\nprint(5)",
    "process not joined": "from multiprocessing import Process\nProcess(target=print, args=(6,)).start()",
    "pool": "from multiprocessing import Pool\nwith Pool(2) as p: print(p.map(abs, [-1, 2]))",
    "queue": "from multiprocessing import Process, Queue\nq = Queue()\nProcess(target=q.put, args=(6,)).start()\nprint(q.get())",
    "future": "from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(1) as p: print(p.submit(abs, -6).result())",
}  # fmt: skip
_READING = "import sys, os, io\n"
READING = {
    "input": "print(input(), input(), input())", "input to the end": "while True: print(input())", "prompt": "print(input('n? '))",
    "eof": "try:\n    while True: input()\nexcept EOFError: print('end')", "read": "print(repr(sys.stdin.read()))",
    "readline": "print(repr(sys.stdin.readline()), repr(sys.stdin.readline()))", "readlines": "print(sys.stdin.readlines())",
    "lines": "for line in sys.stdin: print(repr(line))", "buffer": "print(sys.stdin.buffer.read())", "buffer lines": "print(sys.stdin.buffer.readline(), sys.stdin.buffer.readlines())",
    "open": "print(repr(open(0).read()))", "open bytes": "print(open(0, 'rb').read())", "open lines": "print(list(open(0)))", "open closefd": "print(open(0, closefd=False).read())\nprint(sys.stdin.read())",
    "path": "print(open('/dev/stdin').read())", "path of the descriptor": "print(open('/proc/self/fd/0').read())", "os.read": "print(os.read(0, 3), os.read(0, 99))",
    "os.read by size": "print(os.read(0, os.fstat(0).st_size))", "fileinput": "import fileinput\nfor line in fileinput.input(): print(repr(line))",
    "iter": "for line in iter(sys.stdin.readline, ''): print(repr(line))", "iter input": "it = iter(input, '')\nprint(next(it), next(it))",
    "unpacked": "n, *rest = sys.stdin.read().split()\nprint(n, rest)", "star": "n, (a, b, c) = int(input()), map(int, input().split())\nprint(n + a + b + c)",
    "from sys": "from sys import stdin, stdout\nstdout.write(stdin.readline())", "alias": "input = sys.stdin.readline\nprint(repr(input()))",
    "alias of buffer": "input = sys.stdin.buffer.readline\nprint(int(input()), input().split())", "BytesIO": "input = io.BytesIO(os.read(0, 1 << 20)).readline\nprint(input(), input())",
    "BytesIO of size": "input = io.BytesIO(os.read(0, os.fstat(0).st_size)).readline\nprint(input(), input())", "StringIO": "sys.stdin = io.StringIO(sys.stdin.read())\nprint(input())",
    "replaced": "sys.stdin = open(0)\nprint(input())", "wrapper": "sys.stdin = io.TextIOWrapper(sys.stdin.buffer)\nprint(input())", "tokens": "t = iter(sys.stdin.read().split())\nprint(next(t), next(t))",
    "generator": "def tokens():\n    for line in sys.stdin: yield from line.split()\nt = tokens()\nprint(next(t), next(t))", "comprehension": "print([line.strip() for line in sys.stdin])",
    "next": "print(next(sys.stdin), sys.stdin.readline())", "mixed": "print(input(), sys.stdin.readline(), sys.stdin.read())", "mixed with buffer": "print(sys.stdin.readline(), sys.stdin.buffer.read())",
    "seek": "print(sys.stdin.read(2))\nsys.stdin.seek(0)\nprint(sys.stdin.read())", "mmap": "import mmap\nprint(mmap.mmap(0, 0, access=mmap.ACCESS_READ)[:5])", "peek": "print(sys.stdin.buffer.peek(3)[:3])", "readinto": "b = bytearray(4)\nprint(sys.stdin.buffer.readinto(b), b)",
    "select": "import select\nprint(select.select([0], [], [], 1)[0])", "closed": "sys.stdin.close()\nprint(6)", "isatty": "print(sys.stdin.isatty(), sys.stdin.fileno(), sys.stdin.encoding, sys.stdin.name)", "code": "import code\ncode.interact('', exitmsg='')",
    "exec": "exec('a = ' + input())\nprint(a)", "eval": "print(eval(input()))", "literal": "import ast\nprint(ast.literal_eval(input()))", "getpass": "import getpass\nprint(getpass.getpass(stream=sys.stderr))", "detached": "b = sys.stdin.detach()\nprint(b.read())",
}  # fmt: skip
_MODULE = "import sys\n"
MODULE = {
    "name": "print(__name__, __doc__, __package__, __spec__)", "names": "print(sorted(globals()))", "order": "print(list(globals()))", "annotations": "x: int = 1\nprint(__annotations__)",
    "docstring": "'''doc'''\nprint(__doc__)", "guard": "def main(): print(6)\nif __name__ == '__main__': main()", "itself": "import __main__\nprint(__main__.__dict__ is globals(), sys.modules['__main__'] is __main__)",
    "arguments": "print(sys.argv)", "file": "import os\nprint(os.path.basename(__file__))", "pickle": "import pickle\nclass A: x = 6\nprint(pickle.loads(pickle.dumps(A())).x)",
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 6\nprint(A())", "named tuple": "from collections import namedtuple\nprint(namedtuple('A', 'x y')(1, 2))", "enum": "from enum import Enum\nclass A(Enum): x = 1\nprint(A.x, A['x'])",
    "loader": "print(type(__loader__).__name__)", "builtins": "print(type(__builtins__).__name__)", "future": "from __future__ import annotations\nprint(6)", "hash": "print(hash('a') == hash('a'), {'a', 'b'} == {'b', 'a'})", "flags": "print(sys.flags.optimize, __debug__)",
    "encoding": "# -*- coding: latin-1 -*-\nprint(len('é'))", "own module": "open('helper.py', 'w').write('x = 6')\nimport helper\nprint(helper.x)", "types": "from typing import List\ndef f(a: List[int]) -> int: return 6\nprint(f.__annotations__)", "star": "from math import *\nprint(pi)",
    "cwd": "import os\nprint(os.path.isdir('.'), os.access('.', os.W_OK))", "locale": "import locale\nprint(locale.getpreferredencoding())", "limits": "print(sys.getrecursionlimit(), sys.maxsize, sys.get_int_max_str_digits())", "big": "print(len(str(10**4000)))", "too big": "print(len(str(10**5000)))", "walrus": "print([y for x in range(4) if (y := x * 2) > 2])",
    "lambda": "f = lambda n: n and n + f(n - 1)\nprint(f(9))", "decorated": "import functools\n@functools.lru_cache(None)\ndef f(n): return n if n < 2 else f(n - 1) + f(n - 2)\nprint(f(80))", "exec names": "exec('q = 6')\nprint(q)", "match": "match [1, 2]:\n    case [a, b]: print(a + b)", "frames": "print(sys._getframe().f_code.co_name)",
}  # fmt: skip


def programs() -> dict[str, str]:
    """All programs by name."""
    found = {**replaced(), **destroyed()}
    for family, start, texts in (
        ("threads", _THREADS, THREADS), ("atexit", _ATEXIT, ATEXIT), ("exits", _EXITS, EXITS),
        ("buffered", _BUFFERED, BUFFERED), ("children", _CHILDREN, CHILDREN),
        ("reading", _READING, READING), ("module", _MODULE, MODULE),
    ):  # fmt: skip
        found |= {f"{family}: {name}": f"{start}{text}\n" for name, text in texts.items()}
    return found
