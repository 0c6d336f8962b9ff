//! A host on which alice does her worst, and what is looked at after each attempt.

use std::time::{Duration, Instant};

use nsshell_tests::{Host, LIMIT, Output, Running};

use super::attacks::Attack;
use crate::attempt::{logged, with_application};

/// The seconds that a session may take to be made; a file system that hangs costs as much.
const TIMEOUT: u64 = 1;

/// The shell that every line of root's runs in.
const PRELUDE: &str =
    "A=/home/alice/a\nas_alice() { setpriv --reuid alice --regid alice --clear-groups \"$@\"; }\n";

/// Printed by what runs in alice's session: that it runs, every mount point, and what of root's
/// can be read through any place that the policies name.
const LOOK: &str = "echo in; awk '{print \"mount \" $5}' /proc/self/mountinfo; timeout 1 sh -c 'cat /home/alice/a/b /home/alice/a/b/* /mnt/*' 2>/dev/null; echo end";

pub struct Siege {
    host: Host,
    /// what is root's, before anything happened
    victim: String,
}

#[derive(Debug)]
pub enum Outcome {
    /// what the session printed
    In(String),
    /// the log's line
    Refused(String),
}

impl Outcome {
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::In(_) => "as planned",
            Outcome::Refused(_) => "refused",
        }
    }
}

/// What came of one attack.
#[derive(Debug)]
pub struct Seen {
    pub outcome: Outcome,
    /// what root's directory is afterwards, if it is another than before
    changed: Option<String>,
    took: Duration,
}

impl Seen {
    /// Whether something of root's was shown, covered or changed, or something blocked.
    pub fn harm(&self) -> Option<String> {
        let limit = Duration::from_secs(TIMEOUT + 8);
        if self.took > limit {
            return Some(format!("blocked for {:?}", self.took));
        }
        let shown = match &self.outcome {
            Outcome::In(printed) => harm(printed).map(|harm| format!("{harm}: {printed}")),
            Outcome::Refused(_) => None,
        };
        let changed = self.changed.as_ref();
        shown.or_else(|| changed.map(|now| format!("changed what is root's: {now}")))
    }
}

/// What is wrong with what a session printed.
pub fn harm(printed: &str) -> Option<&'static str> {
    if printed.contains("the secret of root") {
        return Some("shows root's secret");
    }
    let covers = |line: &str| line.starts_with("mount /srv/victim");
    printed
        .lines()
        .any(covers)
        .then_some("mounts on what is root's")
}

impl Siege {
    pub fn start() -> Self {
        let host = with_application(Host::builder().confined().without_sshd())
            .policy("")
            .file("/root/hostile.c", 0o644, include_str!("../../../apps/hostile.c"))
            .prepare("cc -O1 -o /usr/local/bin/hostile /root/hostile.c; mknod -m 666 /dev/fuse c 10 229")
            .prepare("mkdir -p /srv/victim/b /srv/data /srv/instances; chmod 000 /srv/instances")
            .prepare("echo 'the secret of root' > /srv/victim/secret; cp /srv/victim/secret /srv/victim/b/; chmod 700 /srv/victim")
            .prepare("echo of-root > /home/of-root; mkdir /srv/open")
            .file("/etc/pam.d/peer", 0o644, "session required pam_namespace.so\n")
            .user("alice")
            .user("bob")
            .start();
        let victim = Self::look_at_victim(&host);
        Self { host, victim }
    }

    fn look_at_victim(host: &Host) -> String {
        let line = "find /srv/victim -printf '%p %i %m %u %g %y %s\\n' | sort; cat /srv/victim/secret /srv/victim/b/secret; grep -c . /proc/self/mountinfo >/dev/null; grep -c /srv/victim /proc/self/mountinfo";
        host.run(line).text()
    }

    /// The keys of the profile of everybody, beside what makes a login quick to refuse.
    pub fn set_policy(&self, keys: &str) {
        let text = format!("[profile.standard]\ntimeout = {TIMEOUT}\n{keys}\n");
        self.host
            .cmd("cat > /etc/nsshell/nsshell.toml")
            .stdin(text)
            .output()
            .ok();
        // A file that has just changed is read again until it has settled.
        self.host.run("nsctl check >/dev/null 2>&1; true").ok();
    }

    /// Many logins of alice's while something goes on; how many came in, and how many did not.
    pub fn many(&self, attack: &Attack, count: usize) -> (usize, usize) {
        let meanwhile = self.prepare(attack);
        let line = format!(
            "for i in $(seq {count}); do pamapp pamapp alice \
             /usr/local/bin/hostile look /srv/victim /mnt/secret /home/alice/a/b/secret; \
             echo status $?; done 2>/dev/null"
        );
        let limit = Duration::from_secs(240);
        let printed = self.host.cmd(&line).limit(limit).output().ok();
        self.undo(attack, meanwhile);
        assert_eq!(harm(&printed), None, "{}: {printed}", attack.name);
        assert_eq!(
            Self::look_at_victim(&self.host),
            self.victim,
            "{}",
            attack.name
        );
        let came_in = printed.lines().filter(|line| *line == "in").count();
        let ended = |status: &str| printed.lines().filter(|line| *line == status).count();
        // Nothing but these two: no crash, no half of a session.
        assert_eq!(ended("status 0") + ended("status 4"), count, "{printed}");
        assert_eq!(ended("status 0"), came_in);
        (came_in, count - came_in)
    }

    /// The same through pam_namespace: how many came in, and how many of those were shown or given
    /// what is root's.
    pub fn many_by_peer(&self, attack: &Attack, line: &str, count: usize) -> (usize, usize) {
        let meanwhile = self.prepare(attack);
        self.set_peer(line);
        let line = format!(
            "for i in $(seq {count}); do timeout -s KILL 4 pamapp peer alice \
             /usr/local/bin/hostile look /srv/victim /home/alice/a/b/secret; done 2>/dev/null"
        );
        let limit = Duration::from_secs(240);
        let printed = self.host.cmd(&line).limit(limit).output().text();
        self.undo(attack, meanwhile);
        let all = printed.split("in\n").skip(1);
        let harmed = all.clone().filter(|one| harm(one).is_some());
        (all.count(), harmed.count())
    }

    fn set_peer(&self, line: &str) {
        let write = self.host.cmd("cat > /etc/security/namespace.conf");
        write.stdin(format!("{line}\n")).output().ok();
    }

    fn root(&self, line: &str) -> Output {
        self.host.run(&format!("{PRELUDE}{line}"))
    }

    /// Puts the attack into place, with what goes on meanwhile.
    fn prepare(&self, attack: &Attack) -> Option<Running> {
        let output = self.root(attack.make);
        assert!(output.success(), "{}: {output}", attack.name);
        attack.meanwhile.map(|line| {
            // FUSE is root's to mount here; everything else alice does herself.
            let fuse = ["fuse", "own", "deaf", "liar"];
            let as_whom = match line.split(' ').next() {
                Some(verb) if fuse.contains(&verb) => "",
                _ => "as_alice ",
            };
            let mut running = self
                .host
                .cmd(&format!("{PRELUDE}{as_whom}hostile {line}"))
                .spawn();
            running.expect("ready");
            running
        })
    }

    fn undo(&self, attack: &Attack, meanwhile: Option<Running>) {
        if let Some(mut running) = meanwhile {
            running.close();
            let _ = running.wait(LIMIT);
        }
        self.root(&format!(
            "{}\nchmod 700 $A 2>/dev/null; rm -rf $A",
            attack.undo
        ))
        .ok();
    }

    /// One login of alice's under attack.
    pub fn attempt(&self, attack: &Attack) -> Seen {
        let meanwhile = self.prepare(attack);
        let started = Instant::now();
        let (output, lines) = logged(&self.host, || self.login());
        let took = started.elapsed();
        // Looked at while the attack still is in place, and after the session.
        let before_undo = Self::look_at_victim_but_mounts(&self.host);
        self.undo(attack, meanwhile);
        let after = Self::look_at_victim(&self.host);
        assert!(
            before_undo.contains("the secret of root"),
            "{}: {before_undo}",
            attack.name
        );
        let printed = output.text();
        Seen {
            outcome: if printed.starts_with("in\n") {
                Outcome::In(printed)
            } else {
                Outcome::Refused(lines.join("\n"))
            },
            changed: (after != self.victim).then_some(after),
            took,
        }
    }

    fn look_at_victim_but_mounts(host: &Host) -> String {
        host.run("cat /srv/victim/secret").text()
    }

    fn login(&self) -> Output {
        // In /, since alice's home may hang.
        let argv = ["pamapp", "pamapp", "alice", "/bin/sh", "-c", LOOK];
        let argv = [&["timeout", "-s", "KILL", "20"], &argv[..]].concat();
        self.host
            .argv(&argv)
            .limit(Duration::from_secs(40))
            .output()
    }

    /// The same through pam_namespace, in the background: what hangs in it may hang for ever, and
    /// not even SIGKILL ends it then.
    fn login_by_peer(&self) -> Output {
        let line = "rm -f /run/peer.status
            (timeout -s KILL 4 pamapp peer alice /bin/sh -c \"$LOOK\" > /run/peer 2>&1
             echo $? > /run/peer.status) < /dev/null > /dev/null 2>&1 &
            for try in $(seq 500); do test -s /run/peer.status && break; sleep 0.01; done
            cat /run/peer; exit $(cat /run/peer.status || echo 137)";
        self.host.cmd(line).env("LOOK", LOOK).output()
    }

    /// What pam_namespace of this machine makes of the same, in a word or two.
    pub fn attempt_with_pam_namespace(&self, attack: &Attack, line: &str) -> &'static str {
        let meanwhile = self.prepare(attack);
        self.set_peer(line);
        let output = self.login_by_peer();
        self.undo(attack, meanwhile);
        let printed = output.text();
        let changed = Self::look_at_victim(&self.host) != self.victim;
        match harm(&printed) {
            _ if changed => "CHANGES WHAT IS ROOT'S",
            Some(harm) => harm,
            None if printed.starts_with("in\n") => "as planned",
            None if output.code() == Some(4) => "refused",
            None => "blocks until it is killed",
        }
    }
}

/// What the eyes of this suite see if root just binds what is at the path.
pub fn probe_naively(siege: &Siege, attack: &Attack) -> String {
    let meanwhile = siege.prepare(attack);
    let as_alice = "setpriv --reuid alice --regid alice --clear-groups sh -c \"$LOOK\"";
    let line = format!("mount --bind /home/alice/a/b /mnt && {as_alice}");
    let naive = siege.host.argv(&["unshare", "-m", "sh", "-c", &line]);
    let printed = naive.env("LOOK", LOOK).output().text();
    siege.undo(attack, meanwhile);
    harm(&printed).unwrap_or("nothing").to_owned()
}
