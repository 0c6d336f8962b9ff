//! The relay between a terminal of another user's and the user's side of a login.
//!
//! After `su alice`, root's terminal is the controlling terminal of alice's shell, and its
//! descriptors 0 to 2. A process of hers that keeps it can read what root types after `su` has
//! ended. So alice gets a terminal of her own, and the relay copies.
//!
//! su → **relay** → **leader** → shell, and relay → **mender**
//!
//! - The relay copies bytes, window sizes, signals, stops and the end. It alone reads root's
//!   terminal, and it is what su waits for: where it is stopped, su stops as well, and it reads
//!   nothing that root types to another program meanwhile.
//! - The leader leads a session of its own (setsid(2)) on the new terminal, and is the shell's
//!   parent there: the shell's group is not an orphaned one, so that it can be stopped.
//! - The mender gives root's terminal its modes back if the relay is killed or stopped, which its
//!   user may do, before it could.
//!
//! All three run as the user, but their program may not be read by users, so that the kernel
//! lets no process of the user's look into them or take their descriptors (ptrace(2)). They stay
//! outside of the session's user namespace, in which the user has every capability.
//!
//! Root's terminal is read, and its modes are changed, only when the user's side wants to be typed
//! at: the shell is started in the background of its terminal, is stopped by the kernel when it
//! reads or changes modes, and is then put into the foreground. So `su alice -c job &` and
//! `su - alice -c dump | less` leave the terminal to those who use it. Where the login is plainly
//! interactive the shell begins in the foreground.
//!
//! It must never be read while root types to another program. `su` is a job in the foreground or
//! not, and the relay reads only while it is in there. It asks the kernel by a read of nothing,
//! since process groups of the host have no numbers in the session's PID namespace. `su -c` takes
//! the terminal's control away from its command, though, and with it the kernel's help: there the
//! relay looks at su itself, by a file of /proc that the module has left open for it. In a pipeline
//! the terminal is that of other programs as well, and is not read at all.

mod application;
mod copying;
mod foreign;
mod leader;
mod mender;

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

pub use copying::{Copying, Pipe, Typed};
pub use leader::{Reach, tend};

use crate::error::Error;
use crate::sys::ns::Kinds;
use crate::sys::process::{self, Ended};
use crate::sys::pty::{self, Modes};
use crate::sys::signal::{self, Mask, SignalFd};
use crate::sys::{Errno, fd, socket};
use crate::word::Word;
use foreign::{Foreign, ForeignEnd};
use mender::Mender;

/// How long the leader may take to start the shell.
const START_LIMIT: Duration = Duration::from_secs(10);

/// The signals that the kernel raises for a terminal.
const FROM_TERMINAL: [signal::Signal; 4] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP];

/// Stands between another user's terminal and a shell of the caller's user until the shell ends.
/// `shell` becomes the shell, in the leader's child, or returns the status that says why not.
///
/// The caller has nothing to do afterwards but to end the same way ([`process::end_as`]): all
/// signals stay blocked, and no descriptor is left open.
///
/// # Errors
/// There is no terminal to be had, or no process; no shell has run then.
pub fn run(shell: impl FnOnce() -> u8) -> Result<Ended, Error> {
    // The mode of the program's file is what counts, from exec on; this mends an installation
    // that has lost it, as soon as can be.
    process::set_dumpable(false).map_err(cannot)?;
    // Without su there is no job that could be in the foreground.
    process::die_with_parent(true).map_err(cannot)?;
    let mask = Mask::all().set();
    // Ignored, the kernel would throw our children's statuses away.
    let no_children = signal::default(libc::SIGCHLD);
    let foreign = Foreign::find().map_err(cannot)?;
    let lead = leader::Signals { mask, no_children };
    let mut relay = start(&foreign, &lead, shell)?;
    // The shell alone must hold what the caller was started with: another program may wait for
    // the end of a pipe.
    fd::close_inherited().map_err(cannot)?;
    let ended = relay.copy();
    relay.let_go_of_terminal();
    ended.map_err(|errno| Error::system("lost the terminal of the user", errno))
}

fn cannot(errno: Errno) -> Error {
    Error::namespaces("cannot relay between terminals", errno)
}

struct Relay<'a> {
    copying: Copying<'a>,
    terminal: Option<&'a ForeignEnd>,
    /// of the terminal, as they were before it was made raw
    modes: Option<Modes<'a>>,
    /// while the terminal is raw
    mender: Option<Mender>,
    signals: SignalFd,
    /// to the leader
    leader: OwnedFd,
    /// another program has got the terminal while the shell was typed at
    has_lost_terminal: bool,
}

/// Makes the user's terminal and starts the leader on it.
fn start<'a>(
    foreign: &'a Foreign,
    lead: &leader::Signals,
    shell: impl FnOnce() -> u8,
) -> Result<Relay<'a>, Error> {
    let signals = SignalFd::new().map_err(cannot)?;
    let (leader, theirs) = socket::pair().map_err(cannot)?;
    let is_interactive = foreign.is_interactive();
    let (copying, slave) = match &foreign.terminal {
        Some(terminal) => {
            let (copying, slave) = new_terminal(terminal)?;
            (copying, Some(slave))
        }
        None => (Copying::new(Vec::new(), None), None),
    };
    let place = leader::Place {
        slave: slave.as_ref(),
        standard: foreign.standard,
        is_interactive,
        relay: &theirs,
        parent: process::own(),
    };
    process::clone(Kinds::default(), || {
        // Copies in the leader would keep the relay's end from being seen.
        fd::close_in_child(leader.as_fd());
        copying.close_in_child();
        leader::live(&place, lead, shell)
    })
    .map_err(cannot)?;
    // The leader's end is seen by the end of its socket, that of the user's side by the end of its
    // terminal.
    drop((theirs, slave));
    let limit = START_LIMIT.as_secs().try_into().unwrap_or(0);
    match Word::receive(&leader, Instant::now() + START_LIMIT, limit)? {
        Word::Ready => {}
        Word::Failed(why) => return Err(Error::Said(why)),
        _ => {
            return Err(Error::NotAsPlanned(
                "the shell's parent was killed".to_owned(),
            ));
        }
    }
    let mut relay = Relay {
        copying,
        terminal: foreign.terminal.as_ref(),
        modes: None,
        mender: None,
        signals,
        leader,
        has_lost_terminal: false,
    };
    relay.let_go_of_terminal();
    if is_interactive {
        relay.take_terminal();
    }
    Ok(relay)
}

/// Makes a terminal of the caller's user, like the one that is typed on and shown.
fn new_terminal(terminal: &ForeignEnd) -> Result<(Copying<'_>, OwnedFd), Error> {
    let no_terminal = |errno| Error::system("cannot make a terminal for the user", errno);
    let uid = process::real_uid();
    let pair = pty::open(uid).map_err(no_terminal)?;
    // nsshell would take it for a terminal of another user again, and start a relay again.
    if fd::owner(&pair.slave) != Ok(uid) {
        return Err(Error::NotAsPlanned(
            "a new terminal does not belong to the user; mount devpts without uid=".to_owned(),
        ));
    }
    // In the background they may be another program's.
    let modes = Modes::note(terminal.typed.as_fd()).map_err(no_terminal)?;
    if modes.have_lines() {
        modes.give(&pair.slave).map_err(no_terminal)?;
    }
    let to = pair.master.try_clone();
    let typed = Typed {
        from: terminal.typed.as_fd(),
        to: to.map_err(|_| no_terminal(Errno::MFILE))?,
    };
    let shown = Pipe {
        from: pair.master,
        to: terminal.screen.as_fd(),
    };
    let copying = Copying::new(vec![shown], Some(typed));
    copying.copy_size();
    Ok((copying, pair.slave))
}

impl Relay<'_> {
    /// Copies until the shell has ended: how.
    fn copy(&mut self) -> Result<Ended, Errno> {
        loop {
            let signals = self.signals.as_fd();
            let mender = self.mender.as_ref().map_or(signals, AsFd::as_fd);
            let may_be_read = || self.terminal.is_none_or(ForeignEnd::may_be_read);
            let turn = self
                .copying
                .turn([self.leader.as_fd(), signals, mender], may_be_read)?;
            let [told, signalled, asked] = turn.ready;
            if asked && !self.mender.as_ref().is_none_or(Mender::answer) {
                self.replace_mender();
            }
            // Before what is typed counts as lost: a stop may be behind us.
            if signalled {
                self.heed();
            }
            if turn.lost {
                self.lose_terminal();
            }
            if told {
                match Word::receive(&self.leader, Instant::now(), 0).unwrap_or(Word::Nothing) {
                    Word::Stopped(libc::SIGTTIN | libc::SIGTTOU) => self.answer_want(),
                    Word::Stopped(signal) => self.suspend(signal),
                    Word::Ended(ended) => {
                        self.copying.finish();
                        return Ok(ended);
                    }
                    // The leader was killed, and its session has been hung up.
                    _ => return Ok(Ended::Killed(libc::SIGHUP)),
                }
            }
        }
    }

    /// The shell wants to be typed at: waits, stopped, for the foreground, as the shell itself
    /// would, and takes the terminal.
    fn answer_want(&mut self) {
        let Some(terminal) = self.terminal.filter(|one| one.may_be_typed_at()) else {
            return self.refuse_want();
        };
        while !terminal.is_in_foreground() {
            if terminal.is_gone() || !terminal.is_watched() {
                return self.refuse_want();
            }
            // Not SIGTTIN, which stops no orphaned group: below `su -c` the relay is one.
            signal::suffer(libc::SIGSTOP);
        }
        self.take_terminal();
        self.tell(&Word::Continue { foreground: true });
    }

    /// Nothing that is typed is read, since it may be for another program.
    fn refuse_want(&mut self) {
        let text = "\r\nnsshell: nothing that is typed here is read, since it may be for another \
                    program; use `su -P`, or leave all of standard input, output and error on the \
                    terminal\r\n";
        if let Some(terminal) = self.terminal {
            let _ = pty::write(&terminal.screen, text.as_bytes());
        }
        self.tell(&Word::Signal(libc::SIGHUP));
        self.tell(&Word::Continue { foreground: true });
    }

    /// The shell has stopped: so do we, with the terminal as it was, until we are continued.
    fn suspend(&mut self, by: signal::Signal) {
        let had_terminal = self.copying.reads_typed;
        self.let_go_of_terminal();
        if self.terminal.is_none_or(ForeignEnd::is_watched) {
            // Only SIGSTOP stops an orphaned group, which the relay is in below `su -c`.
            let is_controlling = self.terminal.is_none_or(ForeignEnd::is_controlling);
            signal::suffer(if is_controlling { by } else { libc::SIGSTOP });
        }
        let foreground = had_terminal && self.terminal.is_some_and(ForeignEnd::is_in_foreground);
        if foreground {
            self.take_terminal();
        }
        self.tell(&Word::Continue { foreground });
    }

    /// To be called in the foreground alone: there the modes are the application's to change.
    fn take_terminal(&mut self) {
        let Some(terminal) = self.terminal else {
            return;
        };
        if !self.modes.as_ref().is_some_and(Modes::are_raw) {
            self.dismiss_mender();
            // A terminal that is gone is noticed when it is read.
            self.modes = Modes::note(terminal.typed.as_fd()).ok();
        }
        if let Some(modes) = &self.modes {
            // Before the terminal is raw: no moment must be without one.
            self.mender = self.mender.take().or_else(|| mender::start(modes).ok());
            let _ = modes.make_raw();
        }
        self.copying.copy_size();
        self.copying.reads_typed = true;
        self.copying.undoes_newlines = false;
        self.has_lost_terminal = false;
    }

    /// Another program's modes are left alone.
    fn let_go_of_terminal(&mut self) {
        if let Some(modes) = self.modes.take().filter(Modes::are_raw) {
            modes.put_back();
        }
        self.dismiss_mender();
        self.copying.reads_typed = false;
        self.copying.undoes_newlines = true;
    }

    fn dismiss_mender(&mut self) {
        if let Some(mender) = self.mender.take() {
            mender.dismiss();
        }
    }

    /// The mender was killed, or has taken us for stopped, and has put the modes back.
    fn replace_mender(&mut self) {
        self.mender = None;
        if self.copying.reads_typed {
            if self.terminal.is_some_and(ForeignEnd::is_in_foreground) {
                self.take_terminal();
            } else {
                self.lose_terminal();
            }
        }
    }

    /// Keys may not be read, or cannot be: the terminal has been hung up, or another
    /// program has got its foreground without a stop of ours.
    fn lose_terminal(&mut self) {
        if self.terminal.is_some_and(|terminal| !terminal.is_gone()) {
            self.let_go_of_terminal();
            self.has_lost_terminal = true;
            self.regain_terminal();
        } else {
            self.tell(&Word::Signal(libc::SIGHUP));
        }
    }

    /// After a stop that another process has brought about.
    fn regain_terminal(&mut self) {
        let wants = self.copying.reads_typed || self.has_lost_terminal;
        if wants && self.terminal.is_some_and(ForeignEnd::is_in_foreground) {
            self.take_terminal();
        }
    }

    /// Hands on signals to the shell and its group.
    fn heed(&mut self) {
        while let Ok(Some(received)) = self.signals.next() {
            match received.signal {
                // A mender that has ended. The leader's end is told by its socket.
                libc::SIGCHLD => while process::next_change().is_some() {},
                libc::SIGWINCH => self.copying.copy_size(),
                libc::SIGCONT => self.regain_terminal(),
                // Any other that the kernel raises is about the relay alone.
                signal if received.by_process || FROM_TERMINAL.contains(&signal) => {
                    self.tell(&Word::Signal(signal));
                }
                _ => {}
            }
        }
    }

    /// If the leader is gone, its end of the socket says so.
    fn tell(&self, word: &Word) {
        let _ = word.send(&self.leader);
    }
}
