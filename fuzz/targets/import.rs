//! The importer: whatever pam_namespace is configured with, what comes out is a policy.
//!
//! The input is namespace.conf and files of /etc/pam.d, with a form feed between two. The name of
//! the first PAM file is /etc/pam.conf, whose lines begin with a service.
#![no_main]

#[path = "../../nsctl/src/import/mod.rs"]
#[allow(dead_code)]
mod import;

use import::{Failed, Text, translate};
use libfuzzer_sys::fuzz_target;
use nsshell_config::{MAX_FILE_SIZE, Policy};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0xc).take(4);
    let conf = Text {
        name: "namespace.conf".to_owned(),
        text: parts.next().unwrap_or_default().to_vec(),
    };
    let names = [
        "/etc/pam.conf",
        "/etc/pam.d/sshd",
        "/etc/pam.d/common-session",
    ];
    let pam = parts.zip(names).map(|(text, name)| Text {
        name: name.to_owned(),
        text: text.to_vec(),
    });
    let pam: Vec<Text> = pam.collect();
    let quiet = |c: char| !c.is_control() || c == '\n';
    match translate(std::slice::from_ref(&conf), &pam) {
        Ok(policy) => {
            assert!(policy.len() <= MAX_FILE_SIZE);
            assert!(policy.chars().all(quiet), "{policy:?}");
            Policy::parse(&policy, "imported").unwrap();
        }
        Err(Failed::Faults(faults)) => {
            assert!(!faults.is_empty());
            for fault in faults {
                let shown = format!("{fault:#}");
                assert!(shown.chars().all(quiet), "{shown:?}");
            }
        }
        Err(Failed::Limit(what)) => assert!(!what.is_empty()),
        Err(Failed::Invalid(error)) => panic!("{error:#}"),
    }
});
