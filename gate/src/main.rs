//! nsshell: the login shell that enters the user layer of its session and becomes the user's real
//! shell. It reads no option of its own: its arguments are the real shell's.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

mod failure;
mod layer;
mod place;
mod sys;
mod terminal;

use core::ffi::CStr;
use core::fmt::Write as _;

use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nsshell_gate::orders::Orders;
use nsshell_gate::{advice, arguments, environment};

use failure::Failure;
use place::Place;
use sys::Called;

/// The status for a session that could not be entered, as env(1), timeout(1) and container tools
/// have it; 126 and 127 are the shell's.
const NO_SESSION: u8 = 125;

/// Finds the session, keeps a terminal of another user's away from the shell, enters, restricts,
/// becomes the shell. Comes back with the status if that fails.
fn run(called: &Called) -> u8 {
    let failure = match enter(called) {
        Ok(next) => next.execute(),
        Err(failure) => failure,
    };
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(line, "nsshell: {failure}");
    sys::complain(line.as_bytes());
    failure.status
}

fn enter(called: &Called) -> Result<Program, Failure> {
    let place = Place::find()?;
    // Before anything of the user's runs: from here on a process of the user's would have it.
    if place.has_foreign_terminal()? {
        return Ok(Program::relay(called));
    }
    let Some(orders) = place.orders()? else {
        return Ok(Program::standalone(called));
    };
    if !place.is_user_layer() {
        layer::close_outside(called)?;
        if orders.user_layer {
            layer::enter()?;
            layer::restrict()?;
        }
    }
    Ok(Program::shell(called, &orders))
}

/// A program that nsshell becomes.
struct Program {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    /// what to do if it cannot be executed
    advice: String,
}

impl Program {
    /// The relay between another user's terminal and one of the session. Its loader must find
    /// nothing in the environment, so every name gets a prefix, which the relay takes off again.
    fn relay(called: &Called) -> Self {
        const RELAY: &str = concat!(env!("NSSHELL_LIBEXECDIR"), "/relay");
        let prefixed = |one: &&CStr| c_string([b".", one.to_bytes()].concat());
        let arguments = called.arguments.iter().map(|one| (*one).into());
        Self {
            path: c_string(RELAY.into()),
            arguments: [c_string(RELAY.into())]
                .into_iter()
                .chain(arguments)
                .collect(),
            environment: called.environment.iter().map(prefixed).collect(),
            advice: "install nsshell again, all of its parts with the same PREFIX, and in another \
                     root directory of a session too; without it the terminal of another user's \
                     is not given to a shell"
                .into(),
        }
    }

    /// The half of nsshell that makes sessions without the module, and needs the user database.
    fn standalone(called: &Called) -> Self {
        let own = |list: &[&CStr]| list.iter().map(|one| (*one).into()).collect();
        Self {
            path: c_string(concat!(env!("NSSHELL_LIBEXECDIR"), "/standalone").into()),
            arguments: own(&called.arguments),
            environment: own(&called.environment),
            advice: "install nsshell again, all of its parts with the same PREFIX".into(),
        }
    }

    /// The plan's shell, called as nsshell was, or the plan's command.
    fn shell(called: &Called, orders: &Orders<'_>) -> Self {
        let bytes = |list: &[&'static CStr]| -> Vec<&'static [u8]> {
            list.iter().map(|one| one.to_bytes()).collect()
        };
        let (words, login) = (bytes(&called.arguments), bytes(&called.environment));
        let name = words.first().copied().unwrap_or_default();
        let rest = words.get(1..).unwrap_or_default();
        let profile = String::from_utf8_lossy(orders.profile);
        let own = |list: Vec<Vec<u8>>| list.into_iter().map(c_string).collect();
        let Some(program) = orders.command.first() else {
            let name = arguments::name(name, orders.shell);
            let rest = rest.iter().map(|one| one.to_vec());
            return Self {
                path: c_string(orders.shell.into()),
                arguments: [name].into_iter().chain(rest).map(c_string).collect(),
                environment: own(environment::for_shell(orders.shell, &login)),
                advice: format!("see `shell` in the profile \"{profile}\""),
            };
        };
        let asked_for = arguments::command_string(rest);
        Self {
            path: c_string(program.to_vec()),
            arguments: orders
                .command
                .iter()
                .map(|one| c_string(one.to_vec()))
                .collect(),
            environment: own(environment::for_command(orders, &login, asked_for)),
            advice: format!("see `command` in the profile \"{profile}\""),
        }
    }

    /// Executes it; the failure if that does not work.
    fn execute(&self) -> Failure {
        fn borrowed(list: &[CString]) -> Vec<&CStr> {
            list.iter().map(CString::as_c_str).collect()
        }
        let (arguments, environment) = (borrowed(&self.arguments), borrowed(&self.environment));
        let errno = sys::execute(&self.path, &arguments, &environment);
        let too_long = errno.raw_os_error() == advice::E2BIG;
        Failure {
            status: advice::status_of_exec(errno.raw_os_error()),
            advice: if too_long {
                "its arguments and its environment are too long together".into()
            } else {
                self.advice.clone()
            },
            ..Failure::system(
                format!("cannot become {}", self.path.to_string_lossy()),
                errno,
            )
        }
    }
}

/// Strings of the command line, of paths and of the environment have no NUL.
fn c_string(bytes: Vec<u8>) -> CString {
    CString::new(bytes).unwrap_or_default()
}
