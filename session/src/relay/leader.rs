//! The leader of the user's session on its terminal, and parent of the shell there.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use crate::error::Error;
use crate::sys::ns::Kinds;
use crate::sys::process::{self, Change, Child, Ended};
use crate::sys::signal::{self, Mask, SignalFd};
use crate::sys::terminal::{Group, Terminal};
use crate::sys::{Errno, fd, pty, socket};
use crate::word::Word;

/// Where the shell is to run.
pub(super) struct Place<'a> {
    /// the user's terminal; none: the shell has none
    pub(super) slave: Option<&'a OwnedFd>,
    /// which of the standard descriptors it takes the place of
    pub(super) standard: [bool; 3],
    /// the shell begins in its foreground
    pub(super) is_interactive: bool,
    /// the socket to the relay
    pub(super) relay: &'a OwnedFd,
    /// the relay's process id
    pub(super) parent: i32,
}

/// How the shell is to find its signals.
pub(super) struct Signals {
    /// what the caller blocked
    pub(super) mask: Mask,
    /// the caller was started with SIGCHLD ignored
    pub(super) no_children: bool,
}

/// The leader's life; the status to end with.
pub(super) fn live(place: &Place<'_>, signals: &Signals, shell: impl FnOnce() -> u8) -> i32 {
    let started = prepare(place).and_then(|terminal| {
        let own = SignalFd::new()?;
        let shell = start_shell(place, signals, terminal.as_ref(), shell)?;
        Ok((terminal, own, shell))
    });
    let word = match &started {
        Ok(_) => Word::Ready,
        Err(errno) => {
            let error = Error::namespaces("cannot start a shell on a terminal", *errno);
            Word::Failed(error.to_string())
        }
    };
    let told = word.send(place.relay);
    let (Ok((terminal, own, shell)), Ok(())) = (started, told) else {
        return 1;
    };
    // As the relay: only the shell keeps what it was given.
    if fd::close_inherited().is_err() {
        return 1;
    }
    let ended = tend(&shell, &own, place.relay, terminal.as_ref(), Reach::Group);
    // The end of the session's leader hangs up on the foreground: on us, and not on what the shell
    // has left behind, as without a terminal of its own.
    if let Some((terminal, own)) = terminal.as_ref().zip(Group::own()) {
        terminal.give(own);
    }
    match ended {
        Some(ended) => i32::from(Word::Ended(ended).send(place.relay).is_err()),
        None => 1,
    }
}

/// Leaves the old terminal and takes the new one.
fn prepare(place: &Place<'_>) -> Result<Option<Terminal>, Errno> {
    // Nothing of the shell's must go on if the relay is killed; the end of the session's leader
    // hangs the terminal up.
    process::die_with_parent(true)?;
    if process::parent() != Some(place.parent) {
        return Err(Errno::SRCH);
    }
    process::new_session()?;
    let Some(slave) = place.slave else {
        return Ok(None);
    };
    for (number, _) in (0..).zip(place.standard).filter(|(_, replaced)| *replaced) {
        fd::install(slave, number)?;
    }
    pty::control(slave)?;
    Ok(Terminal::own())
}

fn start_shell(
    place: &Place<'_>,
    signals: &Signals,
    terminal: Option<&Terminal>,
    shell: impl FnOnce() -> u8,
) -> Result<Child, Errno> {
    process::clone(Kinds::default(), || {
        // A group of its own, behind the foreground unless it is to be in it.
        process::new_group();
        if let Some(terminal) = terminal.filter(|_| place.is_interactive) {
            terminal.take();
        }
        if signals.no_children {
            signal::ignore(libc::SIGCHLD);
        }
        signals.mask.set();
        i32::from(shell())
    })
}

/// Which processes a signal for the shell goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// the shell alone: its group has got it from the terminal
    Shell,
    /// the shell and its group
    Group,
}

/// Reaps, passes on, and tells of stops, until the shell has ended: how. None if the process at
/// the other end of `socket` is gone, whose end is ours.
pub fn tend(
    shell: &Child,
    signals: &SignalFd,
    socket: &OwnedFd,
    terminal: Option<&Terminal>,
    reach: Reach,
) -> Option<Ended> {
    // The group that was in the foreground when the shell stopped.
    let mut foreground = None;
    loop {
        let fds = [signals.as_fd(), socket.as_fd()];
        let [signalled, told] = socket::readable_among(&fds, None).ok()?;
        if signalled {
            while let Ok(Some(_)) = signals.next() {}
            while let Some(change) = process::next_change() {
                match change {
                    Change::Ended(pid, ended) if pid == shell.pid => return Some(ended),
                    Change::Stopped(pid, signal) if pid == shell.pid => {
                        let group = terminal.and_then(Terminal::foreground);
                        // Ours stands there for a shell that has not had the terminal yet.
                        foreground = group.filter(|group| Some(*group) != Group::own());
                        Word::Stopped(signal).send(socket).ok()?;
                    }
                    _ => {}
                }
            }
        }
        if told {
            match Word::receive(socket, Instant::now(), 0).ok()? {
                Word::Signal(signal) => {
                    let group = Group::of(shell.pid).filter(|_| reach == Reach::Group);
                    // Gone, if it fails; then its end has been announced.
                    if !group.is_some_and(|group| group.signal(signal)) {
                        let _ = signal::send(&shell.pidfd, signal);
                    }
                }
                Word::Continue { foreground: true } => go_on(terminal, foreground.take(), shell),
                Word::Continue { foreground: false } => {
                    // So that a shell which wants to be typed at is stopped and asks for it.
                    if let (Reach::Group, Some((terminal, own))) =
                        (reach, terminal.zip(Group::own()))
                    {
                        terminal.give(own);
                    }
                    go_on(None, None, shell);
                }
                _ => return None,
            }
        }
    }
}

/// Lets the stopped shell go on: with the terminal, if there is one to be given to it.
///
/// An interactive shell has a process group of its own, and knows nothing of that which the
/// outer shell has just put into the foreground: the caller's.
fn go_on(terminal: Option<&Terminal>, foreground: Option<Group>, shell: &Child) {
    let own = Group::of(shell.pid);
    if let Some(terminal) = terminal {
        let given = foreground.is_some_and(|group| terminal.give(group));
        if let (false, Some(group)) = (given, own) {
            terminal.give(group);
        }
    }
    // A shell without a group of its own is in the caller's, which has been continued as a group;
    // but perhaps the caller alone was.
    let whole = own.is_some_and(|group| group.signal(libc::SIGCONT));
    if !whole {
        let _ = signal::send(&shell.pidfd, libc::SIGCONT);
    }
}
