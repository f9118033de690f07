//! Names of regions and services.
//!
//! Regions are named by CLDR's short forms, services by IANA; `names/README.md` says from where and under which
//! licences. A file of the user's own goes before both.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;

use super::{lang::Lang, toml_file};
use crate::model::{Protocol, Region, Service};

const REGIONS: &str = include_str!("names/regions.tsv");
const SERVICES: &str = include_str!("names/services.tsv");

/// Largest file of overrides, in bytes.
const LARGEST_FILE: u64 = 1 << 20;
/// Longest name, in characters: it has to fit into a table.
const LONGEST_NAME: usize = 80;

/// A file of names that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    #[error("reading names from {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("names in {} have more than 1 MiB; keep only those that are to differ", path.display())]
    TooLarge { path: PathBuf },
    #[error("names in {}: {error}", path.display())]
    Form { path: PathBuf, error: Box<toml::de::Error> },
    #[error("{}:{line}: {reason}", path.display())]
    Name { path: PathBuf, line: usize, reason: String },
}

/// Names of regions in each language, and of services.
#[derive(Debug)]
pub struct Names {
    /// English, Japanese.
    regions: BTreeMap<Region, [String; 2]>,
    services: BTreeMap<Service, String>,
}

/// The form of the user's file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Overrides {
    en: BTreeMap<String, Spanned<String>>,
    ja: BTreeMap<String, Spanned<String>>,
    services: BTreeMap<String, Spanned<String>>,
}

impl Names {
    /// The bundled names, and before them those of the TOML file at `overrides`:
    ///
    /// ```toml
    /// [ja]
    /// US = "米国"
    /// [services]
    /// "37215/tcp" = "Huawei HG532"
    /// ```
    pub fn new(overrides: Option<&Path>) -> Result<Self, NamesError> {
        let mut names = Self {
            regions: regions().map(|(region, en, ja)| (region, [en, ja].map(str::to_owned))).collect(),
            services: services().map(|(service, name)| (service, name.to_owned())).collect(),
        };
        if let Some(path) = overrides {
            names.put(path, &read(path)?)?;
        }
        Ok(names)
    }

    /// The region's name, without an article; `None` for a code without one and for groups of sources.
    pub fn region(&self, region: Region, lang: Lang) -> Option<&str> {
        self.regions.get(&region).map(|[en, ja]| match lang {
            Lang::En => en.as_str(),
            Lang::Ja => ja.as_str(),
        })
    }

    /// All regions that have names.
    pub fn regions(&self) -> impl Iterator<Item = Region> {
        self.regions.keys().copied()
    }

    /// All ports that have names.
    pub fn services(&self) -> impl Iterator<Item = Service> {
        self.services.keys().copied()
    }

    /// IANA's name of a port, which does not prove what is spoken there.
    pub fn service(&self, service: Service) -> Option<&str> {
        self.services.get(&service).map(String::as_str)
    }

    fn put(&mut self, path: &Path, text: &str) -> Result<(), NamesError> {
        let overrides: Overrides = toml::from_str(text)
            .map_err(|error| NamesError::Form { path: path.to_owned(), error: Box::new(error) })?;
        let wrong = |name: &Spanned<String>, reason: String| {
            let line = 1 + text.bytes().take(name.span().start).filter(|byte| *byte == b'\n').count();
            NamesError::Name { path: path.to_owned(), line, reason }
        };
        for (place, list) in [overrides.en, overrides.ja].iter().enumerate() {
            for (code, name) in list {
                let region =
                    Region::from_code(code).filter(|region| region.as_str() == code).ok_or_else(|| {
                        wrong(name, format!("`{code}` is no region; write two capital letters, such as JP"))
                    })?;
                let text = checked(name).map_err(|reason| wrong(name, reason))?;
                let both = self.regions.entry(region).or_insert_with(|| [code.clone(), code.clone()]);
                both[place] = text;
            }
        }
        for (service, name) in &overrides.services {
            let service: Service = service
                .parse()
                .map_err(|error: crate::model::UnknownService| wrong(name, error.to_string()))?;
            let text = checked(name).map_err(|reason| wrong(name, reason))?;
            self.services.insert(service, text);
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, NamesError> {
    let failed = |error| NamesError::Read { path: path.to_owned(), error };
    let text = toml_file::bounded(path, LARGEST_FILE).map_err(failed)?;
    text.ok_or_else(|| NamesError::TooLarge { path: path.to_owned() })
}

/// A name of one line that is not empty.
fn checked(name: &Spanned<String>) -> Result<String, String> {
    let text = name.get_ref().trim();
    if text.is_empty() {
        return Err("the name is empty; write one, or leave the line out".into());
    }
    if text.chars().any(char::is_control) {
        return Err("the name has a control character; write it on one line".into());
    }
    if text.chars().count() > LONGEST_NAME {
        return Err(format!("the name has more than {LONGEST_NAME} characters; shorten it"));
    }
    Ok(text.to_owned())
}

/// Code, English and Japanese of a line each.
fn regions() -> impl Iterator<Item = (Region, &'static str, &'static str)> {
    REGIONS.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        Some((Region::from_code(fields.next()?)?, fields.next()?, fields.next()?))
    })
}

/// Port, protocol and name of a line each.
fn services() -> impl Iterator<Item = (Service, &'static str)> {
    SERVICES.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let number = fields.next()?.parse().ok()?;
        let protocol = match fields.next()? {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => return None,
        };
        Some((Service { protocol, number }, fields.next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ISO 3166-1 alpha-2, all that are officially assigned.
    const ASSIGNED: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO \
         BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE \
         EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT \
         HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU \
         LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR \
         NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM \
         SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG \
         VI VN VU WF WS YE YT ZA ZM ZW";

    #[test]
    fn every_assigned_code_has_its_names() {
        let names = Names::new(None).unwrap();
        let codes: Vec<&str> = ASSIGNED.split_whitespace().collect();
        assert_eq!(codes.len(), 249);
        for code in codes.into_iter().chain(["EU", "XK"]) {
            let region = Region::from_code(code).unwrap();
            for lang in Lang::ALL {
                assert!(names.region(region, lang).is_some_and(|name| !name.trim().is_empty()), "{code}");
            }
        }
        for group in [Region::UNKNOWN, Region::OTHER, Region::NON_ROUTABLE, Region::UNATTRIBUTED] {
            assert_eq!(names.region(group, Lang::En), None);
        }
    }

    #[test]
    fn names_are_cldrs_short_forms() {
        let names = Names::new(None).unwrap();
        let of = |code| Lang::ALL.map(|lang| names.region(Region::from_code(code).unwrap(), lang).unwrap());
        let expected = [
            ("US", ["US", "アメリカ"]),
            ("GB", ["UK", "英国"]),
            ("HK", ["Hong Kong", "香港"]),
            ("NL", ["Netherlands", "オランダ"]),
            ("RU", ["Russia", "ロシア"]),
            ("CN", ["China", "中国"]),
            ("TW", ["Taiwan", "台湾"]),
            ("RO", ["Romania", "ルーマニア"]),
            ("IR", ["Iran", "イラン"]),
            ("JP", ["Japan", "日本"]),
        ];
        for (code, both) in expected {
            assert_eq!(of(code), both);
        }
    }

    #[test]
    fn the_bundled_tables_parse_whole_and_are_sorted() {
        assert_eq!(regions().count(), REGIONS.lines().count());
        assert!(regions().map(|row| row.0).is_sorted_by(|one, other| one < other));
        assert_eq!(services().count(), SERVICES.lines().count());
        assert!(services().map(|(service, _)| (service.number, service.protocol)).is_sorted_by(|a, b| a < b));
        let fields = |text: &str, count| text.lines().all(|line| line.split('\t').count() == count);
        assert!(fields(REGIONS, 3) && fields(SERVICES, 3));
        assert!(
            services().all(|(_, name)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
        );
    }

    #[test]
    fn services_have_ianas_names() {
        let names = Names::new(None).unwrap();
        let of = |text: &str| names.service(text.parse().unwrap());
        assert_eq!(of("23/tcp"), Some("telnet"));
        assert_eq!(of("445/tcp"), Some("microsoft-ds"));
        assert_eq!(of("1433/tcp"), Some("ms-sql-s"));
        assert_eq!(of("80/tcp"), Some("http"));
        assert_eq!(of("53/udp"), Some("domain"));
        assert_eq!(of("37215/tcp"), None);
        assert_eq!(of("8/icmp"), None);
    }

    fn with(text: &str) -> Result<Names, NamesError> {
        let mut names = Names::new(None).unwrap();
        names.put(Path::new("names.toml"), text).map(|()| names)
    }

    #[test]
    fn a_file_goes_before() {
        let names = with(
            "[en]\nUS = \"United States\"\nAP = 'Asia/Pacific'\n[ja]\nUS = \"米国\"\n[services]\n\"37215/tcp\" = \
             \"Huawei HG532\"\n\"8/icmp\" = \"ping\"\n",
        )
        .unwrap();
        let us = Region::from_code("US").unwrap();
        assert_eq!(names.region(us, Lang::En), Some("United States"));
        assert_eq!(names.region(us, Lang::Ja), Some("米国"));
        let ap = Region::from_code("AP").unwrap();
        assert_eq!(names.region(ap, Lang::En), Some("Asia/Pacific"));
        assert_eq!(names.region(ap, Lang::Ja), Some("AP"));
        assert_eq!(names.service("37215/tcp".parse().unwrap()), Some("Huawei HG532"));
        assert_eq!(names.service("8/icmp".parse().unwrap()), Some("ping"));
        assert_eq!(names.region(Region::from_code("JP").unwrap(), Lang::Ja), Some("日本"));
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named_with_its_line() {
        let wrong = |text: &str| with(text).unwrap_err().to_string();
        assert_eq!(
            wrong("[en]\nJP = \"Japan\"\nUSA = \"United States\"\n"),
            "names.toml:3: `USA` is no region; write two capital letters, such as JP"
        );
        assert_eq!(
            wrong("[ja]\njp = \"日本\"\n"),
            "names.toml:2: `jp` is no region; write two capital letters, such as JP"
        );
        assert!(
            wrong("[services]\n\n\"telnet\" = \"x\"\n").starts_with("names.toml:3: `telnet` is no service; ")
        );
        assert!(wrong("[en]\nJP = \" \"\n").starts_with("names.toml:2: the name is empty"));
        assert!(
            wrong("[en]\nJP = \"a\\nb\"\n").starts_with("names.toml:2: the name has a control character")
        );
        assert!(wrong(&format!("[en]\nJP = \"{}\"\n", "x".repeat(81))).contains("more than 80 characters"));
        let form = wrong("[de]\nJP = \"Japan\"\n");
        assert!(form.contains("line 1") && form.contains("`de`"), "{form}");
    }

    #[test]
    fn files_are_read_to_a_bound() {
        let path = std::env::temp_dir().join(format!("teiten-names-{}.toml", std::process::id()));
        std::fs::write(&path, " ".repeat(LARGEST_FILE as usize + 1)).unwrap();
        assert!(matches!(Names::new(Some(&path)), Err(NamesError::TooLarge { .. })));
        std::fs::write(&path, "[en]\nJP = \"Nippon\"\n").unwrap();
        let names = Names::new(Some(&path)).unwrap();
        assert_eq!(names.region(Region::from_code("JP").unwrap(), Lang::En), Some("Nippon"));
        std::fs::remove_file(&path).unwrap();
        let missing = Names::new(Some(&path)).unwrap_err().to_string();
        assert!(missing.starts_with(&format!("reading names from {}: ", path.display())));
    }
}
