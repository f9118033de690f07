//! Prometheus metrics. Bounded: no label has more values than a kind, a region or the configured
//! number of ports.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, atomic::AtomicU64},
};

use axum::{
    Router, extract,
    http::{HeaderMap, header},
    response::IntoResponse,
    routing::get,
};
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use sensor_common::layout::Outcomes;
use tokio::net::TcpListener;

use crate::{
    geo::Tables,
    live::{Interval, Totals},
    model::{Class, Service, kind_name},
    store::{State, Trouble},
};

type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;

/// The metrics of one agent.
pub struct Metrics {
    registry: Registry,
    frames: Counters,
    packets: Counters,
    bytes: Counter,
    ports: Counters,
    /// The ports that have a series of their own.
    listed: HashSet<Service>,
    most_ports: usize,
    regions: Counters,
    lost: Counter,
    uncounted: Counter,
    spilled: Counter,
    mismatches: Counter,
    drains: Histogram,
    databases: Family<Labels, Gauge>,
    store: Option<StoreMetrics>,
}

/// Metrics of a store that counts are kept in.
struct StoreMetrics {
    trouble: Family<Labels, Gauge>,
    kept_until: Gauge<f64, AtomicU64>,
    commits: Counter,
    failures: Counter,
    fold_failing: Gauge,
    damaged: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Metrics that list `most_ports` ports; all others are `other`. `interfaces`: names and modes.
    pub fn new(most_ports: usize, interfaces: &[(String, &'static str)], started: i64) -> Self {
        let mut registry = Registry::with_prefix("teiten");
        let metrics = Self {
            frames: Family::default(),
            packets: Family::default(),
            bytes: Counter::default(),
            ports: Family::default(),
            listed: HashSet::new(),
            most_ports,
            regions: Family::default(),
            lost: Counter::default(),
            uncounted: Counter::default(),
            spilled: Counter::default(),
            mismatches: Counter::default(),
            // A grace period takes some milliseconds, 100 and more under load.
            drains: Histogram::new([0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]),
            databases: Family::default(),
            store: None,
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register(
            "frames",
            "Frames seen, by what became of them; outcome `packets` is counted by kind",
            metrics.frames.clone(),
        );
        r.register(
            "packets",
            "Packets counted, by class and kind; class `unknown` where a lost sensor leaves it open",
            metrics.packets.clone(),
        );
        r.register_with_unit(
            "ip",
            "IP bytes of the packets counted, headers included",
            Unit::Bytes,
            metrics.bytes.clone(),
        );
        r.register("port_packets", "Scan packets by destination port or ICMP type; ports are listed while they are among those with the most packets, all others are `other`", metrics.ports.clone());
        r.register(
            "region_packets",
            "Scan packets by source region (ISO 3166-1 alpha-2, unknown, non-routable, unattributed)",
            metrics.regions.clone(),
        );
        r.register(
            "lost_packets",
            "Packets counted without their source, because the spill log was full",
            metrics.lost.clone(),
        );
        r.register(
            "uncounted_frames",
            "Frames whose counters could not be found; must be 0",
            metrics.uncounted.clone(),
        );
        r.register("spilled_records", "Records that came through the spill log", metrics.spilled.clone());
        r.register(
            "book_mismatches",
            "Accounting identities that did not hold; must be 0",
            metrics.mismatches.clone(),
        );
        r.register_with_unit(
            "drain_duration",
            "Time to take the counts out of the kernel",
            Unit::Seconds,
            metrics.drains.clone(),
        );
        r.register(
            "database_build_timestamp_seconds",
            "When a geolocation database was built",
            metrics.databases.clone(),
        );
        let build = Family::<Labels, Gauge>::default();
        build.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
        r.register("build_info", "Version of the agent; always 1", build);
        let attached = Family::<Labels, Gauge>::default();
        for (name, mode) in interfaces {
            attached.get_or_create(&vec![("interface", name.clone()), ("mode", (*mode).to_owned())]).set(1);
        }
        r.register("interface_info", "Interfaces that are observed, and the XDP mode; always 1", attached);
        let start = Gauge::<i64>::default();
        start.set(started);
        r.register("start_time_seconds", "When counting began, in seconds since 1970", start);
        for (outcome, _) in by_outcome(&Outcomes::default()) {
            drop(metrics.frames.get_or_create(&vec![("outcome", outcome.to_owned())]));
        }
        Self { registry, ..metrics }
    }

    /// Takes in how long a drain took.
    pub fn drained(&self, seconds: f64) {
        self.drains.observe(seconds);
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
        };
        let r = &mut self.registry;
        r.register(
            "store_trouble",
            "1 for what keeps the store from taking counts (they stay in the kernel), else 0",
            store.trouble.clone(),
        );
        r.register(
            "store_kept_until_timestamp_seconds",
            "End of the last epoch that is durable in the store; 0 before the first",
            store.kept_until.clone(),
        );
        r.register("store_commits", "Epochs that were committed to the store", store.commits.clone());
        r.register(
            "store_commit_failures",
            "Attempts to commit an epoch that failed; it was tried again",
            store.failures.clone(),
        );
        r.register(
            "store_fold_failing",
            "1 while kept epochs cannot be folded into hours (they stay in the store), else 0",
            store.fold_failing.clone(),
        );
        r.register(
            "store_damaged_epochs",
            "Kept epochs that cannot be read, and stay in the store as they are; must be 0",
            store.damaged.clone(),
        );
        for trouble in Trouble::ALL {
            store.trouble.get_or_create(&vec![("trouble", trouble.name().to_owned())]).set(0);
        }
        Self { store: Some(store), ..self }
    }

    /// Takes in how keeping goes.
    pub fn kept(&self, state: &State) {
        let Some(store) = &self.store else { return };
        for trouble in Trouble::ALL {
            let is_so = state.trouble.is_some_and(|(now, _)| now == trouble);
            store.trouble.get_or_create(&vec![("trouble", trouble.name().to_owned())]).set(is_so.into());
        }
        store.kept_until.set(state.kept_until_ns as f64 / 1e9);
        store.commits.inc_by(state.commits.saturating_sub(store.commits.get()));
        store.failures.inc_by(state.failures.saturating_sub(store.failures.get()));
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
        for ((class, kind), packets) in &totals.classes {
            let class = class.map_or("unknown", Class::as_str).to_owned();
            let labels = vec![("class", class), ("kind", kind_name(*kind).to_owned())];
            self.packets.get_or_create(&labels).inc_by(*packets);
        }
        self.bytes.inc_by(totals.bytes());
        for (region, packets) in &totals.regions {
            self.regions.get_or_create(&vec![("region", region.to_string())]).inc_by(*packets);
        }
        self.ports(totals, since_start);
        self.lost.inc_by(totals.lost);
        self.uncounted.inc_by(totals.uncounted);
        self.spilled.inc_by(totals.spilled);
        self.mismatches.inc_by(totals.mismatches);
    }

    /// Counts by port. A port is listed as long as it is among those with the most packets since
    /// the start. One that falls out loses its series; what was counted there is not moved to
    /// `other`, so that no series ever jumps.
    fn ports(&mut self, totals: &Totals, since_start: &Totals) {
        let labels = |service: &Service| {
            vec![("port", service.number.to_string()), ("protocol", service.protocol.to_string())]
        };
        let (top, _) = since_start.top_services(self.most_ports);
        let fallen: Vec<Service> = self
            .listed
            .iter()
            .filter(|&listed| !top.iter().any(|(port, _)| port == listed))
            .copied()
            .collect();
        for service in fallen {
            self.listed.remove(&service);
            self.ports.remove(&labels(&service));
        }
        self.listed.extend(top.into_iter().map(|(service, _)| service));
        let mut other = 0;
        for (service, packets) in &totals.services {
            if self.listed.contains(service) {
                self.ports.get_or_create(&labels(service)).inc_by(*packets);
            } else {
                other += packets;
            }
        }
        let rest = vec![("port", "other".to_owned()), ("protocol", "other".to_owned())];
        self.ports.get_or_create(&rest).inc_by(other);
    }

    /// The exposition: OpenMetrics, or Prometheus' older text format.
    pub fn expose(&self, open_metrics: bool) -> Result<String, fmt::Error> {
        let mut exposition = String::new();
        text::encode(&mut exposition, &self.registry)?;
        Ok(if open_metrics { exposition } else { classic(&exposition) })
    }
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

/// OpenMetrics as Prometheus' text format 0.0.4, where a counter is named as its samples are, and
/// neither units nor an end are marked.
fn classic(open_metrics: &str) -> String {
    let is_counter = |name: &str| {
        open_metrics.lines().any(|line| {
            line.strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" counter")) == Some(name)
        })
    };
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let described = line.strip_prefix("# ").and_then(|rest| {
            let (keyword, rest) = rest.split_once(' ')?;
            let (name, rest) = rest.split_once(' ')?;
            Some((keyword, name, rest))
        });
        match described {
            Some((keyword, name, rest)) if is_counter(name) => {
                text.push_str(&format!("# {keyword} {name}_total {rest}"));
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// Metrics that the agent writes and the server reads.
pub type Shared = Arc<std::sync::Mutex<Metrics>>;

/// Serves `/metrics` until the process ends.
///
/// # Errors
///
/// If the listener fails.
pub async fn serve(listener: TcpListener, metrics: Shared) -> std::io::Result<()> {
    axum::serve(listener, router(metrics)).await
}

/// The route of the exposition.
pub fn router(metrics: Shared) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(metrics)
}

async fn scrape(extract::State(metrics): extract::State<Shared>, headers: HeaderMap) -> impl IntoResponse {
    const OPEN_METRICS: &str = "application/openmetrics-text";
    let open_metrics = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|accepted| accepted.contains(OPEN_METRICS));
    let content_type = if open_metrics {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    };
    let exposition = lock(&metrics).expose(open_metrics).unwrap_or_default();
    ([(header::CONTENT_TYPE, content_type)], exposition)
}

/// The metrics, even after a panic of another thread: counters are whole at any time.
pub fn lock(metrics: &Shared) -> std::sync::MutexGuard<'_, Metrics> {
    metrics.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use sensor_common::kind::Kind;

    use super::*;
    use crate::model::{Protocol, Region};

    fn interval(services: &[(u16, u64)]) -> Interval {
        let mut totals = Totals::default();
        for &(number, packets) in services {
            totals.services.insert(Service { protocol: Protocol::Tcp, number }, packets);
            totals.outcomes.packets += packets;
        }
        totals.regions.insert(Region::UNKNOWN, totals.outcomes.packets);
        totals.classes.insert((Some(Class::Scan), Kind::Syn), totals.outcomes.packets);
        Interval { start_ns: 0, end_ns: 1, totals, rows: Vec::new(), cut: 0, mismatches: Vec::new() }
    }

    /// The value of a sample.
    fn sample(text: &str, series: &str) -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }

    #[test]
    fn counters_add_up_over_intervals() {
        let mut metrics = Metrics::new(5, &[("eth0".to_owned(), "generic")], 7);
        let mut since_start = Totals::default();
        for _ in 0..3 {
            let interval = interval(&[(23, 5), (445, 2)]);
            since_start.add(&interval.totals);
            metrics.closed(&interval, &since_start);
        }
        metrics.drained(0.003);
        let text = metrics.expose(false).unwrap();
        assert_eq!(sample(&text, "teiten_frames_total{outcome=\"packets\"}"), Some(21));
        assert_eq!(sample(&text, "teiten_frames_total{outcome=\"malformed\"}"), Some(0));
        assert_eq!(sample(&text, "teiten_packets_total{class=\"scan\",kind=\"syn\"}"), Some(21));
        assert_eq!(sample(&text, "teiten_port_packets_total{port=\"23\",protocol=\"tcp\"}"), Some(15));
        assert_eq!(sample(&text, "teiten_region_packets_total{region=\"unknown\"}"), Some(21));
        assert_eq!(sample(&text, "teiten_interface_info{interface=\"eth0\",mode=\"generic\"}"), Some(1));
        assert_eq!(sample(&text, "teiten_drain_duration_seconds_count"), Some(1));
    }

    #[test]
    fn ports_beyond_the_bound_are_other() {
        let mut metrics = Metrics::new(1, &[], 0);
        let mut since_start = Totals::default();
        let mut close = |services: &[(u16, u64)]| {
            let interval = interval(services);
            since_start.add(&interval.totals);
            metrics.closed(&interval, &since_start);
            metrics.expose(false).unwrap()
        };
        let text = close(&[(23, 5), (445, 2)]);
        let of = |text: &str, port: &str, protocol: &str| {
            let series = format!("teiten_port_packets_total{{port=\"{port}\",protocol=\"{protocol}\"}}");
            sample(text, &series)
        };
        assert_eq!((of(&text, "23", "tcp"), of(&text, "other", "other")), (Some(5), Some(2)));
        // 445 overtakes 23, whose series goes; `other` goes on from where it was.
        let text = close(&[(23, 1), (445, 9)]);
        assert_eq!(of(&text, "23", "tcp"), None);
        assert_eq!((of(&text, "445", "tcp"), of(&text, "other", "other")), (Some(9), Some(3)));
    }

    #[test]
    fn both_formats_name_counters_as_they_must() {
        let metrics = Metrics::new(1, &[], 0);
        let open = metrics.expose(true).unwrap();
        assert!(open.ends_with("# EOF\n"));
        assert!(open.contains("# TYPE teiten_frames counter\n"));
        let classic = metrics.expose(false).unwrap();
        assert!(!classic.contains("# EOF") && !classic.contains("# UNIT"));
        assert!(classic.contains(
            "# TYPE teiten_frames_total counter
teiten_frames_total{"
        ));
        assert!(classic.contains("# HELP teiten_frames_total Frames seen"));
        assert!(classic.contains("# TYPE teiten_drain_duration_seconds histogram"));
    }
}
