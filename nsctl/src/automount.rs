//! What sessions want of this host's mounts: to get what an automounter mounts later.

use nsshell_config::{Diagnostic, printable};
use nsshell_session::places::{MOUNTS, first_cut_off};

/// Warns of an automounter whose mounts show in no session.
pub(crate) fn faults() -> Option<Diagnostic> {
    let text = std::fs::read(MOUNTS).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let (number, path) = first_cut_off(&text)?;
    let before = text.split_inclusive('\n').take(number);
    let start = before.map(str::len).sum();
    let message = format!(
        "what is mounted on demand in {} shows in no session: the host's mounts are private",
        printable(&path.to_string_lossy())
    );
    let help = "run mount --make-rshared / at each boot before the automounter, as systemd does";
    Some(Diagnostic::warning_at(
        (MOUNTS, &text),
        start,
        &message,
        help,
    ))
}
