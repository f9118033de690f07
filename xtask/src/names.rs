//! `names`: the names of regions and services that reports use, made anew from their packages.
//!
//! The files are part of the source, as a build needs no network; this is how they were made, and how a newer version
//! gets in.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    cmd,
    paths::{Paths, Scratch},
    pins,
    setup::data::{self, put, read_json},
};

/// Codes of CLDR that are no place's: pseudo-languages, unknown, groups.
const NO_PLACES: [&str; 6] = ["EZ", "QO", "UN", "XA", "XB", "ZZ"];

/// Where IANA has several names for a port, and the package's one is the least used of them.
const PREFERRED: [(u16, &str); 1] = [(80, "http")];

const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

pub fn task(paths: &Paths) -> Result<()> {
    data::need_npm(
        "making the tables of names failed",
        "install npm (it comes with Node.js), then try again",
    )?;
    let dir = paths.root.join("sensor-user/src/report/names");
    let scratch = Scratch::new(&dir).with_context(|| format!("writing in {} failed", dir.display()))?;
    let again = "run cargo xtask names again when the npm registry can be reached";
    let cldr = data::fetch_archive(&pins::CLDR_NAMES, scratch.path(), again)?;
    let territories = |lang: &str| -> Result<Value> {
        let file = read_json(&cldr.join(format!("main/{lang}/territories.json")))?;
        let pointer = format!("/main/{lang}/localeDisplayNames/territories");
        file.pointer(&pointer).cloned().with_context(|| format!("CLDR's names in {lang} have no {pointer}"))
    };
    put(&dir.join("regions.tsv"), &regions(&territories("en")?, &territories("ja")?)?)?;
    let licence = cldr.join("LICENSE");
    let licence = fs::read_to_string(&licence).with_context(|| format!("reading {}", licence.display()))?;
    put(&dir.join("LICENSE-Unicode-3.0"), &licence)?;
    let ports = data::fetch_archive(&pins::PORT_NAMES, scratch.path(), again)?;
    put(&dir.join("services.tsv"), &services(&read_json(&ports.join("index.json"))?)?)?;
    cmd::say(format!("names: CLDR {}, IANA's ports {}", pins::CLDR_NAMES.version, pins::PORT_NAMES.version));
    Ok(())
}

/// Code, English and Japanese of each place, by CLDR's short form where there is one.
fn regions(en: &Value, ja: &Value) -> Result<String> {
    let name = |names: &Value, code: &str| {
        let short = names.get(format!("{code}-alt-short")).or_else(|| names.get(code));
        short.and_then(Value::as_str).map(str::to_owned)
    };
    let codes = en.as_object().context("CLDR's names are no object")?.keys();
    let mut lines = Vec::new();
    for code in codes {
        let is_place = code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_uppercase());
        if !is_place || NO_PLACES.contains(&code.as_str()) {
            continue;
        }
        let (Some(en), Some(ja)) = (name(en, code), name(ja, code)) else {
            bail!("CLDR has no name of {code} in both languages");
        };
        lines.push(line(&[code, &en, &ja])?);
    }
    lines.sort();
    Ok(lines.concat())
}

/// Port, protocol and name of each that has one.
fn services(index: &Value) -> Result<String> {
    let mut names = BTreeMap::new();
    for (key, value) in index.as_object().context("the names of ports are no object")? {
        let (port, protocol) = key.split_once('/').with_context(|| format!("`{key}` is no port"))?;
        let port: u16 = port.parse().with_context(|| format!("`{key}` is no port"))?;
        let Some(place) = PROTOCOLS.iter().position(|known| *known == protocol) else { continue };
        let name = value.get(0).and_then(Value::as_str).with_context(|| format!("{key} has no name"))?;
        let preferred = PREFERRED.iter().find(|(number, _)| *number == port).map_or(name, |(_, name)| name);
        // Reserved and unassigned ports have a description, but no name.
        if !name.is_empty() {
            names.insert((port, place), preferred.to_owned());
        }
    }
    let lines = names.iter().map(|((port, place), name)| line(&[&port.to_string(), PROTOCOLS[*place], name]));
    Ok(lines.collect::<Result<Vec<_>>>()?.concat())
}

fn line(fields: &[&str]) -> Result<String> {
    if let Some(field) = fields.iter().find(|field| field.chars().any(char::is_control)) {
        bail!("`{}` has a control character", field.escape_debug());
    }
    Ok(format!("{}\n", fields.join("\t")))
}

#[cfg(test)]
mod unit {
    use serde_json::json;

    use super::*;

    #[test]
    fn regions_have_short_names_where_there_are_any() -> Result<()> {
        let en = json!({"US": "United States", "US-alt-short": "US", "001": "world", "ZZ": "Unknown Region",
                        "JP": "Japan", "TR": "Türkiye", "TR-alt-variant": "Turkey"});
        let ja = json!({"US": "アメリカ合衆国", "US-alt-short": "アメリカ", "001": "世界", "JP": "日本",
                        "TR": "トルコ"});
        assert_eq!(regions(&en, &ja)?, "JP\tJapan\t日本\nTR\tTürkiye\tトルコ\nUS\tUS\tアメリカ\n");
        let missing = regions(&en, &json!({"JP": "日本"})).unwrap_err().to_string();
        assert!(missing.contains("TR"), "{missing}");
        Ok(())
    }

    #[test]
    fn services_are_in_order_of_their_ports() -> Result<()> {
        let index = json!({"80/tcp": ["www-http", ""], "9/sctp": ["discard", ""], "9/tcp": ["discard", ""],
                           "9/dccp": ["discard", ""], "4/tcp": ["", "Unassigned"], "1000/udp": ["cadlock2", ""]});
        assert_eq!(
            services(&index)?,
            "9\ttcp\tdiscard\n9\tsctp\tdiscard\n80\ttcp\thttp\n1000\tudp\tcadlock2\n"
        );
        assert!(services(&json!({"80": ["http", ""]})).is_err());
        assert!(services(&json!({"70000/tcp": ["x", ""]})).is_err());
        Ok(())
    }

    #[test]
    fn a_name_has_one_line_and_no_tab() {
        assert!(line(&["JP", "Ja\tpan"]).is_err());
    }
}
