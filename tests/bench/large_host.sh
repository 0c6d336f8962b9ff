#!/bin/sh
# Makes a throw-away host a large one: prints nothing, changes /etc. Never run it elsewhere.
#
# usage: large_host.sh ACCOUNTS RULES
#   accounts u1 ... with a group of their own each, 200 teams of 250 and one group of everybody;
#   two ranges of subordinate ids of each; alice is in everything, in the last lines
#   /etc/nsshell/none.toml   no rules
#   /etc/nsshell/users.toml  RULES rules, each about a user
#   /etc/nsshell/rules.toml  RULES rules, each about a user and a group
#   /etc/nsshell/each.toml     something else for each account
#   /etc/nsshell/refuse.toml   nobody can have a session
# The rules are about nobody of the host, so that each is tried.
set -eu
accounts=$1 rules=$2
first=10000 # uid of the first account

seq 1 "$accounts" | awk -F: -v first="$first" -v OFS=: '
  { uid = first + $1; print "u" $1, "x", uid, uid, "", "/home/u" $1, "/usr/bin/nsshell" }' >/etc/passwd.many
seq 1 "$accounts" | awk -v first="$first" -v OFS=: '
  { print "u" $1, "x", first + $1, "" }' >/etc/group.own
seq 1 "$accounts" | awk -v teams=200 '
  function begin(name, gid) { printf "%s:x:%d:alice", name, gid }
  $1 <= 250 * teams && $1 % 250 == 1 { if (team) print ""; begin("team" ++team, 100000 + team) }
  $1 <= 250 * teams { printf ",u%d", $1 }
  END { print "" }' >/etc/group.teams
{
  printf 'everybody:x:200000:alice'
  seq 1 "$accounts" | awk '{ printf ",u%d", $1 }'
  echo
} >>/etc/group.teams
sed -i '/^\(alice\|bob\):/s,:[^:]*$,:/usr/bin/nsshell,' /etc/passwd
# the accounts of the host last, as an unlucky login finds them
grep -v '^\(alice\|bob\):' /etc/passwd >/etc/passwd.new
cat /etc/passwd.many >>/etc/passwd.new
grep '^\(alice\|bob\):' /etc/passwd >>/etc/passwd.new
grep -v '^\(alice\|bob\):' /etc/group >/etc/group.new
cat /etc/group.own /etc/group.teams >>/etc/group.new
grep '^\(alice\|bob\):' /etc/group >>/etc/group.new
# %.0f: some awks have no larger integers than 2147483647
seq 1 "$accounts" | awk '{ from = 300000 + 80000 * ($1 - 1)
  printf "u%d:%.0f:40000\nu%d:%.0f:40000\n", $1, from, $1, from + 40000 }' >/etc/subid.many
for file in subuid subgid; do cat /etc/subid.many "/etc/$file" >"/etc/$file.new"; done
for file in passwd group subuid subgid; do
  cp "/etc/$file" "/etc/$file.small"
  mv "/etc/$file.new" "/etc/$file"
done
rm /etc/passwd.many /etc/group.own /etc/group.teams /etc/subid.many

mkdir -p /etc/nsshell
: >/etc/nsshell/none.toml
printf '[profile.standard]\nhostname = "{user}-%s"\n' x >/etc/nsshell/each.toml
# 64 characters and more: too long for a host name
printf '[profile.standard]\nhostname = "{user}-%063d"\n' 0 >/etc/nsshell/refuse.toml
seq 1 "$rules" | awk '{ printf "[[rule]]\nusers = [\"x%d\"]\nservices = [\"sshd\", \"scale-users\"]\n" \
  "profile = \"standard\"\n\n", $1 }' >/etc/nsshell/users.toml
seq 1 "$rules" | awk '{ printf "[[rule]]\nusers = [\"x%d\", \"@y%d\"]\n" \
  "services = [\"sshd\", \"scale-rules\"]\nprofile = \"standard\"\n\n", $1, $1 }' >/etc/nsshell/rules.toml
