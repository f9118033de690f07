//! Files that are not what they should be: a clear error, never a panic, never without end.

use std::{fs, time::Instant};

use super::*;

/// A small database that has everything in it: both families, an alias, pointers, nested records.
fn sample() -> Vec<u8> {
    let mut writer = Writer::new(6, 28);
    let country = writer.record(&iso_code("JP")) as u32;
    writer.add("1.0.0.0/24", &V::map([("country", V::Pointer(country, 1)), ("asn", V::Text("AS1"))]));
    writer.add(
        "9.0.0.0/8",
        &V::map([("country_code", V::Text("US")), ("asn", V::Uint(2)), ("as_name", V::Text("b"))]),
    );
    writer.add("2400::/12", &V::map([("x", V::Array(vec![V::Double(1.0)])), ("country", iso_code("DE"))]));
    writer.add("2400::1/128", &V::map([("registered_country", iso_code("FR"))]));
    writer.alias("2002::/16");
    writer.bytes()
}

fn open_both(path: &Path) -> Result<Arc<Tables>, GeoError> {
    Geo::open(Paths { country: Some(path.to_owned()), asn: vec![path.to_owned()] }).map(|geo| geo.tables())
}

#[test]
fn the_sample_is_sound() {
    let directory = Directory::new();
    let tables = open_both(&directory.write("x", &sample())).unwrap();
    assert_eq!(region(&tables, "1.0.0.0"), "JP");
    assert_eq!(region(&tables, "2002:900::"), "US");
    assert_eq!(asn(&tables, "9.0.0.0"), Some(2));
}

#[test]
fn every_truncation_is_an_error() {
    let (directory, sample) = (Directory::new(), sample());
    for length in 0..sample.len() {
        let path = directory.write("x", &sample[..length]);
        let error = open_both(&path).expect_err("cut off");
        let text = error.to_string();
        assert!(text.contains(&path.display().to_string()), "{length}: {text}");
        assert!(!text.ends_with('.'), "{text}");
    }
}

#[test]
fn flipped_bytes_neither_panic_nor_hang() {
    let sample = sample();
    let mut random = Random(3);
    let mut refused = 0;
    // Every byte once, set to what is often wrong; then several at random.
    let single = (0..sample.len()).flat_map(|at| [0, 0xff, 0x3f, 0xe0].map(|byte| vec![(at, byte)]));
    let several = (0..4000).map(|_| {
        (0..1 + random.next() % 6)
            .map(|_| (random.next() as usize % sample.len(), random.next() as u8))
            .collect()
    });
    for flips in single.chain(several.collect::<Vec<_>>()) {
        let mut bytes = sample.clone();
        for &(at, byte) in &flips {
            bytes[at] = byte;
        }
        match file::parse(Path::new("x"), &bytes, 0, Roles { country: true, asn: true }) {
            Ok(loaded) => {
                let (regions, systems) = (loaded.regions.unwrap(), loaded.systems.unwrap());
                for address in ["1.0.0.0", "9.9.9.9", "2400::", "2002::", "255.255.255.255"] {
                    let (family, source) = key(address);
                    regions.get(family, source);
                    systems.get(family, source);
                }
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 500, "{refused} refused");
}

#[test]
fn flipped_bytes_in_text() {
    const TEXT: &[u8] =
        b"1.0.0.0,1.0.0.255,1,\"a, b\"\n1.0.1.0,1.0.1.9,2,c\r\n2400::,2400::ff:0:0:0:0,AS3,\xc3\xa9\n";
    const BYTES: &[u8] = b"\"\",\n\r 09.:-Aa\x00\x80\xff";
    let mut random = Random(5);
    for _ in 0..20_000 {
        let mut text = TEXT.to_vec();
        for _ in 0..1 + random.next() % 5 {
            text[random.next() as usize % TEXT.len()] = BYTES[random.next() as usize % BYTES.len()];
        }
        if let Err(bad) = as_csv::read(&text) {
            assert!((1..=TEXT.len() as u64).contains(&bad.line), "{bad:?}");
        }
    }
}

#[test]
fn random_bytes_between_sound_ends() {
    let directory = Directory::new();
    let mut random = Random(4);
    for _ in 0..500 {
        let nodes: Vec<[u32; 2]> = (0..40).map(|_| [0, 0].map(|_: u32| random.next() as u32 % 120)).collect();
        let data: Vec<u8> = (0..60).map(|_| random.next() as u8).collect();
        let writer = Writer::new([4, 6][random.next() as usize % 2], 24);
        let mut metadata = writer.metadata();
        metadata.retain(|&(key, _)| key != "node_count");
        metadata.push(("node_count", V::Uint(40)));
        let file = writer::file(&nodes, 24, &data, &V::Map(metadata));
        let _ = open_both(&directory.write("x", &file));
    }
}

fn metadata_of(nodes: u32, ip_version: u32) -> V {
    let mut metadata = Writer::new(ip_version, 24).metadata();
    metadata.retain(|&(key, _)| key != "node_count");
    metadata.push(("node_count", V::Uint(nodes)));
    V::Map(metadata)
}

#[test]
fn circles_and_fans_end() {
    let directory = Directory::new();
    let mut record = Vec::new();
    code("JP").write(&mut record);
    let begin = Instant::now();
    // Each node leads to the next one by both ways, and so 2^32 ways lead to the record.
    let fan = |depth: u32| {
        let record = depth + 16;
        (1..=depth).map(|next| [if next == depth { record } else { next }; 2]).collect::<Vec<_>>()
    };
    let cases = [
        (vec![[0, 0]], 4, "the search tree is deeper than an address"),
        (vec![[1, 1], [0, 0]], 6, "the search tree is deeper than an address"),
        (fan(32), 4, "the search tree runs in circles"),
        (fan(128), 6, "the search tree runs in circles"),
        (vec![[1, 18], [0, 18]], 4, "the search tree is deeper than an address"),
        (vec![[2, 17]], 4, "the search tree points outside the data"),
        (vec![[1, 0x00ff_ffff]], 4, "the search tree points outside the data"),
    ];
    for (nodes, ip_version, expected) in cases {
        let file = writer::file(&nodes, 24, &record, &metadata_of(nodes.len() as u32, ip_version));
        let error = with_country(&directory.write("x", &file)).unwrap_err();
        assert!(matches!(error, GeoError::Damaged { what, .. } if what == expected), "{error}");
    }
    assert!(begin.elapsed().as_secs() < 60, "took {:?}", begin.elapsed());
}

#[test]
fn records_that_refer_to_each_other_end() {
    let directory = Directory::new();
    // A pointer to itself, to a pointer, beyond the end; a map that holds itself; a map of more entries
    // than the file has bytes; an array of arrays without end; every /24 a record inside a huge map.
    let cases: [(&[u8], &str); 7] = [
        (&[0x20, 0], "a pointer points to a pointer"),
        (&[0x20, 2, 0x20, 4, 0x40], "a pointer points to a pointer"),
        (&[0x27, 0xff], "a value is cut off"),
        (
            &[0xe1, 0x47, b'c', b'o', b'u', b'n', b't', b'r', b'y', 0xe1, 0x20, 9],
            "a key of a map is not text",
        ),
        (&[0xff, 0xff, 0xff, 0xff, 0x40, 0x40, 0x40, 0x40], "a value is cut off"),
        (&[0xe1, 0x40, 0x1f, 0x04, 0xff, 0xff, 0xff, 0x1f, 0x04, 0xff], "a value is cut off"),
        (&[0x40], "a record is not a map"),
    ];
    for (data, expected) in cases {
        let file = writer::file(&[[17, 1]], 24, data, &metadata_of(1, 4));
        let error = with_country(&directory.write("x", &file)).unwrap_err();
        assert!(matches!(error, GeoError::Damaged { what, .. } if what == expected), "{data:x?}: {error}");
    }

    // 40,000 records that all refer to a country of 40,000 entries.
    let mut writer = Writer::new(4, 32);
    let at = writer.data.len() as u32;
    writer.data.extend([0xfe, 0x9b, 0x23]); // 285 + 39,715 entries
    writer.data.extend([0x40; 80_000]);
    let record = V::map([("country", V::Pointer(at, 4))]);
    for number in 0..40_000_u32 {
        let network = std::net::Ipv4Addr::from(0x0100_0000 + (number << 8));
        writer.add(&format!("{network}/24"), &record);
    }
    let error = with_country(&directory.write("x", &writer.bytes())).unwrap_err();
    let expected = "its records refer to each other without end";
    assert!(matches!(error, GeoError::Damaged { what, .. } if what == expected), "{error}");
}

#[test]
fn metadata_must_make_sense() {
    let directory = Directory::new();
    let mut writer = Writer::new(4, 24);
    writer.add("1.0.0.0/8", &code("JP"));
    let cases = [
        (
            "binary_format_major_version",
            V::Uint(3),
            "is a MaxMind database of an unknown format: format version 3",
        ),
        ("ip_version", V::Uint(5), "unknown format: IP version 5 instead of 4 or 6"),
        ("record_size", V::Uint(20), "unknown format: records of 20 bits instead of 24, 28 or 32"),
        ("record_size", V::Text("24"), "is damaged: the metadata has no `record_size`"),
        ("node_count", V::Uint(0), "is damaged: the number of nodes is impossible"),
        ("node_count", V::Uint(u32::MAX), "is damaged: the search tree is cut off"),
        ("node_count", V::Uint(7), "is damaged: no separator after the search tree"),
        ("node_count", V::Bool(true), "is damaged: the metadata has no `node_count`"),
    ];
    for (key, value, expected) in cases {
        let mut metadata = writer.metadata();
        metadata.retain(|&(name, _)| name != key);
        metadata.push((key, value));
        let path = directory.write("x", &writer.bytes_with(metadata));
        let text = with_country(&path).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
    // What is of no use to us may be missing; then the file's own time stands for the build time.
    let mut metadata = writer.metadata();
    metadata.retain(|&(name, _)| {
        !["build_epoch", "database_type", "description", "languages", "binary_format_minor_version"]
            .contains(&name)
    });
    let tables = with_country(&directory.write("x", &writer.bytes_with(metadata))).unwrap();
    assert!(matches!(tables.databases()[0].built, Built::Modified(time) if time > Timestamp::UNIX_EPOCH));
    assert_eq!(tables.databases()[0].database_type, "");
}

#[test]
fn the_wrong_kind_of_database() {
    let directory = Directory::new();
    let file = |record: V| {
        let mut writer = Writer::new(4, 24);
        writer.add("1.0.0.0/8", &record).add("9.0.0.0/8", &record);
        writer.bytes()
    };
    let systems = directory.write("asn.mmdb", &file(system(1, "a")));
    let countries = directory.write("country.mmdb", &file(code("JP")));
    let neither = directory.write("isp.mmdb", &file(V::map([("isp", V::Text("x"))])));
    let empty = directory.write("empty.mmdb", &Writer::new(4, 24).bytes());
    let cases = [
        (
            with_country(&systems).unwrap_err(),
            &systems,
            "names no country in any of its 2 records: it holds autonomous systems, give it to --asn",
        ),
        (
            with_asn(&[&countries]).unwrap_err(),
            &countries,
            "names no autonomous system in any of its 2 records: it holds countries, give it to --country",
        ),
        (with_country(&neither).unwrap_err(), &neither, "names no country in any of its 2 records"),
        (with_asn(&[&empty]).unwrap_err(), &empty, "names no autonomous system in any of its 0 records"),
    ];
    for (error, path, expected) in cases {
        assert_eq!(error.to_string(), format!("{} {expected}", path.display()));
    }
}

#[test]
fn what_is_no_database() {
    let directory = Directory::new();
    let gzip_cut = [0x1f, 0x8b, 8, 0, 0, 0];
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    let cases: [(&[u8], &str); 6] = [
        (b"", " is empty: download it again"),
        (
            b"\x00\x01\x02",
            " is not a MaxMind database (no metadata near its end): download it again, and check that it is complete",
        ),
        (
            b"1.0.0.0,1.0.0.255,1,One\n",
            " is a text file: countries are read from MaxMind databases (.mmdb) only; a CSV of autonomous systems goes to --asn",
        ),
        (&tar, " is a tar archive: unpack it and name the database inside"),
        (b"PK\x03\x04....", " is a zip archive: unpack it and name the database inside"),
        (b"\xab\xcd\xefMaxMind.com", " is damaged: a value is cut off (byte 14): download it again"),
    ];
    for (bytes, expected) in cases {
        let path = directory.write("x", bytes);
        assert_eq!(with_country(&path).unwrap_err().to_string(), format!("{}{expected}", path.display()));
    }
    let path = directory.write("x", &gzip_cut);
    assert!(matches!(with_asn(&[&path]).unwrap_err(), GeoError::Gzip { .. }));
    assert!(matches!(with_asn(&[&directory.0]).unwrap_err(), GeoError::NotAFile { .. }));
    fs::remove_file(&path).unwrap();
    assert!(matches!(with_asn(&[&path]).unwrap_err(), GeoError::Read { .. }));
    let path = directory.write("x.csv", b"1.0.0.0,1.0.0.255,1,One\n1.0.1.0,1.0.2.x,1,One\n");
    assert_eq!(
        with_asn(&[&path]).unwrap_err().to_string(),
        format!("{}, line 2: `1.0.2.x` is no IP address", path.display())
    );
}
