//! The filter of system calls that keeps a process from typing into terminals.
//!
//! ioctl TIOCSTI puts characters into the input of the caller's controlling terminal, and on a
//! virtual console TIOCLINUX does so by its selection (ioctl_tty(2), ioctl_console(2)). The shell
//! that reads there next, root's after `su`, takes them for its user's own.

use alloc::vec;
use alloc::vec::Vec;

/// One instruction: `struct sock_filter` of linux/filter.h, to the byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// the operation
    pub code: u16,
    /// how many instructions to skip if a comparison is true
    pub jump_true: u8,
    /// how many to skip if it is false
    pub jump_false: u8,
    /// the operand
    pub operand: u32,
}

/// SECCOMP_FILTER_FLAG_SPEC_ALLOW (seccomp(2)): the filter is no reason to slow the caller down
/// against speculation, which kernels before 5.16 would do.
pub const FLAGS: u32 = 4;

/// How ioctl's request numbers read in terminals' headers, asm-generic/ioctls.h, which all the
/// architectures below use.
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;

/// An ABI that the kernel runs: the value of `seccomp_data.arch` (linux/audit.h) and the numbers of ioctl
/// there.
type Abi = (u32, &'static [u32]);

#[cfg(target_arch = "x86_64")]
const ABIS: [Abi; 2] = [
    // 64-bit programs, and x32's, whose numbers have bit 30: that of the table of both, and the
    // one that x32 has for itself.
    (0xc000_003e, &[16, X32 | 16, X32 | 514]),
    // 32-bit programs, and `int $0x80` of 64-bit ones
    (0x4000_0003, &[54]),
];
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;
#[cfg(target_arch = "aarch64")]
const ABIS: [Abi; 2] = [(0xc000_00b7, &[29]), (0x4000_0028, &[54])];
#[cfg(target_arch = "riscv64")]
const ABIS: [Abi; 2] = [(0xc000_00f3, &[29]), (0x4000_00f3, &[29])];
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
)))]
compile_error!("add this architecture's system call numbers to typing_filter.rs");

// Where the fields of `struct seccomp_data` lie. All the architectures are little-endian: the low
// half of an argument comes first. Only that half is compared, since the kernel takes the request
// of ioctl as 32 bits and throws the other half away.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const REQUEST: u32 = 24;

// linux/bpf_common.h
const LOAD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

// linux/seccomp.h
const ALLOW: u32 = 0x7fff_0000;
/// SECCOMP_RET_ERRNO with EPERM
const REFUSE: u32 = 0x0005_0000 | 1;

/// The program for this architecture.
///
/// Calls other than ioctl are let through by their number alone, so that kernels since 5.11 do
/// not even run the program for them.
#[must_use]
pub fn program() -> Vec<Instruction> {
    let step = |code, operand| Instruction {
        code,
        jump_true: 0,
        jump_false: 0,
        operand,
    };
    let mut program = vec![step(LOAD, ARCHITECTURE)];
    for (architecture, numbers) in ABIS {
        // One instruction that loads, one for each number, one that allows and five that look at
        // the request.
        let length = u8::try_from(numbers.len()).unwrap_or(0);
        let block = length + 7;
        program.push(Instruction {
            jump_false: block,
            ..step(IF_EQUAL, architecture)
        });
        program.push(step(LOAD, NUMBER));
        for (at, number) in (0..).zip(numbers) {
            let to_request = length - at;
            program.push(Instruction {
                jump_true: to_request,
                ..step(IF_EQUAL, *number)
            });
        }
        program.push(step(RETURN, ALLOW));
        program.push(step(LOAD, REQUEST));
        program.push(Instruction {
            jump_true: 2,
            ..step(IF_EQUAL, TIOCSTI)
        });
        program.push(Instruction {
            jump_true: 1,
            ..step(IF_EQUAL, TIOCLINUX)
        });
        program.push(step(RETURN, ALLOW));
        program.push(step(RETURN, REFUSE));
    }
    program.push(step(RETURN, ALLOW));
    program
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    /// Runs the program as the kernel would, for the three instructions that it is made of.
    fn run(architecture: u32, number: u32, request: u64) -> u32 {
        let program = program();
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let Instruction {
                code,
                jump_true,
                jump_false,
                operand,
            } = program[at];
            at += 1;
            match code {
                LOAD => {
                    accumulator = match operand {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        REQUEST => (request & 0xffff_ffff) as u32,
                        _ => panic!("loads from {operand}"),
                    }
                }
                IF_EQUAL if accumulator == operand => at += usize::from(jump_true),
                IF_EQUAL => at += usize::from(jump_false),
                RETURN => return operand,
                _ => panic!("instruction {code:#x}"),
            }
        }
    }

    #[test]
    fn typing_is_refused_from_every_abi_and_with_every_high_half() {
        for (architecture, numbers) in ABIS {
            for number in numbers {
                for request in [TIOCSTI, TIOCLINUX] {
                    for high in [0, 1, 0xdead_beef, 0xffff_ffff_u64] {
                        let request = high << 32 | u64::from(request);
                        assert_eq!(run(architecture, *number, request), REFUSE);
                    }
                }
            }
        }
    }

    #[test]
    fn every_neighbour_of_what_is_refused_is_allowed() {
        for (architecture, numbers) in ABIS {
            for request in (0x5300..0x5500).filter(|one| ![TIOCSTI, TIOCLINUX].contains(one)) {
                assert_eq!(run(architecture, numbers[0], request.into()), ALLOW);
            }
            for number in (0..1000).filter(|one| !numbers.contains(one)) {
                assert_eq!(run(architecture, number, TIOCSTI.into()), ALLOW);
            }
        }
        // An ABI that this kernel does not run.
        assert_eq!(run(0x16, 54, TIOCSTI.into()), ALLOW);
    }
}
