#!/usr/bin/python3
"""console show NUMBER          brings a virtual console to the screen
console type DEVICE LINE     types a line at a terminal, as root"""
import fcntl
import sys
import termios

VT_ACTIVATE, VT_WAITACTIVE = 0x5606, 0x5607

action, where, *line = sys.argv[1:]
if action == "show":
    with open("/dev/tty0", "wb", buffering=0) as console:
        fcntl.ioctl(console, VT_ACTIVATE, int(where))
        fcntl.ioctl(console, VT_WAITACTIVE, int(where))
else:
    with open(where, "r+b", buffering=0) as terminal:
        for byte in (line[0] + "\n").encode():
            fcntl.ioctl(terminal, termios.TIOCSTI, bytes([byte]))
