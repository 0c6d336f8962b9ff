//! What a session sees of the file system.

mod copy;
pub mod ephemeral;
pub mod home;
pub mod idmap;
pub mod instance;
pub mod janitor;
mod removal;
pub mod trusted;
