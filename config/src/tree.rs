//! TOML as this language needs it: a text is cut at its `[headers]`, and each piece is handed
//! over as a tree with the place of every key and value.
//!
//! The tokens and the grammar are the `toml` crate's own (`toml_parser`). Its document of
//! nested maps is not built: for a policy of ten thousand rules that takes several times as
//! long as a login may lose. And it stops at the first value of a wrong type, where an
//! administrator wants to see all faults at once.

use std::borrow::Cow;

use toml_parser::decoder::{Encoding, IntegerRadix, ScalarKind};
use toml_parser::lexer::{Token, TokenKind};
use toml_parser::parser::{EventReceiver, RecursionGuard, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, ParseError, Span};

use crate::diagnostic::Faults;
use crate::rule::Rule;
use crate::source::{At, Place};
use crate::{plain, syntax};

/// How deep tables and lists may be in each other: the language needs four.
const MAX_DEPTH: u32 = 12;

pub(crate) type Key<'t> = At<Cow<'t, str>>;
pub(crate) type Node<'t> = At<Value<'t>>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'t> {
    Text(Cow<'t, str>),
    Number(i64),
    Truth(bool),
    List(Vec<Node<'t>>),
    Table(Vec<Entry<'t>>),
    /// a kind of value that the language has no use for: its name
    Other(&'static str),
}

/// `key = value` or `a.b.key = value`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry<'t> {
    pub(crate) key: Key<'t>,
    /// the further keys of a dotted one
    pub(crate) dotted: Vec<Key<'t>>,
    pub(crate) value: Node<'t>,
}

/// Most tokens of a piece: each key, value, sign, comment, blank and end of a line is one. Five
/// lists of ten thousand entries with a line and a comment each have fewer. More could be read, but
/// not in the memory that a login should take.
const MAX_TOKENS: usize = 400_000;

/// What stands above a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// nothing: the beginning of the text
    None,
    /// `[path]`
    Table,
    /// `[[path]]`
    List,
}

/// A header and all entries until the next one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece<'t> {
    pub(crate) header: Header,
    pub(crate) path: Vec<Key<'t>>,
    /// the header
    pub(crate) place: Place,
    pub(crate) entries: Vec<Entry<'t>>,
    /// a part of it could not be read: something may seem to be missing
    pub(crate) faulty: bool,
}

/// A part of a text.
pub(crate) enum Part<'p, 't> {
    /// a rule that is read already
    Rule(Rule),
    Piece(&'p Piece<'t>),
}

/// Reads a text, part by part.
pub(crate) fn read<'t>(
    text: &'t str,
    file: u32,
    faults: &mut Faults,
    mut each: impl FnMut(Part<'_, 't>, &mut Faults),
) {
    let mut plain = plain::Reader::new(text, file);
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() && !faults.is_full() {
        if let Some((rule, end)) = plain.rule(at) {
            each(Part::Rule(rule), faults);
            at = end;
            continue;
        }
        let (piece, end) = by_tokens(text, at, file, &mut tokens, faults);
        if let Some(piece) = piece {
            each(Part::Piece(&piece), faults);
        }
        at = end;
    }
    if at < text.len() {
        faults.cut();
    }
}

/// The piece that begins at an offset, if it says anything, and where the next one begins.
pub(crate) fn by_tokens<'t>(
    text: &'t str,
    start: usize,
    file: u32,
    tokens: &mut Vec<Token>,
    faults: &mut Faults,
) -> (Option<Piece<'t>>, usize) {
    let rest = text.get(start..).unwrap_or("");
    let source = toml_parser::Source::new(rest);
    tokens.clear();
    let mut depth = 0usize;
    let mut line_begins = true;
    let mut end = rest.len();
    let mut too_many = None;
    for token in source.lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket
                if line_begins
                    && !tokens.is_empty()
                    && (depth == 0 || is_lost_header(rest, token.span())) =>
            {
                end = token.span().start();
                break;
            }
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => depth += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        match token.kind() {
            TokenKind::Newline => line_begins = true,
            TokenKind::Whitespace => {}
            _ => line_begins = false,
        }
        if tokens.len() == MAX_TOKENS {
            too_many.get_or_insert(token.span());
        } else {
            tokens.push(token);
        }
    }
    let origin = Origin { file, start };
    if let Some(span) = too_many {
        let what = format!("more than {MAX_TOKENS} words, signs and ends of lines in one piece");
        let noted = faults.error(origin.place(span), what);
        noted.help("put a [header] in between");
        return (None, start + end);
    }
    (piece(source, tokens, origin, faults), start + end)
}

/// Where the spans of a piece are counted from.
#[derive(Debug, Clone, Copy)]
struct Origin {
    file: u32,
    start: usize,
}

impl Origin {
    fn place(self, span: Span) -> Place {
        // a text has at most MAX_FILE_SIZE bytes
        let offset = |at: usize| u32::try_from(self.start + at).unwrap_or(u32::MAX);
        Place {
            file: self.file,
            start: offset(span.start()),
            end: offset(span.end()),
        }
    }
}

/// Whether a line in a list that is not closed begins with a header of the language, which no
/// value does: a forgotten `]` then costs one rule and does not hide the faults of all others.
fn is_lost_header(text: &str, span: Span) -> bool {
    let line = text.get(span.start()..).unwrap_or("");
    let headers = ["[[rule]]", "[profile.", "[profile]", "[[profile."];
    headers.iter().any(|header| line.starts_with(header))
}

fn piece<'t>(
    source: toml_parser::Source<'t>,
    mut tokens: &[Token],
    origin: Origin,
    faults: &mut Faults,
) -> Option<Piece<'t>> {
    let (mut piece, mut error) = parsed(source, tokens, origin);
    // the keys of a piece may be indented, and those of tables in values are more so
    let mut keys = error.iter().flat_map(|_| key_lines(source, tokens));
    let indent = keys.next().map(|(_, indent)| indent);
    // read as a whole so far; after a fault each key by itself
    let mut end = tokens.len();
    while piece.faulty || error.is_some() {
        let next = match &error {
            None => Some(end),
            Some(found) => {
                let from = syntax_fault(source, found, origin, faults);
                piece.faulty = true;
                piece.entries.retain(|entry| entry.value.place.end < from);
                // what follows from a fault would only distract from it
                next_key(source, tokens, found, indent)
            }
        };
        tokens = next.and_then(|next| tokens.get(next..)).unwrap_or(&[]);
        if tokens.is_empty() || faults.is_full() {
            break;
        }
        end = key_end(source, tokens);
        let (rest, next_error) = parsed(source, tokens.get(..end).unwrap_or(tokens), origin);
        piece.entries.extend(rest.entries);
        error = next_error;
    }
    let says = match piece.header {
        Header::None => !piece.entries.is_empty(),
        _ => !piece.path.is_empty(),
    };
    says.then_some(piece)
}

/// What the tokens say up to their first fault, and something that follows from it.
fn parsed<'t>(
    source: toml_parser::Source<'t>,
    tokens: &[Token],
    origin: Origin,
) -> (Piece<'t>, Option<ParseError>) {
    let mut builder = Builder {
        source,
        origin,
        piece: Piece {
            header: Header::None,
            path: Vec::new(),
            place: origin.place(Span::new_unchecked(0, 0)),
            entries: Vec::new(),
            faulty: false,
        },
        open: Vec::new(),
        keys: Vec::new(),
        in_header: false,
    };
    let mut error: Option<ParseError> = None;
    {
        let mut whitespace = ValidateWhitespace::new(&mut builder, source);
        let mut guard = RecursionGuard::new(&mut whitespace, MAX_DEPTH);
        // The parser wants an end; only the text's last piece has one.
        parse_document(tokens, &mut guard, &mut error);
    }
    (builder.piece, error)
}

/// The tokens that lines like `key = ...` begin with, by number, and how far these are indented.
fn key_lines<'a>(
    source: toml_parser::Source<'a>,
    tokens: &'a [Token],
) -> impl Iterator<Item = (usize, usize)> + 'a {
    let text = source.input();
    tokens.iter().enumerate().filter_map(move |(at, token)| {
        let start = token.span().start();
        let is_key = token.kind() == TokenKind::Atom && is_key(source, start);
        let line = || text.get(..start).and_then(|before| before.rfind('\n'));
        is_key.then(|| (at, start - line().map_or(0, |end| end + 1)))
    })
}

/// How many tokens a key that begins with the first one has, with its value.
fn key_end(source: toml_parser::Source<'_>, tokens: &[Token]) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        let start = token.span().start();
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => depth += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                depth = depth.saturating_sub(1);
            }
            TokenKind::Atom if at > 0 && depth == 0 && is_key(source, start) => return at,
            _ => {}
        }
    }
    tokens.len()
}

/// Whether a line like `key = ...` begins at an offset, or what is meant for one.
fn is_key(source: toml_parser::Source<'_>, start: usize) -> bool {
    syntax::starts_key(source.input(), start, &['=', ':', '['])
}

/// The first token of the next key after a fault that is no key of a table within a value.
fn next_key(
    source: toml_parser::Source<'_>,
    tokens: &[Token],
    error: &ParseError,
    indent: Option<usize>,
) -> Option<usize> {
    let nowhere = Span::new_unchecked(0, 0);
    let at = error.unexpected().or(error.context()).unwrap_or(nowhere);
    // where a list is not closed, what it was that did not fit is the next key
    let opened = error
        .context()
        .map_or(at.start(), |context| context.start());
    let next = syntax::starts_key(source.input(), at.start(), &['=']);
    let from = match next && opened < at.start() {
        true => at.start(),
        false => at.start() + 1,
    };
    let after = tokens
        .iter()
        .position(|token| token.span().start() >= from)?;
    let mut keys = key_lines(source, tokens.get(after..)?);
    let next = keys.find(|(_, far)| indent.is_none_or(|indent| *far <= indent))?;
    Some(after + next.0)
}

/// Notes a fault of the syntax, and gives the offset that it begins at.
fn syntax_fault(
    source: toml_parser::Source<'_>,
    error: &ParseError,
    origin: Origin,
    faults: &mut Faults,
) -> u32 {
    let found = syntax::fault(source.input(), error);
    let at = origin.place(found.at);
    let mut noted = faults.error(at, found.what);
    if let Some(help) = found.help {
        noted = noted.help(help);
    }
    if let Some((other, said)) = found.other {
        noted.other(origin.place(other), said);
    }
    at.start
}

/// Builds the tree from the parser's events.
struct Builder<'t> {
    source: toml_parser::Source<'t>,
    origin: Origin,
    piece: Piece<'t>,
    /// lists and inline tables that are not closed yet, with the keys that they are the value of
    open: Vec<(Vec<Key<'t>>, Node<'t>)>,
    /// keys whose value has not come yet
    keys: Vec<Key<'t>>,
    in_header: bool,
}

impl<'t> Builder<'t> {
    fn header(&mut self, span: Span, header: Header) {
        self.piece.header = header;
        self.piece.place = self.origin.place(span);
        self.in_header = true;
    }

    fn header_closed(&mut self, span: Span) {
        self.piece.place.end = self.origin.place(span).end;
        self.in_header = false;
    }

    fn opened(&mut self, span: Span, value: Value<'t>) -> bool {
        let keys = std::mem::take(&mut self.keys);
        let place = self.origin.place(span);
        self.open.push((keys, At { value, place }));
        true
    }

    fn closed(&mut self, span: Span) {
        if let Some((keys, mut node)) = self.open.pop() {
            node.place.end = self.origin.place(span).end;
            self.keys = keys;
            self.value(node);
        }
    }

    fn value(&mut self, node: Node<'t>) {
        if let Some((_, parent)) = self.open.last_mut()
            && let Value::List(list) = &mut parent.value
        {
            list.push(node);
            return;
        }
        let mut keys = self.keys.drain(..);
        let Some(key) = keys.next() else { return };
        let entry = Entry {
            key,
            // allocates nothing for a plain key
            dotted: keys.collect(),
            value: node,
        };
        match self.open.last_mut().map(|(_, parent)| &mut parent.value) {
            Some(Value::Table(entries)) => entries.push(entry),
            _ => self.piece.entries.push(entry),
        }
    }

    fn text(&self, span: Span, encoding: Option<Encoding>) -> toml_parser::Raw<'t> {
        let raw = self.source.input().get(span.start()..span.end());
        toml_parser::Raw::new_unchecked(raw.unwrap_or(""), encoding, span)
    }
}

impl EventReceiver for Builder<'_> {
    fn std_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.header(span, Header::Table);
    }
    fn std_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.header_closed(span);
    }
    fn array_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.header(span, Header::List);
    }
    fn array_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.header_closed(span);
    }
    fn inline_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.opened(span, Value::Table(Vec::new()))
    }
    fn inline_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.closed(span);
    }
    fn array_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.opened(span, Value::List(Vec::new()))
    }
    fn array_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.closed(span);
    }

    fn simple_key(&mut self, span: Span, kind: Option<Encoding>, error: &mut dyn ErrorSink) {
        let mut text = Cow::Borrowed("");
        self.text(span, kind).decode_key(&mut text, error);
        let key = At {
            value: text,
            place: self.origin.place(span),
        };
        if self.in_header {
            self.piece.path.push(key);
        } else {
            self.keys.push(key);
        }
    }

    fn scalar(&mut self, span: Span, kind: Option<Encoding>, error: &mut dyn ErrorSink) {
        let mut text = Cow::Borrowed("");
        let value = match self.text(span, kind).decode_scalar(&mut text, error) {
            ScalarKind::String => Value::Text(text),
            ScalarKind::Boolean(truth) => Value::Truth(truth),
            ScalarKind::Integer(radix) => match integer(&text, radix) {
                Some(number) => Value::Number(number),
                None => Value::Other("a number that is too large"),
            },
            ScalarKind::Float => Value::Other("a fraction"),
            ScalarKind::DateTime => Value::Other("a date"),
        };
        let place = self.origin.place(span);
        self.value(At { value, place });
    }
}

fn integer(text: &str, radix: IntegerRadix) -> Option<i64> {
    i64::from_str_radix(text, radix.value()).ok()
}
