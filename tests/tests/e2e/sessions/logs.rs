//! `nsctl logs`.

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::name_of;

#[test]
fn logs_prints_what_the_log_has_about_the_session_and_nothing_else() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .user("alice")
        .user("bob")
        .prepare("rm -f /var/log/auth.log /var/log/secure")
        .start();
    let (alice, _bob) = (host.session("alice"), host.session("bob"));
    let (name, other) = (name_of(&host, "alice"), name_of(&host, "bob"));
    let line = format!("nsctl logs {name}");
    let none = host.run(&line).fails();
    let want = format!("nsctl: no line about session {name} was found: ");
    assert!(
        none.starts_with(&want) && none.contains("there is no /var/log/auth.log"),
        "{none}"
    );
    host.wait_for_log(&name);
    host.run("ln -s /run/testlog /var/log/auth.log").ok();
    let text = host.run(&line).ok();
    assert!(
        text.contains(&name) && text.contains("alice") && !text.contains(&other),
        "{text}"
    );
    assert_eq!(host.run(&format!("nsctl logs {}", &name[..5])).ok(), text);
    // One that has ended is still in the log.
    alice.end().ok();
    wait_for("the end", || {
        !host.run(&format!("nsctl show {name}")).success()
    });
    host.wait_for_log(&format!("{name} closed"));
    assert!(host.run(&line).ok().lines().count() > text.lines().count());
    // Where there is a journal, it comes first.
    let journal =
        format!("#!/bin/sh\necho \"$@\" > /run/asked\necho 'pam_nsshell: of the journal {name}'\n");
    host.cmd("rm -f /usr/bin/journalctl; cat > /usr/bin/journalctl; chmod 755 /usr/bin/journalctl")
        .stdin(journal)
        .output()
        .ok();
    assert_eq!(
        host.run(&line).ok(),
        format!("pam_nsshell: of the journal {name}")
    );
    assert!(
        host.run("cat /run/asked")
            .ok()
            .contains("--facility=auth,authpriv")
    );
}
