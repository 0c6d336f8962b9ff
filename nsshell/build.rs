//! Links the unwinder of GCC into the program instead of loading it as a library of its own:
//! that library is a third of what nsshell has to load and relocate before each shell.
#![forbid(unsafe_code)]

use std::env::var_os;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=CC");
    println!("cargo:rerun-if-changed=build.rs");
    let gnu = |name: &str, value: &str| var_os(name).is_some_and(|found| found == value);
    let native = var_os("HOST") == var_os("TARGET");
    if !native || !gnu("CARGO_CFG_TARGET_OS", "linux") || !gnu("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    // Whoever has no such archive gets the library, which works as well.
    if let Some(directory) = archive("libgcc_eh.a")
        .as_deref()
        .and_then(|path| path.parent())
    {
        println!("cargo:rustc-link-search=native={}", directory.display());
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Where the C compiler, which links Rust programs too, has an archive.
fn archive(name: &str) -> Option<PathBuf> {
    let compiler = var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler)
        .arg(format!("-print-file-name={name}"))
        .output()
        .ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    // A name without a directory means that there is none.
    path.is_absolute().then_some(path)
}
