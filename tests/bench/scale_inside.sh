#!/usr/bin/env bash
# The half of scale.sh that runs on the throw-away host. See there.
set -euo pipefail

tools=$(dirname "$0")
data=$(mktemp -d)
failures=0

# Rows: the host that is small or large, and the policy. What one row has more than the one above
# it says where the time goes: the user database, reading rules, finding the user's groups.
rows=(small-none none users rules)
label() {
  case $1 in
    small-none) echo 'small host, no rules' ;;
    none) echo "$ACCOUNTS accounts, no rules" ;;
    users) echo "the same, $RULES rules about users" ;;
    rules) echo "the same, rules about users and groups" ;;
  esac
}

prepare() {
  local policy
  "$tools/large_host.sh" "$ACCOUNTS" "$RULES"
  for policy in none users rules; do
    {
      echo 'auth required pam_permit.so'
      echo "account required pam_nsshell.so config=/etc/nsshell/$policy.toml"
      echo "session required pam_nsshell.so config=/etc/nsshell/$policy.toml"
    } >"/etc/pam.d/scale-$policy"
  done
  mkdir -p -m 700 /run/nsshell
  for file in passwd group subuid subgid; do cp -p "/etc/$file" "/etc/$file.large"; done
}

# Makes the host as large as a row wants it.
sized() {
  local file size=large
  [ "$1" != small-none ] || size=small
  for file in passwd group subuid subgid; do
    # no link: shadow's programs follow none
    cp -p "/etc/$file.$size" "/etc/$file.next"
    mv "/etc/$file.next" "/etc/$file"
  done
}

# took COMMAND...: appends ms to the file TO; a command that fails is not counted
took() {
  local began=$EPOCHREALTIME
  if "$@" >"$data/said" 2>&1; then
    echo $(((${EPOCHREALTIME/./} - ${began/./}))) | awk '{ print $1 / 1000 }' >>"$data/$to"
  else
    failures=$((failures + 1))
    cat "$data/said" >>"$data/err"
  fi
}

found() {
  local status=0
  "$@" || status=$?
  [ "$status" -le 1 ]
}

session() {
  if "$tools/pamapp" --samples --per-process --count "$LOGINS" "$@" alice >"$data/run" 2>>"$data/err"; then
    awk '$1 == "sample" { print $2 }' "$data/run" >>"$data/$to"
  else
    failures=$((failures + 1))
  fi
}

measure() {
  local round row policy n to
  for ((round = 0; round < ROUNDS; round++)); do
    for row in "${rows[@]}"; do
      policy=${row#small-}
      sized "$row"
      to=open-$row session "scale-$policy"
      for ((n = 0; n < LOGINS; n++)); do
        to=explain-$row
        took nsctl explain alice --config "/etc/nsshell/$policy.toml"
        # the account line asks as well: both together are what a login waits for
        to=login-$row
        took "$tools/pamapp" --account "scale-$policy" alice
      done
    done
  done
  sized rules
  # 1: what it finds is that these rules are about nobody
  to=check took found nsctl check --users /etc/nsshell/rules.toml
  to=check-refused took found nsctl check --users /etc/nsshell/refuse.toml
  to=diff took nsctl explain --config /etc/nsshell/none.toml --diff /etc/nsshell/rules.toml
  to=diff-each took nsctl explain --config /etc/nsshell/none.toml --diff /etc/nsshell/each.toml
}

median() { sort -g "$data/$1" | awk '{ v[NR] = $1 } END { if (NR) printf "%.2f", v[int((NR + 1) / 2)] }'; }
line() { printf '%-42s %9s %9s %9s %9s\n' "$@"; }

report() {
  local row kind what
  echo "kernel $(uname -r), $(nproc) CPUs; medians in ms of $((ROUNDS * LOGINS)), in $ROUNDS rounds in turn"
  echo
  line '' session login explain 'x session'
  for row in "${rows[@]}"; do
    line "$(label "$row")" "$(median "open-$row")" "$(median "login-$row")" \
      "$(median "explain-$row")" \
      "$(awk -v a="$(median "open-$row")" -v b="$(median open-none)" 'BEGIN { printf "%.2f", a / b }')"
  done
  echo
  for kind in open login explain; do
    awk -v kind="$kind" -v a="$(median "$kind-rules")" -v b="$(median "$kind-none")" -v rules="$RULES" \
      'BEGIN { printf "%s: %d rules cost %.2f ms\n", kind, rules, a - b; exit !(a - b <= 10) }' || bad=1
  done
  for kind in check check-refused diff diff-each; do
    case $kind in
      check) what='check --users' ;;
      check-refused) what='check --users, everybody refused' ;;
      diff) what='--diff, nothing changes' ;;
      diff-each) what='--diff, everything changes' ;;
    esac
    awk -v what="$what" -v ms="$(median "$kind")" \
      'BEGIN { printf "%s: %.2f s\n", what, ms / 1000; exit !(ms < 10000) }' || bad=1
  done
}

bad=0
prepare
measure
report
if [ "$failures" -gt 0 ]; then
  echo
  echo "$failures measurements failed; the figures above are worth nothing. What was said:"
  sort "$data/err" | uniq -c | sort -rn | head -n 12
  exit 1
fi
[ "$bad" = 0 ] || { echo 'too slow'; exit 1; }
