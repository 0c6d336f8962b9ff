//! The first instructions, and what the kernel hands to a program (execve(2)).

use core::ffi::{CStr, c_char};

use alloc::vec::Vec;

// The kernel leaves the number of arguments at the top of the stack, the arguments after it, a null
// pointer, the environment, and another null pointer. The stack is aligned as calls want it.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor %ebp, %ebp",
    "mov %rsp, %rdi",
    "and $-16, %rsp",
    "call {begin}",
    "ud2",
    begin = sym begin,
    options(att_syntax)
);
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "and sp, x0, #-16",
    "b {begin}",
    begin = sym begin
);
#[cfg(target_arch = "riscv64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    ".option push",
    ".option norelax",
    "la gp, __global_pointer$",
    ".option pop",
    "mv a0, sp",
    "andi sp, sp, -16",
    "tail {begin}",
    begin = sym begin
);

/// How the program was called.
pub struct Called {
    /// its name, and the arguments
    pub arguments: Vec<&'static CStr>,
    /// `NAME=value` pairs, as a rule
    pub environment: Vec<&'static CStr>,
}

unsafe extern "C" fn begin(stack: *const usize) -> ! {
    super::fill_standard();
    // SAFETY: as the kernel has laid it.
    let called = unsafe {
        let arguments = strings(stack.add(1));
        let environment = strings(stack.add(1 + *stack + 1));
        Called {
            arguments,
            environment,
        }
    };
    super::exit(crate::run(&called))
}

/// # Safety
/// A list of strings that live as long as the program, ended by a null pointer.
unsafe fn strings(list: *const usize) -> Vec<&'static CStr> {
    let mut strings = Vec::new();
    for at in 0.. {
        // SAFETY: before the null pointer.
        let pointer = unsafe { *list.add(at) } as *const c_char;
        if pointer.is_null() {
            break;
        }
        // SAFETY: the kernel ends each with NUL.
        strings.push(unsafe { CStr::from_ptr(pointer) });
    }
    strings
}

#[panic_handler]
fn fault(_: &core::panic::PanicInfo<'_>) -> ! {
    super::complain(b"nsshell: a fault in nsshell itself; please report it\n");
    super::exit(crate::NO_SESSION)
}

// Named by the standard library's code for unwinding, which this program is not built with and never
// reaches. Link-time optimisation removes both; without it they have to be there.

#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    super::exit(crate::NO_SESSION)
}
