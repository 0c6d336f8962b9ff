//! "did you mean": the name nearest to a mistyped one.

/// The candidate with the fewest typing mistakes, if it is near enough to be what was meant.
pub(crate) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // a distance takes length times length steps: no name that is meant is this long
    if wrong.len() > 64 {
        return None;
    }
    // a third of the letters may be wrong, but not all of them
    let letters = wrong.chars().count();
    let limit = letters.div_ceil(3).min(letters.saturating_sub(1));
    names
        .filter(|name| name.len() <= 64)
        .map(|name| (distance(wrong, name), name))
        .filter(|(far, _)| *far <= limit)
        .min_by_key(|(far, _)| *far)
        .map(|(_, name)| name)
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
            ("", None),
        ];
        for (wrong, want) in cases {
            assert_eq!(nearest(wrong, names.into_iter()), want, "{wrong}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), names.into_iter()), None);
    }
}
