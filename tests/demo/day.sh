# A user's day, run by the login shell: work, look around when told to, log out.
umask 022
echo "$USER was here" >"/tmp/report-of-$USER"
echo "$USER was here" >"/dev/shm/cache-of-$USER"
ipcmk -M 4096 >/dev/null
# a job that is to go on after the logout, with a secret on its command line
setsid -f bash -c "exec -a 'backup --password=secret-of-$USER' sleep 1000" </dev/null >/dev/null 2>&1
echo worked
read -r _
echo '# id, and its map (inside, outside, count)'
id -un
awk '{ print $1, $2, $3 }' /proc/self/uid_map
echo '# processes'
processes=$(ps -e --no-headers --sort user -o user:7,args)
# without the demo's own: its script, the ssh clients and what wraps them
echo "$processes" | grep -vE ' (bash /|timeout|ssh -q|sleep 0|\[)'
echo '# /tmp'
ls -l --time-style=+ /tmp | awk 'NR > 1 { print $1, $3, $6 }'
echo '# /dev/shm'
ls -l --time-style=+ /dev/shm | awk 'NR > 1 { print $1, $3, $6 }'
echo '# System V shared memory (owner uid, bytes)'
awk 'NR > 1 { print $8, $4 }' /proc/sysvipc/shm | sort
echo looked
read -r _
echo bye
