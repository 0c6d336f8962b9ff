//! What a session sees of the file system.

pub mod trusted;
