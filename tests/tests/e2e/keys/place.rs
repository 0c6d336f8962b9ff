//! Rules that are decided by where a real login comes from and by its terminal.

use nsshell_tests::{Host, PASSWORD, root_or_skip};

/// A host on which alice is left alone by a rule with one key, and the mount namespace of the host.
fn host(key: &str) -> (Host, String) {
    let policy = format!("[[rule]]\n{key}\nprofile = 'none'\n");
    let host = Host::builder()
        .confined()
        .policy(&policy)
        .user("alice")
        .start();
    let outside = host.run("readlink /proc/self/ns/mnt").ok();
    (host, outside)
}

#[test]
fn a_network_decides_about_a_login_by_ssh_from_an_address_in_it() {
    root_or_skip!();
    for (hosts, matches) in [
        ("'127.0.0.0/8'", true),
        ("'127.0.0.1'", true),
        ("'10.0.0.0/8', '127.0.1.0/24', '::1/128'", false),
        ("'*', '!127.0.0.0/30'", false),
    ] {
        let (host, outside) = host(&format!("hosts = [{hosts}]"));
        let inside = host.ssh("alice", "readlink /proc/self/ns/mnt").ok();
        assert_eq!(inside == outside, matches, "{hosts}");
        // and su comes from nowhere
        let inside = host.run("su alice -c 'readlink /proc/self/ns/mnt'").ok();
        assert_ne!(inside, outside, "{hosts}");
    }
}

#[test]
fn a_terminal_decides_about_a_login_on_it() {
    root_or_skip!();
    for (ttys, matches) in [
        ("'pts/*'", true),
        ("'/dev/pts/?', '/dev/pts/??'", true),
        ("'tty*', 'ttyS0'", false),
        ("'*', '!pts/*'", false),
    ] {
        let (host, outside) = host(&format!("ttys = [{ttys}]"));
        let mut su = host.pty("exec su - alice");
        su.prompt();
        let inside = su.ask("readlink /proc/self/ns/mnt");
        assert_eq!(inside == outside, matches, "su: {ttys}");
        let mut login = host.pty("exec login");
        login.expect("login: ");
        login.line("alice");
        login.expect("assword: ");
        login.line(PASSWORD);
        login.prompt();
        let inside = login.ask("readlink /proc/self/ns/mnt");
        assert_eq!(inside == outside, matches, "login: {ttys}");
        // without a terminal
        let inside = host.run("su alice -c 'readlink /proc/self/ns/mnt'").ok();
        assert_ne!(inside, outside, "{ttys}");
    }
}
