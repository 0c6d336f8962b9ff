//! All tests of the policy, in one program, which is linked once; but for those that measure memory
//! and time, which nothing else must disturb.

mod common;
mod example;
mod faults;
mod idmap;
mod language;
mod layers;
mod lint;
mod lint_places;
mod manager;
mod plans;
mod properties;
mod reach;
mod rules;
mod shipped;
mod templates;
mod views;
mod wrong;
