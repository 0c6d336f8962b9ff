#![allow(clippy::unwrap_used)]
use std::time::{Duration, Instant};

use super::*;
use crate::dice::Dice;

fn account(name: &str, uid: u32) -> Account {
    Account {
        name: name.to_owned(),
        uid,
        gid: uid,
        home: "/".into(),
        shell: "/bin/sh".into(),
    }
}

fn accounts() -> Vec<Account> {
    vec![
        account("root", 0),
        account("alice", 1000),
        account("bob", 1001),
        account("1001", 7000),
    ]
}

/// What is told about a text, each without its help.
fn told(kind: IdKind, text: &str) -> Vec<String> {
    let accounts = accounts();
    let people = People::new(
        &accounts,
        [(27, "sudo"), (200_000, "far"), (200_001, "off")],
    );
    let faults = Book::new(kind, "/etc/subuid", text.to_owned(), &people).faults();
    let told = faults.iter().map(|fault| {
        assert_eq!(fault.severity, crate::Severity::Error);
        let other = fault.other.as_ref();
        let other = other.map_or(String::new(), |(at, what)| {
            format!(" | {}: {what}", at.line)
        });
        let message = fault
            .message
            .replace(": each can take over what the other runs and owns", "");
        format!("{}: {message}{other}", fault.at.line)
    });
    told.collect()
}

#[test]
fn faults_of_a_file_are_told_with_both_places() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        ("# comment\n\nalice:100000:65536\nbob:165536:65536\n", &[]),
        // one's own ranges may overlap, by name or by uid, and hold one's own id
        (
            "alice:100000:9\nalice:100000:9\n1000:100008:9\nalice:990:11\n",
            &[],
        ),
        (
            "alice:100000:10\nbob:100009:10\n",
            &[
                "2: the range of `bob` overlaps that of `alice` by these uids | 1: the range of `alice`",
            ],
        ),
        (
            "bob:100009:10\n1000:100000:10\n",
            &[
                "1: the range of `bob` overlaps that of `alice` by these uids | 2: the range of `alice`",
            ],
        ),
        (
            "gone:100000:10\nalice:100000:10\ngone:100000:10\n",
            &[
                "2: the range of `alice` overlaps that of `gone` by these uids | 1: the range of `gone`",
                "3: the range of `gone` overlaps that of `alice` by these uids | 2: the range of `alice`",
            ],
        ),
        ("gone:100000:10\ngone:100005:10\n", &[]),
        (
            "alice:1000:2\n",
            &[
                "1: the range of `alice` contains uid 1001 of user `bob`: `alice` can become that user",
            ],
        ),
        (
            "alice:900:9000\n",
            &[
                "1: the range of `alice` contains uid 1001 of user `bob` and 1 more: `alice` can become that user",
            ],
        ),
        // a name that is another account's uid: both can use the range
        (
            "1001:100000:10\n",
            &[
                "1: the range of `1001` overlaps that of `bob` by these uids | 1: the range of `bob`",
            ],
        ),
        (
            "alice:0:65536\nbob:x:1\nalice\n:100000:10\nbob:200:0\n",
            &[
                "1: the range contains id 0 and would give away the host's root",
                "2: the range is malformed: start and count are decimal numbers",
                "3: the range is malformed: it is not NAME:START:COUNT",
                "4: the range is malformed: it names nobody",
                "5: the range has no id in it (count 0)",
            ],
        ),
    ];
    for (text, want) in cases {
        let mut got = told(IdKind::Uid, text);
        // which of two that begin alike is the other one's is nobody's business
        if text.starts_with("1001:") {
            assert_eq!(got.len(), 1);
            if got[0].contains("of `bob` overlaps") {
                got[0] = want[0].to_owned();
            }
        }
        assert_eq!(got, *want, "{text:?}");
    }
    assert_eq!(
        told(IdKind::Gid, "alice:200000:10\nbob:1001:1\nbob:20:10\n"),
        [
            "1: the range of `alice` contains gid 200000 of group `far` and 1 more: `alice` can \
             take on that group",
            "3: the range of `bob` contains gid 27 of group `sudo`: `bob` can take on that group"
        ]
    );
}

#[test]
fn a_book_knows_whose_ranges_are_whose() {
    let accounts = accounts();
    let people = People::new(&accounts, []);
    let text = "bob:5:5\nalice:100000:10\ngone:7:7\n1000:300000:1\n".to_owned();
    let book = Book::new(IdKind::Uid, "x", text, &people);
    let pairs = |ranges: &[Range]| ranges.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(pairs(book.of(&accounts[1])), ["100000:10", "300000:1"]);
    assert_eq!(pairs(book.of(&accounts[0])), Vec::<String>::new());
    let strangers: Vec<_> = book.strangers().collect();
    assert_eq!(strangers, [("gone", Range { start: 7, count: 7 })]);
    assert!(!book.has_bad_line());
    assert!(Book::new(IdKind::Uid, "x", "alice".to_owned(), &people).has_bad_line());
}

#[test]
fn free_ranges_lie_in_the_gaps_that_are_wide_enough() {
    let limits = Limits {
        first: 100,
        last: 199,
        count: 10,
    };
    /// Ranges that are taken, and where the free ones begin.
    type Case = (&'static [(u32, u32)], &'static [u32]);
    let cases: &[Case] = &[
        (&[], &[100, 110, 120, 130, 140, 150, 160, 170, 180, 190]),
        (&[(100, 85)], &[185]),
        (&[(0, 1), (110, 60), (109, 3), (175, 1), (186, 300)], &[176]),
        (&[(109, 81), (110, 1)], &[190]),
        (&[(110, 80)], &[100, 190]),
        (&[(1, 500)], &[]),
        (&[(4_294_967_294, 1), (191, 1), (50, 131)], &[181]),
    ];
    for (taken, want) in cases {
        let taken = taken.iter().map(|&(start, count)| Range { start, count });
        let got: Vec<_> = Free::new(taken, limits).map(|range| range.start).collect();
        assert_eq!(got, *want);
    }
    let end = Limits {
        first: 1,
        last: u32::MAX - 1,
        count: u32::MAX - 1,
    };
    let all: Vec<_> = Free::new([], end).collect();
    assert_eq!(
        all,
        [Range {
            start: 1,
            count: u32::MAX - 1
        }]
    );
    assert!(all[0].check().is_ok());
}

fn share(a: Range, b: Range) -> bool {
    a.start <= last(b) && b.start <= last(a)
}

#[test]
fn the_sweep_finds_what_comparing_each_with_each_finds() {
    let dice = Dice::new();
    for _ in 0..20_000 {
        let width = [4, 40, 400][usize::try_from(dice.number(3)).unwrap()];
        let claims: Vec<Claim> = (0..dice.number(12))
            .map(|_| Claim {
                holder: Holder::Account(dice.number(4)),
                range: Range {
                    start: 1 + dice.number(100),
                    count: 1 + dice.number(width),
                },
                place: Place {
                    file: 0,
                    start: 0,
                    end: 0,
                },
            })
            .collect();
        let found = overlaps(&claims);
        for &(one, other) in &found {
            assert!(claims[one].holder != claims[other].holder, "{claims:?}");
            assert!(share(claims[one].range, claims[other].range), "{claims:?}");
        }
        for (at, claim) in claims.iter().enumerate() {
            let before = |(other, than): &(usize, &Claim)| {
                (than.range.start, *other) < (claim.range.start, at)
            };
            let mut earlier = claims.iter().enumerate().filter(before);
            let shares = earlier
                .any(|(_, than)| than.holder != claim.holder && share(than.range, claim.range));
            assert_eq!(
                found.iter().any(|(one, _)| *one == at),
                shares,
                "{claims:?}"
            );
        }
    }
}

#[test]
fn what_is_free_touches_nothing_and_nothing_free_is_passed_over() {
    let dice = Dice::new();
    for _ in 0..20_000 {
        let count = 1 + dice.number(9);
        let first = 1 + dice.number(50);
        let limits = Limits {
            first,
            last: first + count - 1 + dice.number(60),
            count,
        };
        let taken: Vec<Range> = (0..dice.number(8))
            .map(|_| Range {
                start: 1 + dice.number(120),
                count: 1 + dice.number(20),
            })
            .collect();
        let given: Vec<Range> = Free::new(taken.iter().copied(), limits).collect();
        for (at, one) in given.iter().enumerate() {
            assert!(one.count == count && one.start >= first && last(*one) <= limits.last);
            let others = taken.iter().chain(given.iter().skip(at + 1));
            assert!(
                !others.into_iter().any(|other| share(*one, *other)),
                "{taken:?} {limits:?}"
            );
        }
        let fits = |start: u32| {
            let range = Range { start, count };
            !taken.iter().chain(&given).any(|other| share(range, *other))
        };
        let missed = (first..=limits.last - (count - 1)).find(|start| fits(*start));
        assert_eq!(missed, None, "{taken:?} {limits:?} {given:?}");
    }
}

/// The least time in which all faults and all free ranges are found, of a few tries.
fn sweep(lines: u32) -> Duration {
    let owners = lines / 2;
    let accounts: Vec<_> = (0..owners)
        .map(|n| account(&format!("u{n}"), 1000 + n))
        .collect();
    let people = People::new(&accounts, []);
    // each user twice and all of them on top of the one before, the worst for the sweep
    let line = |n: u32| format!("u{}:{}:65536\n", n % owners, 100_000 + n * 3);
    let text: String = (0..lines).map(line).collect();
    let limits = Limits {
        first: 100_000,
        last: 600_100_000,
        count: 65_536,
    };
    let once = || {
        let started = Instant::now();
        let book = Book::new(IdKind::Uid, "/etc/subuid", text.clone(), &people);
        assert_eq!(overlaps(&book.claims).len() + 1, lines as usize);
        assert!(!book.faults().is_empty());
        assert!(book.free(limits).count() > 8_000);
        started.elapsed()
    };
    (0..3).map(|_| once()).min().unwrap_or_default()
}

#[test]
fn what_one_line_more_takes_does_not_depend_on_how_many_there_are() {
    let (few, many) = (sweep(10_000), sweep(100_000));
    // ten times the lines; were it by the square, it would be a hundred times the time
    assert!(many < few * 40, "{few:?} {many:?}");
}
