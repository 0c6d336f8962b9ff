use std::io::Write as _;
use std::time::{Duration, Instant};

/// The limit of every wait that names no other.
pub const LIMIT: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `done` is true, asking again every 10 ms; for states that nothing announces.
///
/// # Panics
/// With `what` if it is not true within [`LIMIT`].
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < end, "waited {LIMIT:?} in vain for {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Whether this process may make test hosts. If not, says so on standard error; use it through
/// [`root_or_skip!`](crate::root_or_skip).
///
/// # Panics
/// Without root if `CI=true` is in the environment: there a skipped test is a fault.
#[must_use]
pub fn privileged(case: &str) -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{case}: a test host needs root, and CI=true allows no skipped test"
    );
    // Past the capture of the test runner, which drops what a passing test prints.
    let _ = writeln!(std::io::stderr(), "skipped {case}: a test host needs root");
    false
}

/// Returns from the test with a note if this process cannot make test hosts.
#[macro_export]
macro_rules! root_or_skip {
    () => {
        if !$crate::privileged(std::thread::current().name().unwrap_or(module_path!())) {
            return;
        }
    };
}
