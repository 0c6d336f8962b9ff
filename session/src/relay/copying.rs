//! Bytes between a terminal or pipes of the user's side and the terminal of another user.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::sys::{Errno, fd, pty};

/// The most that is read at once, and that waits for a program which does not read.
const PIECE: usize = 16 * 1024;

/// The most that is handed on of each direction once the program has ended: more than the kernel
/// keeps of what was written and not read, in a terminal or a pipe.
const MOST_LEFT: usize = 128 * 1024;

/// How long that may take.
const LAST: Duration = Duration::from_secs(1);

/// One direction: what comes out of `from` goes to `to`.
pub struct Pipe<'fd> {
    /// non-blocking
    pub from: OwnedFd,
    /// blocking
    pub to: BorrowedFd<'fd>,
}

/// The direction from the keyboard: bytes of one terminal go to another one.
pub struct Typed<'fd> {
    /// the terminal of a person
    pub from: BorrowedFd<'fd>,
    /// our side of the user's terminal, non-blocking
    pub to: OwnedFd,
}

/// Both directions, and what is under way.
pub struct Copying<'fd> {
    pipes: Vec<Pipe<'fd>>,
    open: Vec<bool>,
    typed: Option<Typed<'fd>>,
    /// typed, and not yet taken by the user's terminal
    waiting: Vec<u8>,
    /// what is typed is read now
    pub reads_typed: bool,
    /// the other terminal turns each line feed into a carriage return and a line feed, as the
    /// user's has done already
    pub undoes_newlines: bool,
}

/// The result of a turn.
pub struct Turn<const N: usize> {
    /// which of the other descriptors can be read
    pub ready: [bool; N],
    /// what is typed cannot be read any more: the terminal is gone, or the caller is not in its
    /// foreground
    pub lost: bool,
}

impl<'fd> Copying<'fd> {
    /// Nothing is copied yet. `typed`: none if there is nothing to type on.
    pub fn new(pipes: Vec<Pipe<'fd>>, typed: Option<Typed<'fd>>) -> Self {
        Self {
            open: pipes.iter().map(|_| true).collect(),
            pipes,
            reads_typed: typed.is_some(),
            typed,
            waiting: Vec::new(),
            undoes_newlines: false,
        }
    }

    /// Waits until there is something to copy, or one of `others` can be read, and copies once.
    /// Keys are read only if `may_read` says so, and thrown away if that does not say so
    /// afterwards: the caller may have been stopped in between, and the terminal another program's.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn turn<const N: usize>(
        &mut self,
        others: [BorrowedFd<'_>; N],
        may_read: impl Fn() -> bool,
    ) -> Result<Turn<N>, Errno> {
        let flowing: Vec<usize> = (0..self.pipes.len()).filter(|at| self.open[*at]).collect();
        let mut reading = others.to_vec();
        reading.extend(flowing.iter().map(|at| self.pipes[*at].from.as_fd()));
        // Keys wait in the terminal while the program does not read: reading on
        // would block us, and with us what the program writes.
        let typed = self
            .typed
            .as_ref()
            .filter(|_| self.reads_typed && self.waiting.is_empty());
        reading.extend(typed.map(|typed| typed.from));
        let writing = self
            .typed
            .as_ref()
            .filter(|_| !self.waiting.is_empty())
            .map(|typed| typed.to.as_fd());
        let (ready, can_write) = pty::wait(&reading, writing)?;
        let ready_others = std::array::from_fn(|at| ready[at]);
        for (at, _) in flowing.iter().zip(&ready[N..]).filter(|(_, ready)| **ready) {
            self.open[*at] = self.hand_on(*at).is_some();
        }
        let mut lost = false;
        if let (Some(typed), Some(true)) = (&self.typed, ready.get(N + flowing.len())) {
            let mut piece = [0; PIECE];
            let read = may_read().then(|| fd::read(typed.from, &mut piece));
            match read.filter(|_| may_read()) {
                Some(Ok(length @ 1..)) => self.waiting.extend_from_slice(&piece[..length]),
                _ => {
                    self.reads_typed = false;
                    lost = true;
                }
            }
        }
        if let (Some(typed), true) = (&self.typed, can_write || !self.waiting.is_empty()) {
            match pty::write(&typed.to, &self.waiting) {
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(Errno::AGAIN) => {}
                Err(_) => self.waiting.clear(),
            }
        }
        Ok(Turn {
            ready: ready_others,
            lost,
        })
    }

    /// Closes the caller's copies, in a child that is to have none.
    pub fn close_in_child(&self) {
        for pipe in &self.pipes {
            fd::close_in_child(pipe.from.as_fd());
            fd::close_in_child(pipe.to);
        }
        if let Some(typed) = &self.typed {
            fd::close_in_child(typed.from);
            fd::close_in_child(typed.to.as_fd());
        }
    }

    /// Gives the user's terminal the window size of the one that is typed on.
    pub fn copy_size(&self) {
        if let Some(typed) = &self.typed {
            let _ = pty::copy_size(typed.from, &typed.to);
        }
    }

    /// Hands on what was written last. Others may still have the other side open, and go on
    /// writing: no end is waited for.
    pub fn finish(&self) {
        let soon = Instant::now() + LAST;
        for at in 0..self.pipes.len() {
            let mut left = MOST_LEFT;
            while left > 0 && Instant::now() < soon {
                match self.hand_on(at) {
                    Some(length) => left = left.saturating_sub(length),
                    None => break,
                }
            }
        }
    }

    /// Hands on once: how many bytes; none if there was nothing, or never will be.
    fn hand_on(&self, at: usize) -> Option<usize> {
        let pipe = &self.pipes[at];
        let mut piece = vec![0; PIECE + 1];
        let Ok(mut length @ 1..) = fd::read(&pipe.from, &mut piece[..PIECE]) else {
            return None;
        };
        // The kernel puts both characters into the buffer at once, but a read may end between.
        if self.undoes_newlines && piece[length - 1] == b'\r' {
            length += fd::read(&pipe.from, &mut piece[length..=length]).unwrap_or(0);
        }
        piece.truncate(length);
        if self.undoes_newlines {
            piece = undo_newlines(&piece);
        }
        let mut rest = &piece[..];
        while !rest.is_empty() {
            match pty::write(pipe.to, rest) {
                Ok(written) => rest = &rest[written..],
                // No one looks any more. The program is not kept from running on for that.
                Err(_) => break,
            }
        }
        Some(length)
    }
}

/// Takes away the carriage return before each line feed (ONLCR of termios(3), undone).
fn undo_newlines(bytes: &[u8]) -> Vec<u8> {
    let is_added = |at: usize| bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n');
    let kept = (0..bytes.len()).filter(|at| !is_added(*at));
    kept.map(|at| bytes[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_feed_loses_the_carriage_return_that_the_terminal_has_put_before_it() {
        for (from, to) in [
            ("", ""),
            ("a\r\nb\r\n", "a\nb\n"),
            ("\r\r\n", "\r\n"),
            ("50%\r", "50%\r"),
            ("\n\r", "\n\r"),
        ] {
            assert_eq!(undo_newlines(from.as_bytes()), to.as_bytes(), "{from:?}");
        }
    }
}
