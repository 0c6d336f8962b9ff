#!/usr/bin/python3
"""su-with-password USER COMMAND: as if typed at a terminal; the password is the user's name"""
import os
import pty
import sys

user, command = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    os.execvp("su", ["su", user, "-c", command])
said = b""
while b"assword:" not in said:
    piece = os.read(terminal, 1024)
    said += piece
os.write(terminal, user.encode() + b"\n")
try:
    while piece := os.read(terminal, 1024):
        sys.stdout.buffer.write(piece)
        sys.stdout.flush()
except OSError:
    pass  # the other side is closed
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
