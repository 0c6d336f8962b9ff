//! Id maps (user_namespaces(7)): from a user's own id and subordinate ranges to the lines of
//! uid_map or gid_map.

use crate::host::{Range, RangeFault};
use crate::{Error, IdMapLine};

/// Lines that the kernel takes in one map since 4.15. newuidmap is run once and the map is
/// written once: a longer map cannot be completed later, so it is refused, never cut off.
pub const MAX_LINES: usize = 340;

/// Bytes that a map may have as text: the kernel takes less than a page, and pages of 4096 bytes
/// are the smallest that there are. Maps with large ids reach this before [`MAX_LINES`].
pub const MAX_TEXT: usize = 4095;

/// `id_map = "keep"`: the user's own id is the same inside and outside; the inside ids from 0
/// upwards are filled from the ranges in their order, around it.
///
/// # Errors
/// A range that must not be mapped, more than [`MAX_LINES`] lines, or no own id at all.
pub fn keep(own: u32, ranges: &[Range]) -> Result<Vec<IdMapLine>, Error> {
    let mut map = Map::default();
    let own_line = Range {
        start: own,
        count: 1,
    };
    let mut placed = false;
    for piece in subordinate(own, ranges)? {
        let (own_at, end) = (u64::from(own), map.next + u64::from(piece.count));
        if placed || own_at < map.next || end <= own_at {
            map.push(piece)?;
            continue;
        }
        // the own id's turn is inside this piece (or just before it)
        let head = u32::try_from(own_at - map.next).unwrap_or(0);
        map.push(Range {
            start: piece.start,
            count: head,
        })?;
        map.push(own_line)?;
        map.push(Range {
            start: piece.start + head,
            count: piece.count - head,
        })?;
        placed = true;
    }
    if !placed {
        map.next = u64::from(own);
        map.push(own_line)?;
    }
    map.finish()
}

/// `id_map = "root"`: 0 inside is the user; the inside ids from 1 upwards are filled from the
/// ranges in their order.
///
/// # Errors
/// A range that must not be mapped, more than [`MAX_LINES`] lines, or no own id at all.
pub fn root(own: u32, ranges: &[Range]) -> Result<Vec<IdMapLine>, Error> {
    let pieces = subordinate(own, ranges)?;
    let mut map = Map::default();
    map.push(Range {
        start: own,
        count: 1,
    })?;
    for piece in pieces {
        map.push(piece)?;
    }
    map.finish()
}

/// A map that grows line by line.
#[derive(Default)]
struct Map {
    lines: Vec<IdMapLine>,
    /// the first inside id that is still free
    next: u64,
}

impl Map {
    /// Maps the next inside ids to `outside`; of an empty range, nothing.
    fn push(&mut self, outside: Range) -> Result<(), Error> {
        if outside.count == 0 {
            return Ok(());
        }
        let end = self.next + u64::from(outside.count);
        match u32::try_from(self.next) {
            // `end` is the id after the last one: 4294967295 itself stays free
            Ok(inside) if end <= u64::from(u32::MAX) => {
                self.lines.push(IdMapLine {
                    inside,
                    outside: outside.start,
                    count: outside.count,
                });
                self.next = end;
                Ok(())
            }
            _ => Err(Error::bad_range(outside, RangeFault::TooLong)),
        }
    }

    fn finish(self) -> Result<Vec<IdMapLine>, Error> {
        let text = |l: &IdMapLine| format!("{} {} {}\n", l.inside, l.outside, l.count).len();
        if self.lines.len() > MAX_LINES || self.lines.iter().map(text).sum::<usize>() > MAX_TEXT {
            return Err(Error::TooManyRanges { kind: None });
        }
        Ok(self.lines)
    }
}

/// The ranges free of overlaps, of repetitions and of the own id, in the order of their first
/// appearance. The same range listed by name and by uid is common, and the kernel refuses a
/// map that names an id twice. Neighbours are not joined: each piece stays within one range
/// of the source, as newuidmap checks it.
fn subordinate(own: u32, ranges: &[Range]) -> Result<Vec<Range>, Error> {
    if own == u32::MAX {
        return Err(Error::NoSuchId { user: None });
    }
    let mut taken = vec![Range {
        start: own,
        count: 1,
    }];
    for range in ranges {
        range
            .check()
            .map_err(|fault| Error::bad_range(*range, fault))?;
        let mut pieces = vec![*range];
        for other in &taken {
            pieces = pieces
                .iter()
                .flat_map(|piece| without(*piece, *other))
                .collect();
        }
        taken.append(&mut pieces);
        // each piece is a line at least: stop before a file of many ranges takes long
        if taken.len() > MAX_LINES {
            return Err(Error::TooManyRanges { kind: None });
        }
    }
    taken.remove(0);
    Ok(taken)
}

/// What is left of `range` without the ids of `taken`. Both have passed [`Range::check`], but
/// for the own id, which may be 0; so the ends fit in u32.
fn without(range: Range, taken: Range) -> impl Iterator<Item = Range> {
    let (from, to) = (range.start, range.start + range.count);
    let (hole_from, hole_to) = (
        taken.start.clamp(from, to),
        (taken.start + taken.count).clamp(from, to),
    );
    let pieces = if hole_from < hole_to {
        [(from, hole_from), (hole_to, to)]
    } else {
        [(from, to), (to, to)]
    };
    pieces
        .into_iter()
        .filter(|(a, b)| a < b)
        .map(|(a, b)| Range {
            start: a,
            count: b - a,
        })
}
