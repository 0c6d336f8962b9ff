#!/bin/bash
# Builds the fuzz targets and runs each of them.
#
#   fuzz/run.sh SECONDS [TARGET]...
#
# Without a sanitizer: what is fuzzed is safe Rust (forbid(unsafe_code)), whose faults are panics,
# and the limit of 64 MB is about this code. AddressSanitizer alone keeps 256 MB of freed memory;
# with it (RUSTFLAGS+=-Zsanitizer=address, nightly) use -rss_limit_mb=2048.
# What is found lies in fuzz/artifacts; the corpus, in fuzz/corpus, may be thrown away.
set -eu
cd "$(dirname "$0")"
seconds=${1:-600}
shift || true
[ $# -gt 0 ] || set -- policy subid import
host=$(rustc -vV | sed -n 's/^host: //p')
# with a target named, these flags are not for build scripts
export RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --release --locked --target "$host"
for target in "$@"; do
  mkdir -p "corpus/$target" "artifacts/$target"
  "${CARGO_TARGET_DIR:-target}/$host/release/$target" -max_total_time="$seconds" \
    -rss_limit_mb=64 -timeout=10 -max_len=8192 -dict="$target.dict" -print_final_stats=1 \
    -artifact_prefix="artifacts/$target/" "corpus/$target" "seeds/$target"
done
