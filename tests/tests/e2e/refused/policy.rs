//! A policy that cannot be used lets nobody in (G6) but root, to mend it.

use nsshell_tests::{Host, PASSWORD, root_or_skip};

use crate::attempt::{Fault, WAYS, Way, confined, logged, refused};

/// Faults of the policy file, which was not there.
const POLICIES: [(&str, &[&str]); 20] = [
    (
        "printf '[profile.standard\n' > nsshell.toml",
        &["/etc/nsshell/nsshell.toml:1:18: ", "`]`"],
    ),
    (
        "printf '\n[profile.standard]\nid_mpa = 1\n' > nsshell.toml",
        &[
            "/etc/nsshell/nsshell.toml:3:1: unknown key `id_mpa`",
            "did you mean `id_map`?",
        ],
    ),
    (
        "printf 'rules = 1\n' > nsshell.toml",
        &["/etc/nsshell/nsshell.toml:1:1: unknown key `rules`"],
    ),
    (
        "printf '[[rule]]\nprofile = \"strict\"\n' > nsshell.toml",
        &["/etc/nsshell/nsshell.toml:2:11: there is no profile `strict`"],
    ),
    (
        "printf '[profile.standard]\ntimeout = \"soon\"\n' > nsshell.toml",
        &[
            "/etc/nsshell/nsshell.toml:2:11: ",
            "expected a whole number",
        ],
    ),
    (
        "printf '[profile.standard]\ntimeout = 0\n' > nsshell.toml",
        &["/etc/nsshell/nsshell.toml:2:11: `timeout` is 0 seconds, not 1 to 60"],
    ),
    (
        "printf 'x = \"\\377\"\n' > nsshell.toml",
        &["cannot read the policy /etc/nsshell/nsshell.toml: "],
    ),
    (
        "head -c 5000000 /dev/zero | tr '\\0' '#' > nsshell.toml",
        &["/etc/nsshell/nsshell.toml has 5000000 bytes; a policy has at most"],
    ),
    (
        "(head -c 100000 /dev/zero | tr '\\0' x; echo ' = 1') > nsshell.toml",
        &["/etc/nsshell/nsshell.toml:1:1: unknown key `xxx"],
    ),
    (
        ": > nsshell.toml; chmod 666 nsshell.toml",
        &[
            "/etc/nsshell/nsshell.toml can be written by others (mode 0666)",
            "; only root may",
        ],
    ),
    (
        ": > nsshell.toml; chmod 620 nsshell.toml",
        &["/etc/nsshell/nsshell.toml can be written by others (mode 0620)"],
    ),
    (
        ": > nsshell.toml; chown alice nsshell.toml",
        &["/etc/nsshell/nsshell.toml belongs to uid 1000; only root may"],
    ),
    (
        ": > nsshell.toml; chmod 777 .",
        &["/etc/nsshell can be written by others (mode 0777)"],
    ),
    (
        ": > nsshell.toml; chown alice .",
        &["/etc/nsshell belongs to uid 1000"],
    ),
    (
        ": > /home/alice/mine; chmod 644 /home/alice/mine; ln -s /home/alice/mine nsshell.toml",
        &["the policy is not used: /home/alice belongs to uid 1000"],
    ),
    (
        "ln -s /nowhere nsshell.toml",
        &["cannot read the policy /etc/nsshell/nsshell.toml: No such file"],
    ),
    (
        "ln -s nsshell.toml nsshell.toml",
        &["cannot read the policy /etc/nsshell/nsshell.toml: Too many levels of symbolic links"],
    ),
    (
        "mkdir nsshell.toml",
        &["/etc/nsshell/nsshell.toml is not a regular file"],
    ),
    // Whoever opened it to read would wait for a writer for ever.
    (
        "mkfifo nsshell.toml",
        &["/etc/nsshell/nsshell.toml is not a regular file"],
    ),
    (
        "ln -s /dev/zero nsshell.toml",
        &["/dev/zero is not a regular file"],
    ),
];

const REMOVE_POLICY: &str = "rm -rf /etc/nsshell /home/alice/mine; mkdir /etc/nsshell";

#[test]
fn g6_a_policy_that_is_broken_or_not_root_s_alone_refuses_everybody_but_root() {
    root_or_skip!();
    let host = Host::confined();
    host.run("mkdir -p /etc/nsshell").ok();
    confined(&host, Way::Sudo);
    let before = host.census();
    for (cause, reason) in POLICIES {
        host.run(&format!("cd /etc/nsshell; {cause}")).ok();
        refused(&host, Way::Sudo, reason);
        gets_in_with_one_line(&host, &["su", "root", "-c"], reason);
        host.run(REMOVE_POLICY).ok();
        confined(&host, Way::Sudo);
    }
    host.wait_for_nothing_left(&before);
}

/// Root's command runs on the host, and one line of the log says that there is no policy.
#[track_caller]
fn gets_in_with_one_line(host: &Host, login: &[&str], reason: &[&str]) {
    let namespace = "readlink /proc/self/ns/mnt";
    let (output, lines) = logged(host, || host.argv(&[login, &[namespace]].concat()).output());
    assert_eq!(output.ok(), host.run(namespace).ok());
    let [line] = &lines[..] else {
        panic!("not one line in the log: {lines:#?}");
    };
    for part in reason
        .iter()
        .chain(&["session of root left unconfined, without a policy: "])
    {
        assert!(line.contains(part), "no `{part}` in: {line}");
    }
}

#[test]
fn g6_a_broken_policy_refuses_users_by_every_way_and_lets_root_in_to_mend_it() {
    root_or_skip!();
    let host = Host::confined();
    let fault = Fault {
        cause: "mkdir -p /etc/nsshell; echo 'rules = 1' > /etc/nsshell/nsshell.toml",
        reason: &["/etc/nsshell/nsshell.toml:1:1: unknown key `rules`"],
        mend: "rm /etc/nsshell/nsshell.toml",
    };
    for way in WAYS {
        fault.refuses(&host, way);
    }
    host.run(fault.cause).ok();
    for login in [
        &["ssh", "root@127.0.0.1"][..],
        &["su", "-", "-c"],
        &["sudo", "sh", "-c"],
    ] {
        gets_in_with_one_line(&host, login, fault.reason);
    }
    let mut console = host.pty("exec login");
    console.expect("login: ");
    console.line("root");
    console.expect("assword: ");
    console.line(PASSWORD);
    console.prompt();
    console.ask("rm /etc/nsshell/nsshell.toml");
    confined(&host, Way::Ssh);
}

#[test]
fn g9_a_user_s_systemd_manager_is_refused_unless_the_policy_lets_it_and_always_without_one() {
    root_or_skip!();
    let stack = "account required pam_nsshell.so\nsession required pam_nsshell.so\n";
    let host = Host::builder()
        .confined()
        .without_sshd()
        .user_with("alice", |alice| alice.shell("/bin/bash"))
        .file("/etc/pam.d/systemd-user", 0o644, stack)
        .file("/etc/pam.d/another", 0o644, stack)
        .start();
    let opens = |service| {
        let act = ["acct_mgmt", "open_session"];
        let pamtester = [&["pamtester", service, "alice"][..], &act].concat();
        logged(&host, || host.argv(&pamtester).output())
    };
    let refused = |reason: &str| {
        let (output, lines) = opens("systemd-user");
        output.fails();
        assert!(
            matches!(&lines[..], [line] if line.contains(reason)),
            "{lines:?}"
        );
    };
    refused("the systemd manager of user `alice` would run programs outside");
    let policy = |text: &str| {
        host.run("mkdir -p /etc/nsshell").ok();
        let file = host.argv(&["tee", "/etc/nsshell/nsshell.toml"]);
        file.stdin(text).output().ok();
    };
    policy("[[rule]]\nservices = ['systemd-user']\nprofile = 'none'\n");
    let (output, lines) = opens("systemd-user");
    output.ok();
    assert_eq!(lines, Vec::<String>::new());
    // The same stack under another name is a login.
    opens("another").0.fails();
    policy("rules = 1");
    // Nobody needs a user's manager to mend the policy.
    refused("unknown key `rules`");
}

#[test]
fn root_is_confined_if_a_rule_names_it_and_let_in_if_that_rule_is_impossible() {
    root_or_skip!();
    let profile = |namespaces| {
        format!(
            "[[rule]]\nusers = [\"root\"]\nprofile = \"tight\"\n[profile.tight]\nnamespaces = {namespaces}\n"
        )
    };
    let host = Host::builder()
        .confined()
        .policy(&profile("[\"mount\", \"pid\"]"))
        .start();
    assert_eq!(host.ssh("root", "ps -o comm= -p 1").ok(), "nsshell-init");
    let file = host.argv(&["tee", "/etc/nsshell/nsshell.toml"]);
    file.stdin(profile("[\"mount\", \"user\"]")).output().ok();
    gets_in_with_one_line(
        &host,
        &["su", "-c"],
        &["root cannot be given a user namespace"],
    );
}

#[test]
fn root_is_let_in_where_the_helper_is_missing_or_dies() {
    root_or_skip!();
    let helper = "/usr/libexec/nsshell/session-init";
    let host = Host::confined();
    let before = host.census();
    for (cause, reason) in [
        (format!("rm {helper}"), "session-init is missing; install"),
        (
            format!("cp /bin/false {helper}"),
            "session-init failed with exit status 1: it ended before it answered",
        ),
    ] {
        host.run(&cause).ok();
        for login in [&["ssh", "root@127.0.0.1"][..], &["su", "-c"]] {
            gets_in_with_one_line(&host, login, &[reason]);
        }
        refused(&host, Way::Ssh, &[reason]);
    }
    host.wait_for_nothing_left(&before);
}

#[test]
fn root_gets_a_shell_with_a_broken_policy_though_nsshell_be_the_login_shell() {
    root_or_skip!();
    let host = Host::confined();
    host.run("usermod --shell /usr/bin/nsshell root && mkdir -p /etc/nsshell")
        .ok();
    host.run("echo 'no policy' > /etc/nsshell/nsshell.toml")
        .ok();
    assert_eq!(host.ssh("root", "id -u; echo $SHELL").ok(), "0\n/bin/bash");
    // Without the module's word, too.
    assert_eq!(host.run("nsshell -c 'id -u'").ok(), "0");
    host.cmd("nsshell -c true").user("alice").output().fails();
}
