#!/bin/bash
# Builds the fuzz targets and runs each of them.
#
#   fuzz/run.sh SECONDS [TARGET]...
#
# Without a sanitizer: what is fuzzed is safe Rust (forbid(unsafe_code)), whose faults are panics,
# and the limit of 64 MB is about this code. AddressSanitizer alone keeps 256 MB of freed memory;
# with it (RUSTFLAGS+=-Zsanitizer=address, nightly) use -rss_limit_mb=2048. Inputs are small here:
# what large ones take is in config/tests/memory.rs.
# What is found lies in fuzz/artifacts; the rest, in fuzz/corpus, may be thrown away.
set -eu
cd "$(dirname "$0")"
seconds=${1:-600}
shift || true
[ $# -gt 0 ] || set -- policy subid import
host=$(rustc -vV | sed -n 's/^host: //p')

# What the policy is fuzzed with is made of the language itself, so that a new key is among it.
made=$PWD/corpus/made
rm -rf "$made"
mkdir -p "$made"/{policy,subid,import}
cp seeds/policy/* ../config/tests/wrong/*.toml ../config/src/*.toml "$made/policy"
cp ../packaging/nsshell.toml "$made/policy/defaults.toml"
# each key that stands there as a comment, in force
sed 's/^#\([a-z[]\)/\1/' ../packaging/nsshell.toml >"$made/policy/in-force.toml"
awk -v to="$made/policy/manual-" '
  /^\.Bd -literal/ { inside = 1; file = to (++n) ".toml"; next }
  /^\.Ed/ { inside = 0; close(file) }
  inside { gsub(/\\e/, "\\"); gsub(/\\&/, ""); print > file }' ../packaging/man/nsshell.toml.5
{
  cat policy.dict
  cargo run --quiet --locked --manifest-path ../Cargo.toml -p nsshell-config --example words
} >"$made/policy.dict"
cp subid.dict import.dict "$made"
cp seeds/subid/* "$made/subid"
cp seeds/import/* "$made/import"

# with a target named, these flags are not for build scripts
export RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --release --locked --target "$host"
for target in "$@"; do
  mkdir -p "corpus/$target" "artifacts/$target"
  "${CARGO_TARGET_DIR:-target}/$host/release/$target" -max_total_time="$seconds" \
    -rss_limit_mb=64 -timeout=10 -max_len=8192 -dict="$made/$target.dict" -print_final_stats=1 \
    -artifact_prefix="artifacts/$target/" "corpus/$target" "$made/$target"
done
