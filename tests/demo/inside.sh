#!/usr/bin/env bash
# The demo's half that runs on the throw-away host: see ../demo.sh. Writes the namespaces that it
# met to descriptor 9.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
work=$(mktemp -d /run/demo.XXXXXX)
LIMIT=20

sshd_config() {
  cat <<TEXT
ListenAddress 127.0.0.1
HostKey /run/host_key
PidFile none
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile /run/authorized_keys
StrictModes no
PrintMotd no
LogLevel ERROR
TEXT
}

# pam_stack [nsshell]: the same lines for both, and the module's two
pam_stack() {
  echo 'auth required pam_deny.so'
  echo 'account required pam_unix.so'
  [ $# = 0 ] || echo 'account required pam_nsshell.so'
  echo 'password required pam_deny.so'
  echo 'session required pam_unix.so'
  [ $# = 0 ] || echo 'session required pam_nsshell.so'
}

start_sshd() {
  ssh-keygen -q -t ed25519 -N '' -f /run/host_key
  ssh-keygen -q -t ed25519 -N '' -f /run/login_key
  cp /run/login_key.pub /run/authorized_keys
  chmod 644 /run/authorized_keys
  sshd_config >/etc/ssh/sshd_config
  pam_stack >/etc/pam.d/sshd
  "$(command -v sshd)" -D -e -f /etc/ssh/sshd_config 2>"$work/sshd.log" 9>&- &
  # ready when the port answers
  local end=$((SECONDS + LIMIT))
  until (: </dev/tcp/127.0.0.1/22) 2>/dev/null; do
    [ $SECONDS -lt $end ] || give_up 'sshd does not answer'
    sleep 0.05
  done
}

give_up() {
  echo "demo: $*; sshd said:" >&2
  cat "$work/sshd.log" >&2
  exit 1
}

login() {
  local user=$1
  shift
  timeout $LIMIT ssh -q -F none -i /run/login_key -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null "$user@127.0.0.1" "$@"
}

# wait_for_line FILE LINE
wait_for_line() {
  local end=$((SECONDS + LIMIT))
  until grep -qxF "$2" "$1" 2>/dev/null; do
    [ $SECONDS -lt $end ] || give_up "no answer from a login ($1)"
    sleep 0.05
  done
}

# both_log_in CASE: alice and bob at the same time; then both log out
both_log_in() {
  local user alice bob
  for user in alice bob; do mkfifo "$work/$1.$user.in"; done
  login alice "$(cat "$here/day.sh")" <"$work/$1.alice.in" >"$work/$1.alice" 2>&1 &
  exec {alice}>"$work/$1.alice.in"
  login bob "$(cat "$here/day.sh")" <"$work/$1.bob.in" >"$work/$1.bob" 2>&1 &
  exec {bob}>"$work/$1.bob.in"
  # each has done what leaves traces before either looks around
  for user in alice bob; do wait_for_line "$work/$1.$user" worked; done
  echo look >&"$alice"
  wait_for_line "$work/$1.alice" looked
  echo look >&"$bob"
  wait_for_line "$work/$1.bob" looked
  readlink /proc/[0-9]*/ns/* | sort -u >&9
  exec {alice}>&- {bob}>&-
  wait_for_line "$work/$1.alice" bye
  wait_for_line "$work/$1.bob" bye
}

# What is left of the users after their logins have ended, seen by root on the host.
remains() {
  local end=$((SECONDS + LIMIT)) still='ssh -q|sshd: (alice|bob)'
  # the connections end a moment after the good-bye, and a session's init a moment after them
  [ "$1" = without ] || still+='|backup'
  while pgrep -f "^($still)" >/dev/null && [ $SECONDS -lt $end ]; do sleep 0.05; done
  {
    echo '# after both have logged out'
    ps -o user:8=,args= -u alice,bob || true # there may be none
    find /tmp /dev/shm -mindepth 1 -printf '%u %p\n' | sort
    awk 'NR > 1 { print "shared memory of uid " $8 }' /proc/sysvipc/shm
    echo '(nothing more)'
  } >"$work/$1.remains"
}

clean_up_after_users() {
  pkill -KILL -u alice,bob || true
  find /tmp /dev/shm -mindepth 1 -delete
  ipcrm --all=shm
}

# side_by_side TITLE FILE FILE
side_by_side() {
  local rule='------------------------------------------------'
  printf '\n%s\n%-48s | %s\n%s-+-%s\n' "$1" 'without nsshell' 'with nsshell' "$rule" "$rule"
  local section
  # section by section, so that the same thing stands in the same row
  grep '^# ' "$2" | while read -r section; do
    printf '%-48s |\n' "$section"
    paste -d '\t' <(lines_of "$section" "$2") <(lines_of "$section" "$3") |
      awk -F '\t' '{ printf "  %-46.46s |   %-46.46s\n", $1, $2 }' | sed 's/ *$//'
  done
}

lines_of() {
  awk -v section="$1" '/^# / { on = $0 == section; next } /^(worked|looked|bye)$/ { next } on' "$2" |
    expand
}

start_sshd
both_log_in without
remains without
clean_up_after_users

pam_stack nsshell >/etc/pam.d/sshd
sed -i -E '/^(alice|bob):/ s,[^:]*$,/usr/bin/nsshell,' /etc/passwd
both_log_in with
remains with

echo
echo 'Both worked: each left a file in /tmp and /dev/shm, made a System V shared memory segment and'
echo 'started a job in the background with a password on its command line. Then each looked around.'
side_by_side 'What alice sees' "$work/without.alice" "$work/with.alice"
side_by_side 'What bob sees' "$work/without.bob" "$work/with.bob"
side_by_side 'What the administrator sees' "$work/without.remains" "$work/with.remains"
echo

# The pictures above must mean something: the left one leaks, the right one does not.
for user in alice bob; do
  other=$([ "$user" = alice ] && echo bob || echo alice)
  grep -q "of-$other" "$work/without.$user" ||
    give_up "$user saw nothing of $other without nsshell: this host shows nothing"
  ! grep -E "(of|:)[-. ]$other|^$other" "$work/with.$user" ||
    give_up "$user saw something of $other with nsshell"
done
