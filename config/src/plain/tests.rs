#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use crate::diagnostic::Faults;
use crate::dice::Dice;
use crate::tree;

/// Keys of a rule, with entries that they may have.
const PLAIN: &[(&str, &[&str])] = &[
    (
        "users",
        &[
            "\"alice\"",
            "\"@staff\"",
            "\"!@web-*\"",
            "\"x y\"",
            "\"Bob\"",
        ],
    ),
    (
        "uids",
        &["1000", "7", "\"1000-1999\"", "\"!1001\"", "\"0\""],
    ),
    ("services", &["\"sshd\"", "\"Su-L\"", "\"!cron*\""]),
    ("ttys", &["\"tty1\"", "\"/dev/pts/*\"", "\"!ssh\""]),
    (
        "hosts",
        &[
            "\"192.0.2.0/24\"",
            "\"!Mill.\"",
            "\"::1\"",
            "\"192.0.2.300\"",
        ],
    ),
];

/// What may stand anywhere.
const ODD: &[&str] = &[
    "\"alice\"",
    "1000",
    "\"\"",
    "\"!\"",
    "\"!!b\"",
    "\"@\"",
    "\"all\"",
    "\" b \"",
    "9223372036854775808",
    "'c'",
    "0",
    "-1",
    "true",
    "\"\\u0041\"",
    "\"\"\"d\"\"\"",
    "1_0",
    "1.5",
    "1979-05-27",
    "{ a = 1 }",
    "[\"x\"]",
    "\"é\"",
    "\"#\"",
    "\"[[rule]]\"",
];

fn entry(dice: &Dice, key: &str, value: &str) -> String {
    let equals = dice.of(&[" = ", "=", "  =  ", "= "]).to_owned();
    let end = dice.of(&["\n", "\n", "\n", " # c\n", " \n", "\n\n", "\n# c\n"]);
    format!("{key}{equals}{value}{end}")
}

fn list(dice: &Dice, items: &[&str]) -> String {
    let mut text = dice.of(&["[", "[ "]).to_owned();
    let count = [1, 2, 3, 1, 2, 3, 1, 0][dice.below(8)];
    for at in 0..count {
        text += dice.of(items);
        let last = at + 1 == count && dice.below(3) > 0;
        text += match last {
            true => "",
            false => dice.of(&[",", ", ", " , "]),
        };
    }
    text + dice.of(&["]", " ]"])
}

/// Mostly plain, with a few bytes that are not.
fn text(dice: &Dice) -> String {
    let mut text = String::from("[[rule]]\n");
    for _ in 0..[1, 1, 1, 1, 1, 1, 0, 2][dice.below(8)] {
        let profile = dice.of(&["\"standard\"", "\"standard\"", "\"a b\"", "\"\""]);
        let profile = profile.to_owned();
        text += &entry(dice, "profile", &profile);
    }
    for (key, items) in PLAIN {
        if dice.below(2) == 0 {
            let value = list(dice, items);
            text += &entry(dice, key, &value);
        }
    }
    if dice.below(4) == 0 {
        let key = dice.of(&[
            "a-b_9",
            "7",
            "users.x",
            "\"users\"",
            "users",
            "uids",
            "profile",
        ]);
        let key = key.to_owned();
        let value = match dice.below(2) {
            0 => dice.of(ODD).to_owned(),
            _ => list(dice, ODD),
        };
        text += &entry(dice, &key, &value);
    }
    text += dice.of(&["", "[[rule]]\n", "[profile.x]\n", "[", "a", "\r\n"]);
    if dice.below(3) == 0 {
        let bytes = b"\"'[]{}#=,.\\ \t\r\n\0a0-+_";
        for _ in 0..=dice.below(2) {
            let at = dice.below(text.len());
            let byte = char::from(bytes[dice.below(bytes.len())]).to_string();
            if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                let end = at + dice.below(2);
                text.replace_range(at..end, &byte);
            }
        }
    }
    text
}

#[test]
fn what_is_read_plainly_is_what_the_tokens_of_toml_say() {
    let dice = Dice::new();
    let (mut plainly, rounds) = (0, 60_000);
    for _ in 0..rounds {
        let text = text(&dice);
        let mut reader = Reader::new(&text, 3);
        // what an earlier rule has left must not show
        let mut start = 0;
        while let Some((rule, end)) = reader.rule(start) {
            let mut faults = Faults::default();
            let mut tokens = Vec::new();
            let (piece, ends) = tree::by_tokens(&text, start, 3, &mut tokens, &mut faults);
            let expected = Rule::read(&piece.unwrap(), &mut faults);
            assert!(faults.is_empty(), "{text:?}");
            assert_eq!((rule, end), (expected, ends), "{text:?}");
            plainly += 1;
            start = end;
        }
    }
    assert!(plainly > rounds / 10 && plainly < rounds, "{plainly}");
}

#[test]
fn what_is_written_in_any_other_way_is_left_to_the_tokens() {
    let others = [
        "[[rule]]",
        "[[ rule ]]\n",
        "[[rule]] # c\n",
        "[[rule]]\r\n",
        "[[rule]]\n a = 1\n",
        "[[rule]]\na = 1",
        "[[rule]]\na = 'x'\n",
        "[[rule]]\na.b = 1\n",
        "[[rule]]\na = \"\\n\"\n",
        "[[rule]]\na = [\n1]\n",
        "[[rule]]\na = [1 2]\n",
        "[[rule]]\na = [,]\n",
        "[[rule]]\na = \n",
        "[[rule]]\na = \"x\n",
        "[[rule]]\na = \"x\" y\n",
        "[[rule]]\na = \"\"\"x\"\"\"\n",
        "[[rule]]\n# \u{7f}\n",
        "[[rule]]\na = 01\n",
        "[[rule]]\n= 1\n",
        "[[rule]]\na = \"é\"\n",
    ];
    for text in others {
        assert!(Reader::new(text, 0).rule(0).is_none(), "{text:?}");
    }
}
