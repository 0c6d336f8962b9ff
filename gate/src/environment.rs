//! The environment of the program that nsshell becomes.

use alloc::vec::Vec;

use crate::orders::Orders;

/// The variable that names the shell that really runs, so that what starts "the user's shell" does
/// not start nsshell again.
const SHELL: &[u8] = b"SHELL";

/// The variable with what the client asked for, where a command runs in place of the shell; unset
/// if it asked for a shell. sshd's ForceCommand has SSH_ORIGINAL_COMMAND.
pub const ORIGINAL_COMMAND: &[u8] = b"NSSHELL_ORIGINAL_COMMAND";

/// Describe the terminal and the user's language. A program may make a path of a value, or hand it
/// to another one, so only harmless ones are passed on.
const DESCRIBING: [&[u8]; 3] = [b"TERM", b"LANG", b"TZ"];
const LOCALES: &[u8] = b"LC_";

/// Say where the login comes from and where its sockets are. Their values are set by programs of
/// root's, or name no more than the user may reach anyway.
const PASSED: [&[u8]; 10] = [
    b"SSH_CONNECTION",
    b"SSH_CLIENT",
    b"SSH_TTY",
    b"SSH_ORIGINAL_COMMAND",
    b"SSH_AUTH_SOCK",
    b"XDG_SEAT",
    b"XDG_VTNR",
    b"DISPLAY",
    // The PAM module's own.
    b"NSSHELL_SESSION",
    b"NSSHELL_PROFILE",
];
const SESSION: &[u8] = b"XDG_SESSION_";

/// Tells a relay the number of a descriptor that the PAM module has left open for it; of no use to
/// any other program.
pub const APPLICATION: &str = "NSSHELL_APPLICATION";

/// The longest value of a variable that describes, in bytes.
const LONGEST: usize = 64;

/// The login's environment for the user's shell: as it is, but with SHELL as what really runs.
#[must_use]
pub fn for_shell(shell: &[u8], login: &[&[u8]]) -> Vec<Vec<u8>> {
    let dropped = [SHELL, APPLICATION.as_bytes()];
    let others = login.iter().filter(|one| !dropped.contains(&name(one)));
    others
        .map(|one| one.to_vec())
        .chain([pair(SHELL, shell)])
        .collect()
}

/// The environment of a command in place of the shell: nothing of the login's decides what it
/// loads or where it looks. `asked_for` is the command string of the login, if it has one.
#[must_use]
pub fn for_command(orders: &Orders<'_>, login: &[&[u8]], asked_for: Option<&[u8]>) -> Vec<Vec<u8>> {
    let mut environment: Vec<Vec<u8>> = [
        (&b"HOME"[..], orders.home),
        (b"USER", orders.user),
        (b"LOGNAME", orders.user),
        (SHELL, orders.shell),
        (b"PATH", orders.path),
        (b"XDG_RUNTIME_DIR", orders.runtime_dir),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| pair(name, value))
    .collect();
    environment.extend(
        login
            .iter()
            .filter(|one| passes(orders, one))
            .map(|one| one.to_vec()),
    );
    environment.extend(asked_for.map(|asked_for| pair(ORIGINAL_COMMAND, asked_for)));
    environment
}

/// The value of [`APPLICATION`], if this is that variable.
#[must_use]
pub fn application(variable: &[u8]) -> Option<&[u8]> {
    variable
        .strip_prefix(APPLICATION.as_bytes())?
        .strip_prefix(b"=")
}

fn passes(orders: &Orders<'_>, variable: &[u8]) -> bool {
    let name = name(variable);
    let value = variable.get(name.len() + 1..).unwrap_or_default();
    if DESCRIBING.contains(&name) || name.starts_with(LOCALES) {
        return is_harmless(value, name == b"TZ");
    }
    PASSED.contains(&name) || name.starts_with(SESSION) || orders.pass_environment.contains(&name)
}

/// True if a program that makes a path of the value stays in the directory that it means.
fn is_harmless(value: &[u8], with_slash: bool) -> bool {
    let allowed = |byte: &u8| {
        byte.is_ascii_alphanumeric() || b"+._@-".contains(byte) || with_slash && *byte == b'/'
    };
    value.len() <= LONGEST
        && value.iter().all(allowed)
        && !value.starts_with(b"/")
        && !value.windows(2).any(|two| two == b"..")
}

fn name(variable: &[u8]) -> &[u8] {
    let end = variable.iter().position(|&byte| byte == b'=');
    &variable[..end.unwrap_or(variable.len())]
}

fn pair(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, b"=", value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(environment: &[Vec<u8>]) -> Vec<&str> {
        environment
            .iter()
            .map(|one| core::str::from_utf8(one).unwrap_or("?"))
            .collect()
    }

    fn orders() -> Orders<'static> {
        Orders {
            user: b"alice",
            home: b"/home/alice",
            shell: b"/bin/bash",
            path: b"/bin",
            pass_environment: alloc::vec![b"EDITOR"],
            ..Orders::default()
        }
    }

    const FROM_PLAN: [&str; 5] = [
        "HOME=/home/alice",
        "USER=alice",
        "LOGNAME=alice",
        "SHELL=/bin/bash",
        "PATH=/bin",
    ];

    #[test]
    fn a_shell_gets_the_environment_but_for_the_name_of_the_shell() {
        let login: [&[u8]; 5] = [
            b"LD_PRELOAD=/x",
            b"SHELL=/usr/bin/nsshell",
            b"NSSHELL_APPLICATION=3",
            b"SHELLS=1",
            b"A",
        ];
        assert_eq!(
            strings(&for_shell(b"/bin/bash", &login)),
            ["LD_PRELOAD=/x", "SHELLS=1", "A", "SHELL=/bin/bash"]
        );
    }

    #[test]
    fn a_command_gets_from_the_login_what_is_named_and_nothing_else() {
        let login: [&[u8]; 16] = [
            b"LD_PRELOAD=/home/alice/own.so",
            b"HOME=/tmp",
            b"PATH=/home/alice/bin",
            b"SHELL=/home/alice/sh",
            b"SSH_ASKPASS=/home/alice/ask",
            b"XDG_CONFIG_DIRS=/home/alice",
            b"XDG_DATA_HOME=/home/alice",
            b"BASH_ENV=/home/alice/env",
            b"NSSHELL_ORIGINAL_COMMAND=forged",
            b"XDG_RUNTIME_DIR=/home/alice",
            b"SSH_CONNECTION=::1 1 ::1 22",
            b"XDG_SESSION_ID=c1",
            b"NSSHELL_SESSION=k3",
            b"EDITOR=vi",
            b"EDITORS=vi",
            b"no value",
        ];
        let expected = [
            "SSH_CONNECTION=::1 1 ::1 22",
            "XDG_SESSION_ID=c1",
            "NSSHELL_SESSION=k3",
            "EDITOR=vi",
            "NSSHELL_ORIGINAL_COMMAND=rm -r x",
        ];
        assert_eq!(
            strings(&for_command(&orders(), &login, Some(b"rm -r x"))),
            [&FROM_PLAN[..], &expected].concat()
        );
    }

    #[test]
    fn what_describes_terminal_and_language_passes_if_it_is_harmless() {
        for harmless in [
            "TERM=xterm-256color",
            "LANG=de_DE.UTF-8@euro",
            "LC_ALL=C",
            "TZ=Europe/Berlin",
            "TERM=",
        ] {
            let environment = for_command(&orders(), &[harmless.as_bytes()], None);
            assert_eq!(strings(&environment)[5..], [harmless]);
        }
        let long = alloc::format!("TERM={}", "x".repeat(65));
        for harmful in [
            "TERM=../x",
            "TERM=a/b",
            "LANG=/tmp/x",
            "LC_ALL=a b",
            "TZ=/etc/x",
            "TZ=a/../../x",
            "TZ=:/x",
            "LC_TIME=$(id)",
            &long,
        ] {
            let environment = for_command(&orders(), &[harmful.as_bytes()], None);
            assert_eq!(strings(&environment), FROM_PLAN, "{harmful}");
        }
    }
}
