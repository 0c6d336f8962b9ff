#!/usr/bin/env bash
# Measures what a large host and a large policy cost: 50,000 accounts, 100,000 lines of
# /etc/subuid, 10,000 rules. Each row is measured in turn with the others; what counts is the
# difference between two rows, since absolute times belong to the machine and to its other work.
#
# usage: scale.sh    (as root; make scale builds first)
#   NSSHELL_BUILD  where the release build lies
#   ACCOUNTS=50000  RULES=10000    the size; subordinate ids have two lines for each account
#   ROUNDS=20  LOGINS=5            rounds, and logins and explanations of each row in a round
# Exit status 1 if a login or an explanation with all the rules takes 10 ms more than with no
# rules on the same host, or a question about all accounts takes 10 s.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
build=${NSSHELL_BUILD:?NSSHELL_BUILD must name the directory of the release build}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
[ "$(id -u)" = 0 ] || { echo 'scale.sh: needs root; use sudo make scale' >&2; exit 1; }

pam_dir=${PAMDIR:-$("$top/packaging/pam-dir")}
tools=$stage/usr/local/libexec/nsshell-bench
mkdir -p "$tools" "$stage$pam_dir"
cp "$here/scale_inside.sh" "$here/large_host.sh" "$tools/"
cc -O2 -o "$tools/pamapp" "$top/tests/apps/pamapp.c" -lpam
make --no-print-directory -s -C "$top" install-files DESTDIR="$stage" PREFIX=/usr \
  PAMDIR="$pam_dir" NSSHELL_BUILD="$build"

"$top/tests/host.sh" --tree "$stage" -- env ACCOUNTS="${ACCOUNTS:-50000}" RULES="${RULES:-10000}" \
  ROUNDS="${ROUNDS:-20}" LOGINS="${LOGINS:-5}" /usr/local/libexec/nsshell-bench/scale_inside.sh
