//! What sessions want of this host's mounts: to get what an automounter mounts later.

use nsshell_config::{Diagnostic, printable};
use nsshell_session::places::{MOUNTS, Places};

/// Warns of an automounter whose mounts show in no session.
pub(crate) fn faults() -> Option<Diagnostic> {
    let places = Places::new();
    let path = places.first_cut_off()?.to_string_lossy();
    let text = std::fs::read(MOUNTS).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let before = text.split(&format!(" {path} ")).next().unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let message = format!(
        "what is mounted on demand in {} shows in no session: the host's mounts are private",
        printable(&path)
    );
    let help = "run mount --make-rshared / at each boot before the automounter, as systemd does";
    Some(Diagnostic::warning_at(
        (MOUNTS, &text),
        start,
        &message,
        help,
    ))
}
