//! The conditions of `--where`: an expression over dimensions.
//!
//! ```text
//! expression = term { "or" term }
//! term       = factor { "and" factor }
//! factor     = "not" factor | "(" expression ")" | comparison
//! comparison = dimension ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
//!            | dimension [ "not" ] "in" "(" value { "," value } ")"
//! value      = word | "'" text "'" | '"' text '"'
//! ```
//!
//! A quotation mark within a quoted value is doubled. Keywords and names are read in either case.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use sensor_common::kind::{Family, Kind, Tool};

use super::{
    class::Class,
    dimension::{Dimension, Prefix, Protocol, kind_name, named_kind, tool_name},
    region::Region,
    sensor::is_name,
};

/// A condition on the dimensions of packets.
///
/// A value that does not apply to a packet equals nothing: of an echo request, `dst_port = 23` is
/// false and `dst_port != 23` is true. A value that is not known any more leaves the answer open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    Compare(Comparison),
    Not(Box<Filter>),
    And(Vec<Filter>),
    Or(Vec<Filter>),
}

/// A dimension compared with values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    dimension: Dimension,
    test: Test,
}

/// How a dimension is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    Is(Literal),
    IsNot(Literal),
    Below(u32),
    AtMost(u32),
    Above(u32),
    AtLeast(u32),
    In(Vec<Literal>),
    NotIn(Vec<Literal>),
}

/// A value that a dimension is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    Sensor(String),
    Class(Class),
    /// The one that stands for all of its name.
    Kind(Kind),
    Family(Family),
    Protocol(Protocol),
    /// A protocol by its number, whatever the family.
    ProtocolNumber(u8),
    Number(u32),
    Region(Region),
    Tool(Tool),
    Prefix(Prefix),
}

/// What is known of one dimension of some packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// Not known any more: a bound cut it, or it was lost with the source.
    Open,
    /// The dimension does not apply, or its value never was known.
    Absent,
    Sensor(&'a str),
    Class(Class),
    /// A class that hangs on the role of a sensor that is not known.
    ScanOrOther,
    Kind(Kind),
    Family(Family),
    Protocol(Protocol),
    Number(u32),
    Region(Region),
    Tool(Tool),
    Prefix(Prefix),
}

impl Filter {
    /// The longest text that is read, in bytes.
    pub const LONGEST: usize = 16_384;
    /// How deep parentheses and `not` may nest.
    pub const DEEPEST: usize = 64;

    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// With the place in the text, if it is none, or a value is none of its dimension.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let error = |at, message: String| FilterError { text: text.to_owned(), at, message };
        if text.len() > Self::LONGEST {
            return Err(FilterError {
                text: String::new(),
                at: Self::LONGEST,
                message: format!("a condition has at most {} bytes", Self::LONGEST),
            });
        }
        let tokens = tokens(text).map_err(|(at, message)| error(at, message))?;
        let mut parser = Parser { tokens: &tokens, next: 0, depth: 0 };
        let filter = parser.expression().and_then(|filter| match parser.peek() {
            Token::End => Ok(filter),
            Token::Close => parser.fail("there is no `(` to this `)`".to_owned()),
            token => parser.fail(format!("expected `and`, `or` or the end, not {token}")),
        });
        filter.map_err(|(at, message)| error(at, message))
    }

    /// Both conditions.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::And(vec![self, other])
    }

    /// The condition that a dimension is one value.
    pub const fn is(dimension: Dimension, literal: Literal) -> Self {
        Self::Compare(Comparison { dimension, test: Test::Is(literal) })
    }

    /// Whether packets fulfil it; `None` if that hangs on what is not known any more.
    pub fn test<'a>(&self, fact: &impl Fn(Dimension) -> Fact<'a>) -> Option<bool> {
        match self {
            Self::Compare(comparison) => comparison.holds(fact(comparison.dimension)),
            Self::Not(filter) => filter.test(fact).map(|holds| !holds),
            Self::And(all) => decide(all, fact, false),
            Self::Or(all) => decide(all, fact, true),
        }
    }

    /// Calls `each` with every dimension that it hangs on; some come several times.
    pub fn dimensions(&self, each: &mut impl FnMut(Dimension)) {
        match self {
            Self::Compare(comparison) => each(comparison.dimension),
            Self::Not(filter) => filter.dimensions(each),
            Self::And(all) | Self::Or(all) => all.iter().for_each(|filter| filter.dimensions(each)),
        }
    }

    /// All names of sensors in it.
    pub fn sensors(&self) -> Vec<&str> {
        match self {
            Self::Compare(comparison) => {
                let literals = comparison.literals().iter();
                let names = literals.filter_map(|literal| match literal {
                    Literal::Sensor(name) => Some(name.as_str()),
                    _ => None,
                });
                names.collect()
            }
            Self::Not(filter) => filter.sensors(),
            Self::And(all) | Self::Or(all) => all.iter().flat_map(Self::sensors).collect(),
        }
    }

    /// Values of which a dimension must have one, or be open, for the condition to hold; `None` where it
    /// says no such thing. There may be fewer still.
    pub fn only(&self, dimension: Dimension) -> Option<&[Literal]> {
        match self {
            Self::Compare(comparison) if comparison.dimension == dimension => match &comparison.test {
                Test::Is(literal) => Some(std::slice::from_ref(literal)),
                Test::In(literals) => Some(literals),
                _ => None,
            },
            Self::And(all) => {
                all.iter().filter_map(|filter| filter.only(dimension)).min_by_key(|only| only.len())
            }
            _ => None,
        }
    }
}

/// `or` where one that holds decides, `and` where one that does not.
fn decide<'a>(all: &[Filter], fact: &impl Fn(Dimension) -> Fact<'a>, deciding: bool) -> Option<bool> {
    let mut open = false;
    for filter in all {
        match filter.test(fact) {
            Some(holds) if holds == deciding => return Some(deciding),
            Some(_) => {}
            None => open = true,
        }
    }
    (!open).then_some(!deciding)
}

impl Comparison {
    /// A dimension compared with values, which are of that dimension.
    pub const fn new(dimension: Dimension, test: Test) -> Self {
        Self { dimension, test }
    }

    fn literals(&self) -> &[Literal] {
        match &self.test {
            Test::Is(literal) | Test::IsNot(literal) => std::slice::from_ref(literal),
            Test::In(literals) | Test::NotIn(literals) => literals,
            Test::Below(_) | Test::AtMost(_) | Test::Above(_) | Test::AtLeast(_) => &[],
        }
    }

    fn holds(&self, fact: Fact<'_>) -> Option<bool> {
        let compared = |holds: fn(&u32, &u32) -> bool, with: &u32| match fact {
            Fact::Number(number) => Some(holds(&number, with)),
            Fact::Open => None,
            _ => Some(false),
        };
        match &self.test {
            Test::Is(_) | Test::In(_) => among(self.literals(), fact),
            Test::IsNot(_) | Test::NotIn(_) => among(self.literals(), fact).map(|holds| !holds),
            Test::Below(with) => compared(u32::lt, with),
            Test::AtMost(with) => compared(u32::le, with),
            Test::Above(with) => compared(u32::gt, with),
            Test::AtLeast(with) => compared(u32::ge, with),
        }
    }
}

/// Whether a fact is one of the values.
fn among(literals: &[Literal], fact: Fact<'_>) -> Option<bool> {
    let has = |wanted: &Literal| literals.contains(wanted);
    match fact {
        Fact::Open => None,
        Fact::Absent => Some(false),
        Fact::ScanOrOther => match (has(&Literal::Class(Class::Scan)), has(&Literal::Class(Class::Other))) {
            (true, true) => Some(true),
            (false, false) => Some(false),
            _ => None,
        },
        // Where it was lost, it may have been any.
        Fact::Region(Region::UNATTRIBUTED) => has(&Literal::Region(Region::UNATTRIBUTED)).then_some(true),
        fact => Some(literals.iter().any(|literal| literal.equals(fact))),
    }
}

impl Literal {
    fn equals(&self, fact: Fact<'_>) -> bool {
        match (self, fact) {
            (Self::Sensor(a), Fact::Sensor(b)) => a == b,
            (Self::Class(a), Fact::Class(b)) => *a == b,
            (Self::Kind(a), Fact::Kind(b)) => *a == named_kind(b),
            (Self::Family(a), Fact::Family(b)) => *a == b,
            (Self::Protocol(a), Fact::Protocol(b)) => *a == b,
            (Self::ProtocolNumber(a), Fact::Protocol(b)) => *a == b.number(),
            (Self::Number(a), Fact::Number(b)) => *a == b,
            (Self::Region(a), Fact::Region(b)) => *a == b,
            (Self::Tool(a), Fact::Tool(b)) => *a == b,
            (Self::Prefix(a), Fact::Prefix(b)) => *a == b,
            _ => false,
        }
    }
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    text: String,
    /// Byte of the text.
    at: usize,
    message: String,
}

impl FilterError {
    /// The longest text that is shown with a mark below it, in characters.
    const SHOWN: usize = 200;
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.text.get(..self.at).unwrap_or(&self.text).chars().count();
        write!(f, "{}, at character {}", self.message, before + 1)?;
        let is_shown = !self.text.is_empty()
            && self.text.chars().count() <= Self::SHOWN
            && !self.text.chars().any(char::is_control);
        if is_shown {
            write!(f, "\n    {}\n    {:before$}^", self.text, "")?;
        }
        Ok(())
    }
}

impl std::error::Error for FilterError {}

/// A failure and the byte of the text where it is.
type At<T> = Result<T, (usize, String)>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Operator(&'static str),
    Open,
    Close,
    Comma,
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) => write!(f, "`{text}`"),
            Self::Quoted(text) => write!(f, "the text `{text}`"),
            Self::Operator(text) => write!(f, "`{text}`"),
            Self::Open => f.write_str("`(`"),
            Self::Close => f.write_str("`)`"),
            Self::Comma => f.write_str("`,`"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// Two characters before one, so that the longer is found first.
const OPERATORS: [&str; 6] = ["!=", "<=", ">=", "=", "<", ">"];

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | ':' | '/')
}

/// The tokens of a text with their places; the last one is the end.
fn tokens(text: &str) -> At<Vec<(usize, Token)>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '\'' | '"' => {
                quoted(rest, first).ok_or_else(|| (at, format!("there is no second {first} to this one")))?
            }
            _ if first.is_whitespace() => {
                at += first.len_utf8();
                continue;
            }
            _ if is_of_word(first) => {
                let length = rest.find(|character| !is_of_word(character)).unwrap_or(rest.len());
                (Token::Word(rest[..length].to_owned()), length)
            }
            _ => match OPERATORS.into_iter().find(|operator| rest.starts_with(operator)) {
                Some(operator) => (Token::Operator(operator), operator.len()),
                None => return Err((at, format!("`{}` has no meaning here", first.escape_debug()))),
            },
        };
        tokens.push((at, token));
        at += length;
    }
    tokens.push((at, Token::End));
    Ok(tokens)
}

/// A quoted text and its length in bytes, marks included.
fn quoted(rest: &str, mark: char) -> Option<(Token, usize)> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        // One that is doubled stands for itself.
        if character == mark && characters.next_if(|(_, next)| *next == mark).is_none() {
            return Some((Token::Quoted(text), at + mark.len_utf8()));
        }
        text.push(character);
    }
    None
}

struct Parser<'a> {
    /// Never empty; the last one is the end.
    tokens: &'a [(usize, Token)],
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(_, token)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |(at, _)| *at)
    }

    fn fail<T>(&self, message: String) -> At<T> {
        Err((self.at(), message))
    }

    /// Takes the next token if it is this one.
    fn take(&mut self, token: &Token) -> bool {
        let takes = self.peek() == token;
        self.next += usize::from(takes);
        takes
    }

    /// Takes the next token if it is this keyword.
    fn keyword(&mut self, keyword: &str) -> bool {
        let takes = matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(takes);
        takes
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> At<T>) -> At<T> {
        if self.depth == Filter::DEEPEST {
            return self.fail(format!("this nests more than {} deep", Filter::DEEPEST));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> At<Filter> {
        let first = self.term()?;
        let mut all = vec![first];
        while self.keyword("or") {
            all.push(self.term()?);
        }
        Ok(one_or(all, Filter::Or))
    }

    fn term(&mut self) -> At<Filter> {
        let first = self.factor()?;
        let mut all = vec![first];
        while self.keyword("and") {
            all.push(self.factor()?);
        }
        Ok(one_or(all, Filter::And))
    }

    fn factor(&mut self) -> At<Filter> {
        if self.keyword("not") {
            return self.deeper(|parser| Ok(Filter::Not(Box::new(parser.factor()?))));
        }
        if self.take(&Token::Open) {
            return self.deeper(|parser| {
                let filter = parser.expression()?;
                if parser.take(&Token::Close) {
                    return Ok(filter);
                }
                parser.fail(format!("expected `)`, `and` or `or`, not {}", parser.peek()))
            });
        }
        self.comparison()
    }

    fn comparison(&mut self) -> At<Filter> {
        let dimension = self.dimension()?;
        let negated = self.keyword("not");
        if self.keyword("in") {
            let literals = self.list(dimension)?;
            let test = if negated { Test::NotIn(literals) } else { Test::In(literals) };
            return Ok(Filter::Compare(Comparison { dimension, test }));
        }
        if negated {
            return self.fail(format!("expected `in`, not {}", self.peek()));
        }
        let &Token::Operator(operator) = self.peek() else {
            return self.fail(format!(
                "after {} comes =, !=, <, <=, >, >=, `in` or `not in`, not {}",
                dimension.as_str(),
                self.peek()
            ));
        };
        let place = self.next;
        self.next += 1;
        if matches!(operator, "=" | "!=") {
            let literal = self.literal(dimension)?;
            let test = if operator == "=" { Test::Is(literal) } else { Test::IsNot(literal) };
            return Ok(Filter::Compare(Comparison { dimension, test }));
        }
        if !is_ordered(dimension) {
            self.next = place;
            return self.fail(format!("{} is no number to compare by {operator}", dimension.as_str()));
        }
        let Literal::Number(number) = self.literal(dimension)? else {
            return self.fail(format!("{} wants a number", dimension.as_str()));
        };
        let test = match operator {
            "<" => Test::Below(number),
            "<=" => Test::AtMost(number),
            ">" => Test::Above(number),
            _ => Test::AtLeast(number),
        };
        Ok(Filter::Compare(Comparison { dimension, test }))
    }

    fn dimension(&mut self) -> At<Dimension> {
        let Token::Word(word) = self.peek() else {
            return self
                .fail(format!("expected a dimension such as dst_port, `not` or `(`, not {}", self.peek()));
        };
        match word.to_ascii_lowercase().parse() {
            Ok(Dimension::Time) => self.fail("times are asked for by --from, --to and --period".to_owned()),
            Ok(Dimension::Source) => {
                self.fail("sources are not kept one by one: the nearest is `prefix`".to_owned())
            }
            Ok(dimension) => {
                self.next += 1;
                Ok(dimension)
            }
            Err(_) => {
                let names = Dimension::ALL
                    .into_iter()
                    .filter(|dimension| !matches!(dimension, Dimension::Time | Dimension::Source))
                    .map(Dimension::as_str)
                    .collect::<Vec<_>>();
                self.fail(format!("`{word}` is no dimension; there are {}", names.join(", ")))
            }
        }
    }

    fn list(&mut self, dimension: Dimension) -> At<Vec<Literal>> {
        if !self.take(&Token::Open) {
            return self.fail(format!("after `in` comes a list such as (1, 2), not {}", self.peek()));
        }
        let mut literals = vec![self.literal(dimension)?];
        while self.take(&Token::Comma) {
            literals.push(self.literal(dimension)?);
        }
        if self.take(&Token::Close) {
            return Ok(literals);
        }
        self.fail(format!("expected `,` or `)`, not {}", self.peek()))
    }

    fn literal(&mut self, dimension: Dimension) -> At<Literal> {
        let text = match self.peek() {
            // No word is a keyword here: IN is a region.
            Token::Word(text) | Token::Quoted(text) => text.clone(),
            token => return self.fail(format!("expected a value of {}, not {token}", dimension.as_str())),
        };
        let literal = literal(dimension, &text).or_else(|wanted| {
            self.fail(format!("`{}` is no {}: {wanted}", text.escape_debug(), dimension.as_str()))
        })?;
        self.next += 1;
        Ok(literal)
    }
}

/// The only one of a list, or the list as one.
fn one_or(mut all: Vec<Filter>, list: fn(Vec<Filter>) -> Filter) -> Filter {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => {
            all.extend(last);
            list(all)
        }
    }
}

/// Whether values of a dimension are numbers that have an order.
const fn is_ordered(dimension: Dimension) -> bool {
    matches!(
        dimension,
        Dimension::DstPort
            | Dimension::VictimPort
            | Dimension::IcmpType
            | Dimension::IcmpCode
            | Dimension::Asn
    )
}

/// The value of a dimension that a text names, or what is wanted instead.
fn literal(dimension: Dimension, text: &str) -> Result<Literal, String> {
    let lower = text.to_ascii_lowercase();
    let number = |most: u32| {
        // Digits only: no sign.
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && *number <= most);
        number.map(Literal::Number).ok_or_else(|| format!("write a number from 0 to {most}"))
    };
    match dimension {
        Dimension::DstPort | Dimension::VictimPort => number(u16::MAX.into()),
        Dimension::IcmpType | Dimension::IcmpCode => number(u8::MAX.into()),
        Dimension::Asn => {
            let digits = lower.strip_prefix("as").unwrap_or(&lower);
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse().ok().filter(|number| is_number && *number > 0);
            number.map(Literal::Number).ok_or_else(|| "write a number such as 174 or AS174".to_owned())
        }
        Dimension::Sensor => is_name(text)
            .then(|| Literal::Sensor(text.to_owned()))
            .ok_or_else(|| "a sensor's name has 1 to 63 letters, digits, `-`, `_` and `.`".to_owned()),
        Dimension::Class => named(&lower, Class::ALL, Class::as_str).map(Literal::Class),
        Dimension::Kind => named(&lower, KINDS, kind_name).map(Literal::Kind),
        Dimension::Family => match text {
            "4" => Ok(Literal::Family(Family::V4)),
            "6" => Ok(Literal::Family(Family::V6)),
            _ => Err("write 4 or 6".to_owned()),
        },
        Dimension::Protocol => protocol(&lower),
        Dimension::Region => match lower.as_str() {
            "unknown" => Ok(Literal::Region(Region::UNKNOWN)),
            "non-routable" => Ok(Literal::Region(Region::NON_ROUTABLE)),
            "unattributed" => Ok(Literal::Region(Region::UNATTRIBUTED)),
            code => Region::from_code(code).map(Literal::Region).ok_or_else(|| {
                "write two letters (ISO 3166-1 alpha-2), unknown, non-routable or unattributed".to_owned()
            }),
        },
        Dimension::Tool => named(&lower, Tool::ALL, tool_name).map(Literal::Tool),
        Dimension::Prefix => prefix(text).map(Literal::Prefix).ok_or_else(|| {
            "write an IPv4 prefix of 24 bits such as 192.0.2.0/24, or an IPv6 prefix of 48".to_owned()
        }),
        Dimension::Time | Dimension::Source => Err("it cannot be asked for".to_owned()),
    }
}

/// One kind of each name.
const KINDS: [Kind; 14] = [
    Kind::Syn,
    Kind::Tcp,
    Kind::Udp,
    Kind::Sctp,
    Kind::Rst,
    Kind::SynAck,
    Kind::UdpReply,
    Kind::Echo,
    Kind::IcmpReply,
    Kind::IcmpErrorOther,
    Kind::IcmpMismatch,
    Kind::Icmp,
    Kind::Fragment,
    Kind::Ip,
];

fn named<T: Copy, const N: usize>(
    text: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    all.into_iter()
        .find(|&value| name(value) == text)
        .ok_or_else(|| format!("there are {}", all.map(&name).join(", ")))
}

fn protocol(text: &str) -> Result<Literal, String> {
    let names = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp, Protocol::Icmp, Protocol::Icmpv6];
    if let Some(protocol) = names.into_iter().find(|protocol| protocol.to_string() == text) {
        return Ok(Literal::Protocol(protocol));
    }
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .map(Literal::ProtocolNumber)
        .ok_or_else(|| "write tcp, udp, sctp, icmp, icmpv6 or a number from 0 to 255".to_owned())
}

/// A prefix of the lengths that are kept.
fn prefix(text: &str) -> Option<Prefix> {
    let net: IpNet = text.parse().ok()?;
    if net.trunc() != net {
        return None;
    }
    let (family, length, source) = match net.addr() {
        IpAddr::V4(address) => (Family::V4, 24, u64::from(u32::from(address))),
        IpAddr::V6(address) => (Family::V6, 48, (u128::from(address) >> 64) as u64),
    };
    (net.prefix_len() == length).then_some(Prefix { family, source, length })
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sensor(name) => f.write_str(name),
            Self::Class(class) => f.write_str(class.as_str()),
            Self::Kind(kind) => f.write_str(kind_name(*kind)),
            Self::Family(Family::V4) => f.write_str("4"),
            Self::Family(Family::V6) => f.write_str("6"),
            Self::Protocol(protocol) => protocol.fmt(f),
            Self::ProtocolNumber(number) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Region(region) => region.fmt(f),
            Self::Tool(tool) => f.write_str(tool_name(*tool)),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |literals: &[Literal]| literals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        f.write_str(self.dimension.as_str())?;
        match &self.test {
            Test::Is(literal) => write!(f, " = {literal}"),
            Test::IsNot(literal) => write!(f, " != {literal}"),
            Test::Below(number) => write!(f, " < {number}"),
            Test::AtMost(number) => write!(f, " <= {number}"),
            Test::Above(number) => write!(f, " > {number}"),
            Test::AtLeast(number) => write!(f, " >= {number}"),
            Test::In(literals) => write!(f, " in ({})", list(literals)),
            Test::NotIn(literals) => write!(f, " not in ({})", list(literals)),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, all: &[Self], word: &str| {
            for (index, filter) in all.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                match filter {
                    Self::And(_) | Self::Or(_) => write!(f, "({filter})")?,
                    Self::Compare(_) | Self::Not(_) => filter.fmt(f)?,
                }
            }
            Ok(())
        };
        match self {
            Self::Compare(comparison) => comparison.fmt(f),
            Self::Not(filter) => match **filter {
                Self::And(_) | Self::Or(_) => write!(f, "not ({filter})"),
                _ => write!(f, "not {filter}"),
            },
            Self::And(all) => joined(f, all, "and"),
            Self::Or(all) => joined(f, all, "or"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Filter {
        Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn error(text: &str) -> String {
        Filter::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn expressions_are_read() {
        for (text, printed) in [
            ("dst_port=23", "dst_port = 23"),
            ("dst_port=23 and region in (CN,us)", "dst_port = 23 and region in (CN, US)"),
            ("region in (in, 'IN', \"jp\")", "region in (IN, IN, JP)"),
            ("NOT (kind = syn Or tool!=Mirai)", "not (kind = syn or tool != mirai)"),
            ("asn = AS174 or asn >= 65536", "asn = 174 or asn >= 65536"),
            (
                "class=scan and (family=6 or protocol = 47) and not protocol=ICMPv6",
                "class = scan and (family = 6 or protocol = 47) and not protocol = icmpv6",
            ),
            ("prefix in (192.0.2.0/24, 2001:db8::/48)", "prefix in (192.0.2.0/24, 2001:db8::/48)"),
            (
                "sensor not in (west, 'and') and victim_port<1024",
                "sensor not in (west, and) and victim_port < 1024",
            ),
            ("icmp_type<=8 or icmp_code>0", "icmp_type <= 8 or icmp_code > 0"),
            ("kind=icmp_error or region=non-routable", "kind = icmp_error or region = non-routable"),
        ] {
            match Filter::parse(text) {
                Ok(filter) => assert_eq!(filter.to_string(), printed),
                Err(error) => assert!(printed.is_empty(), "{text}: {error}"),
            }
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert_eq!(
            error("dst_port = 23 and regin = CN").lines().collect::<Vec<_>>(),
            [
                "`regin` is no dimension; there are sensor, class, kind, family, protocol, dst_port, victim_port, \
                 icmp_type, icmp_code, prefix, region, asn, tool, at character 19",
                "    dst_port = 23 and regin = CN",
                "                      ^",
            ]
        );
        for (text, part) in [
            ("", "expected a dimension such as dst_port, `not` or `(`, not the end, at character 1"),
            ("dst_port", "comes =, !=, <, <=, >, >=, `in` or `not in`, not the end, at character 9"),
            ("dst_port = 65536", "write a number from 0 to 65535, at character 12"),
            ("dst_port = +1", "`+` has no meaning here, at character 12"),
            ("dst_port = and", "`and` is no dst_port"),
            ("icmp_type = 256", "0 to 255"),
            ("region = JPN", "ISO 3166-1"),
            ("kind = ack", "there are syn, tcp,"),
            ("tool = nmap", "there are none, mirai, zmap, masscan"),
            ("class = all", "there are scan, backscatter, other"),
            ("family = 5", "write 4 or 6"),
            ("protocol = gre", "or a number from 0 to 255"),
            ("asn = ASx", "AS174"),
            ("asn = 0", "AS174"),
            ("prefix = 192.0.2.0/25", "24 bits"),
            ("prefix = 192.0.2.1/24", "24 bits"),
            ("sensor = 'a b'", "1 to 63 letters"),
            ("time = 1", "--from"),
            ("source = 192.0.2.1", "`prefix`"),
            ("region < CN", "region is no number to compare by <, at character 8"),
            ("region in CN", "after `in` comes a list"),
            ("region in (CN", "expected `,` or `)`, not the end"),
            ("region in ()", "expected a value of region, not `)`"),
            ("region not CN", "expected `in`, not `CN`"),
            ("(dst_port = 1", "expected `)`, `and` or `or`, not the end"),
            ("dst_port = 1)", "no `(` to this `)`, at character 13"),
            ("dst_port = 1 dst_port = 2", "expected `and`, `or` or the end"),
            ("region = 'CN", "there is no second '"),
            ("région = CN", "at character 1"),
            ("dst_port ; 1", "`;` has no meaning here, at character 10"),
        ] {
            let error = error(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(!error("dst_port =\n x").contains('^'));
        assert!(error(&"(".repeat(100)).contains("64 deep"));
        assert!(error(&"not ".repeat(100)).contains("64 deep"));
        assert!(error(&" ".repeat(20_000)).contains("at most 16384 bytes"));
    }

    #[test]
    fn what_does_not_apply_equals_nothing_and_what_is_open_stays_open() {
        let facts = |dimension| match dimension {
            Dimension::DstPort => Fact::Absent,
            Dimension::Region => Fact::Region(Region::UNATTRIBUTED),
            Dimension::Asn => Fact::Open,
            Dimension::Class => Fact::ScanOrOther,
            Dimension::Protocol => Fact::Protocol(Protocol::Icmp),
            Dimension::Kind => Fact::Kind(Kind::IcmpErrorTcp),
            _ => Fact::Absent,
        };
        for (text, holds) in [
            ("dst_port = 23", Some(false)),
            ("dst_port != 23", Some(true)),
            ("dst_port < 23", Some(false)),
            ("dst_port not in (1, 2)", Some(true)),
            ("asn = 1", None),
            ("not asn > 1", None),
            ("asn = 1 and dst_port = 1", Some(false)),
            ("asn = 1 or dst_port != 1", Some(true)),
            ("asn = 1 or dst_port = 1", None),
            ("region = JP", None),
            ("region != JP", None),
            ("region = unattributed", Some(true)),
            ("region != unattributed", Some(false)),
            ("class = scan", None),
            ("class = backscatter", Some(false)),
            ("class in (scan, other)", Some(true)),
            ("protocol = 1", Some(true)),
            ("protocol = icmp", Some(true)),
            ("protocol = 58", Some(false)),
            ("kind = icmp_error", Some(true)),
        ] {
            assert_eq!(parsed(text).test(&facts), holds, "{text}");
        }
    }

    #[test]
    fn a_conjunction_bounds_its_dimensions() {
        let filter = parsed("dst_port in (1, 2, 3) and (region = CN and dst_port = 2) and not kind = syn");
        assert_eq!(filter.only(Dimension::DstPort), Some(&[Literal::Number(2)][..]));
        assert_eq!(filter.only(Dimension::Region).map(<[Literal]>::len), Some(1));
        assert_eq!(filter.only(Dimension::Kind), None);
        assert_eq!(parsed("dst_port = 1 or region = CN").only(Dimension::DstPort), None);
    }

    fn comparisons() -> impl Strategy<Value = Filter> {
        let texts = prop_oneof![
            (0..=65535u32).prop_map(|port| format!("dst_port = {port}")),
            (0..=65535u32, "<|<=|>|>=|=|!=")
                .prop_map(|(port, operator)| format!("victim_port {operator} {port}")),
            prop::collection::vec("[a-z]{2}", 1..5)
                .prop_map(|codes| format!("region in ({})", codes.join(","))),
            prop::collection::vec(1..=u32::MAX, 1..5).prop_map(|numbers| {
                format!(
                    "asn not in ({})",
                    numbers.iter().map(|n| format!("AS{n}")).collect::<Vec<_>>().join(",")
                )
            }),
            prop::sample::select(KINDS.to_vec()).prop_map(|kind| format!("kind != {}", kind_name(kind))),
            "[a-zé0-9_.-]{1,20}".prop_map(|name| format!("sensor = '{name}'")),
            any::<u32>()
                .prop_map(|n| { format!("prefix = {}/24", std::net::Ipv4Addr::from(n & 0xffff_ff00)) }),
            any::<u8>().prop_map(|n| format!("protocol = {n}")),
        ];
        texts.prop_map(|text| parsed(&text))
    }

    fn filters() -> impl Strategy<Value = Filter> {
        comparisons().prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|filter| Filter::Not(Box::new(filter))),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
                prop::collection::vec(inner, 2..4).prop_map(Filter::Or),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_the_same(filter in filters()) {
            prop_assert_eq!(parsed(&filter.to_string()), filter);
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = Filter::parse(&text).map_err(|error| error.to_string());
        }

        #[test]
        fn nor_one_of_the_right_words(words in prop::collection::vec(
            prop::sample::select(vec![
                "dst_port", "region", "not", "in", "(", ")", "and", "or", "=", "<", "'", "\"", ",", "23", "CN", "é", "\u{3000}",
            ]), 0..40), gap in "[ ]{0,1}")
        {
            let _ = Filter::parse(&words.join(&gap)).map_err(|error| error.to_string());
        }
    }
}
