//! Messages between the process that stands for a shell outside of its session, and the shell's
//! parent inside: one word each.

use std::os::fd::AsFd;
use std::time::Instant;

use crate::error::Error;
use crate::sys::process::Ended;
use crate::sys::signal::Signal;
use crate::sys::{Errno, socket};

/// A message, whoever sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// to init: the maps are written
    Go,
    /// to the caller: the shell runs
    Ready,
    /// to the caller: it does not, and why
    Failed(String),
    /// to the caller: the shell was stopped, by this signal
    Stopped(Signal),
    /// to the caller: the shell has ended, and nothing of the session is left but init
    Ended(Ended),
    /// to init: send this signal to the shell
    Signal(Signal),
    /// to init: the caller was continued, in the foreground of its terminal or behind it
    Continue {
        /// the caller's group is in the foreground
        foreground: bool,
    },
    /// from either: gone without a word, or a word that nobody knows
    Nothing,
}

impl Word {
    fn encode(&self) -> Vec<u8> {
        let number =
            |letter: u8, number: i32| vec![letter, u8::try_from(number).unwrap_or(u8::MAX)];
        match self {
            Self::Go => vec![b'g'],
            Self::Ready => vec![b'='],
            Self::Failed(why) => [b"!", why.as_bytes()].concat(),
            Self::Stopped(signal) => number(b'z', *signal),
            Self::Ended(Ended::Exited(status)) => number(b'x', *status),
            Self::Ended(Ended::Killed(signal)) => number(b'k', *signal),
            Self::Signal(signal) => number(b's', *signal),
            Self::Continue { foreground } => number(b'c', i32::from(*foreground)),
            Self::Nothing => Vec::new(),
        }
    }

    fn decode(message: &[u8]) -> Self {
        match *message {
            [b'g'] => Self::Go,
            [b'='] => Self::Ready,
            [b'!', ref why @ ..] => Self::Failed(String::from_utf8_lossy(why).into_owned()),
            [b'z', signal] => Self::Stopped(signal.into()),
            [b'x', status] => Self::Ended(Ended::Exited(status.into())),
            [b'k', signal] => Self::Ended(Ended::Killed(signal.into())),
            [b's', signal] => Self::Signal(signal.into()),
            [b'c', foreground] => Self::Continue {
                foreground: foreground != 0,
            },
            _ => Self::Nothing,
        }
    }

    /// Says it.
    pub(crate) fn send(&self, socket: impl AsFd) -> Result<(), Errno> {
        socket::send(socket, &self.encode(), &[])
    }

    /// Waits for the next one, until `deadline`; `limit` is how long that is, in seconds.
    pub(crate) fn receive(socket: impl AsFd, deadline: Instant, limit: u32) -> Result<Self, Error> {
        match socket::receive(socket, deadline) {
            Ok((message, _)) => Ok(Self::decode(&message)),
            Err(Errno::TIMEDOUT) => Err(Error::TooSlow {
                what: "the session's init".into(),
                limit: limit.into(),
            }),
            Err(errno) => Err(Error::system("cannot hear the session's init", errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_arrives_as_it_was_said() {
        let words = [
            Word::Go,
            Word::Ready,
            Word::Failed("cannot do it: why; remedy".to_owned()),
            Word::Failed(String::new()),
            Word::Stopped(libc::SIGTSTP),
            Word::Ended(Ended::Exited(0)),
            Word::Ended(Ended::Exited(255)),
            Word::Ended(Ended::Killed(libc::SIGRTMAX())),
            Word::Signal(libc::SIGTERM),
            Word::Continue { foreground: true },
            Word::Continue { foreground: false },
            Word::Nothing,
        ];
        for word in words {
            assert_eq!(Word::decode(&word.encode()), word);
        }
    }

    #[test]
    fn an_unknown_word_is_none() {
        for message in [&b"q"[..], b"z", b"x12", b"gg"] {
            assert_eq!(Word::decode(message), Word::Nothing);
        }
    }
}
