//! nsshell as a gate: what passes by the login shell of a user, and what does not.

mod cost;
mod environment;
mod relay;
mod shells;
mod terminal;
