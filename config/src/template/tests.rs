#![allow(clippy::unwrap_used)]
use super::*;
use crate::{IdKind, Range};

struct Mill(&'static str);

impl Host for Mill {
    fn groups(&self, _: &Account) -> Result<Vec<String>, Error> {
        Ok(vec![])
    }
    fn primary_group(&self, _: &Account) -> Result<String, Error> {
        Ok("staff".to_owned())
    }
    fn ranges(&self, _: &Account, _: IdKind) -> Result<Vec<Range>, Error> {
        Ok(vec![])
    }
    fn hostname(&self) -> Result<String, Error> {
        Ok(self.0.to_owned())
    }
}

fn values<T>(user: &str, home: &str, take: impl FnOnce(&Values<'_>) -> T) -> T {
    named(user, home, "mill", take)
}

fn named<T>(user: &str, home: &str, host: &'static str, take: impl FnOnce(&Values<'_>) -> T) -> T {
    let account = Account {
        name: user.to_owned(),
        uid: 1000,
        gid: 1000,
        home: home.into(),
        shell: "/bin/sh".into(),
    };
    let login = Login {
        service: "sshd".to_owned(),
        ..Login::default()
    };
    take(&Values {
        login: &login,
        account: &account,
        host: &Mill(host),
    })
}

#[test]
fn a_host_name_is_filled_in() {
    let cases = [
        ("box", "box"),
        ("{hostname}", "mill"),
        ("{user}", "al-ice-"),
        ("{hostname}-{user}", "mill-al-ice-"),
        ("{uid}.{group}.{service}", "1000.staff.sshd"),
    ];
    for (template, want) in cases {
        let template = Template::hostname(template).unwrap();
        let got = values("al_iceé", "/", |values| template.fill_hostname(values));
        assert_eq!(got, Ok(Ok(want.to_owned())));
    }
}

#[test]
fn a_bad_template_is_refused() {
    let long = "a".repeat(65);
    for bad in [
        "",
        "{",
        "a{user",
        "{users}",
        "{}",
        "a b",
        "a_b",
        "}",
        "é",
        "a/b",
        "{session}",
        "{home}",
        "{user}}",
        "{{user}}",
        &long,
    ] {
        assert!(Template::hostname(bad).is_err(), "{bad:?}");
    }
    for bad in [
        "",
        "tmp",
        "{user}",
        "/",
        "/{home}",
        "/x{home}",
        "/{user",
        "/a/../{user}",
        "/{users}",
        "/{session}",
        "/{user}//x",
        "{home}/",
        "{home}{user}",
        "{home}x",
        "/proc/{user}",
        "/run/nsshell/{user}",
    ] {
        assert!(
            Template::path(bad, About::Path, path::private).is_err(),
            "{bad:?}"
        );
    }
}

#[test]
fn a_host_name_that_the_kernel_would_refuse_or_cut_is_refused() {
    let template = Template::hostname("{hostname}-{user}").unwrap();
    let why = |user: &str, host| {
        let filled = named(user, "/", host, |values| template.fill_hostname(values));
        filled.unwrap().map_err(|(_, why)| why)
    };
    assert!(why(&"u".repeat(59), "mill").is_ok());
    assert_eq!(why(&"u".repeat(60), "mill"), Err(TOO_LONG));
    assert_eq!(why("u", "a_b"), Err(ALLOWED));
    assert_eq!(why("u", "a\nb"), Err(ALLOWED));
}

#[test]
fn a_user_name_is_one_component_of_a_path_whatever_is_in_it() {
    let cases = [
        ("alice", "/srv/alice/x"),
        ("..", "/srv/%2e./x"),
        (".", "/srv/%2e/x"),
        (".bob", "/srv/%2ebob/x"),
        ("a.b", "/srv/a.b/x"),
        ("../../etc", "/srv/%2e.%2f..%2fetc/x"),
        ("/etc", "/srv/%2fetc/x"),
        ("%2e", "/srv/%252e/x"),
        ("a\nb\0", "/srv/a%0ab%00/x"),
        ("DOM\\al é", "/srv/DOM\\al é/x"),
    ];
    let template = Template::path("/srv/{user}/x", About::Path, path::private).unwrap();
    for (user, want) in cases {
        let got = values(user, "/", |values| {
            template.fill_path(values, path::private)
        });
        assert_eq!(got, Ok(Ok(PathBuf::from(want))), "{user:?}");
    }
    for user in ["", &"a".repeat(256), &"/".repeat(90)] {
        let got = values(user, "/", |values| {
            template.fill_path(values, path::private)
        });
        assert!(got.unwrap().is_err(), "{user:?}");
    }
}

#[test]
fn a_home_directory_is_a_path_that_has_to_be_plain() {
    let template = Template::path("{home}/.cache", About::Path, path::private).unwrap();
    let fill = |home: &str| {
        values("u", home, |values| {
            template.fill_path(values, path::private)
        })
        .unwrap()
    };
    assert_eq!(fill("/home/u"), Ok(PathBuf::from("/home/u/.cache")));
    for home in [
        "",
        "home/u",
        "/home/../root",
        "/home/u/",
        "/",
        "/proc",
        "/run/user/1000",
    ] {
        assert!(fill(home).is_err(), "{home:?}");
    }
}

#[test]
fn an_instance_is_told_apart_by_everything_that_its_template_names() {
    let read = |text: &str| Template::instance(text, path::instance);
    for good in [
        "/i/{user}",
        "/i/{user}-{session}",
        "/i/{user}-{uid}",
        "/i/{uid}-{group}",
        "/i/{user}/{service}",
        "/i/{hostname}-{user}.d",
        "/i/{level}/{user}",
        // as pam_namespace has them
        "/i/{level}_{user}",
        "/i/{user}/inst-{context}_{user}",
        "/i/x/y",
    ] {
        assert!(read(good).is_ok(), "{good}");
    }
    for bad in [
        "/i/{user}-{service}",
        "/i/{user}{group}/x",
        "/i/{user}{uid}",
        "/i/{uid}0{uid}",
        "/i/{level}-{session}-{user}",
        "/i/{user}-{level}",
        "/i/{level}{uid}",
    ] {
        let said = read(bad).unwrap_err();
        assert!(said.contains("put a `/` between them"), "{bad}: {said}");
    }
    for bad in ["/i/{session}/x", "/i/x-{session}/{user}"] {
        let said = read(bad).unwrap_err();
        assert!(said.contains("above its last name"), "{bad}: {said}");
    }
}
