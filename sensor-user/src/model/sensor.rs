//! Sensors: named sets of watched prefixes.

use std::str::FromStr;

use ipnet::IpNet;

use super::class::{Role, UnknownRole};

/// A named set of watched prefixes with a role. Written
/// `NAME=PREFIX[,PREFIX…][;role=dark|lit|honeypot][;group=GROUP]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensor {
    pub name: String,
    /// Empty for the one sensor that watches everything.
    pub prefixes: Vec<IpNet>,
    pub role: Role,
    /// What the sensor is reported together with, such as `domestic`.
    pub group: Option<String>,
}

/// The sensors of a program, by number. At least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensors(Vec<Sensor>);

/// What is wrong with a sensor, or with several together.
#[derive(Debug, thiserror::Error)]
pub enum SensorError {
    #[error("`{0}` has no `=`; write NAME=PREFIX[,PREFIX…][;role=dark|lit|honeypot][;group=GROUP]")]
    NoPrefixes(String),
    #[error("`{0}` is no name for a sensor: use 1 to 63 letters, digits, `-`, `_` and `.`")]
    Name(String),
    #[error("`{0}` is no IP prefix; write one such as 192.0.2.0/24 or 2001:db8::/32")]
    Prefix(String),
    #[error("prefix {0} has bits set behind its length; {1} is meant, or a longer prefix")]
    HostBits(IpNet, IpNet),
    #[error(transparent)]
    Role(#[from] UnknownRole),
    #[error("`{0}` is not known here; after the prefixes come `role=` and `group=`")]
    Attribute(String),
    #[error("there are {0} sensors; {max} is the most that one program counts apart", max = Sensors::MOST)]
    TooMany(usize),
    #[error("two sensors are named `{0}`")]
    SameName(String),
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
        let mut sensor = Self { name: parse_name(name.trim())?, prefixes, role: Role::Dark, group: None };
        for part in parts {
            match part.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("role", role)) => sensor.role = role.parse()?,
                Some(("group", group)) => sensor.group = Some(parse_name(group)?),
                _ => return Err(SensorError::Attribute(part.to_owned())),
            }
        }
        Ok(sensor)
    }
}

fn parse_name(name: &str) -> Result<String, SensorError> {
    let fits = !name.is_empty()
        && name.len() <= 63
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if fits { Ok(name.to_owned()) } else { Err(SensorError::Name(name.to_owned())) }
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

impl Sensors {
    /// The most sensors that a key tells apart.
    pub const MOST: usize = 254;

    /// Sensors, numbered in this order.
    ///
    /// # Errors
    ///
    /// If there are too many, or two share a name or a prefix.
    pub fn new(sensors: Vec<Sensor>) -> Result<Self, SensorError> {
        if sensors.len() > Self::MOST {
            return Err(SensorError::TooMany(sensors.len()));
        }
        for (number, sensor) in sensors.iter().enumerate() {
            for other in &sensors[..number] {
                if other.name == sensor.name {
                    return Err(SensorError::SameName(sensor.name.clone()));
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
        Self(vec![Sensor { name: name.into(), prefixes: Vec::new(), role, group: None }])
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
        assert!(error("a=192.0.2.0/24;rôle").contains("`role=` and `group=`"));
    }

    #[test]
    fn sensors_together() {
        let parse = |texts: &[&str]| Sensors::new(texts.iter().map(|text| text.parse().unwrap()).collect());
        let both = parse(&["a=192.0.2.0/24;role=lit", "b=192.0.2.0/25,2001:db8::/32"]).unwrap();
        assert_eq!(both.watched().iter().map(|(_, number)| *number).collect::<Vec<_>>(), [0, 1, 1]);
        assert!(parse(&["a=192.0.2.0/24", "a=::/0"]).unwrap_err().to_string().contains("named `a`"));
        assert!(parse(&["a=::/0", "b=::/0"]).unwrap_err().to_string().contains("both watch ::/0"));
        let many: Vec<Sensor> = (0..255).map(|n| format!("s{n}=10.0.{n}.0/24").parse().unwrap()).collect();
        assert!(Sensors::new(many[..254].to_vec()).is_ok());
        assert!(Sensors::new(many).unwrap_err().to_string().contains("255 sensors"));
    }
}
