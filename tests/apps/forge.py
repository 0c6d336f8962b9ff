#!/usr/bin/python3
"""What a user can make to be taken for a session, by a login or by nsctl.

In a user, mount, PID, IPC, UTS and cgroup namespace of its own, as PID 1 with init's name. It says
`ready`, reads the record of itself that it is to spread, and makes in every directory that its
user can write to, and in a /run of its own, what lies in the real /run/nsshell: records, which it
holds the lock on, copies, a plan, and sockets that answer `joined` to everybody. Then it says how
many there are. Whoever connects is written down in the user's home.
"""
import ctypes, fcntl, os, selectors, socket, subprocess, sys

NAMESPACES = 0x10000000 | 0x20000 | 0x20000000 | 0x08000000 | 0x04000000 | 0x02000000
HOME = os.path.expanduser('~')
libc = ctypes.CDLL(None, use_errno=True)


def must(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), 'cannot forge')


def write(path, text):
    with open(path, 'w') as file:
        file.write(text)


def apart():
    uid, gid = os.getuid(), os.getgid()
    must(libc.unshare(NAMESPACES))
    write('/proc/self/setgroups', 'deny')
    write('/proc/self/uid_map', f'0 {uid} 1')
    write('/proc/self/gid_map', f'0 {gid} 1')
    if os.fork():
        os.wait()
        sys.exit()
    must(libc.prctl(15, b'nsshell-init'))  # PR_SET_NAME


def writable():
    find = ['find', '/', '(', '-path', '/proc', '-o', '-path', '/sys', ')', '-prune',
            '-o', '-type', 'd', '-writable', '-print']
    found = subprocess.run(find, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return found.stdout.decode().splitlines()


held = []  # open files, so locked records
made = 0
doors = selectors.DefaultSelector()


def record(directory, text):
    global made
    file = open(os.path.join(directory, 'forged'), 'w')
    file.write(text)
    file.flush()
    fcntl.flock(file, fcntl.LOCK_EX)
    held.append(file)
    made += 1


def door(directory):
    global made
    os.chdir(directory)  # the path of a socket is short
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind('forged')
    os.chmod('forged', 0o666)
    listening.listen(50)
    doors.register(listening, selectors.EVENT_READ)
    made += 1


def forge(base, text):
    makers = [('', lambda at: record(at, text))]
    for ours in ['nsshell', 'run/nsshell']:
        makers += [(f'{ours}/{name}', lambda at: record(at, text))
                   for name in ['sessions', 'copies/0', 'copies/1000', 'copies/1001']]
        makers += [(f'{ours}/users/{uid}', door) for uid in [0, 1000, 1001]]
        makers += [(ours, lambda at: [write(f'{at}/{name}', text) for name in ['plan', 'name']])]
    for path, make in makers:
        try:
            os.makedirs(os.path.join(base, path), exist_ok=True)
            make(os.path.join(base, path))
        except OSError:
            pass  # a file system that takes no directories, such as /dev/mqueue


apart()
print('ready', flush=True)
text = sys.stdin.readline()
places = writable()
for place in places:
    forge(place, text)
must(libc.mount(b'forged', b'/run', b'tmpfs', 0, None))
forge('/', text)
print('forged', made, *places, flush=True)
while True:
    for key, _ in doors.select():
        connection, _ = key.fileobj.accept()
        write(f'{HOME}/joined', 'somebody\n')
        connection.send(b'=')
        held.append(connection)
