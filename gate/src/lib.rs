//! Decisions of the login shell that need no system call: what it reads of its session, what its
//! arguments mean, what environment it hands on, and which calls it forbids.
//!
//! The program of this crate is the gate between the host layer of a session and the user's shell.
//! It runs as the user, with the user's environment, before the user layer is entered. So it uses
//! no library that would read that environment: neither the loader (LD_PRELOAD), nor a C library
//! (LOCPATH, GCONV_PATH, also when it is linked statically), nor a user database. The standalone
//! half of the login shell, which needs all three, is another program that the gate executes where
//! there is no session.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod advice;
pub mod arguments;
pub mod environment;
pub mod orders;
pub mod terminal_number;
pub mod typing_filter;
