//! Named sockets (unix(7)): listened on, connected to, and who is at the other end.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use super::{Errno, Result, last_errno};

/// How many connections wait to be accepted; one more is told EAGAIN.
const BACKLOG: i32 = 128;

/// Who is at the other end of a connection: for the side that connected, the process that
/// listened; for the other one, the process that connected (SO_PEERCRED).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// as the caller's PID namespace has it; 0 if it has none there
    pub pid: i32,
    /// as the caller's user namespace has it
    pub uid: u32,
}

/// A new socket at `path` that takes connections of whole messages, never blocking.
///
/// # Errors
/// EADDRINUSE, ENOENT; ENAMETOOLONG beyond 107 bytes.
pub fn listen(path: &Path) -> Result<OwnedFd> {
    let socket = seqpacket()?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// The next connection that waits, if one does.
///
/// # Errors
/// EMFILE, ENFILE: it goes on waiting.
pub fn accept(listener: impl AsFd) -> Result<Option<OwnedFd>> {
    match rustix::net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
        Ok(connection) => Ok(Some(connection)),
        Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Connects to a socket that [`listen`] has made. Never blocks.
///
/// # Errors
/// ENOENT; ECONNREFUSED: nobody listens any more; EAGAIN: too many wait.
pub fn connect(path: &Path) -> Result<OwnedFd> {
    let socket = seqpacket()?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Whether nobody listens any more at a socket that [`listen`] has made.
#[must_use]
pub fn is_unheard(path: &Path) -> bool {
    connect(path).err() == Some(Errno::CONNREFUSED)
}

/// Whether no process has the socket any more that was bound to `path`. One that is bound but
/// not listened at yet refuses connections as well; only of another type than the caller's it
/// is told first (EPROTOTYPE).
#[must_use]
pub fn is_unbound(path: &Path) -> bool {
    datagrams_to(path).err() == Some(Errno::CONNREFUSED)
}

fn seqpacket() -> Result<OwnedFd> {
    rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
}

/// Who is at the other end.
///
/// # Errors
/// ENOTCONN.
pub fn peer(connection: impl AsFd) -> Result<Peer> {
    // Not by rustix, whose type for a pid cannot be 0.
    let mut credentials = libc::ucred {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    let mut size = libc::socklen_t::try_from(size_of_val(&credentials)).unwrap_or(0);
    // SAFETY: the kernel writes at most `size` bytes, which is what `credentials` has.
    let failed = unsafe {
        libc::getsockopt(
            connection.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut size,
        )
    };
    if failed != 0 {
        return Err(last_errno());
    }
    Ok(Peer {
        pid: credentials.pid,
        uid: credentials.uid,
    })
}

/// A socket for datagrams to `path`, such as /dev/log.
///
/// # Errors
/// ENOENT, ECONNREFUSED; EPROTOTYPE if the one there is no datagram socket.
pub fn datagrams_to(path: &Path) -> Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Sends one datagram, or does not: never blocks.
///
/// # Errors
/// EAGAIN: the reader is behind; ECONNREFUSED, ENOTCONN: it is gone.
pub fn send_datagram(socket: impl AsFd, bytes: &[u8]) -> Result<()> {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    rustix::net::send(socket, bytes, flags).map(|_| ())
}

/// As [`super::socket::readable_among`], for any number: whether each is readable or its other
/// side is gone.
///
/// # Errors
/// EBADF, ENOMEM. Interruption by a signal is waited out.
pub fn readable_of(fds: &[BorrowedFd<'_>], deadline: Option<Instant>) -> Result<Vec<bool>> {
    let ready = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
    let mut polled: Vec<PollFd<'_>> = fds
        .iter()
        .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
        .collect();
    loop {
        let left = deadline
            .map(|at| super::socket::timespec(at.saturating_duration_since(Instant::now())));
        match rustix::event::poll(&mut polled, left.as_ref()) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => {
                return polled
                    .iter()
                    .map(|one| match one.revents() {
                        events if events.contains(PollFlags::NVAL) => Err(Errno::BADF),
                        events => Ok(events.intersects(ready)),
                    })
                    .collect();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_socket_that_is_bound_and_not_listened_at_is_told_from_one_that_nobody_has() {
        let path = std::env::temp_dir().join(format!("nsshell-unix-{}", std::process::id()));
        let bound = seqpacket().unwrap();
        rustix::net::bind(&bound, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        assert!(is_unheard(&path) && !is_unbound(&path));
        rustix::net::listen(&bound, BACKLOG).unwrap();
        assert!(!is_unheard(&path) && !is_unbound(&path));
        drop(bound);
        assert!(is_unheard(&path) && is_unbound(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(!is_unheard(&path) && !is_unbound(&path), "there is none");
    }
}
