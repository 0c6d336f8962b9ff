//! How a program begins that becomes another one: without Rust's runtime.

/// Makes `$run`, a function without arguments that returns the exit status, the program.
///
/// The runtime would ignore SIGPIPE and open /dev/null at closed standard descriptors, both
/// of which the program that is executed in the end would inherit and not get back to how its
/// caller had it; and it looks through /proc/self/maps and sets up a signal stack, which costs
/// more than entering a namespace does. glibc hands `std::env::args_os` its arguments without
/// it; other C libraries do not, and there the runtime begins as ever.
///
/// The crate has `#![cfg_attr(all(target_env = "gnu", not(test)), no_main)]`.
#[macro_export]
macro_rules! program {
    ($run:path) => {
        #[cfg(all(target_env = "gnu", not(test)))]
        #[unsafe(no_mangle)]
        extern "C" fn main() -> i32 {
            $crate::sys::fd::fill_standard();
            i32::from($run())
        }

        #[cfg(not(all(target_env = "gnu", not(test))))]
        fn main() -> std::process::ExitCode {
            // What the runtime ignores.
            $crate::sys::signal::default_pipe();
            std::process::ExitCode::from($run())
        }
    };
}
