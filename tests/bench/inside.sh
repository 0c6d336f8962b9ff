#!/usr/bin/env bash
# The benchmark's half that runs on the throw-away host. See bench.sh.
set -euo pipefail

app=$(dirname "$0")/pamapp
data=$(mktemp -d)
failures=0

# One service for each way of login. Nothing else is in the stack, so that the difference is the
# module.
service() {
  {
    echo 'auth required pam_permit.so'
    echo 'account required pam_permit.so'
    echo "session required $2"
  } >"/etc/pam.d/bench-$1"
}

prepare() {
  service none pam_permit.so
  service namespace pam_namespace.so
  service nsshell pam_nsshell.so
  echo '/tmp /tmp-inst/ user root' >/etc/security/namespace.conf
  mkdir -m 000 /tmp-inst
  service floor pam_floor.so
  mkdir -p -m 700 /run/nsshell
  prepare_mounts
  rows=(none namespace $KINDS)
}

# More mounts of each kind that a profile can ask for by the dozen, for what one of them costs.
more=40
prepare_mounts() {
  local kind n
  mkdir -p /srv/from
  for ((n = 0; n < more; n++)); do mkdir -p "/srv/at$n"; done
  paths() { seq -s, -f "$1" 0 $((more - 1)); }
  for kind in plain private binds read_only masked; do
    service "mounts-$kind" "pam_nsshell.so config=/etc/nsshell-$kind.toml"
    {
      echo '[profile.standard]'
      case $kind in
        private) echo "private = [\"/tmp\", \"/var/tmp\", \"/dev/shm\", $(paths '"/srv/at%g"')]" ;;
        binds) echo "binds = [$(paths '{ source = "/srv/from", target = "/srv/at%g" }')]" ;;
        read_only | masked) echo "$kind = [$(paths '"/srv/at%g"')]" ;;
      esac
    } >"/etc/nsshell-$kind.toml"
  done
}

mounts() {
  local round kind
  [[ $KINDS == *nsshell* ]] || return 0
  for ((round = 0; round < ROUNDS; round++)); do
    for kind in plain private binds read_only masked; do
      measure "session-mounts-$kind" --per-process --count "$SESSIONS" "bench-mounts-$kind" alice /bin/true
    done
  done
}

# What one mount more costs, in microseconds.
report_mounts() {
  local kind plain all
  [[ $KINDS == *nsshell* ]] || return 0
  echo
  line "one mount more, of $more" 'us' '' '' '' ''
  plain=$(median session-mounts-plain sample 2)
  for kind in private binds read_only masked; do
    all=$(median "session-mounts-$kind" sample 2)
    line "$kind" "$(awk -v a="$all" -v b="$plain" -v n="$more" 'BEGIN { printf "%.0f", (a - b) * 1000 / n }')" '' '' '' ''
  done
}

# measure FILE ARGUMENT...: runs pamapp and appends its times to FILE; those of a run that failed
# are not counted, since a refusal is fast
measure() {
  local to=$1
  shift
  if "$app" --samples "$@" >"$data/run" 2>>"$data/$to.err"; then
    cat "$data/run" >>"$data/$to"
  else
    failures=$((failures + 1))
  fi
}

# Rounds with the rows in turn: what else the machine does hits all of them alike.
sessions() {
  local round row
  for ((round = 0; round < ROUNDS; round++)); do
    for row in "${rows[@]}"; do
      measure "session-$row" --per-process --count "$SESSIONS" "bench-$row" alice /bin/true
    done
    [[ $KINDS == *nsshell* ]] || continue
    # The same once more, of logins that share a session which stands.
    hold nsshell || failures=$((failures + 1))
    measure session-shared --per-process --count "$SESSIONS" bench-nsshell alice /bin/true
    release
  done
}

# hold ROW: opens a session and keeps it open until release
hold() {
  local line
  mkfifo "$data/in" "$data/out"
  "$app" --pause "bench-$1" alice <"$data/in" >"$data/out" 2>>"$data/hold.err" &
  held_by=$!
  exec {to_app}>"$data/in" {from_app}<"$data/out"
  read -r -t 20 line <&"$from_app" && [ "$line" = opened ]
}

release() {
  exec {to_app}>&- {from_app}<&-
  wait "$held_by" || true
  rm "$data/in" "$data/out"
}

# The same shell, plainly and through the login shell, in a session of the same kind.
shells() {
  local round kind shell
  for ((round = 0; round < ROUNDS; round++)); do
    for kind in $KINDS; do
      shell=$kind
      [ "$kind" = nsshell ] || shell=$kind-shell
      measure "plain-$kind" --repeat "$SHELLS" "bench-$kind" alice /bin/bash -c true
      measure "shell-$kind" --repeat "$SHELLS" "bench-$kind" alice "$shell" -c true
    done
  done
}

# Without the module: the user makes the namespaces. unshare makes the same kinds and mounts /proc.
standalone() {
  local round
  for ((round = 0; round < ROUNDS; round++)); do
    [[ $KINDS != *nsshell* ]] ||
      measure alone-nsshell --repeat "$SHELLS" bench-none alice nsshell -c true
    measure alone-unshare --repeat "$SHELLS" bench-none alice \
      unshare --user --map-current-user --map-auto --mount --mount-proc --pid --fork --ipc --uts \
      --cgroup -- /bin/bash -c true
  done
}

# The one process that is number 1 in a PID namespace below this host's.
find_init() {
  awk '/^NSpid:/ && NF > 2 && $NF == 1 { print $2 }' /proc/[0-9]*/status 2>/dev/null
}

# init_memory ROW: kB of private memory of the session's init, while the session stands
init_memory() {
  local pid
  if hold "$1"; then
    pid=$(find_init)
    [ -z "$pid" ] || awk '/^Private_(Clean|Dirty):/ { kb += $2 } /^Rss:/ { rss = $2 }
      END { print kb, rss }' "/proc/$pid/smaps_rollup"
  fi
  release
}

# median FILE PATTERN COLUMN: of the numbers in that column; nothing if there are none
median() {
  [ -s "$data/$1" ] || return 0
  awk -v word="$2" -v column="$3" '$1 == word { print $column }' "$data/$1" | sort -g |
    awk '{ v[NR] = $1 } END { if (NR) printf "%.3f", v[int((NR + 1) / 2)] }'
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (a != "" && b > 0) printf "%.2f", a / b; else printf "-" }'; }
minus() { awk -v a="$1" -v b="$2" 'BEGIN { if (a != "" && b != "") printf "%.3f", a - b }'; }
# What the login shell adds to the plain one in a session of the same kind.
own_time() { minus "$(median "shell-$1" sample-run 2)" "$(median "plain-$1" sample-run 2)"; }
line() { printf '%-34s %9s %9s %9s %9s %9s\n' "$@"; }

# row LABEL FILE: medians of open, close and all, and open's ratios
row() {
  local open
  open=$(median "session-$2" sample 2)
  line "$1" "${open:--}" "$(median "session-$2" sample 4)" "$(median "session-$2" sample 5)" \
    "$(ratio "$open" "$base")" "$(ratio "$open" "$floor")"
}

report() {
  local base floor floor_own kind
  base=$(median session-namespace sample 2)
  floor=$(median session-floor sample 2)
  echo "kernel $(uname -r), $(nproc) CPUs; medians in ms of $((ROUNDS * SESSIONS)) sessions each," \
    "in $ROUNDS rounds in turn"
  echo
  line 'a session' open close all 'open/ns' 'open/floor'
  row 'no module' none
  row 'pam_namespace, one private /tmp' namespace
  for kind in $KINDS; do row "$kind" "$kind"; done
  [[ $KINDS != *nsshell* ]] || row 'nsshell, a session shared' shared
  echo
  line "a shell in it, -c true" plain login-shell own '' 'own/floor'
  floor_own=$(own_time floor)
  for kind in $KINDS; do
    line "$kind" "$(median "plain-$kind" sample-run 2)" "$(median "shell-$kind" sample-run 2)" \
      "$(own_time "$kind")" '' "$(ratio "$(own_time "$kind")" "$floor_own")"
  done
  echo
  base=$(median alone-unshare sample-run 2)
  line 'without the module, as the user' all '' '' '' 'all/unshare'
  line 'unshare --map-auto, same kinds' "$base" '' '' '' ''
  line 'nsshell -c true' "$(median alone-nsshell sample-run 2)" '' '' '' \
    "$(ratio "$(median alone-nsshell sample-run 2)" "$base")"
  echo
  line "memory of the session's init in kB" private resident '' '' ''
  # shellcheck disable=SC2046 # two numbers
  for kind in $KINDS; do line "$kind" $(init_memory "$kind") '' '' ''; done
}

prepare
sessions
mounts
shells
standalone
report
report_mounts
if [ "$failures" -gt 0 ]; then
  echo
  echo "$failures measurements failed; the figures above are worth nothing. What was said:"
  sort "$data"/*.err | uniq -c | sort -rn | head -n 12
  exit 1
fi
