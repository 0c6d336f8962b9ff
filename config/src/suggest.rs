//! "did you mean": the name nearest to a mistyped one.

/// Words of other programs for what is called otherwise here.
const SYNONYMS: &[(&str, &str)] = &[
    ("network", "net"),
    ("hostname", "uts"),
    ("mnt", "mount"),
    ("ssh", "ssh-agent"),
    ("gpg", "gpg-agent"),
    ("dbus", "dbus-session"),
    ("none", "hidden"),
    ("rprivate", "private"),
    ("rslave", "slave"),
    ("rshared", "shared"),
    ("permissive", "observe"),
    ("allow", "unconfined"),
];

/// The candidate with the fewest typing mistakes, if it is near enough to be what was meant.
pub(crate) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // a distance takes length times length steps: no name that is meant is this long
    if wrong.len() > 64 {
        return None;
    }
    let other = SYNONYMS.iter().filter(|(word, _)| *word == wrong);
    let meant: Vec<&str> = other.map(|(_, right)| *right).collect();
    let names: Vec<&str> = names.collect();
    if let Some(name) = names.iter().find(|name| meant.contains(name)) {
        return Some(name);
    }
    // a third of the letters may be wrong, but not all of them
    let letters = wrong.chars().count();
    let limit = letters.div_ceil(3).min(letters.saturating_sub(1));
    names
        .into_iter()
        .filter(|name| name.len() <= 64)
        // "rw" is not "ro": of two letters both count, but for their order
        .filter(|name| letters > 2 || !replaced(wrong, name))
        .map(|name| (distance(wrong, name), name))
        .filter(|(far, _)| *far <= limit)
        .min_by_key(|(far, _)| *far)
        .map(|(_, name)| name)
}

/// Whether two words differ in letters and not only in their number and order.
fn replaced(one: &str, two: &str) -> bool {
    one.chars().count() == two.chars().count() && one.chars().any(|c| !two.contains(c))
}

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut best = (row[j] + usize::from(a != b))
                .min(row[j + 1] + 1)
                .min(next[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_stranger_is_not() {
        let names = ["none", "standard", "mount", "pid", "namespaces", "a"];
        let cases = [
            ("standrad", Some("standard")),
            ("standart", Some("standard")),
            ("Standard", Some("standard")),
            ("nmoe", Some("none")),
            ("non", Some("none")),
            ("pdi", Some("pid")),
            ("namespace", Some("namespaces")),
            ("fortress", None),
            ("x", None),
            ("b", None),
            ("ap", Some("a")),
            ("network", None),
            ("", None),
        ];
        for (wrong, want) in cases {
            assert_eq!(nearest(wrong, names.into_iter()), want, "{wrong}");
        }
        assert_eq!(nearest("rw", ["ro", "nosuid"].into_iter()), None);
        assert_eq!(nearest("or", ["ro", "nosuid"].into_iter()), Some("ro"));
        assert_eq!(nearest("network", ["net", "none"].into_iter()), Some("net"));
        assert_eq!(nearest(&"x".repeat(100_000), names.into_iter()), None);
    }
}
