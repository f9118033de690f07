//! Section names of an ELF file: enough to see that a BPF object carries BTF.

/// Names of all sections of a 64-bit little-endian ELF file; nothing where it is not one, or is cut.
pub fn sections(file: &[u8]) -> Option<Vec<&str>> {
    const SECTION_HEADER: usize = 64;
    if file.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let headers = usize::try_from(read::<8>(file, 0x28)?).ok()?;
    let count = usize::try_from(read::<2>(file, 0x3c)?).ok()?;
    let names = usize::try_from(read::<2>(file, 0x3e)?).ok()?;
    let header = |index: usize| headers.checked_add(index * SECTION_HEADER);
    let table_at = usize::try_from(read::<8>(file, header(names)?.checked_add(24)?)?).ok()?;
    let table = file.get(table_at..)?;
    (0..count)
        .map(|index| {
            let name = table.get(usize::try_from(read::<4>(file, header(index)?)?).ok()?..)?;
            let end = name.iter().position(|&byte| byte == 0)?;
            std::str::from_utf8(&name[..end]).ok()
        })
        .collect()
}

fn read<const N: usize>(file: &[u8], at: usize) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes[..N].copy_from_slice(file.get(at..at.checked_add(N)?)?);
    Some(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_has_a_text_section() -> Result<(), Box<dyn std::error::Error>> {
        let file = std::fs::read(std::env::current_exe()?)?;
        let names = sections(&file).ok_or("no ELF file")?;
        assert!(names.contains(&".text"), "{names:?}");
        assert!(!names.contains(&".BTF.nothing"));
        Ok(())
    }

    #[test]
    fn what_is_cut_or_no_elf_has_no_sections() -> Result<(), Box<dyn std::error::Error>> {
        assert_eq!(sections(b""), None);
        assert_eq!(sections(b"#!/bin/sh\n"), None);
        let file = std::fs::read(std::env::current_exe()?)?;
        for length in [6, 40, 64, 100] {
            assert_eq!(sections(&file[..length]), None);
        }
        Ok(())
    }
}
