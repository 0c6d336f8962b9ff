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

/// A number, or `-` for one that cannot be seen.
pub(crate) fn count(number: Option<usize>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// A number of bytes in units of 1024, with one decimal below 10: `0`, `512`, `1.5K`, `64M`.
pub(crate) fn size(bytes: u64) -> String {
    let (mut unit, mut tenths) = (0, u128::from(bytes) * 10);
    while tenths >= 10240 && unit < 6 {
        tenths = tenths.div_ceil(1024);
        unit += 1;
    }
    let letter = ["", "K", "M", "G", "T", "P", "E"][unit];
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if unit > 0 && whole < 10 && tenth > 0 {
        format!("{whole}.{tenth}{letter}")
    } else {
        format!("{}{letter}", tenths.div_ceil(10))
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
    fn a_size_is_told_in_its_largest_unit_and_never_as_less_than_it_is() {
        let cases = [
            (0, "0"),
            (1023, "1023"),
            (1024, "1K"),
            (1025, "1.1K"),
            (1536, "1.5K"),
            (10_240, "10K"),
            (10_241, "11K"),
            (1_300_000, "1.3M"),
            (64 << 20, "64M"),
            (u64::MAX, "16E"),
        ];
        for (bytes, want) in cases {
            assert_eq!(size(bytes), want, "{bytes}");
        }
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
