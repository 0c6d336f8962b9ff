//! What becomes of a profile: namespaces, id maps, mounts, host name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use crate::common::{Table, account, login, parse, plan_of};
use nsshell_config::{Error, HidePid, IdKind, Mount, Namespace, Plan, Policy, resolve};

const PROC: Mount = Mount::Proc {
    hidepid: HidePid::Off,
    pids_only: false,
};

const STANDARD: &str = "[profile.standard]\n";

fn resolved(text: &str, host: &Table) -> Result<Plan, Error> {
    resolve(&parse(text), &login("sshd"), &account("alice", 1000), host)
}

fn refusal(text: &str, host: &Table) -> String {
    resolved(text, host).unwrap_err().to_string()
}

fn tmpfs(target: &str, optional: bool) -> Mount {
    Mount::Tmpfs {
        target: target.into(),
        mode: 0o1777,
        size: Some("10%".to_owned()),
        inodes: None,
        optional,
    }
}

#[test]
fn the_standard_plan_is_complete() {
    let host = Table {
        uids: vec![(100_000, 65536)],
        ..Table::default()
    };
    let plan = resolve(
        &Policy::builtin(),
        &login("sshd"),
        &account("alice", 1000),
        &host,
    )
    .unwrap();
    assert_eq!(plan.shell.to_str(), Some("/bin/bash"));
    assert!(plan.require_nsshell);
    let session = plan.session.as_ref().unwrap();
    use Namespace::{Cgroup, Ipc, Mount as Mnt, Pid, User, Uts};
    assert_eq!(
        session.namespaces,
        [Mnt, Ipc, Pid, User, Uts, Cgroup].into()
    );
    assert_eq!(
        (session.grace, session.timeout, &session.hostname),
        (5, 10, &None)
    );
    let want = [
        PROC,
        Mount::Mqueue,
        tmpfs("/dev/shm", true),
        tmpfs("/tmp", false),
        tmpfs("/var/tmp", true),
        Mount::RuntimeDir,
    ];
    assert_eq!(session.mounts, want);
    let maps = session.id_maps.as_ref().unwrap();
    let flat = |map: &[nsshell_config::IdMapLine]| -> Vec<_> {
        map.iter().map(|l| (l.inside, l.outside, l.count)).collect()
    };
    assert_eq!(
        flat(&maps.uid),
        [(0, 100_000, 1000), (1000, 1000, 1), (1001, 101_000, 64536)]
    );
    assert_eq!(flat(&maps.gid), [(1000, 1000, 1)]);
    assert_eq!(host.asked_hostname.get(), 0);
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}

#[test]
fn a_profile_of_the_same_name_changes_single_keys() {
    let plan = plan_of(
        &format!("{STANDARD}grace = 0\nshell = '/bin/sh'"),
        "alice",
        1000,
        "sshd",
    );
    let session = plan.session.unwrap();
    assert_eq!((session.grace, session.timeout), (0, 10));
    assert_eq!(session.namespaces.len(), 6);
    assert_eq!(plan.shell.to_str(), Some("/bin/sh"));
    // and not those of another profile, which starts from the documented defaults
    let other = format!("{STANDARD}grace = 0\n[profile.dev]\n[[rule]]\nprofile = 'dev'");
    assert_eq!(
        plan_of(&other, "alice", 1000, "sshd")
            .session
            .unwrap()
            .grace,
        5
    );
    let sh = plan_of("[profile.none]\nshell = '/bin/sh'", "root", 0, "su");
    assert_eq!((sh.shell.to_str(), sh.session), (Some("/bin/sh"), None));
}

#[test]
fn what_is_not_made_leaves_nothing_in_the_plan() {
    let host = Table::default();
    let text = format!("{STANDARD}namespaces = ['mount']\nprivate = []\nruntime_dir = false");
    let plan = resolved(&text, &host).unwrap();
    let session = plan.session.unwrap();
    assert_eq!(session.mounts, []);
    assert_eq!(session.id_maps, None);
    assert!(
        !plan.require_nsshell,
        "nobody but nsshell enters a user namespace, and there is none"
    );
    assert_eq!(host.asked_ranges.get(), 0);
    let all = "['time', 'net', 'cgroup', 'uts', 'user', 'pid', 'ipc', 'mount']";
    let plan = resolved(
        &format!("{STANDARD}namespaces = {all}\nrequire_nsshell = false"),
        &host,
    )
    .unwrap();
    assert_eq!(plan.session.unwrap().namespaces.len(), 8);
    assert!(!plan.require_nsshell);
    let plan = resolved(&format!("{STANDARD}namespaces = []"), &host).unwrap();
    assert_eq!((plan.session, plan.require_nsshell), (None, false));
    let text = format!("{STANDARD}namespaces = ['mount', 'pid']");
    let mounts = resolved(&text, &host).unwrap().session.unwrap().mounts;
    assert_eq!(mounts[..2], [PROC, tmpfs("/dev/shm", true)]);
    assert_eq!(mounts[4..], [Mount::RuntimeDir]);
}

#[test]
fn private_directories_are_in_path_order_with_their_sizes() {
    let text = format!(
        "{STANDARD}private = ['/var/tmp', {{ path = '/a-b', size = '64m' }}, '/a', \
         {{ path = '/dev/shm', optional = true }}]"
    );
    let mounts = resolved(&text, &Table::default())
        .unwrap()
        .session
        .unwrap()
        .mounts;
    let sized = Mount::Tmpfs {
        target: "/a-b".into(),
        mode: 0o1777,
        size: Some("64m".to_owned()),
        inodes: None,
        optional: false,
    };
    let want = [
        tmpfs("/a", false),
        sized,
        tmpfs("/dev/shm", true),
        tmpfs("/var/tmp", false),
    ];
    assert_eq!(mounts[2..6], want);
}

#[test]
fn ids_are_mapped_as_the_profile_says() {
    let host = Table {
        uids: vec![(100_000, 10)],
        gids: vec![(200_000, 20)],
        ..Table::default()
    };
    let maps = |text: &str| {
        resolved(text, &host)
            .unwrap()
            .session
            .unwrap()
            .id_maps
            .unwrap()
    };
    let root = maps(&format!("{STANDARD}id_map = 'root'\nranges = 'required'"));
    assert_eq!((root.uid[0].inside, root.uid[0].outside), (0, 1000));
    assert_eq!(
        (root.gid[1].inside, root.gid[1].outside, root.gid[1].count),
        (1, 200_000, 20)
    );
    let keep = maps(&format!("{STANDARD}id_map = 'keep'"));
    assert_eq!(keep.uid[1].inside, 1000);
}

#[test]
fn a_user_without_ranges_is_refused_if_they_are_required() {
    let required = format!("{STANDARD}ranges = 'required'");
    let no_uid = Table {
        gids: vec![(1, 1)],
        ..Table::default()
    };
    let no_gid = Table {
        uids: vec![(1, 1)],
        ..Table::default()
    };
    assert_eq!(
        refusal(&required, &no_uid),
        "user `alice` has no subordinate uids; give some with `nsctl ranges --allocate alice`"
    );
    assert_eq!(
        refusal(&required, &no_gid),
        "user `alice` has no subordinate gids; give some with `nsctl ranges --allocate alice`"
    );
    assert!(resolved("", &Table::default()).is_ok());
}

#[test]
fn a_range_that_would_give_away_root_is_refused_with_its_place() {
    let host = Table {
        gids: vec![(0, 65536)],
        ..Table::default()
    };
    assert_eq!(
        refusal("", &host),
        "/etc/subgid: range `0:65536` contains id 0 and would give away the host's root; correct \
         or remove it"
    );
    let many = (0..400).map(|at| (1_000_000 + at * 10, 5)).collect();
    let host = Table {
        uids: many,
        ..Table::default()
    };
    assert_eq!(
        refusal("", &host),
        "the uid map would need more than the kernel's 340 lines or 4095 bytes; give the user \
         fewer and larger ranges in /etc/subuid"
    );
}

#[test]
fn the_line_of_a_bad_range_is_named_with_its_file() {
    struct File(&'static str);
    impl nsshell_config::Host for File {
        fn groups(&self, _: &nsshell_config::Account) -> Result<Vec<String>, Error> {
            Ok(vec![])
        }
        fn primary_group(&self, _: &nsshell_config::Account) -> Result<String, Error> {
            Ok(String::new())
        }
        fn ranges(
            &self,
            account: &nsshell_config::Account,
            _: IdKind,
        ) -> Result<Vec<nsshell_config::Range>, Error> {
            nsshell_config::subid::parse_subid(self.0, account)
        }
        fn hostname(&self) -> Result<String, Error> {
            Ok(String::new())
        }
    }
    let host = File("bob:1:1\n1000:0:5\n");
    let error = resolve(
        &Policy::builtin(),
        &login("sshd"),
        &account("alice", 1000),
        &host,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "/etc/subuid, line 2: range `1000:0:5` contains id 0 and would give away the host's root; \
         correct or remove it"
    );
}

#[test]
fn ids_at_the_edge_are_mapped_or_refused() {
    let policy = parse(
        "[profile.plain]\nnamespaces = ['mount']\n[[rule]]\nusers = ['plain']\nprofile = 'plain'",
    );
    let resolved = |name: &str, uid: u32, gid: u32| {
        let account = nsshell_config::Account {
            gid,
            ..account(name, uid)
        };
        resolve(&policy, &login("sshd"), &account, &Table::default())
    };
    assert!(resolved("alice", 4_294_967_294, 4_294_967_294).is_ok());
    for (name, uid, gid) in [
        ("alice", u32::MAX, 5),
        ("alice", 1000, u32::MAX),
        ("plain", u32::MAX, 5),
        ("plain", 5, u32::MAX),
    ] {
        let error = resolved(name, uid, gid).unwrap_err();
        assert!(error.to_string().contains("4294967295"), "{error}");
    }
    // an ordinary user whose primary group is root's keeps that gid
    let maps = resolved("alice", 1000, 0)
        .unwrap()
        .session
        .unwrap()
        .id_maps
        .unwrap();
    assert_eq!(
        (maps.gid[0].inside, maps.gid[0].outside, maps.gid[0].count),
        (0, 0, 1)
    );
}

#[test]
fn uid_0_never_gets_a_user_namespace() {
    let error = resolve(
        &parse("[[rule]]\nusers = ['toor']\nprofile = 'standard'"),
        &login("su"),
        &account("toor", 0),
        &Table::default(),
    );
    let want = Error::RootUserNamespace {
        user: "toor".to_owned(),
        profile: "standard".to_owned(),
    };
    assert_eq!(error.unwrap_err(), want);
}

#[test]
fn the_host_name_is_made_from_the_template() {
    let hostname = |template: &str| {
        let host = Table::default();
        let plan = resolved(&format!("{STANDARD}hostname = '{template}'"), &host).unwrap();
        (
            plan.session.unwrap().hostname.unwrap(),
            host.asked_hostname.get(),
        )
    };
    assert_eq!(hostname("{hostname}-{user}"), ("mill-alice".to_owned(), 1));
    assert_eq!(hostname("{user}.box"), ("alice.box".to_owned(), 0));
    let policy = parse(&format!("{STANDARD}hostname = '{{user}}'"));
    let long = account(&"u".repeat(65), 1000);
    let error = resolve(&policy, &login("sshd"), &long, &Table::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is longer than 64 bytes; change `hostname`"),
        "{error}"
    );
}

#[test]
fn the_default_policy_is_resolved_in_far_less_than_a_login_takes() {
    let host = Table {
        uids: vec![(100_000, 65536)],
        ..Table::default()
    };
    let once = || {
        let begun = std::time::Instant::now();
        let policy = Policy::parse("", "p.toml").unwrap();
        resolve(&policy, &login("sshd"), &account("alice", 1000), &host).unwrap();
        begun.elapsed()
    };
    // the best of many: unoptimised and on a busy machine still well below this
    let best = (0..200).map(|_| once()).min().unwrap();
    assert!(best.as_micros() < 2000, "{best:?}");
}
