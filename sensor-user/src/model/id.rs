//! Random numbers of 128 bits, by which stores and generations are known.

/// Such a number as people see it: 32 lower-case hexadecimal digits.
pub fn hex(id: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}

#[cfg(test)]
mod tests {
    #[test]
    fn hex() {
        let id = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255];
        assert_eq!(super::hex(&id), "000102030405060708090a0b0c0d0eff");
    }
}
