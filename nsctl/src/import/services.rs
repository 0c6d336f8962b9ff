//! For which services the rules are, from the lines of pam_namespace.

use super::pam::PamLine;

/// Services whose logins are treated alike.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Services {
    /// none: every service
    pub(crate) names: Option<Vec<String>>,
    /// a session that cannot be made does not refuse the login
    pub(crate) optional: bool,
}

/// A line of PAM and what of it is lost.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told<'t> {
    pub(crate) line: &'t PamLine,
    pub(crate) notes: Vec<String>,
}

/// Sorts the services by what becomes of a failure: at most two kinds.
pub(crate) fn sort(lines: &[PamLine]) -> (Vec<Services>, Vec<Told<'_>>) {
    let mut told = Vec::new();
    let mut found: Vec<Services> = Vec::new();
    for line in lines {
        let mut notes = notes(line);
        if line.has("unmnt_only") {
            notes.push(
                "`unmnt_only` has no equal: logins of this service are left as they are, with \
                 the private directories of the session that they are made in"
                    .to_owned(),
            );
        } else {
            note_service(line, &mut found, &mut notes);
        }
        if !notes.is_empty() {
            told.push(Told { line, notes });
        }
    }
    // the rules for every service last: of two that match the first one holds
    found.sort_by_key(|services| (services.names.is_none(), services.optional));
    (found, told)
}

fn note_service(line: &PamLine, found: &mut Vec<Services>, notes: &mut Vec<String>) {
    let optional = line.optional;
    let at = found
        .iter()
        .position(|services| services.optional == optional);
    let at = at.unwrap_or_else(|| {
        found.push(Services {
            names: Some(Vec::new()),
            optional,
        });
        found.len() - 1
    });
    let Some(services) = found.get_mut(at) else {
        return;
    };
    match (&line.service, &mut services.names) {
        (Some(service), Some(names)) if !names.contains(service) => names.push(service.clone()),
        (Some(_), _) => {}
        (None, _) => {
            services.names = None;
            notes.push(
                "other services take this file in, and it is not known which: the rules are for \
                 every service that has pam_nsshell; nearest: list them in `services`"
                    .to_owned(),
            );
        }
    }
}

fn notes(line: &PamLine) -> Vec<String> {
    let mut notes = Vec::new();
    for argument in &line.arguments {
        let note = match argument.as_str() {
            // told by the caller, or of no effect on what is taken over, or as it is here anyway
            "unmnt_only"
            | "gen_hash"
            | "ignore_instance_parent_mode"
            | "mount_private"
            | "unmount_on_close"
            | "no_unmount_on_close"
            | "ignore_config_error"
            | "use_current_context"
            | "use_default_context" => continue,
            "debug" => {
                "`debug` has no equal; nearest: `nsctl explain USER` shows what a login gets"
            }
            "require_selinux" => {
                "`require_selinux` has no equal: the login is not refused if SELinux is off"
            }
            "unmnt_remnt" => {
                "`unmnt_remnt` has no equal: nothing is taken off that an earlier login mounted; \
                 the user's private directories are mounted over it, and who gets none sees \
                 those of the earlier login"
            }
            other => {
                notes.push(format!("without effect in pam_namespace too: `{other}`"));
                continue;
            }
        };
        notes.push(note.to_owned());
    }
    notes
}
