#!/usr/bin/env bash
# Makes the root file system of a Debian release, with the kernel of that release.
#
# usage: rootfs.sh SUITE DIR
#   DIR/root.tar      the root file system (root needed)
# Environment: KERNEL, the kernel's package.
#
# The mirror is that of this machine. Its name stays in DIR, which git ignores.
set -euo pipefail
suite=$1 dir=$2
kernel=${KERNEL:-linux-image-cloud-amd64}

packages=(
  systemd systemd-sysv dbus libpam-systemd udev kmod # a usual login: logind, scopes
  libpam-modules libpam-runtime login passwd uidmap  # su, newuidmap, pam-auth-update
  openssh-server openssh-client cron
  iproute2 procps python3
  initramfs-tools # the kernel depends on it
  "$kernel"
)

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
  grep -E '/debian/?$' | sort -u | head -n 1) || true
[ -n "$mirror" ] || { echo 'rootfs.sh: apt has no Debian mirror on this machine' >&2; exit 1; }
sources() {
  local part
  for part in "$suite" "$suite-updates"; do echo "deb $mirror $part main"; done
  echo "deb ${mirror%/}-security $suite-security main"
}

included=$(IFS=,; echo "${packages[*]}")
# INITRD=No keeps the kernel's package from making an initrd, which takes a minute; boot.sh makes a
# small one. Without manuals and translations half as much has to be written and copied. A mirror
# may lag behind the time for which a release file of testing is valid.
sources | INITRD=No mmdebstrap --mode=root --format=tar --variant=minbase \
  --include="$included" \
  --aptopt='Acquire::Check-Valid-Until "false"' \
  --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  "$suite" "$dir/root.tar.new" -
mv "$dir/root.tar.new" "$dir/root.tar"
