//! Sensors: named sets of watched prefixes.

use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

use super::{
    class::{Role, UnknownRole},
    service::{Service, UnknownService},
};

/// A named set of watched prefixes with a role. Written
/// `NAME=PREFIX[,PREFIX…][;role=dark|lit|honeypot][;group=GROUP][;alias=ALIAS][;filtered=PORT/PROTOCOL[,…]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensor {
    pub name: String,
    /// Empty for the one sensor that watches everything.
    pub prefixes: Vec<IpNet>,
    pub role: Role,
    /// What the sensor is reported together with, such as `domestic`.
    pub group: Option<String>,
    /// The name that publications use.
    pub alias: Option<String>,
    /// Services whose packets never arrive, for somebody upstream filters them; in order.
    pub filtered: Vec<Service>,
}

/// The sensors of a program, by number. At least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensors(Vec<Sensor>);

/// What is wrong with a sensor, or with several together.
#[derive(Debug, thiserror::Error)]
pub enum SensorError {
    #[error(
        "`{0}` has no `=`; write NAME=PREFIX[,PREFIX…], and after it as needed `;role=`, `;group=`, \
         `;alias=` and `;filtered=`"
    )]
    NoPrefixes(String),
    #[error("`{0}` is no name for a sensor or group: use 1 to 63 letters, digits, `-`, `_` and `.`")]
    Name(String),
    #[error("`{0}` is no IP prefix; write one such as 192.0.2.0/24 or 2001:db8::/32")]
    Prefix(String),
    #[error("prefix {0} has bits set behind its length; {1} is meant, or a longer prefix")]
    HostBits(IpNet, IpNet),
    #[error(transparent)]
    Role(#[from] UnknownRole),
    #[error("`{0}` is not known here; after the prefixes come `role=`, `group=`, `alias=` and `filtered=`")]
    Attribute(String),
    #[error(transparent)]
    Filtered(#[from] UnknownService),
    #[error("there are {0} sensors; {max} is the most that one program counts apart", max = Sensors::MOST)]
    TooMany(usize),
    #[error("two sensors are named `{0}`")]
    SameName(String),
    #[error("sensors `{0}` and `{1}` share the alias `{2}`")]
    SameAlias(String, String, String),
    #[error("sensors `{0}` and `{1}` both watch {2}; a prefix belongs to one sensor")]
    SamePrefix(String, String, IpNet),
}

impl FromStr for Sensor {
    type Err = SensorError;

    fn from_str(text: &str) -> Result<Self, SensorError> {
        let mut parts = text.split(';').map(str::trim);
        let first = parts.next().unwrap_or_default();
        let (name, prefixes) =
            first.split_once('=').ok_or_else(|| SensorError::NoPrefixes(first.to_owned()))?;
        let prefixes =
            prefixes.split(',').map(|prefix| parse_prefix(prefix.trim())).collect::<Result<_, _>>()?;
        let mut sensor = Self {
            name: parse_name(name.trim())?,
            prefixes,
            role: Role::Dark,
            group: None,
            alias: None,
            filtered: Vec::new(),
        };
        for part in parts {
            match part.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("role", role)) => sensor.role = role.parse()?,
                Some(("group", group)) => sensor.group = Some(parse_name(group)?),
                Some(("alias", alias)) => sensor.alias = Some(parse_name(alias)?),
                Some(("filtered", services)) => sensor.filtered = parse_services(services)?,
                _ => return Err(SensorError::Attribute(part.to_owned())),
            }
        }
        Ok(sensor)
    }
}

/// Whether a sensor or a group may have a name: 1 to 63 letters, digits, `-`, `_` and `.`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn parse_name(name: &str) -> Result<String, SensorError> {
    if is_name(name) { Ok(name.to_owned()) } else { Err(SensorError::Name(name.to_owned())) }
}

/// A prefix; a bare address is one of full length.
fn parse_prefix(text: &str) -> Result<IpNet, SensorError> {
    let prefix = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| SensorError::Prefix(text.to_owned()))?;
    if prefix.trunc() != prefix {
        return Err(SensorError::HostBits(prefix, prefix.trunc()));
    }
    Ok(prefix)
}

/// Services, sorted, each once.
fn parse_services(text: &str) -> Result<Vec<Service>, UnknownService> {
    let services = text.split(',').map(str::trim).filter(|service| !service.is_empty());
    let mut services = services.map(str::parse).collect::<Result<Vec<Service>, _>>()?;
    services.sort_unstable();
    services.dedup();
    Ok(services)
}

impl Sensors {
    /// The most sensors that a key tells apart.
    pub const MOST: usize = 254;

    /// Sensors, numbered in this order.
    ///
    /// # Errors
    ///
    /// If there are too many, or two share a name, an alias or a prefix.
    pub fn new(sensors: Vec<Sensor>) -> Result<Self, SensorError> {
        if sensors.len() > Self::MOST {
            return Err(SensorError::TooMany(sensors.len()));
        }
        for (number, sensor) in sensors.iter().enumerate() {
            for other in &sensors[..number] {
                if other.name == sensor.name {
                    return Err(SensorError::SameName(sensor.name.clone()));
                }
                if let Some(alias) = sensor.alias.as_ref().filter(|_| other.alias == sensor.alias) {
                    let (first, second) = (other.name.clone(), sensor.name.clone());
                    return Err(SensorError::SameAlias(first, second, alias.clone()));
                }
                if let Some(&prefix) = sensor.prefixes.iter().find(|prefix| other.prefixes.contains(prefix)) {
                    return Err(SensorError::SamePrefix(other.name.clone(), sensor.name.clone(), prefix));
                }
            }
        }
        Ok(Self(sensors))
    }

    /// One sensor that watches everything.
    pub fn everything(name: impl Into<String>, role: Role) -> Self {
        Self(vec![Sensor {
            name: name.into(),
            prefixes: Vec::new(),
            role,
            group: None,
            alias: None,
            filtered: Vec::new(),
        }])
    }

    /// The sensor of a number, as it stands in a key.
    pub fn get(&self, number: u8) -> Option<&Sensor> {
        self.0.get(usize::from(number))
    }

    /// All sensors, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Sensor> {
        self.0.iter()
    }

    /// Every watched prefix with the number of its sensor. Empty if everything is watched.
    pub fn watched(&self) -> Vec<(IpNet, u8)> {
        let numbered = self.0.iter().zip(0u8..);
        numbered
            .flat_map(|(sensor, number)| sensor.prefixes.iter().map(move |&prefix| (prefix, number)))
            .collect()
    }

    /// How many IPv4 addresses are a sensor's: those of its prefixes without those of other sensors'
    /// prefixes within. `None` if it watches everything or has no IPv4 prefix.
    pub fn addresses(&self, number: u8) -> Option<u64> {
        fn v4(net: &IpNet) -> Option<Ipv4Net> {
            match net {
                IpNet::V4(net) => Some(*net),
                IpNet::V6(_) => None,
            }
        }
        let own: Vec<Ipv4Net> = self.get(number)?.prefixes.iter().filter_map(v4).collect();
        if own.is_empty() {
            return None;
        }
        let others = self.iter().zip(0u8..).filter(|(_, other)| *other != number);
        let others = others.flat_map(|(sensor, _)| &sensor.prefixes).filter_map(v4).map(|net| (net, false));
        // By their first address, wider ones first: what holds a prefix comes before it.
        let mut all: Vec<(Ipv4Net, bool)> = own.into_iter().map(|net| (net, true)).chain(others).collect();
        all.sort_unstable_by_key(|(net, _)| (net.network(), net.prefix_len()));
        all.dedup();
        let mut sum = 0;
        let mut holders: Vec<(Ipv4Net, bool)> = Vec::new();
        for (net, is_own) in all {
            while holders.pop_if(|(holder, _)| !holder.contains(&net)).is_some() {}
            let size = 1u64 << (32 - net.prefix_len());
            match (holders.last().is_some_and(|(_, is_own)| *is_own), is_own) {
                (false, true) => sum += size,
                (true, false) => sum -= size,
                _ => {}
            }
            holders.push((net, is_own));
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Sensor>().unwrap_err().to_string()
    }

    #[test]
    fn sensors_are_read() {
        let sensor: Sensor =
            "west=192.0.2.0/24, 2001:db8::/32 ; role=honeypot; group=overseas".parse().unwrap();
        assert_eq!(sensor.name, "west");
        assert_eq!(
            sensor.prefixes,
            ["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse::<IpNet>().unwrap()]
        );
        assert_eq!(sensor.role, Role::Honeypot);
        assert_eq!(sensor.group.as_deref(), Some("overseas"));
        assert_eq!("a=192.0.2.7".parse::<Sensor>().unwrap().prefixes, ["192.0.2.7/32".parse().unwrap()]);
        assert_eq!("a=::/0".parse::<Sensor>().unwrap().role, Role::Dark);
    }

    #[test]
    fn bad_sensors_say_what_is_wrong() {
        assert!(error("west").contains("no `=`"));
        assert!(error("=192.0.2.0/24").contains("no name"));
        assert!(error("a b=192.0.2.0/24").contains("no name"));
        assert!(error("a=192.0.2.0/33").contains("192.0.2.0/33"));
        assert!(error("a=").contains("no IP prefix"));
        assert!(error("a=192.0.2.1/24").contains("192.0.2.0/24 is meant"));
        assert!(error("a=192.0.2.0/24;role=grey").contains("dark, lit or honeypot"));
        assert!(error("a=192.0.2.0/24;rôle").contains("`role=`, `group=`, `alias=` and `filtered=`"));
        assert!(error("a=192.0.2.0/24;alias=S 1").contains("`S 1` is no name"));
        for service in ["25", "25/http", "tcp/25", "65536/tcp", "256/icmp", "-1/udp", "+1/udp"] {
            let error = error(&format!("a=192.0.2.0/24;filtered=445/tcp,{service}"));
            assert!(error.starts_with(&format!("`{service}` is no service")), "{error}");
        }
    }

    #[test]
    fn aliases_and_filtered_services_are_read() {
        let sensor: Sensor =
            "a=192.0.2.0/24;alias=S1;filtered=445/tcp, 8/icmp,25/TCP,445/tcp,53/udp,".parse().unwrap();
        assert_eq!(sensor.alias.as_deref(), Some("S1"));
        let services: Vec<String> = sensor.filtered.iter().map(ToString::to_string).collect();
        assert_eq!(services, ["25/tcp", "445/tcp", "53/udp", "8/icmp"]);
        let plain: Sensor = "a=192.0.2.0/24;filtered=".parse().unwrap();
        assert_eq!((plain.alias, plain.filtered), (None, Vec::new()));
    }

    #[test]
    fn addresses_belong_to_the_longest_prefix() {
        let addresses = |texts: &[&str]| {
            let sensors = Sensors::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap();
            (0..texts.len()).map(|number| sensors.addresses(number as u8)).collect::<Vec<_>>()
        };
        assert_eq!(addresses(&["a=192.0.2.0/24"]), [Some(256)]);
        assert_eq!(addresses(&["a=192.0.2.7,2001:db8::/32", "b=2001:db8::/64"]), [Some(1), None]);
        assert_eq!(addresses(&["a=0.0.0.0/0", "b=128.0.0.0/1"]), [Some(1 << 31), Some(1 << 31)]);
        // Own prefixes within own ones count once, also with another sensor's between.
        assert_eq!(addresses(&["a=10.0.0.0/8,10.1.0.0/16,10.1.0.0/16"]), [Some(1 << 24)]);
        assert_eq!(
            addresses(&["a=10.0.0.0/16,10.0.2.0/24", "b=10.0.0.0/20,10.0.2.128/25", "c=10.0.2.128/26"]),
            [Some(65_536 - 4096 + 128), Some(4096 - 256 + 64), Some(64)]
        );
        assert_eq!(addresses(&["a=192.0.2.0/24", "b=192.0.2.0/25", "c=192.0.2.128/25"])[0], Some(0));
        let everything = Sensors::everything("all", Role::Lit);
        assert_eq!((everything.addresses(0), everything.addresses(1)), (None, None));
    }

    #[test]
    fn sensors_together() {
        let parse = |texts: &[&str]| Sensors::new(texts.iter().map(|text| text.parse().unwrap()).collect());
        let both = parse(&["a=192.0.2.0/24;role=lit", "b=192.0.2.0/25,2001:db8::/32"]).unwrap();
        assert_eq!(both.watched().iter().map(|(_, number)| *number).collect::<Vec<_>>(), [0, 1, 1]);
        assert!(parse(&["a=192.0.2.0/24", "a=::/0"]).unwrap_err().to_string().contains("named `a`"));
        let aliases =
            parse(&["a=::/0;alias=S1", "b=::/1;alias=S2", "c=::/2;alias=S1"]).unwrap_err().to_string();
        assert_eq!(aliases, "sensors `a` and `c` share the alias `S1`");
        assert!(parse(&["a=::/0", "b=::/0"]).unwrap_err().to_string().contains("both watch ::/0"));
        let many: Vec<Sensor> = (0..255).map(|n| format!("s{n}=10.0.{n}.0/24").parse().unwrap()).collect();
        assert!(Sensors::new(many[..254].to_vec()).is_ok());
        assert!(Sensors::new(many).unwrap_err().to_string().contains("255 sensors"));
    }
}
