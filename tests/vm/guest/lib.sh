# Functions that payloads share. A payload is payloads/NAME/run, a bash script that the guest runs as
# root in the folder of its own files, with alice and bob as users, whose passwords are their names.
# Nothing of the product is enabled yet.

failures=0
ok() { echo "ok: $1"; }
failed() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}
# note SENTENCE: explains the results to the reader, and is not one of them
note() { echo "note: $1"; }

# check SENTENCE COMMAND...: the sentence is true if the command succeeds
check() {
  local sentence=$1
  shift
  if "$@"; then ok "$sentence"; else failed "$sentence"; fi
}

# The last line of a payload.
finish() { exit $((failures > 0)); }

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
  local until=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $until ] || return 1
    sleep 0.1
  done
}

# As an administrator does on Debian; no file of /etc/pam.d is edited.
enable_nsshell() {
  DEBIAN_FRONTEND=noninteractive pam-auth-update --enable nsshell
  grep -q pam_nsshell.so /etc/pam.d/common-session
}

# policy < TOML: by a new file that is renamed, since a login waits for a file that is being written
policy() {
  cat >/etc/nsshell/.new
  mv /etc/nsshell/.new /etc/nsshell/nsshell.toml
  nsctl check >/run/check 2>&1 || { cat /run/check; return 1; }
}

# Where sessions of every profile can write, and root reads: homes and /tmp may be of the session.
seen=/srv/seen
forget_seen() {
  rm -rf "$seen"
  install -d -o alice -g alice "$seen"
}

# The kernel is at least of this version: kernel_since 6.2
kernel_since() { printf '%s\n' "$1" "$(uname -r)" | sort -C -V; }
