//! The sockets that `expose` lets through by name, and what of a minimal /dev is the login's own.

use super::{builder, seen};
use nsshell_tests::{Host, root_or_skip};

/// What each name lets through, in the runtime directory.
const NAMES: [(&str, &str); 4] = [
    ("wayland", "wayland-0"),
    ("ssh-agent", "openssh_agent"),
    ("gpg-agent", "gnupg/S.gpg-agent"),
    ("dbus-session", "bus"),
];

/// A server of alice's on each of them, which says its name.
const SERVE: &str = r#"install -d -m 700 -o alice -g alice /run/user/1000 /run/user/1000/gnupg
cat > /root/serve.py <<'END'
import os, selectors, socket
os.setgroups([]); os.setresgid(1000, 1000, 1000); os.setresuid(1000, 1000, 1000)
os.chdir("/run/user/1000")
all = selectors.DefaultSelector()
for name in ("wayland-0", "openssh_agent", "gnupg/S.gpg-agent", "bus"):
    one = socket.socket(socket.AF_UNIX); one.bind(name); one.listen()
    all.register(one, selectors.EVENT_READ, name)
if os.fork() == 0:
    os.setsid()
    while True:
        for key, _ in all.select(): key.fileobj.accept()[0].send(key.data.encode())
END
python3 /root/serve.py < /dev/null > /dev/null 2>&1"#;

/// The names of the servers that answer.
const ASK: &str = r#"python3 -c '
import socket
for name in ("wayland-0", "openssh_agent", "gnupg/S.gpg-agent", "bus"):
    try:
        one = socket.socket(socket.AF_UNIX); one.settimeout(5); one.connect("/run/user/1000/" + name)
        print(one.recv(64).decode())
    except OSError: pass
'"#;

#[test]
fn each_name_of_expose_lets_through_its_socket_and_no_other() {
    root_or_skip!();
    let answers = |policy: &str| {
        let host = builder(&format!("runtime_dir = true\n{policy}")).prepare(SERVE);
        seen(&host.start(), ASK)
    };
    assert_eq!(answers(""), "");
    for (name, socket) in NAMES {
        assert_eq!(answers(&format!("expose = ['{name}']")), socket, "{name}");
    }
    let all = NAMES.map(|(name, _)| format!("'{name}'")).join(", ");
    let sockets = NAMES.map(|(_, socket)| socket).join(" ");
    assert_eq!(answers(&format!("expose = [{all}]")), sockets);
}

#[test]
fn a_minimal_dev_has_the_login_s_own_terminal_wherever_it_is() {
    root_or_skip!();
    let look = |host: &Host| {
        // A console is no file of /dev/pts.
        let mut shell = host.pty(
            "touch /dev/tty9 /dev/tty8; mount --bind $(tty) /dev/tty9; \
             exec login -f alice < /dev/tty9 > /dev/tty9 2>&1",
        );
        shell.prompt();
        shell.ask("tty; test -c /dev/tty9 && echo there; test -e /dev/tty8 && echo another")
    };
    let with = look(&builder("dev = 'minimal'").start());
    assert_eq!(with.lines().collect::<Vec<_>>(), ["/dev/tty9", "there"]);
    let without = look(&builder("").start());
    assert!(without.contains("another"), "{without}");
}

#[test]
fn a_set_uid_program_gives_nothing_where_a_bind_says_so() {
    root_or_skip!();
    // Without a user namespace the rest of the session keeps what is set-uid.
    let run = |options: &str| {
        let policy = format!(
            "namespaces = ['mount', 'pid', 'ipc']\n\
             binds = [{{ source = '/srv/open', target = '/srv/target', options = [{options}] }}]"
        );
        let host = builder(&policy).prepare("chmod 4755 /srv/open/program");
        seen(&host.start(), "/srv/target/program -un")
    };
    assert_eq!(run("'nosuid'"), "alice");
    assert_eq!(run(""), "root");
}
