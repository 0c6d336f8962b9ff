//! Chance that repeats itself in each run, and a host that answers alike for everybody.

use std::cell::Cell;

use nsshell_config::{Account, Error, Host, IdKind, Range};

/// xorshift64
pub struct Dice(Cell<u64>);

impl Dice {
    pub fn new() -> Dice {
        Dice(Cell::new(0x9e37_79b9_7f4a_7c15))
    }

    pub fn below(&self, limit: usize) -> usize {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        usize::try_from(state % u64::try_from(limit).unwrap()).unwrap()
    }

    pub fn of<'a>(&self, among: &[&'a str]) -> &'a str {
        among[self.below(among.len())]
    }

    pub fn chance(&self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    pub fn list(&self, key: &str, among: &[&str]) -> String {
        let items: Vec<_> = (0..=self.below(3))
            .map(|_| {
                let not = if self.chance(4) { "!" } else { "" };
                format!("\"{not}{}\"", self.of(among))
            })
            .collect();
        format!("{key} = [{}]\n", items.join(", "))
    }
}

/// A host with one primary group for everybody.
#[derive(Default)]
pub struct Groups {
    pub names: Vec<String>,
    pub primary: String,
    pub ranges: Vec<Range>,
}

impl Host for Groups {
    fn groups(&self, _: &Account) -> Result<Vec<String>, Error> {
        Ok(self.names.clone())
    }
    fn primary_group(&self, _: &Account) -> Result<String, Error> {
        Ok(self.primary.clone())
    }
    fn ranges(&self, _: &Account, _: IdKind) -> Result<Vec<Range>, Error> {
        Ok(self.ranges.clone())
    }
    fn hostname(&self) -> Result<String, Error> {
        Ok("mill".to_owned())
    }
}
