//! Links the program without C's start-up code and libraries, at a fixed address, so that there is
//! nothing to load and nothing to relocate before its first instruction.
#![forbid(unsafe_code)]

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_PROGRAM").is_none() {
        return;
    }
    for argument in ["-nostartfiles", "-nostdlib", "-static", "-no-pie"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
