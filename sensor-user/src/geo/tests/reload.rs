//! Files that change under a running agent.

use std::fs;

use super::*;

fn database(country: &'static str) -> Vec<u8> {
    let mut writer = Writer::new(4, 24);
    writer.add("1.0.0.0/16", &code(country));
    writer.bytes()
}

/// Replaces a file in one step, as careful updaters do.
fn replace(directory: &Directory, name: &str, bytes: &[u8]) {
    let new = directory.write("new", bytes);
    fs::rename(new, directory.path(name)).unwrap();
}

#[test]
fn a_good_new_file_is_used() {
    let directory = Directory::new();
    let path = directory.write("x.mmdb", &database("JP"));
    let geo = Geo::open(Paths { country: Some(path.clone()), asn: Vec::new() }).unwrap();
    assert!(geo.reload_changed().is_empty(), "nothing changed");
    let before = geo.tables();

    replace(&directory, "x.mmdb", &database("US"));
    let [Reload { path: reloaded, outcome: Ok(databases) }] = &geo.reload_changed()[..] else {
        panic!("one reload")
    };
    assert_eq!(*reloaded, path);
    assert_eq!(databases[..], *geo.tables().databases());
    assert_eq!(region(&geo.tables(), "1.0.0.1"), "US");
    assert_eq!(region(&before, "1.0.0.1"), "JP", "who still reads the old one is not disturbed");
    assert!(geo.reload_changed().is_empty());
}

#[test]
fn a_broken_new_file_is_reported_once() {
    let directory = Directory::new();
    let path = directory.write("x.mmdb", &database("JP"));
    let geo = Geo::open(Paths { country: Some(path.clone()), asn: Vec::new() }).unwrap();

    replace(&directory, "x.mmdb", b"<html>404");
    let [Reload { outcome: Err(error), .. }] = &geo.reload_changed()[..] else { panic!("one error") };
    assert!(matches!(error, GeoError::Text { path: named } if *named == path), "{error}");
    assert!(geo.reload_changed().is_empty(), "once");
    assert_eq!(region(&geo.tables(), "1.0.0.1"), "JP", "the old one stays in use");
    assert_eq!(geo.tables().databases().len(), 1);

    replace(&directory, "x.mmdb", &database("US"));
    assert!(matches!(&geo.reload_changed()[..], [Reload { outcome: Ok(_), .. }]));
    assert_eq!(region(&geo.tables(), "1.0.0.1"), "US");
}

#[test]
fn a_vanished_file_is_reported_once() {
    let directory = Directory::new();
    let path = directory.write("x.mmdb", &database("JP"));
    let geo = Geo::open(Paths { country: Some(path.clone()), asn: Vec::new() }).unwrap();

    fs::rename(&path, directory.path("aside")).unwrap();
    let [Reload { outcome: Err(error), .. }] = &geo.reload_changed()[..] else { panic!("one error") };
    assert!(matches!(error, GeoError::Read { .. }), "{error}");
    assert!(error.to_string().starts_with(&format!("cannot read {}: ", path.display())), "{error}");
    assert!(geo.reload_changed().is_empty(), "once");
    assert_eq!(region(&geo.tables(), "1.0.0.1"), "JP");

    fs::rename(directory.path("aside"), &path).unwrap();
    assert!(matches!(&geo.reload_changed()[..], [Reload { outcome: Ok(_), .. }]));
}

#[test]
fn a_file_in_the_writing_is_tried_again() {
    let directory = Directory::new();
    let path = directory.write("x.mmdb", &database("JP"));
    let geo = Geo::open(Paths { country: Some(path.clone()), asn: Vec::new() }).unwrap();
    let new = database("US");
    for length in (0..new.len()).step_by(7) {
        fs::write(&path, &new[..length]).unwrap();
        assert!(matches!(&geo.reload_changed()[..], [Reload { outcome: Err(_), .. }]), "{length} bytes");
        assert_eq!(region(&geo.tables(), "1.0.0.1"), "JP");
    }
    fs::write(&path, &new).unwrap();
    assert!(matches!(&geo.reload_changed()[..], [Reload { outcome: Ok(_), .. }]));
    assert_eq!(region(&geo.tables(), "1.0.0.1"), "US");
}

#[test]
fn each_file_stands_for_itself() {
    let directory = Directory::new();
    let country = directory.write("x.mmdb", &database("JP"));
    let [v4, v6] = [("v4.csv", "1.0.0.0,1.0.0.255,1,One\n"), ("v6.csv", "2400::,2400:1::,2,Two\n")]
        .map(|(name, text)| directory.write(name, text.as_bytes()));
    let geo = Geo::open(Paths { country: Some(country), asn: vec![v4.clone(), v6] }).unwrap();

    replace(&directory, "v4.csv", b"1.0.0.0,1.0.0.255\n");
    replace(&directory, "v6.csv", b"2400::,2400:1::,3,Three\n");
    let reloads = geo.reload_changed();
    let [Reload { path, outcome: Err(error) }, Reload { outcome: Ok(_), .. }] = &reloads[..] else {
        panic!("{reloads:?}")
    };
    assert_eq!(*path, v4);
    assert_eq!(error.to_string(), format!("{}, line 1: `` is no AS number", v4.display()));
    let tables = geo.tables();
    assert_eq!((asn(&tables, "1.0.0.1"), asn(&tables, "2400::")), (Some(1), Some(3)));
    assert_eq!((tables.organisation(2), tables.organisation(3)), (None, Some("Three")));
    assert_eq!(region(&tables, "1.0.0.1"), "JP");
}

#[test]
fn readers_and_reloads_do_not_wait_for_each_other() {
    let directory = Directory::new();
    let path = directory.write("x.mmdb", &database("JP"));
    let geo = Geo::open(Paths { country: Some(path), asn: Vec::new() }).unwrap();
    std::thread::scope(|scope| {
        let reader = scope
            .spawn(|| (0..20_000).all(|_| ["JP", "US"].contains(&region(&geo.tables(), "1.0.0.1").as_str())));
        for round in 0..20 {
            replace(&directory, "x.mmdb", &database(["US", "JP"][round % 2]));
            geo.reload_changed();
        }
        assert!(reader.join().unwrap());
    });
}
