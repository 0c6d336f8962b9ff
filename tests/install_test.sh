#!/usr/bin/env bash
# Whether make install puts each file where it belongs, with the mode it needs, and make uninstall
# leaves none. Installs into an empty directory; root is not needed.
#
# usage: install_test.sh BUILD    (BUILD: the directory of the release build)
set -euo pipefail

top=$(dirname "$(realpath "$0")")/..
build=${1:?usage: install_test.sh BUILD}
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT

listing() { (cd "$dest" && find . -mindepth 1 \( -type f -o -empty \) -printf '%m %y %P\n' | sort -k 3); }

# expect WHAT WANTED: the files of dest are these
expect() {
  local got
  got=$(listing)
  if [ "$got" = "$2" ]; then
    echo "ok: $1"
  else
    echo "FAILED: $1" >&2
    diff <(echo "$2") <(echo "$got") >&2 || true
    exit 1
  fi
}

# run_make TARGET VARIABLE...: without what an outer make hands down
run_make() {
  env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make --no-print-directory -s -C "$top" "$1" \
    DESTDIR="$dest" NSSHELL_BUILD="$build" "${@:2}"
}

wanted='755 d etc/nsshell
711 f usr/bin/nsshell
644 f MODULES/pam_nsshell.so
755 d usr/lib/nsshell/sftp-root
755 f usr/lib/nsshell/kiosk
711 f usr/libexec/nsshell/relay
755 f usr/libexec/nsshell/session-init
755 f usr/libexec/nsshell/standalone
755 f usr/sbin/nsctl
644 f usr/share/bash-completion/completions/nsctl
644 f usr/share/doc/nsshell/nsctl.schema.json
644 f usr/share/doc/nsshell/nsshell.schema.json
644 f usr/share/doc/nsshell/nsshell.toml.example
644 f usr/share/doc/nsshell/pam.d-example
644 f usr/share/doc/nsshell/user-manager.conf
644 f usr/share/fish/vendor_completions.d/nsctl.fish
644 f usr/share/man/man1/nsshell.1
644 f usr/share/man/man5/nsshell.toml.5
644 f usr/share/man/man8/nsctl.8
644 f usr/share/man/man8/pam_nsshell.8
644 f usr/share/man/man8/session-init.8
644 f usr/share/zsh/site-functions/_nsctl
644 f usr/share/pam-configs/nsshell'

# lists WANTED with the modules' directory put in, sorted by path as listing is
for_modules() { sed "s|MODULES|$1|" <<<"$2" | sort -k 3; }

umask 027 # what is installed must be readable whatever the administrator's umask is
debian=usr/lib/x86_64-linux-gnu/security
run_make install-files PAMDIR=/$debian PAMCONFIGS=/usr/share/pam-configs
expect 'make install puts the files where Debian wants them' "$(for_modules $debian "$wanted")"
closed=$(find "$dest" -mindepth 1 -type d ! -perm 755)
[ -z "$closed" ] || { echo "FAILED: directories not of mode 755: $closed" >&2; exit 1; }
run_make uninstall PAMDIR=/$debian PAMCONFIGS=/usr/share/pam-configs
left=$(find "$dest" ! -type d)
[ -z "$left" ] || { echo "FAILED: make uninstall left $left" >&2; exit 1; }
echo 'ok: make uninstall leaves no file'

# With a DESTDIR it leaves /etc/shells to the package; without one it is only asked what it would do.
for target in install uninstall; do
  steps=$(env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make --no-print-directory -n -C "$top" "$target" DESTDIR=)
  grep -q "packaging/shells remove '/usr/bin/nsshell'" <<<"$steps" ||
    { echo "FAILED: make $target leaves nsshell in /etc/shells" >&2; exit 1; }
done
echo 'ok: make install and make uninstall take nsshell out of /etc/shells'

rm -rf "${dest:?}"/*
run_make install-files PAMDIR=/usr/lib64/security PAMCONFIGS=
expect 'make install puts the files where Fedora wants them' \
  "$(for_modules usr/lib64/security "$(grep -v pam-configs <<<"$wanted")")"

rm -rf "${dest:?}"/*
run_make install-files PREFIX=/usr/local PAMDIR=/$debian PAMCONFIGS=/usr/share/pam-configs
expect 'make install follows PREFIX' "$(for_modules $debian "$wanted" |
  sed -E 's, usr/(bin|sbin|libexec|share/(doc|man|bash-completion|fish|zsh)), usr/local/\1,' | sort -k 3)"
