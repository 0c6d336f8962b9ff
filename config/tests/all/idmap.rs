//! Id maps: every edge, and many made-up ranges.
#![allow(clippy::unwrap_used, clippy::type_complexity)]

use crate::common::dice::Dice;
use nsshell_config::idmap::{keep, root};
use nsshell_config::{Error, IdMapLine, Range, RangeFault};

type Lines = Vec<(u32, u32, u32)>;

fn ranges(list: &[(u32, u32)]) -> Vec<Range> {
    list.iter()
        .map(|&(start, count)| Range { start, count })
        .collect()
}

fn lines(map: Result<Vec<IdMapLine>, Error>) -> Lines {
    map.unwrap()
        .iter()
        .map(|line| (line.inside, line.outside, line.count))
        .collect()
}

#[test]
fn keep_fills_the_ids_around_the_own_one() {
    let last = u32::MAX - 1;
    let cases: &[(u32, &[(u32, u32)], &[(u32, u32, u32)])] = &[
        (
            1000,
            &[(100_000, 65536)],
            &[(0, 100_000, 1000), (1000, 1000, 1), (1001, 101_000, 64536)],
        ),
        // no range: only the own id
        (1000, &[], &[(1000, 1000, 1)]),
        // fewer subordinate ids than the own id
        (1000, &[(100_000, 10)], &[(0, 100_000, 10), (1000, 1000, 1)]),
        // exactly as many, and one more
        (
            1000,
            &[(100_000, 1000)],
            &[(0, 100_000, 1000), (1000, 1000, 1)],
        ),
        (
            1000,
            &[(100_000, 1001)],
            &[(0, 100_000, 1000), (1000, 1000, 1), (1001, 101_000, 1)],
        ),
        // the turn of the own id is just between two ranges
        (
            10,
            &[(100, 10), (200, 5)],
            &[(0, 100, 10), (10, 10, 1), (11, 200, 5)],
        ),
        (
            2,
            &[(100, 1), (200, 4)],
            &[(0, 100, 1), (1, 200, 1), (2, 2, 1), (3, 201, 3)],
        ),
        (
            1,
            &[(100, 1), (200, 1), (300, 1)],
            &[(0, 100, 1), (1, 1, 1), (2, 200, 1), (3, 300, 1)],
        ),
        // the same range twice, by name and by uid
        (5, &[(100, 3), (100, 3)], &[(0, 100, 3), (5, 5, 1)]),
        // overlap at the end, at the start, around, inside
        (
            50,
            &[(100, 10), (105, 10)],
            &[(0, 100, 10), (10, 110, 5), (50, 50, 1)],
        ),
        (
            50,
            &[(105, 10), (100, 10)],
            &[(0, 105, 10), (10, 100, 5), (50, 50, 1)],
        ),
        (
            50,
            &[(105, 2), (100, 10)],
            &[(0, 105, 2), (2, 100, 5), (7, 107, 3), (50, 50, 1)],
        ),
        (50, &[(100, 10), (105, 2)], &[(0, 100, 10), (50, 50, 1)]),
        // neighbours stay apart
        (
            50,
            &[(100, 10), (110, 10)],
            &[(0, 100, 10), (10, 110, 10), (50, 50, 1)],
        ),
        // the own id is in a range: at its start, in it, at its end, all of it
        (1000, &[(1000, 3)], &[(0, 1001, 2), (1000, 1000, 1)]),
        (
            1000,
            &[(999, 3)],
            &[(0, 999, 1), (1, 1001, 1), (1000, 1000, 1)],
        ),
        (1000, &[(998, 3)], &[(0, 998, 2), (1000, 1000, 1)]),
        (1000, &[(1000, 1)], &[(1000, 1000, 1)]),
        // the first and the last id there are
        (1, &[(2, 3)], &[(0, 2, 1), (1, 1, 1), (2, 3, 2)]),
        (last, &[(100, 3)], &[(0, 100, 3), (last, last, 1)]),
        (last, &[(last - 2, 3)], &[(0, last - 2, 2), (last, last, 1)]),
        (last, &[(1, last)], &[(0, 1, last - 1), (last, last, 1)]),
        (1, &[(1, last)], &[(0, 2, 1), (1, 1, 1), (2, 3, last - 2)]),
        // gid 0 as the primary group: its own line and nothing else
        (0, &[(100, 3)], &[(0, 0, 1), (1, 100, 3)]),
    ];
    for (own, given, want) in cases {
        assert_eq!(
            lines(keep(*own, &ranges(given))),
            *want,
            "own {own}, ranges {given:?}"
        );
    }
}

#[test]
fn root_puts_the_user_at_0() {
    let last = u32::MAX - 1;
    let cases: &[(u32, &[(u32, u32)], &[(u32, u32, u32)])] = &[
        (
            1000,
            &[(100_000, 65536)],
            &[(0, 1000, 1), (1, 100_000, 65536)],
        ),
        (1000, &[], &[(0, 1000, 1)]),
        (
            1000,
            &[(100, 2), (300, 4)],
            &[(0, 1000, 1), (1, 100, 2), (3, 300, 4)],
        ),
        (
            1000,
            &[(999, 3), (999, 3)],
            &[(0, 1000, 1), (1, 999, 1), (2, 1001, 1)],
        ),
        (last, &[(100, 3)], &[(0, last, 1), (1, 100, 3)]),
        (last, &[(1, last)], &[(0, last, 1), (1, 1, last - 1)]),
        (5, &[(1, last)], &[(0, 5, 1), (1, 1, 4), (5, 6, last - 5)]),
    ];
    for (own, given, want) in cases {
        assert_eq!(
            lines(root(*own, &ranges(given))),
            *want,
            "own {own}, ranges {given:?}"
        );
    }
}

#[test]
fn dangerous_ranges_are_refused() {
    let cases = [
        ((0, 65536), RangeFault::Root),
        ((0, 1), RangeFault::Root),
        ((100, 0), RangeFault::Empty),
        ((0, 0), RangeFault::Empty),
        ((u32::MAX, 1), RangeFault::NoId),
        ((u32::MAX - 1, 2), RangeFault::NoId),
        ((1, u32::MAX), RangeFault::NoId),
        ((u32::MAX, 2), RangeFault::TooLong),
        ((2, u32::MAX), RangeFault::TooLong),
        ((4_000_000_000, 300_000_000), RangeFault::TooLong),
    ];
    for (bad, fault) in cases {
        for map in [keep, root] {
            let got = map(1000, &ranges(&[(100_000, 10), bad]));
            assert_eq!(
                got,
                Err(Error::BadRange {
                    source: None,
                    line: None,
                    range: format!("{}:{}", bad.0, bad.1),
                    fault,
                })
            );
        }
    }
    for map in [keep, root] {
        assert_eq!(map(u32::MAX, &[]), Err(Error::NoSuchId { user: None }));
    }
}

#[test]
fn a_map_has_at_most_340_lines_and_is_never_cut_off() {
    let many = |count: u32| -> Vec<Range> {
        (0..count)
            .map(|at| Range {
                start: 2000 + at * 4,
                count: 3,
            })
            .collect()
    };
    let refused = Err(Error::TooManyRanges { kind: None });
    assert_eq!(root(1000, &many(339)).unwrap().len(), 340);
    assert_eq!(root(1000, &many(340)), refused);
    // own id 5000: after all of them; 1000: splits one; 1002: just between two
    assert_eq!(keep(5000, &many(339)).unwrap().len(), 340);
    assert_eq!(keep(5000, &many(340)), refused);
    assert_eq!(keep(1000, &many(338)).unwrap().len(), 340);
    assert_eq!(keep(1000, &many(339)), refused);
    assert_eq!(keep(1002, &many(339)).unwrap().len(), 340);
    // what repeats costs no line, and a very long list is refused at once
    assert_eq!(root(1000, &many(300).repeat(50)).unwrap().len(), 301);
    let begun = std::time::Instant::now();
    assert_eq!(root(1000, &many(1_000_000)), refused);
    assert!(begun.elapsed().as_secs() < 5);
}

#[test]
fn a_map_has_at_most_4095_bytes() {
    // lines of 18 bytes, less what the first inside ids save
    let long = |count: u32| -> Vec<Range> {
        let start = |at| 3_000_000_000 + at * 10;
        (0..count)
            .map(|at| Range {
                start: start(at),
                count: 5,
            })
            .collect()
    };
    let text = |map: &[IdMapLine]| -> usize {
        let line = |l: &IdMapLine| format!("{} {} {}\n", l.inside, l.outside, l.count).len();
        map.iter().map(line).sum()
    };
    let most = (1..340)
        .take_while(|&count| root(1000, &long(count)).is_ok())
        .last()
        .unwrap();
    let longest = root(1000, &long(most)).unwrap();
    assert!(longest.len() < 340 && (4070..=4095).contains(&text(&longest)));
    assert_eq!(
        root(1000, &long(most + 1)),
        Err(Error::TooManyRanges { kind: None })
    );
}

fn overlap_free(mut spans: Vec<(u32, u32)>) -> bool {
    spans.sort_unstable();
    let ends_in_u32 = spans
        .iter()
        .all(|(start, count)| start.checked_add(*count).is_some());
    ends_in_u32 && spans.windows(2).all(|two| two[0].0 + two[0].1 <= two[1].0)
}

#[test]
fn no_map_overlaps_loses_the_user_or_gives_away_root() {
    let numbers = Dice::new();
    let mut several = 0;
    for round in 0..20_000 {
        // small numbers, so that everything collides; now and then the whole of u32
        let limit = if round % 10 == 0 { u32::MAX } else { 60 };
        let own = numbers.number(limit - 1) + 1;
        let given: Vec<Range> = (0..numbers.number(7))
            .map(|_| Range {
                start: numbers.number(limit),
                count: numbers.number(limit / 3),
            })
            .collect();
        let sound = given.iter().all(|range| range.check().is_ok());
        for (is_keep, map) in [(true, keep(own, &given)), (false, root(own, &given))] {
            let why = format!("own {own}, ranges {given:?}, map {map:?}");
            assert_eq!(map.is_ok(), sound, "{why}");
            let Ok(map) = map else { continue };
            several += usize::from(map.len() > 3);
            assert!(
                overlap_free(map.iter().map(|l| (l.inside, l.count)).collect()),
                "{why}"
            );
            assert!(
                overlap_free(map.iter().map(|l| (l.outside, l.count)).collect()),
                "{why}"
            );
            assert!(map.iter().all(|l| l.count > 0 && l.outside > 0), "{why}");
            assert!(map.is_sorted_by_key(|l| l.inside), "{why}");
            let holds_own = |l: &&IdMapLine| own >= l.outside && own - l.outside < l.count;
            let mine: Vec<_> = map.iter().filter(holds_own).collect();
            let inside = if is_keep { own } else { 0 };
            assert_eq!(
                mine,
                [&IdMapLine {
                    inside,
                    outside: own,
                    count: 1
                }],
                "{why}"
            );
            // every id of the ranges is there, and no other one
            let total: u64 = map.iter().map(|l| u64::from(l.count)).sum();
            if limit == 60 {
                let listed = (0..200).filter(|id| {
                    given
                        .iter()
                        .any(|r| *id >= r.start && *id - r.start < r.count)
                        && *id != own
                });
                assert_eq!(total, listed.count() as u64 + 1, "{why}");
            }
            for line in map.iter().filter(|l| l.outside != own) {
                let source = |r: &Range| {
                    line.outside >= r.start && line.outside - r.start + line.count <= r.count
                };
                assert!(given.iter().any(source), "{why}: a line spans two ranges");
            }
        }
    }
    assert!(
        several > 1000,
        "the numbers make too few interesting maps: {several}"
    );
}
