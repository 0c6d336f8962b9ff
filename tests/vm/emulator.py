#!/usr/bin/env python3
"""Runs a guest in the emulator.

usage: emulator.py save DIR            boots DIR's kernel and disk once and keeps the booted state
       emulator.py run DIR FILE.tar    from that state on, runs ./start of the archive as root

The output of `start` comes out as it is written, and its exit status is the exit status. 125 says
that the guest gave none: its console then follows on the standard error.

The saved state is two files, DIR/state.disk (what the boot has changed on the disk) and
DIR/state.memory. A run writes to a layer of its own above the disk.
Environment: SECONDS_LIMIT, of one boot or run (600).
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

NO_STATUS = 125
# The second disk has to have one size in the saved state and in each run.
PAYLOAD_SIZE = 64 << 20


class Emulator:
    def __init__(self, directory, work, disk, payload, incoming=None):
        self.work = work
        self.deadline = time.monotonic() + float(os.environ.get("SECONDS_LIMIT", "600"))
        command = [
            "qemu-system-x86_64",
            "-no-user-config", "-nodefaults", "-no-reboot", "-display", "none",
            # a machine that is virtual itself has no KVM, or one that lacks instructions
            "-machine", "q35,accel=tcg", "-cpu", "qemu64", "-smp", "2", "-m", "768",
            "-kernel", f"{directory}/kernel", "-initrd", f"{directory}/initrd",
            "-append", "root=/dev/vda rw console=ttyS0 panic=-1 quiet systemd.show_status=0 "
                       "net.ifnames=0 mitigations=off",
            "-serial", f"file:{work}/console",
            "-drive", f"if=none,id=disk,file={disk},format=qcow2,cache=unsafe",
            "-device", "virtio-blk-pci,drive=disk",
            "-drive", f"if=none,id=payload,file={payload},format=raw,readonly=on",
            "-device", "virtio-blk-pci,drive=payload",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=port,path={work}/port,server=on,wait=off",
            "-device", "virtserialport,chardev=port,name=payload",
            "-device", "virtio-rng-pci",
            # the virtual consoles are drawn on it
            "-device", "VGA",
            "-qmp", f"unix:{work}/monitor,server=on,wait=off",
        ]
        if incoming:
            command += ["-incoming", incoming]
        with open(f"{work}/log", "w") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.port = self.connect("port")
        self.lines = self.lines_of(self.port)
        self.monitor = self.connect("monitor")
        self.replies = self.lines_of(self.monitor)
        next(self.replies)
        self.ask("qmp_capabilities")

    def seconds_left(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the guest takes too long")
        return left

    def connect(self, name):
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(f"{self.work}/{name}")
                return connection
            except OSError:
                connection.close()
            if self.process.poll() is not None:
                with open(f"{self.work}/log") as log:
                    raise RuntimeError("the emulator ended: " + log.read().strip())
            self.seconds_left()
            time.sleep(0.02)

    def lines_of(self, connection):
        rest = b""
        while True:
            connection.settimeout(self.seconds_left())
            piece = connection.recv(65536)
            if not piece:
                return
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace").rstrip("\r")

    def ask(self, command, **arguments):
        request = {"execute": command, "arguments": arguments}
        self.monitor.sendall(json.dumps(request).encode() + b"\n")
        for line in self.replies:
            reply = json.loads(line)
            if "return" in reply:
                return reply["return"]
            if "error" in reply:
                raise RuntimeError(f"{command}: {reply['error']['desc']}")
        raise RuntimeError(f"{command}: the emulator ended")

    def wait_until(self, condition):
        while not condition():
            self.seconds_left()
            time.sleep(0.05)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def make_layer(path, below, kind):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", below, "-F", kind, path],
                   check=True)


def save(directory, work):
    payload = f"{work}/payload"
    with open(payload, "wb") as file:
        file.truncate(PAYLOAD_SIZE)
    make_layer(f"{work}/disk", f"{directory}/disk", "raw")
    emulator = Emulator(directory, work, f"{work}/disk", payload)
    try:
        for line in emulator.lines:
            if line == "ready":
                break
        else:
            raise RuntimeError("the guest did not come up")
        emulator.ask("stop")
        emulator.ask("migrate", uri=f"exec:zstd -q -1 -f -o {directory}/state.memory")

        def is_written():
            status = emulator.ask("query-migrate").get("status")
            if status in ("failed", "cancelled"):
                raise RuntimeError("the state of the guest was not written")
            return status == "completed"
        emulator.wait_until(is_written)
        emulator.ask("quit")
        emulator.process.wait()
    finally:
        emulator.close()
    os.replace(f"{work}/disk", f"{directory}/state.disk")
    return 0


def run(directory, work, archive):
    payload = f"{work}/payload"
    shutil.copyfile(archive, payload)
    if os.path.getsize(payload) > PAYLOAD_SIZE:
        raise RuntimeError(f"{archive} is larger than {PAYLOAD_SIZE} bytes")
    os.truncate(payload, PAYLOAD_SIZE)
    make_layer(f"{work}/disk", f"{directory}/state.disk", "qcow2")
    emulator = Emulator(directory, work, f"{work}/disk", payload,
                        f"exec:zstd -qdc {directory}/state.memory")
    try:
        emulator.wait_until(lambda: emulator.ask("query-status")["status"] != "inmigrate")
        if emulator.ask("query-status")["status"] != "running":
            emulator.ask("cont")
        emulator.port.sendall(b"go %d\n" % time.time())
        for line in emulator.lines:
            if line.startswith("status "):
                return int(line.split()[1])
            print(line, flush=True)
        return NO_STATUS
    finally:
        emulator.close()


def main():
    action, directory = sys.argv[1], os.path.abspath(sys.argv[2])
    # beside the images, and not in /tmp: the layers of a run may become large
    work = tempfile.mkdtemp(prefix="run.", dir=directory)
    try:
        if action == "save":
            return save(directory, work)
        return run(directory, work, sys.argv[3])
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"emulator.py: {error}", file=sys.stderr)
        if os.path.exists(f"{work}/console"):
            with open(f"{work}/console", errors="replace") as console:
                print(console.read()[-4000:], file=sys.stderr)
        return NO_STATUS
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
