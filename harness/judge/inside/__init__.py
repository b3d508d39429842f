"""What runs inside the sandbox: standard library only, nothing of the rest of the project.

server         the fork server, and the init process of each submission
program        one test case: the fork that becomes the program
ending         how a Python program ends: as the interpreter ends it
livecodebench  LiveCodeBench's own way to run a program, for scoring lcb-official
usage          CPU time and memory of a test's processes
syscalls       system calls that the standard library lacks
"""
