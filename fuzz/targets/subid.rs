//! Subordinate ids: /etc/subuid, what getsubids(1) prints, and the id maps made of them.
//!
//! The input is a uid (4 bytes), the length of a name (1 byte), the name and the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nsshell_config::subid::{SubidFile, nsswitch_has_subid, parse_getsubids, parse_subid};
use nsshell_config::{Account, IdMapLine, Range, idmap};

fn check_map(lines: &[IdMapLine]) {
    assert!(lines.len() <= 340);
    let sides: [fn(&IdMapLine) -> u32; 2] = [|line| line.inside, |line| line.outside];
    for side in sides {
        let mut spans: Vec<(u64, u64)> = lines
            .iter()
            .map(|line| {
                (
                    side(line).into(),
                    u64::from(side(line)) + u64::from(line.count),
                )
            })
            .collect();
        spans.sort_unstable();
        assert!(
            spans
                .iter()
                .all(|(from, to)| from < to && *to <= u64::from(u32::MAX))
        );
        assert!(
            spans.windows(2).all(|pair| pair[0].1 <= pair[1].0),
            "{lines:?}"
        );
    }
}

fn check_ranges(ranges: &[Range], uid: u32) {
    for range in ranges {
        assert_eq!(range.check(), Ok(()));
    }
    for lines in [idmap::keep(uid, ranges), idmap::root(uid, ranges)]
        .into_iter()
        .flatten()
    {
        check_map(&lines);
        assert!(lines.iter().all(|line| line.outside != 0), "{lines:?}");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((uid, rest)) = data.split_first_chunk::<4>() else {
        return;
    };
    let Some((length, rest)) = rest.split_first() else {
        return;
    };
    let (name, text) = rest.split_at(rest.len().min(usize::from(*length)));
    let (Ok(name), Ok(text)) = (std::str::from_utf8(name), std::str::from_utf8(text)) else {
        return;
    };
    // no map is made for root
    let uid = u32::from_le_bytes(*uid).max(1);
    let account = Account {
        name: name.to_owned(),
        uid,
        gid: uid,
        home: "/".into(),
        shell: "/bin/sh".into(),
    };
    let ranges = parse_subid(text, &account);
    let sorted = SubidFile::new(text.to_owned()).of(&account);
    assert_eq!(format!("{ranges:?}"), format!("{sorted:?}"));
    for ranges in [ranges, parse_getsubids(text, &account)]
        .into_iter()
        .flatten()
    {
        check_ranges(&ranges, uid);
    }
    let _ = nsswitch_has_subid(text);
});
