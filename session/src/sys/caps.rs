//! Capabilities: given up, and looked that they are. capabilities(7).

use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{Errno, Result};

/// Leaves the caller with CAP_KILL alone, and with no way to gain another by executing a
/// program (no_new_privs).
///
/// # Errors
/// EPERM, also if the kernel says afterwards that more is left.
pub fn keep_only_kill() -> Result<()> {
    let only = CapabilitySets {
        effective: CapabilitySet::KILL,
        permitted: CapabilitySet::KILL,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_no_new_privs(true)?;
    rustix::thread::clear_ambient_capability_set()?;
    rustix::thread::set_capabilities(None, only)?;
    if rustix::thread::capabilities(None)? == only {
        Ok(())
    } else {
        Err(Errno::PERM)
    }
}
