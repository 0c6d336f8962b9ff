//! Chance for tests, the same in each run. The tests beside this crate include this file.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use std::cell::Cell;

/// xorshift64
pub struct Dice(Cell<u64>);

impl Dice {
    pub fn new() -> Dice {
        Dice(Cell::new(0x9e37_79b9_7f4a_7c15))
    }

    /// From 0 on, less than `limit`.
    pub fn number(&self, limit: u32) -> u32 {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        u32::try_from(state % u64::from(limit)).unwrap()
    }

    pub fn below(&self, limit: usize) -> usize {
        usize::try_from(self.number(u32::try_from(limit).unwrap())).unwrap()
    }

    pub fn of<'a>(&self, among: &[&'a str]) -> &'a str {
        among[self.below(among.len())]
    }

    pub fn chance(&self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}
