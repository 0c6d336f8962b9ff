//! Capabilities: given up, and looked that they are. capabilities(7).

use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{Errno, Result};

/// Leaves the caller with CAP_KILL alone, and with no way to gain another by executing a
/// program (no_new_privs).
///
/// # Errors
/// EPERM, also if the kernel says afterwards that more is left.
pub fn keep_only_kill() -> Result<()> {
    keep_only(CapabilitySet::KILL)
}

/// Leaves the caller with what removing other people's files takes (CAP_CHOWN,
/// CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER), and with no way to gain another.
///
/// # Errors
/// EPERM, also if the kernel says afterwards that more is left.
pub fn keep_only_for_files() -> Result<()> {
    keep_only(
        CapabilitySet::CHOWN
            | CapabilitySet::DAC_OVERRIDE
            | CapabilitySet::DAC_READ_SEARCH
            | CapabilitySet::FOWNER,
    )
}

fn keep_only(set: CapabilitySet) -> Result<()> {
    let only = CapabilitySets {
        effective: set,
        permitted: set,
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
