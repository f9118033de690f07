//! Survey scanners: prefixes that hit many ports in a day.

/// Destination ports (of one transport each) that a prefix must hit in a day at least.
pub const PORTS: usize = 10;

/// Destination ports that one prefix hit, counted once each.
#[derive(Clone, Debug, Default)]
pub struct Services(Vec<u32>);

impl Services {
    /// Notes a service. `transport`: a number that tells transports apart, below 65,536.
    pub fn insert(&mut self, transport: u16, port: u16) {
        let service = u32::from(transport) << 16 | u32::from(port);
        if let Err(place) = self.0.binary_search(&service) {
            self.0.insert(place, service);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether whoever hit them all in a day is a survey scanner.
    pub fn is_survey(&self) -> bool {
        self.len() >= PORTS
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_ports_make_a_survey() {
        let mut services = Services::default();
        assert!(services.is_empty());
        for port in [80, 23, 80, 443, 22, 21, 25, 8080, 80, 23] {
            services.insert(6, port);
        }
        services.insert(17, 53);
        assert_eq!((services.len(), services.is_survey()), (8, false));
        services.insert(17, 80);
        assert_eq!((services.len(), services.is_survey()), (9, false));
        services.insert(17, 123);
        assert_eq!((services.len(), services.is_survey()), (10, true));
        services.clear();
        assert!(services.is_empty());
    }
}
