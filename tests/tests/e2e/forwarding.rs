//! What else runs over one ssh connection: ports, the agent, further sessions.

use nsshell_tests::{Host, root_or_skip};

on_both_hosts!(
    a_local_port_is_forwarded,
    a_remote_port_is_forwarded,
    a_dynamic_port_is_forwarded,
    a_remote_socket_is_forwarded,
    the_agent_is_forwarded,
    a_jump_host_passes_on,
    one_connection_carries_many_sessions,
);

/// What any forwarded connection leads to: sshd itself, which greets first.
const GREETING: &str = "SSH-2.0-OpenSSH";

/// A connection of alice's that forwards something, and stays.
fn forwarding(host: &Host, options: &[&str]) -> nsshell_tests::Running {
    let options = [&["-o", "ExitOnForwardFailure=yes"], options].concat();
    let mut connection = host.ssh_cmd("alice", &options, "echo up; exec cat").spawn();
    connection.expect("up\n");
    connection
}

fn a_local_port_is_forwarded(host: &Host) {
    let _connection = forwarding(host, &["-L", "8000:127.0.0.1:22"]);
    assert!(
        host.run("echo | nc -w 5 127.0.0.1 8000")
            .text()
            .starts_with(GREETING)
    );
}

fn a_remote_port_is_forwarded(host: &Host) {
    let _connection = forwarding(host, &["-R", "8000:127.0.0.1:22"]);
    // From a session: the port is open on its side.
    assert!(
        host.ssh("alice", "echo | nc -w 5 127.0.0.1 8000")
            .text()
            .starts_with(GREETING)
    );
}

fn a_dynamic_port_is_forwarded(host: &Host) {
    let _connection = forwarding(host, &["-D", "1080"]);
    let output = host.run("echo | nc -w 5 -X 5 -x 127.0.0.1:1080 127.0.0.1 22");
    assert!(output.text().starts_with(GREETING), "{output}");
}

fn a_remote_socket_is_forwarded(host: &Host) {
    let options = [
        "-o",
        "ExitOnForwardFailure=yes",
        "-R",
        "/home/alice/socket:127.0.0.1:22",
    ];
    let output = host
        .ssh_cmd("alice", &options, "echo | nc -w 5 -U /home/alice/socket")
        .output();
    assert!(output.text().starts_with(GREETING), "{output}");
}

fn the_agent_is_forwarded(host: &Host) {
    let with_agent = |line: &str| {
        host.argv(&[
            "ssh-agent",
            "sh",
            "-c",
            &format!("ssh-add -q /etc/ssh/client_key && {line}"),
        ])
        .output()
    };
    let keys = with_agent("ssh -A alice@127.0.0.1 ssh-add -l");
    assert!(keys.ok().contains("ED25519"), "{keys}");
    // alice cannot read the key: the agent it is that opens bob's account.
    let hop = "ssh alice@127.0.0.1 'ssh -o BatchMode=yes bob@127.0.0.1 id -un'";
    with_agent(hop).fails();
    assert_eq!(with_agent(&hop.replacen("ssh", "ssh -A", 1)).ok(), "bob");
}

fn a_jump_host_passes_on(host: &Host) {
    assert_eq!(
        host.ssh_cmd("bob", &["-J", "alice@127.0.0.1"], "id -un")
            .output()
            .ok(),
        "bob"
    );
}

fn one_connection_carries_many_sessions(host: &Host) {
    host.run("ssh -M -S /root/mux -f -N alice@127.0.0.1 >/dev/null 2>&1")
        .ok();
    let over = |line: &str| host.ssh_cmd("alice", &["-S", "/root/mux"], line).output();
    // sshd's process for the connection is the parent of each of them.
    let parents: Vec<String> = (0..3).map(|_| over("echo $PPID").ok()).collect();
    assert!(
        parents.iter().all(|parent| *parent == parents[0]),
        "{parents:?}"
    );
    let mut at_once: Vec<_> = (0..4)
        .map(|_| {
            host.ssh_cmd("alice", &["-S", "/root/mux"], "echo up; cat")
                .spawn()
        })
        .collect();
    for session in &mut at_once {
        session.expect("up\n");
    }
    for mut session in at_once {
        assert!(session.wait(nsshell_tests::LIMIT).success());
    }
    assert_eq!(over("exit 7").code(), Some(7));
    host.run("ssh -S /root/mux -O exit alice@127.0.0.1").ok();
}

#[test]
fn sessions_over_one_connection_share_their_namespaces() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .policy("[profile.standard]\nscope = \"session\"\n")
        .user("alice")
        .start();
    host.run("ssh -M -S /root/mux -f -N alice@127.0.0.1 >/dev/null 2>&1")
        .ok();
    let over = |line: &str| {
        host.ssh_cmd("alice", &["-S", "/root/mux"], line)
            .output()
            .ok()
    };
    over("echo text > /tmp/shared");
    assert_eq!(over("cat /tmp/shared"), "text");
    assert_eq!(over("echo $NSSHELL_SESSION"), over("echo $NSSHELL_SESSION"));
    host.ssh("alice", "cat /tmp/shared").fails();
}
