#!/usr/bin/env bash
# Runs a command on a throw-away host: the machine's own programs, but every file written, every
# account, process, mount, address and IPC object belongs to the host and goes with it.
#
# usage: host.sh [--tree DIR]... [--bind DIR]... COMMAND [ARG]...
#   --tree DIR   lay the files of DIR over the root (such as the result of make install DESTDIR=)
#   --bind DIR   show DIR at the same place, read-only (what lies under /home, /tmp or /run is
#                hidden otherwise)
# Accounts: those of the system below uid 1000, and alice (1001) and bob (1002) with 65536
# subordinate ids each from 100000 and 165536. The exit status is the command's.
set -euo pipefail

die() {
  printf 'host.sh: %s\n' "$*" >&2
  exit 125
}

trees=() binds=() scratch=
while [ $# -gt 0 ]; do
  case $1 in
    --tree) trees+=("$(realpath "$2")"); shift 2 ;;
    --bind) binds+=("$(realpath "$2")"); shift 2 ;;
    --inside) scratch=$2; shift 2 ;; # this script's own second half
    --) shift; break ;;
    -*) die "unknown option $1" ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || die 'no command; see the head of this file'

# First half, on the machine: namespaces, and nothing else. The only thing made outside them is an
# empty directory.
if [ -z "$scratch" ]; then
  [ "$(id -u)" = 0 ] || die 'needs root: it makes a PID, mount and network namespace'
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/nsshell-host.XXXXXX")
  trap 'rmdir "$scratch"' EXIT
  again=()
  for tree in "${trees[@]}"; do again+=(--tree "$tree"); done
  for bind in "${binds[@]}"; do again+=(--bind "$bind"); done
  status=0
  unshare --mount --propagation private --pid --fork --kill-child --net --ipc --uts -- \
    bash "$(realpath "$0")" --inside "$scratch" "${again[@]}" -- "$@" || status=$?
  exit "$status"
fi

# Second half, as PID 1 of the host. bash reaps what is orphaned.
root=$scratch/root

overlay_root() {
  mount -t tmpfs -o mode=755 tmpfs "$scratch"
  mkdir "$root" "$scratch/upper" "$scratch/work"
  for tree in "${trees[@]}"; do cp -a "$tree/." "$scratch/upper/"; done
  # the root of the tree decides the mode of "/" else
  chmod 755 "$scratch/upper"
  chown 0:0 "$scratch/upper"
  mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$root" ||
    die "cannot lay an overlay over /; overlayfs and CAP_SYS_ADMIN are needed"
}

fresh_directories() {
  for dir in tmp var/tmp; do mount -t tmpfs -o mode=1777 tmpfs "$root/$dir"; done
  for dir in run home; do mount -t tmpfs -o mode=755 tmpfs "$root/$dir"; done
  mkdir -p "$root/run/lock" "$root/run/sshd" "$root/run/user"
  mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
  for node in null zero full random urandom tty; do
    : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
  done
  mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
  mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
  mount -t mqueue mqueue "$root/dev/mqueue"
  ln -s pts/ptmx "$root/dev/ptmx"
  for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 \
    stderr:/proc/self/fd/2; do
    ln -s "${link#*:}" "$root/dev/${link%%:*}"
  done
  for bind in "${binds[@]}"; do
    mkdir -p "$root$bind"
    mount --bind "$bind" "$root$bind"
    mount -o remount,bind,ro "$root$bind"
  done
}

accounts() {
  local etc=$root/etc
  awk -F: '$3 < 1000 || $3 == 65534' /etc/passwd >"$etc/passwd.new"
  awk -F: '$3 < 1000 || $3 == 65534' /etc/group >"$etc/group.new"
  mv "$etc/passwd.new" "$etc/passwd"
  mv "$etc/group.new" "$etc/group"
  awk -F: '{ print $1 ":*:19000:0:99999:7:::" }' "$etc/passwd" >"$etc/shadow"
  : >"$etc/subuid"
  local user id=1001 from=100000
  for user in alice bob; do
    echo "$user:x:$id:$id::/home/$user:/bin/bash" >>"$etc/passwd"
    echo "$user:x:$id:" >>"$etc/group"
    echo "$user:*:19000:0:99999:7:::" >>"$etc/shadow"
    echo "$user:$from:65536" >>"$etc/subuid"
    mkdir -m 700 "$root/home/$user"
    chown "$id:$id" "$root/home/$user"
    id=$((id + 1)) from=$((from + 65536))
  done
  cp "$etc/subuid" "$etc/subgid"
  chmod 640 "$etc/shadow"
  rm -f "$etc/gshadow" "$etc/nologin"
  # only files: no directory server is asked about the machine's users
  printf '%s: files\n' passwd group shadow gshadow >"$etc/nsswitch.conf"
  echo 'hosts: files' >>"$etc/nsswitch.conf"
  echo '127.0.0.1 localhost throwaway' >"$etc/hosts"
}

overlay_root
fresh_directories
accounts
hostname throwaway 2>/dev/null || echo throwaway >/proc/sys/kernel/hostname
ip link set lo up
# pivot_root, not chroot: the kernel makes no user namespace for a chrooted process
cd "$root"
pivot_root . .
umount --lazy .
cd /
export HOME=/root
status=0
"$@" || status=$?
exit "$status"
