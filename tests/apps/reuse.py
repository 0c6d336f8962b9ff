#!/usr/bin/python3
"""reuse.py PID UID: becomes a process of that number, and of that user, with init's name.

As root: the kernel gives a number that is asked for (clone3(2)'s set_tid) once it is free.
"""
import ctypes, os, sys, time

SYS_CLONE3, EEXIST, SIGCHLD = 435, 17, 17
libc = ctypes.CDLL(None, use_errno=True)
wanted = ctypes.c_int32(int(sys.argv[1]))
arguments = (ctypes.c_uint64 * 11)()
arguments[4] = SIGCHLD  # exit_signal
arguments[8] = ctypes.addressof(wanted)  # set_tid
arguments[9] = 1  # set_tid_size
for attempt in range(500):
    pid = libc.syscall(SYS_CLONE3, arguments, ctypes.sizeof(arguments))
    if pid >= 0:
        break
    if ctypes.get_errno() != EEXIST:
        raise OSError(ctypes.get_errno(), 'clone3')
    time.sleep(0.01)
else:
    sys.exit('the number is not free')
if pid == 0:
    libc.prctl(15, b'nsshell-init')  # PR_SET_NAME
    os.setresgid(int(sys.argv[2]), int(sys.argv[2]), int(sys.argv[2]))
    os.setresuid(int(sys.argv[2]), int(sys.argv[2]), int(sys.argv[2]))
    print('reused', os.getpid(), flush=True)
    time.sleep(1000)
os.waitpid(pid, 0)
