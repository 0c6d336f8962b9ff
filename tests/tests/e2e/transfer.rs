//! Files over ssh: sftp, scp, rsync, git, and a plain pipe.

use nsshell_tests::{Host, root_or_skip};
use std::time::Duration;

on_both_hosts!(
    internal_sftp_puts_and_gets,
    the_sftp_server_of_its_own_puts_and_gets,
    scp_copies_both_ways_by_sftp,
    scp_copies_both_ways_by_the_old_protocol,
    rsync_copies_both_ways,
    git_pushes_and_clones,
    a_hundred_megabytes_pass_both_ways_unchanged,
);

/// A file of 1 MB of noise in root's home.
fn noise(host: &Host) {
    host.run("head -c 1000000 /dev/urandom > noise").ok();
}

/// Whether the file came to alice and back, and is hers there.
fn same_there_and_back(host: &Host) {
    host.run("cmp noise /home/alice/there && cmp noise back")
        .ok();
    assert_eq!(host.run("stat -c %U /home/alice/there").ok(), "alice");
}

fn sftp(host: &Host, options: &str) {
    noise(host);
    let sftp = host.cmd(&format!("sftp -q -b - {options} alice@127.0.0.1"));
    sftp.stdin("put noise there\nget there back\nmkdir dir\nrename there dir/there\nrename dir/there there\n").output().ok();
    same_there_and_back(host);
}

fn internal_sftp_puts_and_gets(host: &Host) {
    sftp(host, "");
}

fn the_sftp_server_of_its_own_puts_and_gets(host: &Host) {
    sftp(host, "-s sftp-external");
}

fn scp_copies_both_ways_by_sftp(host: &Host) {
    noise(host);
    host.run("scp -q -s noise alice@127.0.0.1:there && scp -q -s alice@127.0.0.1:there back")
        .ok();
    same_there_and_back(host);
}

fn scp_copies_both_ways_by_the_old_protocol(host: &Host) {
    noise(host);
    host.run("scp -q -O noise alice@127.0.0.1:there && scp -q -O alice@127.0.0.1:there back")
        .ok();
    same_there_and_back(host);
}

fn rsync_copies_both_ways(host: &Host) {
    host.run("mkdir -p tree/a/b && cp /etc/passwd tree/a && ln -s a/passwd tree/link && mkfifo tree/a/b/pipe").ok();
    host.run("rsync -a --no-owner --no-group tree/ alice@127.0.0.1:there/ && rsync -a alice@127.0.0.1:there/ back/").ok();
    let listing = |dir: &str| {
        host.run(&format!(
            "cd {dir} && find . -printf '%p %y %l %s\\n' | sort | grep -v ' d '"
        ))
        .ok()
    };
    assert_eq!(listing("tree"), listing("back"));
    assert_eq!(listing("tree").lines().count(), 3);
}

fn git_pushes_and_clones(host: &Host) {
    host.ssh(
        "alice",
        "git init -q --bare --initial-branch=main project.git",
    )
    .ok();
    host.run(
        "set -e
        git init -q --initial-branch=main work; cd work; echo text > file; git add file
        git -c user.name=a -c user.email=a@b commit -q -m first
        git push -q alice@127.0.0.1:project.git main
        git clone -q alice@127.0.0.1:project.git ../clone
        cmp file ../clone/file",
    )
    .ok();
    assert_eq!(
        host.run("find /home/alice/project.git ! -user alice").ok(),
        ""
    );
}

fn a_hundred_megabytes_pass_both_ways_unchanged(host: &Host) {
    let line = "head -c 100000000 /dev/urandom > big
        ssh alice@127.0.0.1 'cat > big' < big && ssh alice@127.0.0.1 'cat big' | cmp - big";
    host.cmd(line).limit(Duration::from_secs(120)).output().ok();
    assert_eq!(host.run("stat -c %s /home/alice/big").ok(), "100000000");
}

#[test]
fn g2_internal_sftp_shows_the_session_s_own_tmp() {
    root_or_skip!();
    let listing = |host: &Host| {
        host.run("echo secret > /tmp/of-the-host").ok();
        host.cmd("sftp -q -b - alice@127.0.0.1")
            .stdin("ls -1 /tmp\n")
            .output()
            .ok()
    };
    assert!(!listing(&Host::confined()).contains("of-the-host"));
    assert!(listing(&Host::unconfined()).contains("of-the-host"));
}
