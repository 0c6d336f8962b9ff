#!/usr/bin/env bash
# Runs each payload on each Debian release in the emulator. Makes the systems first if they are
# missing.
#
# usage: run.sh PRODUCT      (PRODUCT: a tree that make install-files has filled; root needed)
# Environment:
#   VM_SUITES     releases ("bookworm trixie forky")
#   VM_PAYLOADS   folders of payloads/ (all)
#   VM_KERNEL     the kernel's package (linux-image-cloud-amd64; it has virtual consoles)
#   VM_DIR        where root file systems and images lie (target/vm)
set -euo pipefail
product=$(realpath "${1:?usage: run.sh PRODUCT}")
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
images=$(realpath -m "${VM_DIR:-$top/target/vm}")
kernel=${VM_KERNEL:-linux-image-cloud-amd64}
read -ra suites <<<"${VM_SUITES:-bookworm trixie forky}"
read -ra payloads <<<"${VM_PAYLOADS:-}"
if [ ${#payloads[@]} = 0 ]; then mapfile -t payloads < <(ls "$here/payloads"); fi
passed=0 failed=0

[ "$(id -u)" = 0 ] || { echo 'run.sh needs root: it makes a root file system' >&2; exit 1; }
for payload in "${payloads[@]}"; do
  [ -x "$here/payloads/$payload/run" ] || { echo "run.sh: no payload $payload" >&2; exit 1; }
done
mkdir -p "$images"
# The files of the build are those of the owner of the repository, under sudo as well.
trap 'chown -R --reference="$top/Makefile" "$images"' EXIT

# step DESCRIPTION LOG COMMAND...: prints one line with the seconds, and the end of LOG on a failure
step() {
  local description=$1 log=$2 start=$SECONDS
  shift 2
  printf '%s ... ' "$description"
  if "$@" >"$log" 2>&1 </dev/null; then
    printf '%s s\n' $((SECONDS - start))
  else
    printf 'FAILED after %s s\n' $((SECONDS - start))
    tail -n 30 "$log"
    return 1
  fi
}

digest() { cat "$@" | sha256sum | cut -d' ' -f1; }

# stage NAME INPUTS DESCRIPTION COMMAND...: runs the command unless it was run with these inputs. The
# stamp goes first, so that a stage that was broken off counts as missing.
stage() {
  local name=$1 inputs=$2 description=$3
  shift 3
  [ "$(cat "$dir/$name.stamp" 2>/dev/null)" != "$inputs" ] || return 0
  rm -f "$dir/$name.stamp"
  step "$suite: $description" "$dir/$name.log" "$@" || return 1
  echo "$inputs" >"$dir/$name.stamp"
}

# prepare SUITE: makes each stage anew if its inputs have changed
prepare() {
  local suite=$1 dir=$images/$1 root boot state
  mkdir -p "$dir"
  root="$suite $kernel $(digest "$here/rootfs.sh")"
  boot="$root $(digest "$here/boot.sh" "$here"/guest/run-payload*)"
  # another version of the emulator may not be able to read the state
  state="$boot $(digest "$here/emulator.py") $(qemu-system-x86_64 --version | head -n 1)"
  stage root "$root" 'root file system' env KERNEL="$kernel" "$here/rootfs.sh" "$suite" "$dir" &&
    stage boot "$boot" 'kernel, initrd and disk' "$here/boot.sh" "$dir" &&
    stage state "$state" 'boot, and its state saved' "$here/emulator.py" save "$dir"
}

# pack PAYLOAD ARCHIVE: makes the archive that the guest finds on its second disk
pack() {
  tar -cf "$2" --owner=0 --group=0 \
    -C "$here/guest" start lib.sh \
    --transform="s|^\./payloads/$1|payload|" -C "$here" "./payloads/$1" \
    --transform='s|^\./product|product|' -C "$(dirname "$product")" "./$(basename "$product")"
}

# run_payload SUITE PAYLOAD
run_payload() {
  local suite=$1 payload=$2 dir=$images/$1 start=$SECONDS status=0 bad
  local log=$dir/$payload.log archive=$dir/$payload.tar
  pack "$payload" "$archive"
  echo "$suite: $payload"
  # the emulator writes each line as it comes
  "$here/emulator.py" run "$dir" "$archive" 2>"$log.err" | tee "$log" |
    sed -un '/^\(ok\|FAILED\|note\): /s/^/  /p' || status=$?
  rm -f "$archive"
  bad=$(grep -c '^FAILED: ' "$log" || true)
  passed=$((passed + $(grep -c '^ok: ' "$log" || true)))
  failed=$((failed + bad))
  # a payload that broke off has said less than it should have; 1 is that of its finish
  if { [ $status != 0 ] && [ "$bad" = 0 ]; } || [ $status -gt 1 ]; then
    failed=$((failed + 1))
    echo "  FAILED: $payload ended with $status; its last lines:"
    tail -n 30 "$log" "$log.err"
  fi
  echo "$suite: $payload took $((SECONDS - start)) s"
}

for suite in "${suites[@]}"; do
  if ! prepare "$suite"; then
    failed=$((failed + 1))
    continue
  fi
  for payload in "${payloads[@]}"; do run_payload "$suite" "$payload"; done
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
