//! End-to-end tests: real programs on a throw-away host. `src/lib.rs` says how to add a case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Makes two tests of each function: `confined::NAME` on a host with the product and
/// `unconfined::NAME` on one without. For what must work alike on both; that it does on the
/// second shows that the case itself is sound.
macro_rules! on_both_hosts {
    ($($case:ident),* $(,)?) => {
        mod confined {
            $(#[test]
            fn $case() {
                nsshell_tests::root_or_skip!();
                super::$case(&nsshell_tests::Host::confined());
            })*
        }
        mod unconfined {
            $(#[test]
            fn $case() {
                nsshell_tests::root_or_skip!();
                super::$case(&nsshell_tests::Host::unconfined());
            })*
        }
    };
}

mod apart;
mod application;
mod attempt;
mod disk;
mod ending;
mod escape;
mod forwarding;
mod gate;
mod harness;
mod hostile;
mod import;
mod keys;
mod layer;
mod life;
mod load;
mod local;
mod machine;
mod maps;
mod nsctl;
mod parts;
mod points;
mod profiles;
mod ranges;
mod refused;
mod remote;
mod rollout;
mod scale;
mod services;
mod sessions;
mod shell;
mod standalone;
mod systemd;
mod terminal;
mod transfer;
mod view;
