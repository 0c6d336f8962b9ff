//! Faults of TOML in an administrator's words: the reader's own are those of its grammar.

use toml_parser::{Expected, ParseError, Span};

/// A fault of the syntax, with offsets in the text that was read.
pub(crate) struct SyntaxFault {
    pub(crate) at: Span,
    pub(crate) what: String,
    pub(crate) help: Option<String>,
    /// another place, and what is there
    pub(crate) other: Option<(Span, &'static str)>,
}

impl SyntaxFault {
    fn new(at: Span, what: impl Into<String>) -> SyntaxFault {
        SyntaxFault {
            at,
            what: what.into(),
            help: None,
            other: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> SyntaxFault {
        self.help = Some(help.into());
        self
    }

    fn other(mut self, place: Span, said: &'static str) -> SyntaxFault {
        self.other = Some((place, said));
        self
    }

    /// With the place that the whole of it begins at.
    fn begins(self, context: Span) -> SyntaxFault {
        match context.start() < self.at.start() {
            true => self.other(context, "this is where it begins"),
            false => self,
        }
    }
}

/// Takes over what the reader complains about.
pub(crate) fn fault(text: &str, error: &ParseError) -> SyntaxFault {
    let nowhere = Span::new_unchecked(0, 0);
    let at = error.unexpected().or(error.context()).unwrap_or(nowhere);
    let whole = error.context().unwrap_or(at);
    let found = text.get(at.start()..).unwrap_or("").chars().next();
    let of = |span: Span| text.get(span.start()..span.end()).unwrap_or("").trim();
    let told = |what: &str| SyntaxFault::new(at, what);
    match error.description() {
        "string values must be quoted" | "missing value" if whole.is_empty() => {
            told("there is no value").help("write one after the `=`, or take the line out")
        }
        "missing value" => told("there is no value"),
        "unexpected leading zero" => {
            let number = of(whole);
            let plain = number.trim_start_matches('0');
            let fault = SyntaxFault::new(whole, "a number does not begin with 0");
            fault.help(format!(
                "write {plain}, or \"{number}\" where a string is wanted"
            ))
        }
        said if said.starts_with("invalid ") && is_scalar(said) => bare(whole, of(whole)),
        "string values must be quoted" | "redundant numeric sign" | "unexpected sign" => {
            bare(whole, of(whole))
        }
        "missing comma between array elements"
            if found == Some('}') || starts_key(text, at.start(), &['=']) =>
        {
            let fault = SyntaxFault::new(first(whole), "this list is not closed: `]` is missing");
            fault.other(at, "this can be no part of it")
        }
        "invalid inline table element" | "missing comma between key-value pairs"
            if found == Some(']') =>
        {
            let fault = SyntaxFault::new(first(whole), "this table is not closed: `}` is missing");
            fault.other(at, "this can be no part of it")
        }
        "missing comma between array elements" | "missing comma between key-value pairs" => {
            told("a `,` is missing before this").begins(whole)
        }
        "unclosed array" => {
            SyntaxFault::new(first(whole), "this list is not closed: `]` is missing")
        }
        "unclosed inline table" => {
            SyntaxFault::new(first(whole), "this table is not closed: `}` is missing")
        }
        "unclosed table" => told("`]` is missing at the end of the header").begins(whole),
        "unclosed array table" => told("`]]` is missing at the end of the header").begins(whole),
        "missing escaped value" => {
            let found = found.map(String::from).unwrap_or_default();
            let slash = Span::new_unchecked(at.start().saturating_sub(1), at.start() + found.len());
            SyntaxFault::new(
                slash,
                format!("`\\{found}` means nothing in a string in \" \""),
            )
            .help("write \\\\ for a backslash, or the string in ' '")
        }
        said if said.ends_with(" string") => match (error.expected(), found) {
            (Some([Expected::Literal(quote)]), None | Some('\n' | '\r')) => {
                told(&format!("this string is not closed: `{quote}` is missing")).begins(whole)
            }
            _ => told("this character cannot be in a string").begins(whole),
        },
        "invalid unquoted key" if found == Some(':') => told("expected `=` after the key, not `:`"),
        "invalid unquoted key" => told("a key has letters, digits, `-` and `_` only"),
        "key with no value" | "missing value for key" => told("expected `=` after the key"),
        "missing assignment between key-value pairs" => {
            // what comes next may be lines below
            let end = text.get(..at.start()).unwrap_or("").trim_end().len();
            let after = Span::new_unchecked(end, end);
            SyntaxFault::new(after, "expected `=` after the key").begins(whole)
        }
        "missing key for inline table element" | "invalid inline table element" => {
            told("expected `key = value` here").begins(whole)
        }
        "extra assignment between key-value pairs" => told("there is one `=` too many"),
        "extra `=`" => told("there is one `=` too many"),
        "invalid key-value pair" => told("there is no key before this"),
        "extra comma in array" | "extra comma in inline table" => {
            told("there is one `,` too many").begins(whole)
        }
        "unexpected key or value" => more(at),
        "cannot recurse further; max recursion depth met" => {
            told("lists and tables are nested too deeply")
        }
        said => other(at, said, error.expected().unwrap_or(&[])).begins(whole),
    }
}

/// Whether the reader took something for a number, a truth or a date.
fn is_scalar(said: &str) -> bool {
    let kinds = [
        "number",
        "float",
        "boolean",
        "date-time",
        "mantissa",
        "fraction",
        "exponent",
    ];
    kinds.iter().any(|kind| said.ends_with(kind))
}

/// The bracket that something begins with.
fn first(whole: Span) -> Span {
    Span::new_unchecked(whole.start(), whole.start() + 1)
}

fn more(at: Span) -> SyntaxFault {
    SyntaxFault::new(at, "there is more on the line than one value")
        .help("write each key in a line of its own, and several values as a list in [ ]")
}

/// A value without quotation marks.
fn bare(whole: Span, value: &str) -> SyntaxFault {
    let help = match value.to_ascii_lowercase().as_str() {
        truth @ ("true" | "false") => Some(format!("write {truth}")),
        "yes" | "on" => Some(format!(
            "write true, or \"{value}\" where a string is wanted"
        )),
        "no" | "off" => Some(format!(
            "write false, or \"{value}\" where a string is wanted"
        )),
        _ => None,
    };
    if let Some(help) = help {
        let what = format!("`{value}` is neither true or false nor a string in \" \"");
        return SyntaxFault::new(whole, what).help(help);
    }
    let number = value.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    // the reader looks for a date with a time
    if let (true, Some((first, _))) = (number, value.split_once(' ')) {
        let at = whole.start() + first.len() + 1;
        return more(Span::new_unchecked(at, whole.end().max(at)));
    }
    let what = match number {
        true => format!("`{value}` is no number"),
        false => "a string is written in \" \"".to_owned(),
    };
    let fault = SyntaxFault::new(whole, what);
    match quoted(value) {
        Some(help) => fault.help(help),
        None => fault,
    }
}

fn quoted(value: &str) -> Option<String> {
    let plain = !value.is_empty() && value.len() < 100 && !value.contains(['"', '\\']);
    (plain && !value.contains(char::is_control)).then(|| format!("write \"{value}\""))
}

/// Whether a key with one of these after it begins at an offset, at the beginning of its line.
pub(crate) fn starts_key(text: &str, at: usize, after_key: &[char]) -> bool {
    let before = text.get(..at).unwrap_or("");
    let line = before.rsplit('\n').next().unwrap_or("");
    let rest = text.get(at..).unwrap_or("");
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    let after = rest.trim_start_matches(is_part);
    line.trim().is_empty()
        && after.len() < rest.len()
        && after.trim_start_matches([' ', '\t']).starts_with(after_key)
}

/// In the reader's own words.
fn other(at: Span, said: &str, expected: &[Expected]) -> SyntaxFault {
    let said = said.replace('\n', ", ");
    let words = |expected: &Expected| match expected {
        Expected::Literal("\n") => "the end of the line".to_owned(),
        Expected::Literal(text) => format!("`{text}`"),
        Expected::Description(text) => (*text).to_owned(),
        _ => "something else".to_owned(),
    };
    let expected: Vec<String> = expected.iter().map(words).collect();
    let what = match expected.split_last() {
        None => said,
        Some((last, [])) => format!("{said}, expected {last}"),
        Some((last, rest)) => format!("{said}, expected {} or {last}", rest.join(", ")),
    };
    SyntaxFault::new(at, what)
}
