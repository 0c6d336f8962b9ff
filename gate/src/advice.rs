//! Sentences for the kernel's reasons, shared by programs with and without the standard library.

/// The advice that an errno suggests when namespaces cannot be made (unshare(2), clone(2)); empty
/// if there is none.
#[must_use]
pub fn namespaces(errno: i32) -> &'static str {
    match errno {
        ENOSPC => {
            "a limit is reached: see the max_*_namespaces files in /proc/sys/user, for user \
             namespaces `sysctl user.max_user_namespaces`"
        }
        EPERM => {
            "unprivileged user namespaces may be forbidden: see `sysctl \
             kernel.unprivileged_userns_clone` (Debian) and \
             `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu); a chrooted process may \
             make none either"
        }
        EINVAL => "the kernel may lack a kind of namespace, or the caller has threads",
        EUSERS => "user namespaces are nested too deeply",
        EAGAIN | ENOMEM => {
            "no more processes: see `sysctl kernel.pid_max`, the pids controller of the \
             cgroup and `ulimit -u`"
        }
        _ => "",
    }
}

/// The kernel's reason as strerror(3) words it, for those that a login shell meets; none for
/// others, whose number then has to do.
#[must_use]
pub fn reason(errno: i32) -> Option<&'static str> {
    Some(match errno {
        EPERM => "Operation not permitted",
        ENOENT => "No such file or directory",
        EIO => "Input/output error",
        E2BIG => "Argument list too long",
        ENOEXEC => "Exec format error",
        EBADF => "Bad file descriptor",
        EAGAIN => "Resource temporarily unavailable",
        ENOMEM => "Cannot allocate memory",
        EACCES => "Permission denied",
        ENOTDIR => "Not a directory",
        EISDIR => "Is a directory",
        EINVAL => "Invalid argument",
        ENFILE => "Too many open files in system",
        EMFILE => "Too many open files",
        ETXTBSY => "Text file busy",
        ENOSPC => "No space left on device",
        ENOSYS => "Function not implemented",
        ELOOP => "Too many levels of symbolic links",
        EUSERS => "Too many users",
        _ => return None,
    })
}

/// The shell's status for a program that cannot be executed (sh(1)): 127 if there is none, else
/// 126.
#[must_use]
pub fn status_of_exec(errno: i32) -> u8 {
    if errno == ENOENT { 127 } else { 126 }
}

// errno(3): the same numbers on every architecture that the gate is built for.
const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EIO: i32 = 5;
/// Arguments and environment are longer together than the kernel takes.
pub const E2BIG: i32 = 7;
const ENOEXEC: i32 = 8;
const EBADF: i32 = 9;
const EAGAIN: i32 = 11;
const ENOMEM: i32 = 12;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;
const EISDIR: i32 = 21;
const EINVAL: i32 = 22;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ETXTBSY: i32 = 26;
const ENOSPC: i32 = 28;
const ENOSYS: i32 = 38;
const ELOOP: i32 = 40;
const EUSERS: i32 = 87;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_those_of_the_standard_library() {
        for errno in 0..200 {
            let Some(reason) = reason(errno) else {
                continue;
            };
            let std = std::io::Error::from_raw_os_error(errno).to_string();
            assert_eq!(std, format!("{reason} (os error {errno})"));
        }
    }
}
