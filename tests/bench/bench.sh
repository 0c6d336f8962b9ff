#!/usr/bin/env bash
# Measures what a session costs, in one run on one machine: a login without a module, one with
# pam_namespace and a private /tmp, and one with nsshell, in turn, in rounds. Only the ratios mean
# something: absolute times belong to the machine and to its other work.
#
# usage: bench.sh    (as root; make bench builds first)
#   NSSHELL_BUILD  where the release build lies
#   FLOOR          sources of a yardstick to measure as well: floor_init.c, floor_pam.c,
#                  floor_shell.c, the least C that makes a session
#   KINDS          what to measure beside the first two: nsshell, floor (all there is)
#   ROUNDS=20  SESSIONS=15  SHELLS=15    rounds, and of what each round has
set -euo pipefail

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
build=${NSSHELL_BUILD:?NSSHELL_BUILD must name the directory of the release build}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
[ "$(id -u)" = 0 ] || { echo 'bench.sh: needs root; use sudo make bench' >&2; exit 1; }

pam_dir=${PAMDIR:-$("$top/packaging/pam-dir")}
tools=$stage/usr/local/libexec/nsshell-bench
mkdir -p "$tools" "$stage/usr/local/bin" "$stage$pam_dir"
cp "$here/inside.sh" "$tools/"
cc -O2 -o "$tools/pamapp" "$top/tests/apps/pamapp.c" -lpam

kinds=${KINDS:-nsshell${FLOOR:+ floor}}
[[ $kinds != *nsshell* ]] || make --no-print-directory -s -C "$top" install-files DESTDIR="$stage" PREFIX=/usr \
  PAMDIR="$pam_dir" NSSHELL_BUILD="$build"

if [ -n "${FLOOR:-}" ]; then
  cc -O2 -w -o "$stage/usr/local/libexec/floor-init" "$FLOOR/floor_init.c"
  cc -O2 -w -shared -fPIC -o "$stage$pam_dir/pam_floor.so" "$FLOOR/floor_pam.c" -lpam
  cc -O2 -w -o "$stage/usr/local/bin/floor-shell" "$FLOOR/floor_shell.c"
fi

"$top/tests/host.sh" --tree "$stage" -- env KINDS="$kinds" \
  ROUNDS="${ROUNDS:-20}" SESSIONS="${SESSIONS:-15}" SHELLS="${SHELLS:-15}" \
  /usr/local/libexec/nsshell-bench/inside.sh
