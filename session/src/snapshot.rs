//! A file read in one piece, and whether somebody was writing it meanwhile.
//!
//! Nothing tells a reader that a text is complete. What can be known: that nobody has the file open
//! for writing, and that it has been left alone for a while.

use std::fs::{File, Metadata};
use std::io::{Read, Result, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sys::lock;

/// How long a file has to have been left alone to be taken as it is. An editor that truncates
/// a file and writes it anew is done by then, and so is a script that writes it line by line.
pub(crate) const SETTLED: Duration = Duration::from_millis(50);

/// When a file or directory was changed last (inode(7), ctime), in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change(i128);

impl Change {
    pub(crate) fn of(path: &Path) -> Result<Self> {
        Ok(Self::in_(&std::fs::metadata(path)?))
    }

    fn in_(metadata: &Metadata) -> Self {
        let seconds = i128::from(metadata.ctime());
        Self(seconds * 1_000_000_000 + i128::from(metadata.ctime_nsec()))
    }

    /// Whether what was changed has been left alone since. A change in the future is one of a
    /// clock that was wrong once, and will not come nearer by waiting.
    pub(crate) fn is_old(self) -> bool {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let since = i128::try_from(now).unwrap_or(i128::MAX) - self.0;
        since < 0 || since >= SETTLED.as_nanos() as i128
    }
}

/// A file that has been read and stays open.
#[derive(Debug)]
pub(crate) struct Snapshot {
    file: File,
    metadata: Metadata,
    /// the text, or as much of it as may be read
    pub(crate) bytes: Vec<u8>,
    most: u64,
    /// somebody had it open for writing
    pub(crate) was_written: bool,
    /// it was changed while it was read
    torn: bool,
}

impl Snapshot {
    /// Reads at most so many bytes of a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn take(file: File, most: u64) -> Result<Self> {
        // Asked first: who opens it later and writes leaves a change behind.
        let was_written = lock::is_being_written(&file).unwrap_or(false);
        let before = Change::in_(&file.metadata()?);
        let bytes = read(&file, most)?;
        let metadata = file.metadata()?;
        Ok(Self {
            torn: Change::in_(&metadata) != before,
            file,
            metadata,
            bytes,
            most,
            was_written,
        })
    }

    /// The size of the whole file.
    pub(crate) fn size(&self) -> u64 {
        self.metadata.len()
    }

    /// Whether nobody was writing it, and has not for a while.
    pub(crate) fn is_settled(&self) -> bool {
        !self.was_written && !self.torn && Change::in_(&self.metadata).is_old()
    }

    /// Whether nobody was writing it, as it shows after [`SETTLED`]: it is still what it was. It
    /// may have lost its name to a new file: then this is the text from before that.
    pub(crate) fn stayed_whole(&self) -> bool {
        // Asked again, now for those who opened it between the first asking and the reading.
        let is_written = lock::is_being_written(&self.file).unwrap_or(false);
        if self.was_written || self.torn || is_written {
            return false;
        }
        let Ok(now) = self.file.metadata() else {
            return false;
        };
        let was = &self.metadata;
        let modified = |metadata: &Metadata| (metadata.mtime(), metadata.mtime_nsec());
        let replaced = now.nlink() < was.nlink() && modified(&now) == modified(was);
        // Read again: a file system's clock ticks a few hundred times a second only.
        (Change::in_(&now) == Change::in_(was) || replaced)
            && read(&self.file, self.most).is_ok_and(|bytes| bytes == self.bytes)
    }

    /// Whether it is still the file that a path leads to.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|there| {
            (there.dev(), there.ino()) == (self.metadata.dev(), self.metadata.ino())
        })
    }
}

fn read(mut file: &File, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_read_stayed_whole_if_the_file_was_left_alone_or_replaced_and_not_if_it_was_written()
    {
        let directory = std::env::temp_dir().join(format!("nsshell-whole-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let (path, new) = (directory.join("x"), directory.join("new"));
        let take = || Snapshot::take(File::open(&path).unwrap(), 100).unwrap();
        std::fs::write(&path, "old").unwrap();
        let old = take();
        assert!(!old.is_settled(), "it was written just now");
        std::thread::sleep(SETTLED);
        assert!(old.stayed_whole() && take().is_settled());
        // another one in its place
        std::fs::write(&new, "new").unwrap();
        std::fs::rename(&new, &path).unwrap();
        assert!(old.stayed_whole() && !old.is_at(&path));
        assert_eq!(old.bytes, b"old");
        // the same length, by somebody who sets the clock back
        let new = take();
        let time = new.metadata.modified().unwrap();
        std::fs::write(&path, "own").unwrap();
        let written = File::options().write(true).open(&path).unwrap();
        written.set_modified(time).unwrap();
        drop(written);
        assert!(!new.stayed_whole() && new.is_at(&path));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
