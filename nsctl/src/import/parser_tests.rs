#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::import::method::{Create, Flags, Size};

#[test]
fn fields_are_apart_by_blanks_quoted_and_escaped() {
    let cases: [(&str, &[&str]); 14] = [
        ("", &[]),
        (" \t\r\u{b}\u{c} ", &[]),
        ("a b", &["a", "b"]),
        ("  a\t b ", &["a", "b"]),
        ("\"a b\" c", &["a b", "c"]),
        ("x\"a b\"y", &["xa by"]),
        ("\"\" a", &["", "a"]),
        ("\"a b", &["a b"]),
        ("a\\ b", &["a b"]),
        ("\\n\\t\\b\\x\\\\\\\"", &["\n\t\u{8}x\\\""]),
        ("\"\\n\"", &["\\n"]),
        ("a\\", &["a\\"]),
        ("é\u{a0}ü b", &["é\u{a0}ü", "b"]),
        ("a\u{1c}b", &["a\u{1c}b"]),
    ];
    for (line, want) in cases {
        let got: Vec<_> = fields(line).into_iter().map(|field| field.text).collect();
        assert_eq!(got, want, "{line:?}");
    }
}

fn only(line: &str) -> Entry {
    let parsed = parse("c", line.as_bytes());
    assert_eq!(parsed.faults, [], "{line}");
    assert_eq!(parsed.entries.len(), 1, "{line}");
    parsed.entries.into_iter().next().unwrap()
}

#[test]
fn a_comment_begins_anywhere_even_in_quotation_marks() {
    for line in ["# a", "  # a b c", "#", "", "\r"] {
        assert!(parse("c", line.as_bytes()).entries.is_empty(), "{line}");
    }
    let entry = only("/tmp x tmpfs root,\"adm# ,bob\"");
    assert_eq!(entry.users, ["root", "adm"]);
    assert_eq!(entry.written, "/tmp x tmpfs root,\"adm");
    // and what is in it need not be text
    assert!(parse("c", b"# \xff\0").faults.is_empty());
}

#[test]
fn lists_of_users_are_exceptions_or_the_only_ones() {
    let cases: [(&str, bool, &[&str]); 6] = [
        ("/tmp x tmpfs", false, &[]),
        ("/tmp x tmpfs root,adm", false, &["root", "adm"]),
        ("/tmp x tmpfs ~root", true, &["root"]),
        ("/tmp x tmpfs ~", true, &[]),
        ("/tmp x tmpfs ~a,~b", true, &["a", "~b"]),
        ("/tmp x tmpfs ,a,,", false, &["a"]),
    ];
    for (line, exclusive, users) in cases {
        let entry = only(line);
        assert_eq!(
            (entry.only, entry.users.as_slice()),
            (
                exclusive,
                &users.iter().map(|u| (*u).to_owned()).collect::<Vec<_>>()[..]
            ),
            "{line}"
        );
    }
    assert_eq!(only("/tmp x tmpfs a, b").ignored.len(), 1);
}

#[test]
fn slashes_at_the_end_are_taken_off() {
    for (written, path) in [
        ("/tmp/", "/tmp"),
        ("/tmp///", "/tmp"),
        ("/", "/"),
        ("//", "/"),
        ("$HOME/", "$HOME"),
    ] {
        assert_eq!(only(&format!("{written} x tmpfs")).directory, path);
    }
}

#[test]
fn flags_are_read_as_the_module_reads_them() {
    let create = |mode, owner: &str, group: &str| Flags {
        create: Some(Create {
            mode,
            owner: Some(owner.to_owned()).filter(|n| !n.is_empty()),
            group: Some(group.to_owned()).filter(|n| !n.is_empty()),
        }),
        ..Flags::default()
    };
    let option = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
    let cases = [
        ("tmpfs", Flags::default(), 0),
        ("::tmpfs::", Flags::default(), 0),
        ("tmpfs:create", create(None, "", ""), 0),
        ("tmpfs:create=", create(None, "", ""), 0),
        ("tmpfs:created", create(None, "", ""), 0),
        ("tmpfs:create=0755", create(Some(0o755), "", ""), 0),
        ("tmpfs:create=755", create(Some(755), "", ""), 0),
        ("tmpfs:create=0x1ed", create(Some(0o755), "", ""), 0),
        ("tmpfs:create=0,a", create(Some(0), "a", ""), 0),
        ("tmpfs:create=,a,b", create(None, "a", "b"), 0),
        (
            "tmpfs:noinit",
            Flags {
                noinit: true,
                ..Flags::default()
            },
            0,
        ),
        (
            "tmpfs:shared",
            Flags {
                shared: true,
                ..Flags::default()
            },
            0,
        ),
        ("tmpfs:iscript", Flags::default(), 0),
        (
            "tmpfs:iscript=a.sh",
            Flags {
                script: Some("a.sh".to_owned()),
                ..Flags::default()
            },
            0,
        ),
        ("tmpfs:mntopts", Flags::default(), 1),
        ("tmpfs:none", Flags::default(), 1),
        (
            "tmpfs:mntopts=a:mntopts=size=1k,,noexec",
            Flags {
                options: vec![option("size", Some("1k")), option("noexec", None)],
                ..Flags::default()
            },
            0,
        ),
    ];
    for (field, flags, ignored) in cases {
        let entry = only(&format!("/tmp x {field}"));
        assert_eq!(entry.method, Method::Tmpfs(flags), "{field}");
        assert_eq!(entry.ignored.len(), ignored, "{field}");
    }
    assert_eq!(only("/tmp /x user:mntopts=size=1").ignored.len(), 1);
}

#[test]
fn sizes_are_read_as_the_kernel_reads_them() {
    let cases = [
        ("1", Some(Size::Bytes(1))),
        ("0", Some(Size::Bytes(0))),
        ("010", Some(Size::Bytes(8))),
        ("0x10k", Some(Size::Bytes(16 << 10))),
        ("2M", Some(Size::Bytes(2 << 20))),
        ("1e", Some(Size::Bytes(1 << 60))),
        ("10%", Some(Size::Percent(10))),
        ("200%", Some(Size::Percent(200))),
        ("16e", None),
        ("", None),
        ("k", None),
        ("-1", None),
        ("+1", None),
        ("1kk", None),
        ("99999999999999999999", None),
    ];
    for (text, want) in cases {
        assert_eq!(Size::parse(text), want, "{text}");
    }
}

#[test]
fn too_many_directories_and_too_many_faults_end_the_reading() {
    let parsed = parse("c", "/tmp x tmpfs\n".repeat(257).as_bytes());
    assert_eq!((parsed.entries.len(), parsed.faults.len()), (256, 1));
    assert_eq!(parsed.faults[0].message, "more than 256 directories");
    assert_eq!(
        parse("c", "x\n".repeat(1000).as_bytes()).faults.len(),
        MAX_FAULTS
    );
}
