//! Every shape of record, tree and file.

use std::{collections::BTreeSet, io::Write, net::Ipv6Addr};

use super::*;

#[test]
fn no_database() {
    let tables = Geo::open(Paths::default()).unwrap().tables();
    for (address, expected) in [
        ("10.1.2.3", "non-routable"),
        ("255.255.255.255", "non-routable"),
        ("1.1.1.1", "unknown"),
        ("::1", "non-routable"),
        ("fe80::1", "non-routable"),
        ("2001:db8::1", "non-routable"),
        ("2606:4700::1", "unknown"),
    ] {
        assert_eq!(region(&tables, address), expected, "{address}");
        assert_eq!(asn(&tables, address), None);
    }
    assert_eq!(tables.organisation(13335), None);
    assert!(tables.databases().is_empty());
}

/// Country records of all makers.
#[test]
fn country_records() {
    let cases = [
        (V::map([("continent", V::map([("code", V::Text("AS"))])), ("country", iso_code("JP"))]), "JP"),
        (V::map([("country", iso_code("JP")), ("registered_country", iso_code("US"))]), "JP"),
        (
            V::map([
                ("country", V::map([("geoname_id", V::Uint(1))])),
                ("registered_country", iso_code("US")),
            ]),
            "US",
        ),
        (
            V::map([
                ("registered_country", iso_code("US")),
                ("continent", V::map([("code", V::Text("NA"))])),
            ]),
            "US",
        ),
        (V::map([("continent", V::map([("code", V::Text("EU"))]))]), "unknown"),
        (code("DE"), "DE"),
        (code("de"), "DE"),
        (code(""), "unknown"),
        (code("-"), "unknown"),
        (code("ZZ"), "unknown"),
        (code("XX"), "unknown"),
        (
            V::map([
                ("asn", V::Text("AS2519")),
                ("country", V::Text("Japan")),
                ("country_code", V::Text("JP")),
                ("continent", V::Text("Asia")),
            ]),
            "JP",
        ),
        (V::map([("country", V::Text("FR")), ("continent", V::Text("EU"))]), "FR"),
        (V::map([("country", V::Text("Iran"))]), "unknown"),
        // What stands around it must not matter.
        (
            V::map([
                (
                    "city",
                    V::map([("names", V::map([("en", V::Text("Osaka")), ("country_code", V::Text("US"))]))]),
                ),
                ("country", iso_code("JP")),
                ("location", V::map([("latitude", V::Double(34.7)), ("accuracy", V::Uint(20))])),
                ("subdivisions", V::Array(vec![iso_code("27"), V::Array(vec![V::Bool(true), V::Uint(0)])])),
                ("traits", V::map([("is_anycast", V::Bool(true))])),
            ]),
            "JP",
        ),
    ];
    let directory = Directory::new();
    for (number, (record, expected)) in cases.into_iter().enumerate() {
        let mut writer = Writer::new(4, 24);
        writer.add("1.0.0.0/24", &record).add("9.0.0.0/8", &code("US"));
        let path = directory.write(&format!("{number}.mmdb"), &writer.bytes());
        let tables = with_country(&path).unwrap();
        assert_eq!(region(&tables, "1.0.0.77"), expected, "{record:?}");
        assert_eq!(region(&tables, "1.0.1.0"), "unknown", "{record:?}");
        assert_eq!(region(&tables, "9.9.9.9"), "US", "{record:?}");
    }
}

/// AS records of all makers.
#[test]
fn system_records() {
    let long = "x".repeat(70_000).leak();
    let cases = [
        (system(174, "Cogent"), Some(174), Some("Cogent")),
        (V::map([("autonomous_system_number", V::Uint(174))]), Some(174), None),
        (V::map([("asn", V::Text("AS174")), ("as_name", V::Text("Cogent"))]), Some(174), Some("Cogent")),
        (V::map([("asn", V::Text("AS174")), ("name", V::Text(" Co\tgent\n"))]), Some(174), Some("Co gent")),
        (V::map([("asn", V::Uint(4_200_000_000))]), Some(4_200_000_000), None),
        (V::map([("asn", V::Text("")), ("as_name", V::Text(""))]), None, None),
        (system(0, "nobody"), None, None),
        (system(174, long), Some(174), Some(&long[..200])),
    ];
    let directory = Directory::new();
    for (number, (record, expected, organisation)) in cases.into_iter().enumerate() {
        let mut writer = Writer::new(4, 28);
        writer.add("1.0.0.0/24", &record);
        let path = directory.write(&format!("{number}.mmdb"), &writer.bytes());
        let tables = with_asn(&[&path]).unwrap();
        assert_eq!(asn(&tables, "1.0.0.77"), expected, "{number}");
        assert_eq!(asn(&tables, "1.0.1.0"), None);
        assert_eq!(tables.organisation(174), organisation, "{number}");
    }
}

#[test]
fn one_file_for_both() {
    let directory = Directory::new();
    let mut writer = Writer::new(6, 32);
    writer.database_type = "ipinfo bundle_location_lite.mmdb";
    let record = V::map([
        ("asn", V::Text("AS2519")),
        ("as_name", V::Text("ARTERIA Networks Corporation")),
        ("country", V::Text("Japan")),
        ("country_code", V::Text("JP")),
    ]);
    writer.add("1.0.16.0/20", &record).add("2400:8500::/32", &record);
    let path = directory.write("lite.mmdb", &writer.bytes());
    let geo = Geo::open(Paths { country: Some(path.clone()), asn: vec![path.clone()] }).unwrap();
    let tables = geo.tables();
    for address in ["1.0.16.1", "2400:8500::1"] {
        assert_eq!(region(&tables, address), "JP");
        assert_eq!(asn(&tables, address), Some(2519));
    }
    assert_eq!(tables.organisation(2519), Some("ARTERIA Networks Corporation"));
    let expected = |role| Database {
        path: path.clone(),
        role,
        database_type: "ipinfo bundle_location_lite.mmdb".to_owned(),
        built: Built::Stated(Timestamp::from_second(1_700_000_000).unwrap()),
        networks_v4: 1,
        networks_v6: 1,
    };
    assert_eq!(tables.databases(), [expected(Role::Country), expected(Role::Asn)]);
}

#[test]
fn build_times() {
    let time = |seconds| Timestamp::from_second(seconds).unwrap();
    let (stated, modified) = (1_700_000_000, 1_750_000_000);
    assert_eq!(Built::new(Some(stated as u64), modified), Built::Stated(time(stated)));
    assert_eq!(Built::new(None, modified), Built::Modified(time(modified)));
    assert_eq!(Built::new(Some(0), modified), Built::Modified(time(modified)));
    assert_eq!(Built::new(Some(u64::MAX), modified), Built::Modified(time(modified)));
    // 1985-10-26T08:15:00Z.
    assert_eq!(Built::new(None, 499_162_500), Built::Unknown);
    assert_eq!(Built::Unknown.timestamp(), None);
    assert_eq!(Built::Stated(time(stated)).timestamp(), Some(time(stated)));
}

#[test]
fn a_v4_file_knows_no_v6() {
    let directory = Directory::new();
    let mut writer = Writer::new(4, 24);
    writer.add("0.0.0.0/1", &code("JP")).add("128.0.0.0/1", &code("US"));
    let tables = with_country(&directory.write("v4.mmdb", &writer.bytes())).unwrap();
    assert_eq!(region(&tables, "1.1.1.1"), "JP");
    assert_eq!(region(&tables, "223.255.255.255"), "US");
    assert_eq!(region(&tables, "2606:4700::"), "unknown");
    assert_eq!(region(&tables, "fe80::"), "non-routable");
    assert!(tables.databases()[0].has(Family::V4));
    assert!(!tables.databases()[0].has(Family::V6));
}

#[test]
fn no_database_overrules_the_registries() {
    let directory = Directory::new();
    let mut writer = Writer::new(6, 24);
    writer.add("::/1", &V::map([("country_code", V::Text("JP")), ("asn", V::Uint(5))]));
    let path = directory.write("all.mmdb", &writer.bytes());
    let tables = Geo::open(Paths { country: Some(path.clone()), asn: vec![path] }).unwrap().tables();
    for address in
        ["0.0.0.0", "10.0.0.0", "127.0.0.1", "192.168.255.255", "240.0.0.1", "::", "2001:db8::", "64:ff9b::"]
    {
        assert_eq!(region(&tables, address), "non-routable", "{address}");
        assert_eq!(asn(&tables, address), None, "{address}");
    }
    for address in
        ["1.0.0.0", "11.0.0.0", "192.88.99.1", "223.255.255.255", "2000::", "2001::", "2002::", "3ffe::"]
    {
        assert_eq!(region(&tables, address), "JP", "{address}");
        assert_eq!(asn(&tables, address), Some(5), "{address}");
    }
}

#[test]
fn v4_in_a_v6_file_and_its_aliases() {
    let directory = Directory::new();
    let mut writer = Writer::new(6, 28);
    writer.add("1.0.0.0/24", &code("AU")).add("9.0.0.0/8", &code("US")).add("2400::/12", &code("JP"));
    writer.alias("::ffff:0:0/96").alias("2001::/32").alias("2002::/16");
    let tables = with_country(&directory.write("aliases.mmdb", &writer.bytes())).unwrap();
    for (address, expected) in [
        ("1.0.0.255", "AU"),
        ("1.0.1.0", "unknown"),
        ("9.8.7.6", "US"),
        ("240f:ffff::", "JP"),
        ("2410::", "unknown"),
        ("::ffff:1.0.0.1", "non-routable"),
        ("2002:0100:0001::", "AU"),
        ("2002:0100:0101::", "unknown"),
        ("2002:0908:0706:ffff::", "US"),
        ("2001:0:900:0::", "US"),
    ] {
        assert_eq!(region(&tables, address), expected, "{address}");
    }
    // 2002::/16 and 2001::/32 are walked, ::ffff:0:0/96 is not routable.
    assert_eq!((tables.databases()[0].networks_v4, tables.databases()[0].networks_v6), (2, 5));
}

#[test]
fn v4_under_the_mapped_prefix_only() {
    let directory = Directory::new();
    let mut writer = Writer::new(6, 24);
    writer.add("::ffff:1.0.0.0/120", &code("AU")).add("2400::/12", &code("JP"));
    let tables = with_country(&directory.write("mapped.mmdb", &writer.bytes())).unwrap();
    assert_eq!(region(&tables, "1.0.0.255"), "AU");
    assert_eq!(region(&tables, "1.0.1.0"), "unknown");
}

#[test]
fn a_64_answers_as_its_first_address() {
    let directory = Directory::new();
    let mut writer = Writer::new(6, 24);
    writer.add("2400::/64", &code("JP")).add("2400::8000:0:0:0/65", &code("US"));
    writer.add("2400:0:0:1::/128", &code("DE")).add("2400:0:0:2::1/128", &code("FR"));
    let tables = with_country(&directory.write("narrow.mmdb", &writer.bytes())).unwrap();
    for (address, expected) in
        [("2400::", "JP"), ("2400:0:0:1::", "DE"), ("2400:0:0:2::", "unknown"), ("2400:0:0:3::", "unknown")]
    {
        assert_eq!(region(&tables, address), expected, "{address}");
    }
}

/// Pointers of all sizes, as keys and as values.
#[test]
fn pointers() {
    let directory = Directory::new();
    for (size, padding) in [(1, 0), (2, 3000), (3, 600_000), (4, 600_000)] {
        let mut writer = Writer::new(4, 32);
        writer.data.resize(padding, 0);
        let key = writer.record(&V::Text("country")) as u32;
        let country = writer.record(&iso_code("JP")) as u32;
        let at = writer.data.len();
        writer.data.push(7 << 5 | 1);
        V::Pointer(key, size).write(&mut writer.data);
        V::Pointer(country, size).write(&mut writer.data);
        writer.insert("1.0.0.0/8", at);
        let tables = with_country(&directory.write("pointers.mmdb", &writer.bytes())).unwrap();
        assert_eq!(region(&tables, "1.2.3.4"), "JP", "pointers of {size} bytes");
    }
}

#[test]
fn csv_files_of_both_families() {
    let directory = Directory::new();
    let v4 = directory
        .write("v4.csv", b"1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n10.0.0.0,10.0.0.9,7,Private\n");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"2606:4700::,2606:4700:ffff:ffff:ffff:ffff:ffff:ffff,13335,Other\n").unwrap();
    let v6 = directory.write("v6.csv.gz", &packed.finish().unwrap());
    let tables = with_asn(&[&v4, &v6]).unwrap();
    assert_eq!(asn(&tables, "1.0.0.9"), Some(13335));
    assert_eq!(asn(&tables, "2606:4700::"), Some(13335));
    assert_eq!(asn(&tables, "2606:4701::"), None);
    assert_eq!(asn(&tables, "10.0.0.1"), None, "not routable");
    assert_eq!(tables.organisation(13335), Some("Cloudflare, Inc."), "the first file has the word");
    let [first, second] = tables.databases() else { panic!("two databases") };
    assert_eq!((&first.path, first.networks_v4, first.networks_v6), (&v4, 2, 0));
    assert_eq!((&second.path, second.networks_v4, second.networks_v6), (&v6, 0, 1));
    assert!(matches!(first.built, Built::Modified(_)));
}

#[test]
fn the_first_file_that_knows_answers() {
    let directory = Directory::new();
    let one = directory.write("1.csv", b"1.0.0.0,1.0.0.255,1,One\n");
    let mut writer = Writer::new(4, 24);
    writer.add("1.0.0.0/16", &system(2, "Two"));
    let two = directory.write("2.mmdb", &writer.bytes());
    let tables = with_asn(&[&one, &two]).unwrap();
    assert_eq!((asn(&tables, "1.0.0.1"), asn(&tables, "1.0.1.1")), (Some(1), Some(2)));
    assert_eq!((tables.organisation(1), tables.organisation(2)), (Some("One"), Some("Two")));
}

#[test]
fn a_packed_database() {
    let directory = Directory::new();
    let mut writer = Writer::new(4, 24);
    writer.add("1.0.0.0/16", &code("JP"));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&writer.bytes()).unwrap();
    let tables = with_country(&directory.write("x.mmdb.gz", &packed.finish().unwrap())).unwrap();
    assert_eq!(region(&tables, "1.0.0.1"), "JP");
}

/// What `maxminddb` says of an address.
fn oracle<T: AsRef<[u8]>>(reader: &maxminddb::Reader<T>, address: IpAddr) -> (Region, Option<u32>) {
    let found = reader.lookup(address).unwrap();
    let region = found
        .decode_path::<String>(&maxminddb::path!["country_code"])
        .unwrap()
        .and_then(|code| Region::from_code(&code))
        .unwrap_or(Region::UNKNOWN);
    let asn = found.decode_path::<u32>(&maxminddb::path!["autonomous_system_number"]).unwrap();
    (region, asn.filter(|&asn| asn != 0))
}

/// Compares tables and oracle at the edges of networks and at random; returns how many were routable.
fn compare(tables: &Tables, file: &[u8], asn: bool, random: &mut Random, count: usize) -> usize {
    let reader = maxminddb::Reader::from_source(file).unwrap();
    let mut v4 = BTreeSet::new();
    let mut v6 = BTreeSet::new();
    for found in reader.networks(maxminddb::WithinOptions::default()).unwrap() {
        match found.unwrap().network().unwrap() {
            network if network.ip().is_ipv4() => {
                let IpAddr::V4(first) = network.ip() else { unreachable!() };
                let size = if network.prefix() == 0 { 0 } else { 1_u64 << (32 - network.prefix()) };
                let (first, past) = (first.to_bits(), (u64::from(first.to_bits()) + size) as u32);
                v4.extend([first.wrapping_sub(1), first, past.wrapping_sub(1), past]);
            }
            network => {
                let IpAddr::V6(first) = network.ip() else { unreachable!() };
                let first = (first.to_bits() >> 64) as u64;
                let size = 1_u64.checked_shl(64 - u32::from(network.prefix()).min(64)).unwrap_or(0);
                let past = first.wrapping_add(size);
                v6.extend([first.wrapping_sub(1), first, past.wrapping_sub(1), past]);
            }
        }
    }
    v4.extend((0..count).map(|_| random.next() as u32));
    v6.extend((0..count).map(|_| random.next() >> 3 | 1 << 61));
    let mut routable = 0;
    let mut check = |family, source, address: IpAddr| {
        let region = tables.region(family, source);
        if region == Region::NON_ROUTABLE {
            assert_eq!(tables.asn(family, source), None);
            return;
        }
        routable += 1;
        let expected = oracle(&reader, address);
        assert_eq!(region, expected.0, "{address}");
        assert_eq!(tables.asn(family, source), expected.1.filter(|_| asn), "{address}");
    };
    for address in v4 {
        check(Family::V4, address.into(), IpAddr::V4(address.into()));
    }
    if reader.metadata.ip_version == 6 {
        for upper in v6 {
            check(Family::V6, upper, IpAddr::V6(Ipv6Addr::from_bits(u128::from(upper) << 64)));
        }
    }
    routable
}

#[test]
fn tables_say_what_maxminddb_says() {
    const CODES: [&str; 5] = ["JP", "US", "DE", "FR", "BR"];
    let directory = Directory::new();
    let mut random = Random(1);
    for round in 0..24 {
        let (ip_version, record_size) = ([4, 6][round % 2], [24, 28, 32][round % 3]);
        let mut writer = Writer::new(ip_version, record_size);
        let records = CODES.map(|code| {
            let mut entries = vec![("country_code", V::Text(code))];
            entries.push(("autonomous_system_number", V::Uint(code.as_bytes()[0].into())));
            writer.record(&V::Map(entries))
        });
        let mut networks: Vec<(usize, String)> = (0..300)
            .map(|number| {
                let bits = random.next();
                if ip_version == 6 && number % 2 == 0 {
                    // Crowded, so that they nest; all within 2000::/3, and some narrower than a /64.
                    let length = 12 + random.next() as usize % 60;
                    let bits = 0x2400_u128 << 112 | u128::from(bits & 0x0003_0003_0003_0003) << 48;
                    let bits = bits & !0 << (128 - length);
                    (length, format!("{}/{length}", Ipv6Addr::from_bits(bits)))
                } else {
                    let length = 6 + random.next() as usize % 27;
                    let bits = (bits as u32 & 0x3f03_0303) & !0 << (32 - length);
                    (
                        length + 96 * usize::from(ip_version == 6),
                        format!("{}/{length}", std::net::Ipv4Addr::from(bits)),
                    )
                }
            })
            .collect();
        networks.sort();
        for (_, network) in networks {
            writer.insert(&network, records[random.next() as usize % records.len()]);
        }
        if ip_version == 6 && round % 4 == 1 {
            writer.alias("2002::/16").alias("2001::/32");
        }
        let bytes = writer.bytes();
        let path = directory.write("random.mmdb", &bytes);
        let paths = Paths { country: Some(path.clone()), asn: vec![path] };
        let tables = Geo::open(paths).unwrap().tables();
        assert!(compare(&tables, &bytes, true, &mut random, 2000) > 2000);
    }
}

/// The databases that `cargo xtask setup` fetches, against `maxminddb`.
#[test]
fn real_databases() {
    let Some(country) = std::env::var_os("TEITEN_DATA")
        .map(|data| PathBuf::from(data).join("country.mmdb"))
        .filter(|f| f.is_file())
    else {
        let why = "there is no country.mmdb in TEITEN_DATA: run `cargo xtask setup --only data`, then \
                   `cargo xtask test`";
        assert!(std::env::var_os("TEITEN_NO_SKIP").is_none(), "{why}");
        let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
        return;
    };
    let file = std::fs::read(&country).unwrap();
    let tables = with_country(&country).unwrap();
    assert!(tables.databases()[0].networks_v4 > 100_000);
    assert!(compare(&tables, &file, false, &mut Random(2), 100_000) > 100_000);
}
