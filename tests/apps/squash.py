#!/usr/bin/python3
"""Serves a directory as NFS does with root_squash: root is nobody in it, by way of FUSE.

usage: squash.py SOURCE TARGET

Each access is asked for, and done to SOURCE with the ids of whoever asks, or with nobody's if that
is root. As with NFS, what somebody has got hold of tells its attributes to all. It ends when
TARGET is unmounted.
"""
import functools, inspect, os, sys

import llfuse

NOBODY = 65534
COPIED = ('st_mode', 'st_nlink', 'st_uid', 'st_gid', 'st_rdev', 'st_size', 'st_blocks',
          'st_atime_ns', 'st_mtime_ns', 'st_ctime_ns')


def as_who_asks(method):
    """Operations get the context of who asks as their last argument; those without, a handle."""

    @functools.wraps(method)
    def run(self, *arguments):
        context = arguments[-1]
        try:
            if not isinstance(context, llfuse.RequestContext):
                return method(self, *arguments)
            root = context.uid == 0
            os.setgroups([])
            os.setegid(NOBODY if root else context.gid)
            os.seteuid(NOBODY if root else context.uid)
            try:
                return method(self, *arguments)
            finally:
                os.seteuid(0)
                os.setegid(0)
        except OSError as error:
            raise llfuse.FUSEError(error.errno)

    return run


class Squash(llfuse.Operations):
    def __init__(self, source):
        super().__init__()
        self.places = {llfuse.ROOT_INODE: os.open(source, os.O_PATH)}

    def at(self, inode):
        return f'/proc/self/fd/{self.places[inode]}'

    def tell(self, inode):
        stat, entry = os.fstat(self.places[inode]), llfuse.EntryAttributes()
        for name in COPIED:
            setattr(entry, name, getattr(stat, name))
        entry.st_ino = inode
        entry.attr_timeout = entry.entry_timeout = 0
        return entry

    def find(self, parent, name):
        place = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=self.places[parent])
        inode = os.fstat(place).st_ino
        old = self.places.get(inode)
        self.places[inode] = place
        if old is not None:
            os.close(old)
        return self.tell(inode)

    def lookup(self, parent, name, _context):
        return self.find(parent, name)

    def getattr(self, inode, _context):
        return self.tell(inode)

    def setattr(self, inode, entry, fields, _handle, _context):
        if fields.update_mode:
            os.chmod(self.at(inode), entry.st_mode & 0o7777)
        if fields.update_uid or fields.update_gid:
            os.chown(self.at(inode), entry.st_uid if fields.update_uid else -1,
                     entry.st_gid if fields.update_gid else -1)
        if fields.update_size:
            os.truncate(self.at(inode), entry.st_size)
        return self.tell(inode)

    def access(self, inode, mode, _context):
        return os.access(self.at(inode), mode, effective_ids=True)

    def opendir(self, inode, _context):
        return os.open(self.at(inode), os.O_RDONLY | os.O_DIRECTORY)

    def readdir(self, handle, offset):
        for number, name in enumerate(sorted(os.listdir(handle))):
            if number >= offset:
                entry = llfuse.EntryAttributes()
                stat = os.stat(name, dir_fd=handle, follow_symlinks=False)
                entry.st_mode, entry.st_ino = stat.st_mode, stat.st_ino
                yield os.fsencode(name), entry, number + 1

    def releasedir(self, handle):
        os.close(handle)

    def open(self, inode, flags, _context):
        return os.open(self.at(inode), flags & ~os.O_NOFOLLOW)

    def create(self, parent, name, mode, flags, _context):
        handle = os.open(name, flags | os.O_CREAT, mode, dir_fd=self.places[parent])
        return handle, self.find(parent, name)

    def read(self, handle, offset, size):
        return os.pread(handle, size, offset)

    def write(self, handle, offset, data):
        return os.pwrite(handle, data, offset)

    def release(self, handle):
        os.close(handle)

    def readlink(self, inode, _context):
        return os.fsencode(os.readlink('', dir_fd=self.places[inode]))

    def mkdir(self, parent, name, mode, _context):
        os.mkdir(name, mode, dir_fd=self.places[parent])
        return self.find(parent, name)

    def symlink(self, parent, name, to, _context):
        os.symlink(to, name, dir_fd=self.places[parent])
        return self.find(parent, name)

    def statfs(self, _context):
        stat, told = os.fstatvfs(self.places[llfuse.ROOT_INODE]), llfuse.StatvfsData()
        for name in ('f_bsize', 'f_frsize', 'f_blocks', 'f_bfree', 'f_bavail', 'f_files', 'f_ffree',
                     'f_favail'):
            setattr(told, name, getattr(stat, name))
        return told

    def rename(self, parent, name, to_parent, to_name, _context):
        os.rename(name, to_name, src_dir_fd=self.places[parent], dst_dir_fd=self.places[to_parent])

    def rmdir(self, parent, name, _context):
        os.rmdir(name, dir_fd=self.places[parent])

    def unlink(self, parent, name, _context):
        os.unlink(name, dir_fd=self.places[parent])


for name, method in vars(Squash).copy().items():
    if hasattr(llfuse.Operations, name) and inspect.isfunction(method):
        # A generator does nothing before it is asked, and has no context.
        if name not in ('__init__', 'readdir'):
            setattr(Squash, name, as_who_asks(method))
os.umask(0)
llfuse.init(Squash(sys.argv[1]), sys.argv[2], {'allow_other', 'fsname=squash'})
llfuse.main(workers=1)
llfuse.close()
