//! Captures out: pcap of Ethernet, with times in nanoseconds.

use std::io::{self, Write};

/// Frames to a pcap file.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    /// Begins a capture.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn new(mut to: W) -> io::Result<Self> {
        to.write_all(&0xa1b2_3c4d_u32.to_le_bytes())?;
        // Version 2.4, no offset of the clock.
        to.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        // The longest frame, and Ethernet.
        to.write_all(&super::MAX_FRAME.to_le_bytes())?;
        to.write_all(&1u32.to_le_bytes())?;
        Ok(Self { to })
    }

    /// Writes a frame. Its time is in nanoseconds since 1970; pcap knows those of 1970 to 2106.
    ///
    /// # Errors
    ///
    /// Those of the writer, and a time or a frame that pcap has no room for.
    pub fn frame(&mut self, time_ns: i64, bytes: &[u8]) -> io::Result<()> {
        let no_room = |_| io::Error::new(io::ErrorKind::InvalidInput, format!("no room in pcap for time {time_ns} ns"));
        let seconds = u32::try_from(time_ns.div_euclid(1_000_000_000)).map_err(no_room)?;
        let nanoseconds = time_ns.rem_euclid(1_000_000_000) as u32;
        let length = u32::try_from(bytes.len()).map_err(no_room)?;
        for number in [seconds, nanoseconds, length, length] {
            self.to.write_all(&number.to_le_bytes())?;
        }
        self.to.write_all(bytes)
    }

    /// Ends the capture.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Capture;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::new(Vec::new()).unwrap();
        let frames = [(0, vec![1; 60]), (1_570_114_800_123_456_789, vec![2; 15]), (4_294_967_295_999_999_999, vec![])];
        for (time, frame) in &frames {
            writer.frame(*time, frame).unwrap();
        }
        assert!(writer.frame(-1, &[]).is_err());
        assert!(writer.frame(4_294_967_296_000_000_000, &[]).is_err());
        let file = writer.finish().unwrap();
        let mut capture = Capture::from_reader("test", std::io::Cursor::new(file)).unwrap();
        for (time, expected) in &frames {
            let frame = capture.next_frame().unwrap().unwrap();
            assert_eq!((frame.time_ns, frame.bytes), (*time, &expected[..]));
        }
        assert!(capture.next_frame().unwrap().is_none());
        assert!(capture.damage().is_none());
    }
}
