#!/usr/bin/env bash
# Makes of DIR/root.tar (rootfs.sh) what the emulator starts from: DIR/kernel, DIR/initrd, DIR/disk.
#
# usage: boot.sh DIR        (root needed)
set -euo pipefail
dir=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
tree=$dir/tree

# The system of the guest: two users, no file system but the root, and none of the timers, which
# would run in the midst of a payload.
configure_guest() {
  echo guest >"$tree/etc/hostname"
  printf '127.0.0.1 localhost guest\n::1 localhost\n' >"$tree/etc/hosts"
  : >"$tree/etc/fstab"
  : >"$tree/etc/machine-id"
  local user
  for user in alice bob; do
    chroot "$tree" useradd --create-home --shell /bin/bash "$user"
    echo "$user:$user" | chroot "$tree" chpasswd
  done
  local unit units=$tree/etc/systemd/system
  for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer systemd-timesyncd.service getty@tty1.service; do
    ln -sf /dev/null "$units/$unit"
  done
  install -D -m 755 "$here/guest/run-payload" "$tree/usr/local/sbin/run-payload"
  install -D -m 644 "$here/guest/run-payload.service" "$units/run-payload.service"
  mkdir -p "$units/multi-user.target.wants"
  ln -sf ../run-payload.service "$units/multi-user.target.wants/run-payload.service"
}

# add_module NAME: the module and those that it depends on, which come first
add_module() {
  local line module name
  # modules.dep does not list what is built into the kernel
  line=$(grep -E "(^|/)$1\.ko(\.[a-z0-9]+)?:" "$modules/modules.dep") || return 0
  for module in $(tr ' ' '\n' <<<"${line#*:}" | tac) "${line%%:*}"; do
    name=$(basename "$module")
    name=${name%.ko*}.ko
    [ ! -e "$ram/modules/$name" ] || continue
    case $module in
      *.xz) xz -dc "$modules/$module" ;;
      *.zst) zstd -qdc "$modules/$module" ;;
      *) cat "$modules/$module" ;;
    esac >"$ram/modules/$name"
    echo "$name" >>"$ram/modules/order"
  done
}

# An initrd that does one thing: mount the disk. That of the distribution takes longer to unpack in
# an emulator than the rest of the boot.
make_initrd() {
  local version module
  version=$(ls "$tree/lib/modules")
  modules=$tree/lib/modules/$version ram=$dir/initrd.tree
  rm -rf "$ram"
  mkdir -p "$ram"/{bin,dev,proc,sys,root,modules}
  : >"$ram/modules/order"
  # crc32c_generic: ext4 asks for it by name, so nothing depends on it
  for module in virtio_pci virtio_blk virtio_console crc32c_generic ext4; do
    add_module "$module"
  done
  cp /bin/busybox "$ram/bin/busybox"
  cat >"$ram/init" <<'INIT'
#!/bin/busybox sh
PATH=/bin
for name in insmod mount mknod sleep umount switch_root; do busybox ln -s busybox /bin/$name; done
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
until [ -b /dev/vda ]; do sleep 0.05; done
mount -t ext4 /dev/vda /root
umount /proc
umount /sys
mount --move /dev /root/dev
exec switch_root /root /sbin/init
INIT
  chmod 755 "$ram/init"
  (cd "$ram" && find . | cpio --quiet -o -H newc) >"$dir/initrd"
  rm -rf "$ram"
}

rm -rf --one-file-system "$tree"
mkdir "$tree"
tar -C "$tree" --numeric-owner --xattrs --xattrs-include='*' -xf "$dir/root.tar"
configure_guest
make_initrd
cp "$tree"/boot/vmlinuz-* "$dir/kernel"
rm -f "$dir/disk"
truncate -s 2G "$dir/disk"
mke2fs -q -t ext4 -m 0 -d "$tree" "$dir/disk"
rm -rf --one-file-system "$tree"
