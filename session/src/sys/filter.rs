//! Filters of system calls. seccomp(2).

use nsshell_gate::typing_filter;

use super::{Result, last_errno};

/// Takes the means of typing into terminals from the caller and all that it starts. To be called
/// with CAP_SYS_ADMIN in the caller's user namespace: without that the kernel demands no_new_privs,
/// which would stop set-uid programs.
///
/// # Errors
/// EACCES without CAP_SYS_ADMIN; EINVAL: the kernel has no filters.
pub fn forbid_typing() -> Result<()> {
    let mut filter: Vec<_> = typing_filter::program()
        .into_iter()
        .map(|one| libc::sock_filter {
            code: one.code,
            jt: one.jump_true,
            jf: one.jump_false,
            k: one.operand,
        })
        .collect();
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).unwrap_or(0),
        filter: filter.as_mut_ptr(),
    };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the kernel copies the program, which lives to the end of the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            mode,
            typing_filter::FLAGS,
            &raw const program,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(last_errno())
    }
}
