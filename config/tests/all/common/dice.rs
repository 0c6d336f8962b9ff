//! Chance that repeats itself in each run, and a host that answers alike for everybody.

use nsshell_config::{Account, Error, Host, IdKind, Range};

#[path = "../../../src/dice.rs"]
mod chance;
pub use chance::Dice;

/// A list of a rule.
pub fn list(dice: &Dice, key: &str, among: &[&str]) -> String {
    let items: Vec<_> = (0..=dice.below(3))
        .map(|_| {
            let not = if dice.chance(4) { "!" } else { "" };
            format!("\"{not}{}\"", dice.of(among))
        })
        .collect();
    format!("{key} = [{}]\n", items.join(", "))
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
