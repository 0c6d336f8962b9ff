#!/usr/bin/env bash
# Installs what the tests, the benchmark and the demo run, if something is missing. Starts no
# service, and has none started at the next boot that was not there before.
set -euo pipefail

# what proves it to be there (a program, or a file), Debian's package
needs='
cc gcc
c++ g++
/usr/include/security/pam_appl.h libpam0g-dev
/usr/include/stdio.h libc6-dev
sshd openssh-server
ssh openssh-client
newuidmap uidmap
ip iproute2
ps procps
unshare util-linux
login login
cron cron
sudo sudo
git git
rsync rsync
tmux tmux
expect expect
strace strace
nc netcat-openbsd
pamtester pamtester
mandoc mandoc
/usr/bin/python3 python3
/usr/share/doc/python3-llfuse python3-llfuse
automount autofs
/lib/systemd/systemd systemd
/usr/share/dbus-1/system.conf dbus
dbus-send dbus
/usr/lib/systemd/user/dbus.socket dbus-user-session
/usr/share/polkit-1/actions/org.freedesktop.policykit.policy polkitd
'

export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
packages=()
while read -r proof package; do
  [ -n "$proof" ] || continue
  case $proof in
    /*) [ -e "$proof" ] || packages+=("$package") ;;
    *) command -v "$proof" >/dev/null || packages+=("$package") ;;
  esac
done <<<"$needs"
[ ${#packages[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing (Debian's names): ${packages[*]}" >&2
  if [ "$(id -u)" != 0 ]; then
    echo 'they are installed when make runs as root: sudo make deps' >&2
  else
    echo "there is no apt-get here; install them with this system's package manager" >&2
  fi
  exit 1
fi

echo "installing: ${packages[*]}"
# invoke-rc.d asks this file before it starts a service; 101 forbids it. One that is there already
# is the administrator's.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
apt-get update -q
# Never in place of something: systemd's packages and another init's exclude each other.
DEBIAN_FRONTEND=noninteractive \
  apt-get install -q -y --no-install-recommends --no-remove "${packages[@]}"

# Debian enables a service when its package comes: nobody asked for an sshd at the next boot.
if command -v systemctl >/dev/null; then
  for package in "${packages[@]}"; do
    case $package in
      openssh-server) systemctl disable ssh.service ssh.socket >/dev/null 2>&1 || true ;;
      autofs) systemctl disable autofs.service >/dev/null 2>&1 || true ;;
      cron) systemctl disable cron.service >/dev/null 2>&1 || true ;;
    esac
  done
fi
