//! Socket pairs that carry whole messages and descriptors (unix(7), SOCK_SEQPACKET).

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
};

use super::{Errno, Result};

/// The longest message, in bytes.
pub const MAX_MESSAGE: usize = 8192;

/// The most descriptors that a message carries.
const MAX_FDS: usize = 4;

/// Two connected sockets, close-on-exec.
///
/// # Errors
/// EMFILE, ENFILE.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
}

/// Sends one message. Never blocks: the messages here always fit in the socket's buffer.
///
/// # Errors
/// EPIPE if nobody reads any more (no SIGPIPE is raised); EAGAIN.
pub fn send(socket: impl AsFd, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let sent = rustix::net::sendmsg(socket, &[IoSlice::new(message)], &mut control, flags)?;
    if sent == message.len() {
        Ok(())
    } else {
        Err(Errno::MSGSIZE)
    }
}

/// Waits for one message, until `deadline`. An empty message means that the other side has
/// gone without a word. Descriptors come close-on-exec.
///
/// # Errors
/// ETIMEDOUT; EMSGSIZE if the message is longer than [`MAX_MESSAGE`].
pub fn receive(socket: impl AsFd, deadline: Instant) -> Result<(Vec<u8>, Vec<OwnedFd>)> {
    if !readable(&socket, Some(deadline))? {
        return Err(Errno::TIMEDOUT);
    }
    let mut buffer = vec![0; MAX_MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let mut once = || {
        let mut into = [IoSliceMut::new(&mut buffer)];
        rustix::net::recvmsg(&socket, &mut into, &mut control, flags)
    };
    let got = match once() {
        // The other side closed with a message of ours unread. That is told once, and before
        // what it may have sent: its own message, or the end, comes next.
        Err(Errno::CONNRESET) => once()?,
        got => got?,
    };
    if got.flags.contains(rustix::net::ReturnFlags::TRUNC) {
        return Err(Errno::MSGSIZE);
    }
    buffer.truncate(got.bytes);
    let fds = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    Ok((buffer, fds))
}

/// As [`receive`], from who is not to send descriptors: what comes is not taken, and the
/// kernel lets go of it by itself. To close one that was taken could ask a file system of the
/// sender's to flush it, and wait for the answer.
///
/// # Errors
/// As [`receive`].
pub fn receive_message(socket: impl AsFd, deadline: Instant) -> Result<Vec<u8>> {
    if !readable(&socket, Some(deadline))? {
        return Err(Errno::TIMEDOUT);
    }
    let mut buffer = vec![0; MAX_MESSAGE];
    // recv(2) gives no room for descriptors.
    let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
    let mut once = || rustix::net::recv(&socket, &mut buffer[..], flags);
    let (_, length) = match once() {
        // as in `receive`
        Err(Errno::CONNRESET) => once()?,
        got => got?,
    };
    if length > MAX_MESSAGE {
        return Err(Errno::MSGSIZE);
    }
    buffer.truncate(length);
    Ok(buffer)
}

/// Waits until `fd` is readable or its other side is gone; false if the deadline came first.
/// No deadline: waits for ever.
///
/// # Errors
/// EBADF, ENOMEM. Interruption by a signal is waited out.
pub fn readable(fd: impl AsFd, deadline: Option<Instant>) -> Result<bool> {
    Ok(readable_among(&[fd.as_fd()], deadline)?[0])
}

/// As [`readable`], for several descriptors at once: which of them are; all false if the
/// deadline came first.
///
/// # Errors
/// EBADF, ENOMEM.
pub fn readable_among<const N: usize>(
    fds: &[BorrowedFd<'_>; N],
    deadline: Option<Instant>,
) -> Result<[bool; N]> {
    loop {
        let mut polled = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let left = deadline.map(|at| timespec(at.saturating_duration_since(Instant::now())));
        match rustix::event::poll(&mut polled, left.as_ref()) {
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
            Ok(_) => {
                let ready = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
                if polled
                    .iter()
                    .any(|one| one.revents().contains(PollFlags::NVAL))
                {
                    return Err(Errno::BADF);
                }
                return Ok(std::array::from_fn(|at| {
                    polled[at].revents().intersects(ready)
                }));
            }
        }
    }
}

/// Ends a connection for every process that has a copy of the socket, so that the other side
/// sees the end at once even if a child of ours still holds one.
///
/// # Errors
/// ENOTCONN.
pub fn hang_up(socket: impl AsFd) -> Result<()> {
    rustix::net::shutdown(socket, Shutdown::Both)
}

pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_sent_arrives_though_the_sender_has_read_nothing_and_is_gone() {
        let soon = || Instant::now() + Duration::from_secs(1);
        let (ours, theirs) = pair().unwrap();
        send(&ours, b"request", &[]).unwrap();
        send(&theirs, b"answer", &[]).unwrap();
        drop(theirs);
        assert_eq!(receive(&ours, soon()).unwrap().0, b"answer");
        assert_eq!(receive(&ours, soon()).unwrap().0, b"");
    }

    #[test]
    fn descriptors_that_are_not_wanted_are_not_taken_and_messages_come_as_they_are() {
        let soon = || Instant::now() + Duration::from_secs(1);
        let (ours, theirs) = pair().unwrap();
        let (sent, kept) = pair().unwrap();
        send(&theirs, b"word", &[sent.as_fd()]).unwrap();
        drop(sent);
        send(&theirs, &[b'x'; MAX_MESSAGE], &[]).unwrap();
        send(&theirs, &[b'x'; MAX_MESSAGE + 1], &[]).unwrap();
        // Under way it is still open.
        assert_eq!(readable(&kept, Some(Instant::now())), Ok(false));
        assert_eq!(receive_message(&ours, soon()).unwrap(), b"word");
        assert_eq!(readable(&kept, Some(soon())), Ok(true));
        assert_eq!(receive_message(&ours, soon()).unwrap().len(), MAX_MESSAGE);
        assert_eq!(receive_message(&ours, soon()), Err(Errno::MSGSIZE));
        drop(theirs);
        assert_eq!(receive_message(&ours, soon()).unwrap(), b"");
    }
}
