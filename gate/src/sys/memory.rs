//! Memory: an allocator that never gives back, for a program that lives for a millisecond, and the
//! functions that compilers take for granted.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::{null_mut, read_volatile, write_volatile};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// How much is asked of the kernel at once, in bytes.
const PIECE: usize = 256 * 1024;

struct Memory {
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: the program has one thread.
unsafe impl Sync for Memory {}

#[global_allocator]
static MEMORY: Memory = Memory {
    next: Cell::new(0),
    end: Cell::new(0),
};

// SAFETY: every piece handed out is new memory of the asked-for size and alignment.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let at = |next: usize| next.next_multiple_of(layout.align());
        let mut start = at(self.next.get());
        if start + layout.size() > self.end.get() {
            let length = (layout.size() + layout.align()).max(PIECE);
            // SAFETY: a new mapping, wherever the kernel likes.
            let mapped = unsafe {
                mmap_anonymous(
                    null_mut(),
                    length,
                    ProtFlags::READ | ProtFlags::WRITE,
                    MapFlags::PRIVATE,
                )
            };
            let Ok(mapped) = mapped else {
                return null_mut();
            };
            start = at(mapped as usize);
            self.end.set(mapped as usize + length);
        }
        self.next.set(start + layout.size());
        start as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

// Each byte is read and written as if it were a device: a compiler would make a call of the very
// same function out of a plain loop.

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut c_void, from: *const c_void, count: usize) -> *mut c_void {
    let (into, bytes) = (to.cast::<u8>(), from.cast::<u8>());
    for at in 0..count {
        // SAFETY: the caller's: both have `count` bytes.
        unsafe { write_volatile(into.add(at), read_volatile(bytes.add(at))) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut c_void, from: *const c_void, count: usize) -> *mut c_void {
    if (to as usize) <= (from as usize) {
        // SAFETY: the caller's; upwards, what is overwritten has been read.
        return unsafe { memcpy(to, from, count) };
    }
    let (into, bytes) = (to.cast::<u8>(), from.cast::<u8>());
    for at in (0..count).rev() {
        // SAFETY: the caller's: both have `count` bytes.
        unsafe { write_volatile(into.add(at), read_volatile(bytes.add(at))) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut c_void, byte: c_int, count: usize) -> *mut c_void {
    for at in 0..count {
        // SAFETY: the caller's: it has `count` bytes.
        unsafe { write_volatile(to.cast::<u8>().add(at), byte.to_le_bytes()[0]) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const c_void, other: *const c_void, count: usize) -> c_int {
    let (one, other) = (one.cast::<u8>(), other.cast::<u8>());
    for at in 0..count {
        // SAFETY: the caller's: both have `count` bytes.
        let (one, other) = unsafe { (read_volatile(one.add(at)), read_volatile(other.add(at))) };
        if one != other {
            return c_int::from(one) - c_int::from(other);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const c_void, other: *const c_void, count: usize) -> c_int {
    // SAFETY: the caller's.
    unsafe { memcmp(one, other, count) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller's: the text ends in NUL.
    while unsafe { read_volatile(text.add(length)) } != 0 {
        length += 1;
    }
    length
}
