#!/usr/bin/env bash
# The demo: a throw-away host with its own sshd, two users who log in over ssh, and side by side
# what each of them sees without and with nsshell. Leaves nothing behind, and shows that.
#
# usage: demo.sh    (as root; make demo builds first)
#   NSSHELL_BUILD  where the release build lies
set -euo pipefail

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/..")
build=${NSSHELL_BUILD:?NSSHELL_BUILD must name the directory of the release build}
[ "$(id -u)" = 0 ] || { echo 'demo.sh: needs root; use sudo make demo' >&2; exit 1; }

# What the demo could leave on the machine.
census() {
  echo "mounts $(wc -l </proc/self/mountinfo)"
  echo "accounts $(wc -l </etc/passwd)"
  echo "groups $(wc -l </etc/group)"
  echo "subordinate ranges $(cat /etc/subuid /etc/subgid 2>/dev/null | wc -l)"
  echo "PAM services $(find /etc/pam.d -type f | wc -l)"
  echo "IPC objects $(cat /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg | wc -l)"
  echo "the demo's temporary files $(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'nsshell-demo.*' | wc -l)"
  echo "processes in the demo's namespaces $(processes_inside)"
}

# Of the namespaces that the demo made and met; a machine's other processes come and go.
processes_inside() {
  readlink /proc/[0-9]*/ns/* 2>/dev/null |
    { grep -xF "${namespaces:-none yet}" || true; } | wc -l
}

before=$(census)
work=$(mktemp -d "${TMPDIR:-/tmp}/nsshell-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
make --no-print-directory -s -C "$top" install-files DESTDIR="$work/tree" PREFIX=/usr \
  NSSHELL_BUILD="$build"
mkdir -p "$work/tree/usr/local/libexec"
cp -a "$here/demo" "$work/tree/usr/local/libexec/nsshell-demo"
"$here/host.sh" --tree "$work/tree" -- /usr/local/libexec/nsshell-demo/inside.sh 9>"$work/namespaces"
namespaces=$(grep -vxFf <(readlink /proc/self/ns/*) "$work/namespaces" | sort -u)
[ "$namespaces" ] || { echo 'demo.sh: the demo met no namespace of its own' >&2; exit 1; }
rm -rf "$work"

after=$(census)
echo 'What is left on this machine (before the demo, after it):'
paste -d ' ' <(echo "$before") <(awk '{ print $NF }' <<<"$after") |
  awk '{ n = $(NF - 1); m = $NF; NF -= 2; printf "  %-44s %6d %6d\n", $0, n, m }'
if [ "$before" != "$after" ]; then
  echo 'demo.sh: the counts differ; was something else being tested at the same time?' >&2
  exit 1
fi
