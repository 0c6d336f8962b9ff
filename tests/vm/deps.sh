#!/usr/bin/env bash
# Installs what `make vm` runs, if something is missing: an emulator, and the programs that make a
# root file system for it.
set -euo pipefail

# a program that proves it to be there, Debian's package
needs='
qemu-system-x86_64 qemu-system-x86
qemu-img qemu-utils
mmdebstrap mmdebstrap
mke2fs e2fsprogs
zstd zstd
cpio cpio
busybox busybox-static
python3 python3
'

export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# The initrd has no libraries: a busybox that is linked to some does not start there.
busybox_is_static() { [ ! -e /bin/busybox ] || dpkg -s busybox-static >/dev/null 2>&1; }

missing() {
  local proof package
  while read -r proof package; do
    [ -n "$proof" ] || continue
    command -v "$proof" >/dev/null || echo "$package"
  done <<<"$needs"
  busybox_is_static || echo busybox-static
}

mapfile -t packages < <(missing | sort -u)
[ ${#packages[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "make vm needs (Debian's names): ${packages[*]}" >&2
  exit 1
fi

# The emulator's packages exclude other versions of each other, and one from backports may be there
# already: all of them are taken from the release itself.
. /etc/os-release
if [ "$ID" = debian ] && [ -n "${VERSION_CODENAME:-}" ]; then
  case " ${packages[*]} " in
    *' qemu-'*)
      for package in "${!packages[@]}"; do
        case ${packages[package]} in qemu-*) unset "packages[package]" ;; esac
      done
      packages+=("qemu-system-x86/$VERSION_CODENAME" "qemu-utils/$VERSION_CODENAME")
      ;;
  esac
fi

echo "installing: ${packages[*]}"
apt-get update -q
DEBIAN_FRONTEND=noninteractive \
  apt-get install -q -y --no-install-recommends --allow-downgrades "${packages[@]}"
