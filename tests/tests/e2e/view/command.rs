//! A command in place of the shell.

use super::builder;
use nsshell_tests::root_or_skip;

#[test]
fn a_command_runs_in_place_of_whatever_was_asked_for() {
    root_or_skip!();
    let program = "#!/bin/sh\necho \"app $# $1 [${NSSHELL_ORIGINAL_COMMAND-unset}] $SHELL\"\n";
    let host = builder("command = ['/usr/local/bin/app', 'one word']")
        .file("/usr/local/bin/app", 0o755, program)
        .sshd_config("AcceptEnv NSSHELL_*")
        .start();
    let asked = host.ssh_cmd(
        "alice",
        &["-o", "SendEnv=NSSHELL_ORIGINAL_COMMAND"],
        "rm -r \"$HOME\"; exit 3",
    );
    assert_eq!(
        asked
            .env("NSSHELL_ORIGINAL_COMMAND", "forged")
            .output()
            .ok(),
        "app 1 one word [rm -r \"$HOME\"; exit 3] /bin/bash"
    );
    let shell = host.ssh_cmd(
        "alice",
        &["-T", "-o", "SendEnv=NSSHELL_ORIGINAL_COMMAND"],
        "",
    );
    assert_eq!(
        shell
            .env("NSSHELL_ORIGINAL_COMMAND", "forged")
            .output()
            .ok(),
        "app 1 one word [unset] /bin/bash"
    );
    for (line, asked) in [("su - alice -c 'id -u'", "id -u"), ("su - alice", "unset")] {
        assert_eq!(
            host.run(line).ok(),
            format!("app 1 one word [{asked}] /bin/bash")
        );
    }
    // sftp-server is started by the shell.
    let sftp = host
        .cmd("sftp -q -b - -s sftp-external alice@127.0.0.1")
        .stdin("ls\n")
        .output();
    sftp.fails();
    let control = builder("").start();
    assert_eq!(control.ssh("alice", "id -un").ok(), "alice");
}
