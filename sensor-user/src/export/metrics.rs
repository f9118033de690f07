//! Prometheus metrics. Bounded: no label has more values than a kind, a sensor, an interface or the
//! configured number of ports or regions.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry, Unit},
};
use sensor_common::{
    kind::{Kind, Tool},
    layout::Outcomes,
};
use tokio::sync::watch;

use crate::{
    geo::Tables,
    kernel::{
        banks::Spill,
        interfaces::{Interface, Received},
    },
    live::{Interval, Totals},
    model::{Class, Region, Sensors, Service, kind_name, tool_name},
    store::{State, Trouble},
};

mod leaders;
mod serve;

use leaders::Leaders;
pub use serve::{Exposition, Newest, router};

type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;
type Gauges = Family<Labels, Gauge>;
type Seconds = Gauge<f64, AtomicU64>;

/// What an agent counts, and how much of it has series of its own.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub sensors: &'a Sensors,
    /// Names and modes.
    pub interfaces: &'a [(String, &'static str)],
    pub interval: Duration,
    /// Ports that have a series each; 0: no series of ports at all.
    pub ports: usize,
    /// Regions that have a series each; 0: no series of regions at all.
    pub regions: usize,
    /// When counting began, in seconds since 1970.
    pub started: i64,
}

/// The metrics of one agent.
pub struct Metrics {
    registry: Registry,
    published: watch::Sender<Arc<Exposition>>,
    frames: Counters,
    packets: Counters,
    bytes: Counter,
    /// Names of the sensors, by number.
    names: Vec<String>,
    sensors: Counters,
    tools: Counters,
    ports: Option<Leaders<Service>>,
    regions: Option<Leaders<Region>>,
    lost: Counter,
    uncounted: Counter,
    mismatches: Counter,
    spilled: Counter,
    spill_used: Gauge,
    spill_size: Gauge,
    early_drains: Counter,
    drains: Histogram,
    drain_failures: Counter,
    counted_until: Seconds,
    interfaces: Interfaces,
    databases: Gauges,
    store: Option<StoreMetrics>,
}

/// Metrics of the interfaces that are observed.
struct Interfaces {
    /// Their own counters as they were last told, by name.
    told: HashMap<String, Received>,
    up: Gauges,
    attached: Gauges,
    received: Counters,
    dropped: Counters,
}

/// Metrics of a store that counts are kept in.
struct StoreMetrics {
    trouble: Gauges,
    kept_until: Seconds,
    commits: Counter,
    failures: Counter,
    fold_failing: Gauge,
    damaged: Counter,
    size: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Registers metrics that count, measure or name something of a unit.
trait Register {
    /// `name` is all that stands before the unit. An empty unit is that of names and of states, which are
    /// 0 or 1.
    fn add(&mut self, name: &str, unit: &str, help: &str, metric: impl Metric);
}

impl Register for Registry {
    fn add(&mut self, name: &str, unit: &str, help: &str, metric: impl Metric) {
        match unit {
            "" => self.register(name, help, metric),
            unit => self.register_with_unit(name, help, Unit::Other(unit.to_owned()), metric),
        }
    }
}

impl Metrics {
    /// Metrics of an agent that has counted nothing yet. What can be named before it is counted is 0.
    pub fn new(scope: &Scope<'_>) -> Self {
        let port = |service: Option<Service>| {
            let (port, protocol) = match service {
                Some(service) => (service.number.to_string(), service.protocol.to_string()),
                None => (OTHER.to_owned(), OTHER.to_owned()),
            };
            vec![("port", port), ("protocol", protocol)]
        };
        let region = |region: Option<Region>| {
            vec![("region", region.map_or_else(|| OTHER.to_owned(), |region| region.to_string()))]
        };
        let mut metrics = Self {
            registry: Registry::default(),
            published: watch::Sender::default(),
            frames: Family::default(),
            packets: Family::default(),
            bytes: Counter::default(),
            names: scope.sensors.iter().map(|sensor| sensor.name.clone()).collect(),
            sensors: Family::default(),
            tools: Family::default(),
            ports: Leaders::new(scope.ports, port),
            regions: Leaders::new(scope.regions, region),
            lost: Counter::default(),
            uncounted: Counter::default(),
            mismatches: Counter::default(),
            spilled: Counter::default(),
            spill_used: Gauge::default(),
            spill_size: Gauge::default(),
            early_drains: Counter::default(),
            // A grace period takes some milliseconds, 100 and more under load.
            drains: Histogram::new([0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]),
            drain_failures: Counter::default(),
            counted_until: Gauge::default(),
            interfaces: Interfaces {
                told: scope.interfaces.iter().map(|(name, _)| (name.clone(), Received::default())).collect(),
                up: Family::default(),
                attached: Family::default(),
                received: Family::default(),
                dropped: Family::default(),
            },
            databases: Family::default(),
            store: None,
        };
        metrics.register(scope);
        metrics.begin(scope);
        metrics
    }

    fn register(&mut self, scope: &Scope<'_>) {
        let r = &mut self.registry;
        r.add(
            "teiten",
            "frames",
            "Frames seen, by what became of them; outcome `packets` is counted by kind",
            self.frames.clone(),
        );
        r.add(
            "teiten",
            "packets",
            "Packets counted, by class and kind; class `unknown` where a lost sensor leaves it open",
            self.packets.clone(),
        );
        r.add("teiten_ip", "bytes", "IP bytes of the packets counted, headers included", self.bytes.clone());
        r.add(
            "teiten_sensor",
            "packets",
            "Packets counted, by sensor and class; those that lost their source are no sensor's",
            self.sensors.clone(),
        );
        r.add(
            "teiten_tool",
            "packets",
            "Scan packets by the tool that made them, as far as a SYN over IPv4 tells; without those that lost \
             their source",
            self.tools.clone(),
        );
        if let Some(ports) = &self.ports {
            r.add(
                "teiten_port",
                "packets",
                "Scan packets by destination port or ICMP type; ports are listed while they are among those \
                 with the most packets, all others are `other`",
                ports.counters(),
            );
        }
        if let Some(regions) = &self.regions {
            r.add(
                "teiten_region",
                "packets",
                "Scan packets by source region (ISO 3166-1 alpha-2, unknown, non-routable, unattributed); \
                 regions are listed while they are among those with the most packets, all others are `other`",
                regions.counters(),
            );
        }
        r.add(
            "teiten_lost",
            "packets",
            "Packets counted without their source, because the spill log was full",
            self.lost.clone(),
        );
        r.add(
            "teiten_uncounted",
            "frames",
            "Frames whose counters could not be found; must be 0",
            self.uncounted.clone(),
        );
        r.add(
            "teiten_book",
            "mismatches",
            "Accounting identities that did not hold; must be 0",
            self.mismatches.clone(),
        );
        r.add("teiten_spilled", "records", "Records that came through the spill log", self.spilled.clone());
        r.add(
            "teiten_spill_used",
            "bytes",
            "Part of the spill log that was used when it was fullest, in the last interval",
            self.spill_used.clone(),
        );
        r.add(
            "teiten_spill_size",
            "bytes",
            "Room in the spill log; when it is full, packets lose their source",
            self.spill_size.clone(),
        );
        r.add(
            "teiten_early",
            "drains",
            "Times that the spill log was half full before the interval was over, and was drained early",
            self.early_drains.clone(),
        );
        r.add(
            "teiten_drain_duration",
            "seconds",
            "Time to take the counts out of the kernel, and into the store if there is one",
            self.drains.clone(),
        );
        r.add(
            "teiten_drain",
            "failures",
            "Attempts to take the counts out of the kernel that failed; it was tried again",
            self.drain_failures.clone(),
        );
        r.add(
            "teiten_counted_until_timestamp",
            "seconds",
            "End of the last interval that is in these metrics, in seconds since 1970; the start before the first",
            self.counted_until.clone(),
        );
        r.add(
            "teiten_interface_up",
            "",
            "1 while an observed interface is there, is up and has a link, else 0",
            self.interfaces.up.clone(),
        );
        r.add(
            "teiten_interface_attached",
            "",
            "1 while the program is on an observed interface, so that frames there are counted, else 0",
            self.interfaces.attached.clone(),
        );
        r.add(
            "teiten_interface_received",
            "frames",
            "Frames received, by the interface's own counters",
            self.interfaces.received.clone(),
        );
        r.add(
            "teiten_interface_dropped",
            "frames",
            "Frames that the interface's card missed for want of buffers, by its own counter: they were never counted",
            self.interfaces.dropped.clone(),
        );
        r.add(
            "teiten_database_build_timestamp",
            "seconds",
            "When a geolocation database was built, in seconds since 1970",
            self.databases.clone(),
        );

        let interval = Seconds::default();
        interval.set(scope.interval.as_secs_f64());
        r.add("teiten_interval", "seconds", "How often counts are taken out of the kernel", interval);
        let build = Gauges::default();
        build.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
        r.add("teiten_build_info", "", "Version of the agent; always 1", build);
        let modes = Gauges::default();
        for (name, mode) in scope.interfaces {
            modes.get_or_create(&vec![("interface", name.clone()), ("mode", (*mode).to_owned())]).set(1);
        }
        r.add("teiten_interface_info", "", "Interfaces that are observed, and the XDP mode; always 1", modes);
        let start = Gauge::<i64>::default();
        start.set(scope.started);
        r.add("teiten_start_time", "seconds", "When counting began, in seconds since 1970", start);
    }

    /// Names what is to come, so that the first packet of each is a step up from 0.
    fn begin(&self, scope: &Scope<'_>) {
        for (outcome, _) in by_outcome(&Outcomes::default()) {
            drop(self.frames.get_or_create(&vec![("outcome", outcome.to_owned())]));
        }
        for sensor in scope.sensors.iter() {
            for kind in Kind::ALL {
                drop(self.packets.get_or_create(&of_kind(Some(Class::of(kind, sensor.role)), kind)));
            }
            for class in Class::ALL {
                drop(self.sensors.get_or_create(&of_sensor(&sensor.name, class)));
            }
        }
        for tool in Tool::ALL {
            drop(self.tools.get_or_create(&vec![("tool", tool_name(tool).to_owned())]));
        }
        for (name, _) in scope.interfaces {
            self.interfaces.attached.get_or_create(&vec![("interface", name.clone())]).set(1);
        }
        self.counted_until.set(scope.started as f64);
    }

    /// Takes in how long a drain took.
    pub fn drained(&self, seconds: f64) {
        self.drains.observe(seconds);
    }

    /// Takes in that a drain failed.
    pub fn drain_failed(&self) {
        self.drain_failures.inc();
    }

    /// Takes in that the spill log was half full before the interval was over.
    pub fn drained_early(&self) {
        self.early_drains.inc();
    }

    /// Takes in how full the spill log was in an interval, at its fullest.
    pub fn spill(&self, fullest: Spill) {
        self.spill_used.set(signed(fullest.used_bytes));
        self.spill_size.set(signed(fullest.size_bytes));
    }

    /// Takes in how the observed interfaces are. `all`: all that are there; `program`: the id of ours.
    pub fn interfaces(&mut self, all: &[Interface], program: u32) {
        let Interfaces { told, up, attached, received, dropped } = &mut self.interfaces;
        for (name, told) in told {
            let there = all.iter().find(|interface| interface.name == *name);
            let labels = vec![("interface", name.clone())];
            up.get_or_create(&labels).set(there.is_some_and(|there| there.up && there.carrier).into());
            let is_attached = there.is_some_and(|there| there.xdp_program == Some(program));
            attached.get_or_create(&labels).set(is_attached.into());
            let Some(Interface { received: now, .. }) = there else { continue };
            let new = now.since(*told);
            received.get_or_create(&labels).inc_by(new.frames);
            dropped.get_or_create(&labels).inc_by(new.dropped);
            *told = *now;
        }
    }

    /// Adds the metrics of a store.
    pub fn with_store(mut self) -> Self {
        let store = StoreMetrics {
            trouble: Family::default(),
            kept_until: Gauge::default(),
            commits: Counter::default(),
            failures: Counter::default(),
            fold_failing: Gauge::default(),
            damaged: Counter::default(),
            size: Gauge::default(),
        };
        let r = &mut self.registry;
        r.add(
            "teiten_store_trouble",
            "",
            "1 for what keeps the store from taking counts (they stay in the kernel), else 0",
            store.trouble.clone(),
        );
        r.add(
            "teiten_store_kept_until_timestamp",
            "seconds",
            "End of the last epoch that is durable in the store, in seconds since 1970; 0 before the first",
            store.kept_until.clone(),
        );
        r.add("teiten_store", "commits", "Epochs that were committed to the store", store.commits.clone());
        r.add(
            "teiten_store_commit",
            "failures",
            "Attempts to commit an epoch that failed; it was tried again",
            store.failures.clone(),
        );
        r.add(
            "teiten_store_fold_failing",
            "",
            "1 while kept epochs cannot be folded into hours (they stay in the store), else 0",
            store.fold_failing.clone(),
        );
        r.add(
            "teiten_store_damaged",
            "epochs",
            "Kept epochs that cannot be read, and stay in the store as they are; must be 0",
            store.damaged.clone(),
        );
        r.add("teiten_store_size", "bytes", "Size of the store's files", store.size.clone());
        for trouble in Trouble::ALL {
            store.trouble.get_or_create(&vec![("trouble", trouble.name().to_owned())]).set(0);
        }
        Self { store: Some(store), ..self }
    }

    /// Takes in how keeping goes, and the size of the store's files.
    pub fn kept(&self, state: &State, size_bytes: u64) {
        let Some(store) = &self.store else { return };
        for trouble in Trouble::ALL {
            let is_so = state.trouble.is_some_and(|(now, _)| now == trouble);
            store.trouble.get_or_create(&vec![("trouble", trouble.name().to_owned())]).set(is_so.into());
        }
        store.kept_until.set(seconds(state.kept_until_ns));
        store.commits.inc_by(state.commits.saturating_sub(store.commits.get()));
        store.failures.inc_by(state.failures.saturating_sub(store.failures.get()));
        store.size.set(signed(size_bytes));
    }

    /// Takes in how folding goes: whether it fails, and how many epochs could not be read.
    pub fn folding(&self, failing: bool, damaged: u64) {
        let Some(store) = &self.store else { return };
        store.fold_failing.set(failing.into());
        store.damaged.inc_by(damaged.saturating_sub(store.damaged.get()));
    }

    /// Takes in the databases that are in use.
    pub fn databases(&self, tables: &Tables) {
        self.databases.clear();
        for database in tables.databases() {
            if let Some(built) = database.built.timestamp() {
                let labels =
                    vec![("role", database.role.to_string()), ("path", database.path.display().to_string())];
                self.databases.get_or_create(&labels).set(built.as_second());
            }
        }
    }

    /// Takes in an interval. `since_start` includes it.
    pub fn closed(&mut self, interval: &Interval, since_start: &Totals) {
        let totals = &interval.totals;
        for (outcome, count) in by_outcome(&totals.outcomes) {
            self.frames.get_or_create(&vec![("outcome", outcome.to_owned())]).inc_by(count);
        }
        for (&(class, kind), packets) in &totals.classes {
            self.packets.get_or_create(&of_kind(class, kind)).inc_by(*packets);
        }
        self.bytes.inc_by(totals.bytes());
        for (&(number, class), packets) in &totals.sensors {
            if let Some(name) = self.names.get(usize::from(number)) {
                self.sensors.get_or_create(&of_sensor(name, class)).inc_by(*packets);
            }
        }
        for (&tool, packets) in &totals.tools {
            self.tools.get_or_create(&vec![("tool", tool_name(tool).to_owned())]).inc_by(*packets);
        }
        let counts = |(&key, &packets)| (key, packets);
        if let Some(ports) = &mut self.ports {
            let (top, _) = since_start.top_services(ports.most());
            let top = top.into_iter().map(|(service, _)| service);
            ports.count(totals.services.iter().map(counts), top);
        }
        let counts = |(&key, &packets)| (key, packets);
        if let Some(regions) = &mut self.regions {
            let (top, _) = since_start.top_regions(regions.most());
            // Groups without a region are few, and never `other`.
            let groups = since_start.regions.keys().copied().filter(|region| !region.is_ranked());
            let top = top.into_iter().map(|(region, _)| region).chain(groups);
            regions.count(totals.regions.iter().map(counts), top);
        }
        self.lost.inc_by(totals.lost);
        self.uncounted.inc_by(totals.uncounted);
        self.spilled.inc_by(totals.spilled);
        self.mismatches.inc_by(totals.mismatches);
        self.counted_until.set(seconds(interval.end_ns));
    }

    /// All metrics as they are now.
    ///
    /// # Errors
    ///
    /// If a metric cannot be written, which is a defect.
    pub fn expose(&self) -> Result<Exposition, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(Exposition::new(text))
    }

    /// Gives all metrics to the scrapers as they are now. Until then, scrapers get those from before.
    ///
    /// # Errors
    ///
    /// If a metric cannot be written, which is a defect.
    pub fn publish(&self) -> Result<(), fmt::Error> {
        self.published.send_replace(Arc::new(self.expose()?));
        Ok(())
    }

    /// What was published last, and will be.
    pub fn newest(&self) -> Newest {
        self.published.subscribe()
    }
}

/// Label of all that has no series of its own.
const OTHER: &str = "other";

fn of_kind(class: Option<Class>, kind: Kind) -> Labels {
    let class = class.map_or("unknown", Class::as_str);
    vec![("class", class.to_owned()), ("kind", kind_name(kind).to_owned())]
}

fn of_sensor(name: &str, class: Class) -> Labels {
    vec![("sensor", name.to_owned()), ("class", class.as_str().to_owned())]
}

/// Nanoseconds as seconds.
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// A number as a gauge holds it. None of them comes near 2^63.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Outcomes by the names of their label.
fn by_outcome(outcomes: &Outcomes) -> [(&'static str, u64); 5] {
    [
        ("packets", outcomes.packets),
        ("non_ip", outcomes.non_ip),
        ("malformed", outcomes.malformed),
        ("unwatched", outcomes.unwatched),
        ("local", outcomes.local),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;

    fn interval(services: &[(u16, u64)]) -> Interval {
        let mut totals = Totals::default();
        for &(number, packets) in services {
            totals.services.insert(Service { protocol: Protocol::Tcp, number }, packets);
            totals.outcomes.packets += packets;
        }
        let all = totals.outcomes.packets;
        totals.regions.insert(Region::UNKNOWN, all);
        totals.classes.insert((Some(Class::Scan), Kind::Syn), all);
        totals.sensors.insert((1, Class::Scan), all);
        totals.tools.insert(Tool::Zmap, all);
        Interval {
            start_ns: 0,
            end_ns: 1_500_000_000,
            totals,
            rows: Vec::new(),
            cut: 0,
            mismatches: Vec::new(),
        }
    }

    fn metrics(ports: usize, regions: usize) -> Metrics {
        let sensors = ["west=192.0.2.0/24", "east=198.51.100.0/24;role=lit"];
        let sensors = Sensors::new(sensors.map(|text| text.parse().unwrap()).to_vec()).unwrap();
        Metrics::new(&Scope {
            sensors: &sensors,
            interfaces: &[("eth0".to_owned(), "generic")],
            interval: Duration::from_millis(1500),
            ports,
            regions,
            started: 7,
        })
    }

    /// The value of a sample.
    fn sample(text: &str, series: &str) -> Option<f64> {
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    #[test]
    fn counters_add_up_over_intervals() {
        let mut metrics = metrics(5, 5);
        let mut since_start = Totals::default();
        for _ in 0..3 {
            let interval = interval(&[(23, 5), (445, 2)]);
            since_start.add(&interval.totals);
            metrics.closed(&interval, &since_start);
        }
        metrics.drained(0.003);
        let text = metrics.expose().unwrap().text(false).to_owned();
        for (series, expected) in [
            (r#"teiten_frames_total{outcome="packets"}"#, 21.0),
            (r#"teiten_frames_total{outcome="malformed"}"#, 0.0),
            (r#"teiten_packets_total{class="scan",kind="syn"}"#, 21.0),
            (r#"teiten_port_packets_total{port="23",protocol="tcp"}"#, 15.0),
            (r#"teiten_region_packets_total{region="unknown"}"#, 21.0),
            (r#"teiten_sensor_packets_total{sensor="east",class="scan"}"#, 21.0),
            (r#"teiten_tool_packets_total{tool="zmap"}"#, 21.0),
            (r#"teiten_interface_info{interface="eth0",mode="generic"}"#, 1.0),
            ("teiten_drain_duration_seconds_count", 1.0),
            ("teiten_counted_until_timestamp_seconds", 1.5),
        ] {
            assert_eq!(sample(&text, series), Some(expected), "{series} in\n{text}");
        }
    }

    #[test]
    fn what_can_be_named_is_there_before_it_is_counted() {
        let text = metrics(5, 5).expose().unwrap().text(false).to_owned();
        for (series, expected) in [
            (r#"teiten_packets_total{class="scan",kind="tcp"}"#, 0.0),
            (r#"teiten_packets_total{class="other",kind="tcp"}"#, 0.0),
            (r#"teiten_packets_total{class="backscatter",kind="rst"}"#, 0.0),
            (r#"teiten_sensor_packets_total{sensor="west",class="other"}"#, 0.0),
            (r#"teiten_tool_packets_total{tool="none"}"#, 0.0),
            (r#"teiten_port_packets_total{port="other",protocol="other"}"#, 0.0),
            (r#"teiten_region_packets_total{region="other"}"#, 0.0),
            ("teiten_interval_seconds", 1.5),
            ("teiten_counted_until_timestamp_seconds", 7.0),
            ("teiten_start_time_seconds", 7.0),
        ] {
            assert_eq!(sample(&text, series), Some(expected), "{series} in\n{text}");
        }
        assert!(!text.contains("class=\"backscatter\",kind=\"syn\""), "a SYN is never backscatter:\n{text}");
    }

    #[test]
    fn ports_beyond_the_bound_are_other() {
        let mut metrics = metrics(1, 0);
        let mut since_start = Totals::default();
        let mut close = |services: &[(u16, u64)]| {
            let interval = interval(services);
            since_start.add(&interval.totals);
            metrics.closed(&interval, &since_start);
            metrics.expose().unwrap().text(false).to_owned()
        };
        let text = close(&[(23, 5), (445, 2)]);
        let of = |text: &str, port: &str, protocol: &str| {
            let series = format!("teiten_port_packets_total{{port=\"{port}\",protocol=\"{protocol}\"}}");
            sample(text, &series)
        };
        assert_eq!((of(&text, "23", "tcp"), of(&text, "other", "other")), (Some(5.0), Some(2.0)));
        // 445 overtakes 23, whose series goes; `other` goes on from where it was.
        let text = close(&[(23, 1), (445, 9)]);
        assert_eq!(of(&text, "23", "tcp"), None);
        assert_eq!((of(&text, "445", "tcp"), of(&text, "other", "other")), (Some(9.0), Some(3.0)));
        assert!(!text.contains("teiten_region_packets"), "0 is none:\n{text}");
    }

    #[test]
    fn regions_beyond_the_bound_are_other_and_groups_never() {
        let mut metrics = metrics(0, 1);
        let mut interval = interval(&[]);
        let region = |code| Region::from_code(code).unwrap();
        interval.totals.regions = [
            (region("NL"), 5),
            (region("JP"), 4),
            (Region::UNKNOWN, 3),
            (Region::NON_ROUTABLE, 2),
            (Region::UNATTRIBUTED, 1),
        ]
        .into_iter()
        .collect();
        metrics.closed(&interval, &interval.totals);
        let text = metrics.expose().unwrap().text(false).to_owned();
        let regions: Vec<&str> = {
            let mut lines: Vec<_> =
                text.lines().filter_map(|line| line.strip_prefix("teiten_region_packets_total")).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(
            regions,
            [
                r#"{region="NL"} 5"#,
                r#"{region="non-routable"} 2"#,
                r#"{region="other"} 4"#,
                r#"{region="unattributed"} 1"#,
                r#"{region="unknown"} 3"#,
            ]
        );
        assert!(!text.contains("teiten_port_packets"), "0 is none:\n{text}");
    }

    #[test]
    fn interfaces_come_and_go() {
        let mut metrics = metrics(1, 1);
        let mut all = vec![Interface {
            name: "eth0".to_owned(),
            up: true,
            carrier: true,
            xdp_program: Some(42),
            received: Received { frames: 1000, dropped: 10 },
            ..Interface::default()
        }];
        let mut told = |all: &[Interface]| {
            metrics.interfaces(all, 42);
            let text = metrics.expose().unwrap().text(false).to_owned();
            ["up", "attached", "received_frames_total", "dropped_frames_total"].map(|what| {
                sample(&text, &format!("teiten_interface_{what}{{interface=\"eth0\"}}"))
                    .map(|value| value as u64)
            })
        };
        assert_eq!(told(&all), [Some(1), Some(1), Some(1000), Some(10)]);
        all[0].carrier = false;
        all[0].received.frames = 1001;
        assert_eq!(told(&all), [Some(0), Some(1), Some(1001), Some(10)]);
        assert_eq!(told(&[]), [Some(0), Some(0), Some(1001), Some(10)]);
        // Another one of this name, with somebody else's program: its counters begin anew.
        (all[0].carrier, all[0].xdp_program) = (true, Some(43));
        all[0].received = Received { frames: 5, dropped: 0 };
        assert_eq!(told(&all), [Some(1), Some(0), Some(1006), Some(10)]);
    }

    #[test]
    fn every_metric_has_help_and_a_unit_or_none_that_it_could_have() {
        let mut metrics = metrics(1, 1).with_store();
        metrics.interfaces(&[Interface { name: "eth0".to_owned(), ..Interface::default() }], 1);
        let open = metrics.expose().unwrap().text(true).to_owned();
        let of = |keyword: &str| -> HashMap<&str, &str> {
            let prefix = format!("# {keyword} ");
            open.lines().filter_map(|line| line.strip_prefix(&prefix)?.split_once(' ')).collect()
        };
        let (types, helps, units) = (of("TYPE"), of("HELP"), of("UNIT"));
        assert!(types.len() >= 32, "{types:?}");
        for (name, of_type) in types {
            assert!(helps[name].len() > 10, "{name}: {}", helps[name]);
            match units.get(name) {
                Some(unit) => assert!(name.ends_with(&format!("_{unit}")), "{name}: {unit}"),
                None => assert_eq!(of_type, "gauge", "{name} has no unit"),
            }
        }
    }

    #[test]
    fn both_formats_name_counters_as_they_must() {
        let metrics = metrics(1, 1);
        let open = metrics.expose().unwrap().text(true).to_owned();
        assert!(open.ends_with("# EOF\n"));
        assert!(open.contains("# TYPE teiten_frames counter\n# UNIT teiten_frames frames\n"), "{open}");
        let classic = metrics.expose().unwrap().text(false).to_owned();
        assert!(!classic.contains("# EOF") && !classic.contains("# UNIT"));
        assert!(classic.contains(
            "# TYPE teiten_frames_total counter
teiten_frames_total{"
        ));
        assert!(classic.contains("# HELP teiten_frames_total Frames seen"));
        assert!(classic.contains("# TYPE teiten_drain_duration_seconds histogram"));
    }
}
