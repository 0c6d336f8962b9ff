//! Columns of text.

use nsshell_config::printable;

/// Rows in columns, each as wide as its widest cell; the last one ends where its text ends.
/// Control characters are escaped: names and terminals come from elsewhere.
pub(crate) fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let rows: Vec<Vec<_>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| printable(cell)).collect())
        .collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &Vec<std::borrow::Cow<'_, str>>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A time in its largest whole unit: `59s`, `2m`, `3h`, `4d`.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// A number of bytes in its largest unit, rounded up: `0K`, `512K`, `3.2M`, `41M`, `2.0G`.
pub(crate) fn size(bytes: u64) -> String {
    let mut tenths = bytes.div_ceil(1024).saturating_mul(10);
    let mut units = ["K", "M", "G"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    while tenths >= 10_240
        && let Some(next) = units.next()
    {
        (tenths, unit) = (tenths.div_ceil(1024), next);
    }
    match unit {
        "K" => format!("{}K", tenths / 10),
        _ if tenths < 100 => format!("{}.{}{unit}", tenths / 10, tenths % 10),
        _ => format!("{}{unit}", tenths.div_ceil(10)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect();
        let rows = [
            row(&["A", "NAME", "X"]),
            row(&["123", "é", ""]),
            row(&["", "b\u{1b}", "y"]),
        ];
        assert_eq!(
            columns(&rows),
            ["A    NAME     X", "123  é", "     b\\u{1b}  y"]
        );
        assert_eq!(columns(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_size_is_told_in_its_largest_unit() {
        const M: u64 = 1 << 20;
        let cases = [
            (0, "0K"),
            (1, "1K"),
            (1024 * 1023, "1023K"),
            (M, "1.0M"),
            (M + 1, "1.1M"),
            (41 * M, "41M"),
            (2048 * M, "2.0G"),
        ];
        for (bytes, want) in cases {
            assert_eq!(size(bytes), want, "{bytes}");
        }
        assert!(size(u64::MAX).ends_with('G'));
    }

    #[test]
    fn an_age_is_told_in_its_largest_whole_unit() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (86399, "23h"),
            (86400, "1d"),
            (u64::MAX, "213503982334601d"),
        ];
        for (seconds, want) in cases {
            assert_eq!(age(seconds), want);
        }
    }
}
