//! Server-sent events: bytes of a stream in, events out.
//!
//! The form is that of <https://html.spec.whatwg.org/multipage/server-sent-events.html>. Whoever sends is not
//! trusted: what is not yet whole is kept up to a bound.

use std::{mem, time::Duration};

/// Largest line and largest event, in bytes. Live counts of everything that can be counted have a tenth of it.
pub const LARGEST: usize = 2 << 20;

/// What a stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An event with the name of its type, and its data: lines joined by newlines, not checked in any way.
    Event { name: Vec<u8>, data: Vec<u8> },
    /// How long to wait before the next attempt when contact is lost.
    Retry(Duration),
}

/// A stream with a line or an event beyond [`LARGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {} MiB", LARGEST >> 20)]
pub struct TooLarge;

/// Takes a stream apart, whatever the pieces it arrives in.
#[derive(Debug, Default)]
pub struct Parser {
    /// The line that is not at its end yet.
    line: Vec<u8>,
    /// Whether the last byte was a carriage return, so that a newline belongs to it.
    after_return: bool,
    /// Whether the first line, which may begin with a byte order mark, is over.
    is_begun: bool,
    name: Vec<u8>,
    /// Data of the event, with a newline behind each line of it.
    data: Vec<u8>,
}

impl Parser {
    /// Takes the next bytes, and adds what became whole by them.
    ///
    /// # Errors
    ///
    /// If a line or an event is too large: then nothing more can be read from the stream.
    pub fn push(&mut self, mut bytes: &[u8], items: &mut Vec<Item>) -> Result<(), TooLarge> {
        while let Some(&first) = bytes.first() {
            if mem::take(&mut self.after_return) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + part.len() > LARGEST {
                return Err(TooLarge);
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else { break };
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            let mut line = mem::take(&mut self.line);
            self.take_line(&line, items)?;
            line.clear();
            self.line = line;
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], items: &mut Vec<Item>) -> Result<(), TooLarge> {
        let line = match line.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) if !self.is_begun => rest,
            _ => line,
        };
        self.is_begun = true;
        if line.is_empty() {
            let name = mem::take(&mut self.name);
            let mut data = mem::take(&mut self.data);
            // An event without data is none.
            if data.pop().is_some() {
                items.push(Item::Event { name, data });
            }
            return Ok(());
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = colon.map_or((line, &[][..]), |colon| (&line[..colon], &line[colon + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.data.len() + value.len() >= LARGEST {
                    return Err(TooLarge);
                }
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => self.name = value.to_vec(),
            b"retry" => items.extend(milliseconds(value).map(Item::Retry)),
            // A comment (no field at all), `id`, of which live counts have no need, or a field to come.
            _ => {}
        }
        Ok(())
    }
}

/// A time in decimal digits; `None` if it is none, or no number fits it.
fn milliseconds(digits: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(stream: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        Parser::default().push(stream, &mut items).unwrap();
        items
    }

    fn event(name: &str, data: &str) -> Item {
        Item::Event { name: name.into(), data: data.into() }
    }

    #[test]
    fn events_end_with_an_empty_line() {
        assert_eq!(
            items(b"retry: 2000\n\nevent: live\ndata: {\"a\":1}\n\n: still here\n\ndata:x\n"),
            [Item::Retry(Duration::from_secs(2)), event("live", "{\"a\":1}")]
        );
    }

    #[test]
    fn lines_of_data_are_joined() {
        assert_eq!(items(b"data: a\ndata\ndata:  b\n\n"), [event("", "a\n\n b")]);
    }

    #[test]
    fn lines_end_in_three_ways() {
        let expected = [event("live", "a\nb"), event("", "c")];
        assert_eq!(items(b"event:live\ndata:a\ndata:b\n\ndata:c\n\n"), expected);
        assert_eq!(items(b"event:live\r\ndata:a\r\ndata:b\r\n\r\ndata:c\r\n\r\n"), expected);
        assert_eq!(items(b"event:live\rdata:a\rdata:b\r\rdata:c\r\r"), expected);
    }

    #[test]
    fn a_name_is_the_next_event_s_only() {
        assert_eq!(
            items(b"event: a\nevent: b\ndata: 1\n\nevent: c\n\ndata: 2\n\n"),
            [event("b", "1"), event("", "2")]
        );
    }

    #[test]
    fn a_byte_order_mark_may_stand_first_only() {
        assert_eq!(items(b"\xef\xbb\xbfdata: a\n\n"), [event("", "a")]);
        assert_eq!(items(b"\n\xef\xbb\xbfdata: a\n\n"), []);
    }

    #[test]
    fn what_is_no_time_is_left_out() {
        for line in ["retry: 2s", "retry:", "retry: -1", "retry: +1", "retry: 99999999999999999999"] {
            assert_eq!(items(format!("{line}\n").as_bytes()), [], "{line}");
        }
    }

    #[test]
    fn lines_and_events_are_bounded() {
        let mut parser = Parser::default();
        let mut items = Vec::new();
        let kibibyte = [b'x'; 1024];
        for _ in 0..LARGEST / 1024 {
            parser.push(&kibibyte, &mut items).unwrap();
        }
        assert_eq!(parser.push(b"x", &mut items), Err(TooLarge));

        let mut parser = Parser::default();
        let line = [&b"data: "[..], &[b'x'; 1023], b"\n"].concat();
        for _ in 0..LARGEST / 1024 {
            parser.push(&line, &mut items).unwrap();
        }
        assert_eq!(parser.push(b"data\n", &mut items), Err(TooLarge));
        assert_eq!(items, []);
    }

    /// A stream of events as a server writes it.
    fn written(events: &[(String, Vec<String>)]) -> Vec<u8> {
        let mut stream = Vec::new();
        for (name, lines) in events {
            stream.extend(format!("event: {name}\n").bytes());
            for line in lines {
                stream.extend(format!("data: {line}\n").bytes());
            }
            stream.extend(b": comment\n\n");
        }
        stream
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            events in prop::collection::vec(("[^\r\n]{0,9}", prop::collection::vec("[^\r\n]{0,20}", 1..4)), 0..5)
        ) {
            let expected: Vec<Item> =
                events.iter().map(|(name, lines)| event(name, &lines.join("\n"))).collect();
            prop_assert_eq!(items(&written(&events)), expected);
        }

        #[test]
        fn the_pieces_do_not_matter(
            stream in prop::collection::vec(prop::sample::select(b"\r\n: adtevnry\xef\xbb\xbf0".to_vec()), 0..200),
            cuts in prop::collection::vec(0_usize..200, 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.sort_unstable();
            let (mut parser, mut found, mut from) = (Parser::default(), Vec::new(), 0);
            for cut in cuts.into_iter().chain([stream.len()]) {
                parser.push(&stream[from..cut], &mut found).unwrap();
                from = cut;
            }
            prop_assert_eq!(found, items(&stream));
        }
    }
}
