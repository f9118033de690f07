//! What counts right now: one document an interval, written once for everybody who asks.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::stream;
use jiff::Timestamp;
use schemars::JsonSchema;
use sensor_common::kind::Tool;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};

use super::problem::Problem;
use crate::{
    live::{Hour, Interval, Live, Totals},
    model::{Class, Region, Service, tool_name},
};

/// Services in a snapshot.
pub const MOST_SERVICES: usize = 100;
/// Attacked services in a snapshot.
pub const MOST_ATTACKED: usize = 20;
/// Readers of the stream at the same time.
const MOST_STREAMS: usize = 256;
/// How often a stream without news says that it lives.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// What a running agent has counted, as of the end of an interval. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// End of the interval.
    pub time: String,
    /// Its start.
    pub start: String,
    /// Its length.
    pub seconds: f64,
    /// When the agent started, or the kernel began to count what it found then: with a store, counting goes on without
    /// an agent.
    pub since: String,
    /// What the interval counted.
    pub interval: Counts,
    /// The last hour: at most an hour, and not less than 55 minutes when the agent has run for so long.
    pub hour: HourCounts,
    /// Since the agent's start.
    pub total: Counts,
    /// Packets by class in the course of the last hour.
    pub series: Series,
    /// The five-minute slots of the series of rows.
    pub slots: Slots,
    /// Scan packets by service: the 100 with the most in the hour.
    pub services: Vec<ServiceRow>,
    /// Scan packets by source region, the most in the hour first; groups that are no region as well.
    pub regions: Vec<RegionRow>,
    /// Scan packets by tool. What lost its source is in none.
    pub tools: Vec<ToolRow>,
    /// Backscatter by attacked TCP or UDP service: the 20 with the most in the hour.
    pub backscatter: Vec<AttackedRow>,
    /// Packets by sensor. What lost its source belongs to none.
    pub sensors: Vec<SensorRow>,
    pub interfaces: Vec<InterfaceRow>,
    /// How keeping goes; null without a store.
    pub store: Option<Keeping>,
    /// The agent's last warnings and errors, the newest last.
    pub messages: Vec<String>,
}

/// Frames by outcome, and packets by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Frames that reached the program: the sum of the next five.
    pub frames: u64,
    /// Frames counted under a key.
    pub packets: u64,
    pub non_ip: u64,
    pub malformed: u64,
    pub unwatched: u64,
    pub local: u64,
    /// Packets whose source was lost. They are among `packets`.
    pub lost: u64,
    /// Frames whose counters could not be found; must be 0.
    pub uncounted: u64,
    /// Accounting identities that did not hold; must be 0.
    pub mismatches: u64,
    /// IP bytes of `packets`.
    pub bytes: u64,
    pub scan: u64,
    pub backscatter: u64,
    pub other: u64,
    /// Packets whose class a lost source leaves open. With the three before, the sum is `packets`.
    pub undetermined: u64,
}

/// The counts of the last hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HourCounts {
    /// Where it begins.
    pub from: String,
    /// How long it is up to now.
    pub seconds: f64,
    #[serde(flatten)]
    pub counts: Counts,
}

/// Packets by class in the course of the last hour, the oldest first. All lists are of one length, at most 722.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// Starts, in seconds since 1970. Between a start and the end before it nothing was observed.
    pub start: Vec<f64>,
    /// Lengths, in seconds.
    pub seconds: Vec<f64>,
    pub scan: Vec<u64>,
    pub backscatter: Vec<u64>,
    pub other: Vec<u64>,
}

/// The slots of the series of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Slots {
    /// Starts, in seconds since 1970; the oldest first, at most 13. The last one is not over.
    pub start: Vec<u64>,
}

/// Packets over the interval, the last hour, and since the agent's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Packets {
    pub interval: u64,
    pub hour: u64,
    pub total: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceRow {
    pub service: Service,
    #[serde(flatten)]
    pub packets: Packets,
    /// Packets by slot.
    pub series: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegionRow {
    pub region: Region,
    #[serde(flatten)]
    pub packets: Packets,
    /// Estimate of how many sources sent them in the hour (HyperLogLog, standard error 1.6 %).
    pub sources: u64,
    /// Packets by slot.
    pub series: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolRow {
    /// `mirai`, `zmap`, `masscan` or `none`.
    pub tool: String,
    #[serde(flatten)]
    pub packets: Packets,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttackedRow {
    pub service: Service,
    #[serde(flatten)]
    pub packets: Packets,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SensorRow {
    /// Its name.
    pub sensor: String,
    #[serde(flatten)]
    pub packets: Packets,
    /// Packets by class since the agent's start.
    pub scan: u64,
    pub backscatter: u64,
    pub other: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterfaceRow {
    pub interface: String,
    /// `native` or `generic`.
    pub mode: String,
    /// Whether it is there, switched on, has a link, and is counted on.
    pub up: bool,
    /// Frames that it received since the agent's start, and those that it missed for want of buffers, by its own
    /// counters; null where it does not tell.
    pub received: Option<u64>,
    pub dropped: Option<u64>,
}

/// How keeping goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Keeping {
    /// What keeps the store from taking counts, which stay in the kernel: `full`, `read_only`, `locked`, `corrupt`,
    /// `gone`, `foreign` or `io`; null if it takes them.
    pub trouble: Option<String>,
    /// Since when.
    pub since: Option<String>,
    /// End of the last epoch that is durable; null before the first.
    pub kept_until: Option<String>,
    /// Whether kept epochs cannot be folded into hours.
    pub fold_failing: bool,
}

/// What a snapshot has of the agent beside its counts.
#[derive(Clone, Debug, Default)]
pub struct Around {
    pub interfaces: Vec<InterfaceRow>,
    pub store: Option<Keeping>,
    pub messages: Vec<String>,
}

/// A time in RFC 3339, UTC.
pub fn time(ns: u64) -> String {
    Timestamp::from_nanosecond(ns.into()).map(|time| time.to_string()).unwrap_or_default()
}

fn seconds(start_ns: u64, end_ns: u64) -> f64 {
    end_ns.saturating_sub(start_ns) as f64 / 1e9
}

impl Counts {
    fn of(totals: &Totals) -> Self {
        let outcomes = &totals.outcomes;
        let [scan, backscatter, other] = Class::ALL.map(|class| totals.of_class(class));
        Self {
            frames: outcomes.runs,
            packets: outcomes.packets,
            non_ip: outcomes.non_ip,
            malformed: outcomes.malformed,
            unwatched: outcomes.unwatched,
            local: outcomes.local,
            lost: totals.lost,
            uncounted: totals.uncounted,
            mismatches: totals.mismatches,
            bytes: totals.bytes(),
            scan,
            backscatter,
            other,
            undetermined: totals
                .classes
                .iter()
                .filter(|((class, _), _)| class.is_none())
                .map(|(_, packets)| packets)
                .sum(),
        }
    }
}

/// The three spans of time that everything is told of.
struct Spans<'a> {
    interval: &'a Totals,
    hour: &'a Hour,
    total: &'a Totals,
}

impl Spans<'_> {
    fn packets(&self, of: impl Fn(&Totals) -> Option<&u64>) -> Packets {
        let of = |totals| of(totals).copied().unwrap_or(0);
        Packets { interval: of(self.interval), hour: of(self.hour.totals()), total: of(self.total) }
    }

    fn series(&self, of: impl Fn(&Totals) -> Option<&u64>) -> Vec<u64> {
        self.hour.slots().map(|(_, totals)| of(totals).copied().unwrap_or(0)).collect()
    }

    fn services(&self) -> Vec<ServiceRow> {
        let (top, _) = self.hour.totals().top_services(MOST_SERVICES);
        let row = |(service, _)| ServiceRow {
            service,
            packets: self.packets(|totals| totals.services.get(&service)),
            series: self.series(|totals| totals.services.get(&service)),
        };
        top.into_iter().map(row).collect()
    }

    fn regions(&self) -> Vec<RegionRow> {
        let of_hour = &self.hour.totals().regions;
        let mut regions: Vec<(Region, u64)> =
            of_hour.iter().map(|(&region, &packets)| (region, packets)).collect();
        regions.sort_unstable_by(|(a, more), (b, less)| less.cmp(more).then(a.cmp(b)));
        let row = |(region, _)| RegionRow {
            region,
            packets: self.packets(|totals| totals.regions.get(&region)),
            sources: self.hour.sources_of(region),
            series: self.series(|totals| totals.regions.get(&region)),
        };
        regions.into_iter().map(row).collect()
    }

    fn tools(&self) -> Vec<ToolRow> {
        let row = |tool: Tool| ToolRow {
            tool: tool_name(tool).to_owned(),
            packets: self.packets(|totals| totals.tools.get(&tool)),
        };
        Tool::ALL.into_iter().map(row).collect()
    }

    fn attacked(&self) -> Vec<AttackedRow> {
        let (top, _) = self.hour.totals().top_attacked(MOST_ATTACKED);
        let row = |(service, _)| AttackedRow {
            service,
            packets: self.packets(|totals| totals.attacked.get(&service)),
        };
        top.into_iter().map(row).collect()
    }

    fn sensors(&self, live: &Live) -> Vec<SensorRow> {
        let row = |(number, sensor): (u8, &crate::model::Sensor)| {
            let of = |totals: &Totals, class| totals.sensors.get(&(number, class)).copied().unwrap_or(0);
            let all = |totals| Class::ALL.into_iter().map(|class| of(totals, class)).sum();
            SensorRow {
                sensor: sensor.name.clone(),
                packets: Packets {
                    interval: all(self.interval),
                    hour: all(self.hour.totals()),
                    total: all(self.total),
                },
                scan: of(self.total, Class::Scan),
                backscatter: of(self.total, Class::Backscatter),
                other: of(self.total, Class::Other),
            }
        };
        (0..).zip(live.sensors().iter()).map(row).collect()
    }
}

impl Snapshot {
    /// The state of an agent that has just closed an interval, and started at `since_ns`.
    pub fn new(live: &Live, hour: &Hour, interval: &Interval, since_ns: u64, around: Around) -> Self {
        let spans = Spans { interval: &interval.totals, hour, total: live.since_start() };
        let from_ns = hour.from_ns().unwrap_or(interval.start_ns);
        let mut series = Series::default();
        for point in hour.points() {
            let [scan, backscatter, other] = point.packets;
            series.start.push(point.start_ns as f64 / 1e9);
            series.seconds.push(seconds(point.start_ns, point.end_ns));
            series.scan.push(scan);
            series.backscatter.push(backscatter);
            series.other.push(other);
        }
        Self {
            time: time(interval.end_ns),
            start: time(interval.start_ns),
            seconds: seconds(interval.start_ns, interval.end_ns),
            since: time(since_ns),
            interval: Counts::of(&interval.totals),
            hour: HourCounts {
                from: time(from_ns),
                seconds: seconds(from_ns, interval.end_ns),
                counts: Counts::of(hour.totals()),
            },
            total: Counts::of(live.since_start()),
            series,
            slots: Slots { start: hour.slots().map(|(start_ns, _)| start_ns / 1_000_000_000).collect() },
            services: spans.services(),
            regions: spans.regions(),
            tools: spans.tools(),
            backscatter: spans.attacked(),
            sensors: spans.sensors(live),
            interfaces: around.interfaces,
            store: around.store,
            messages: around.messages,
        }
    }
}

/// A snapshot as it is sent.
#[derive(Clone, Debug)]
struct Written {
    json: Bytes,
    /// The same as an event of a stream.
    event: Bytes,
}

/// Where the agent puts its snapshots.
#[derive(Debug)]
pub struct Feed(watch::Sender<Option<Written>>);

/// Where they are taken from.
#[derive(Clone, Debug)]
pub struct Newest {
    receiver: watch::Receiver<Option<Written>>,
    streams: Arc<Semaphore>,
}

/// A way for snapshots from an agent to whoever asks. A reader who is slow misses some; nobody waits for it.
pub fn feed() -> (Feed, Newest) {
    let (sender, receiver) = watch::channel(None);
    (Feed(sender), Newest { receiver, streams: Arc::new(Semaphore::new(MOST_STREAMS)) })
}

impl Feed {
    /// Puts out a snapshot.
    pub fn publish(&self, snapshot: &Snapshot) {
        // Texts and finite numbers always have a JSON form.
        let json = serde_json::to_string(snapshot).unwrap_or_default();
        let event = Bytes::from(format!("event: live\ndata: {json}\n\n"));
        self.0.send_replace(Some(Written { json: json.into(), event }));
    }
}

/// Routes of the newest snapshot, and of all to come.
pub fn router(newest: Newest) -> Router {
    Router::new()
        .route("/api/v1/live", get(live))
        .route("/api/v1/live/stream", get(live_stream))
        .with_state(newest)
}

async fn live(State(newest): State<Newest>) -> Result<Response, Problem> {
    let written = newest.receiver.borrow().clone();
    let written = written.ok_or_else(|| {
        Problem::unavailable("not yet", "the first interval is not over; ask again in a moment", 1)
    })?;
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, written.json).into_response())
}

async fn live_stream(State(newest): State<Newest>) -> Result<Response, Problem> {
    let Newest { mut receiver, streams } = newest;
    let permit = streams.try_acquire_owned().map_err(|_| {
        Problem::unavailable(
            "busy",
            format!("{MOST_STREAMS} streams are open: close some, or ask /api/v1/live"),
            10,
        )
    })?;
    receiver.mark_changed();
    let first = Bytes::from_static(b"retry: 2000\n\n");
    let events = stream::unfold((Some(first), receiver, permit), async |(first, mut receiver, permit)| {
        if let Some(first) = first {
            return Some((Ok::<_, Infallible>(first), (None, receiver, permit)));
        }
        let next = loop {
            match tokio::time::timeout(ALIVE_EVERY, receiver.changed()).await {
                // The agent has ended.
                Ok(Err(_)) => return None,
                Ok(Ok(())) => match receiver.borrow_and_update().clone() {
                    Some(written) => break written.event,
                    None => continue,
                },
                Err(_) => break Bytes::from_static(b": still here\n\n"),
            }
        };
        Some((Ok(next), (None, receiver, permit)))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies of nginx's kind would hold events back.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

#[cfg(test)]
mod tests {
    use axum::{
        body::to_bytes,
        http::{Request, StatusCode},
    };
    use futures_util::StreamExt;
    use sensor_common::{
        key::Key,
        kind::{Family, Kind},
        layout::Slot,
    };
    use tower::ServiceExt;

    use super::*;
    use crate::{
        cube::SourceLengths,
        geo::{Geo, Paths},
        kernel::{Drain, Span},
        model::Sensors,
        sketch::SketchKey,
    };

    const MINUTE_NS: u64 = 60_000_000_000;

    fn live() -> Live {
        let sensors = ["west=192.0.2.0/24", "east=198.51.100.0/24"].map(|text| text.parse().unwrap());
        let sensors = Sensors::new(sensors.to_vec()).unwrap();
        Live::new(sensors, SourceLengths { v4: 32, v6: 64 }, None).with_hour(SketchKey::new([7; 16]))
    }

    fn slot(kind: Kind, port: u16, source: u64, tool: Tool, sensor: u8, packets: u32) -> Slot {
        let key = Key { source, port, kind, family: Family::V4, tool, sensor };
        Slot { source, meta: key.meta(), packets }
    }

    /// Closes the interval of a minute with these tallies, and tells of it.
    fn minute(live: &mut Live, number: u64, tallies: Vec<Slot>) -> Snapshot {
        let geo = Geo::open(Paths::default()).unwrap().tables();
        let span = Span { start_ns: number * MINUTE_NS, end_ns: (number + 1) * MINUTE_NS };
        let mut drain = Drain { span, tallies, ..Drain::default() };
        drain.outcomes.packets = drain.tallies.iter().map(|slot| u64::from(slot.packets)).sum();
        drain.outcomes.non_ip = 2;
        drain.outcomes.runs = drain.outcomes.packets + 2;
        live.absorb(&drain, &geo);
        let interval = live.close().unwrap();
        Snapshot::new(live, live.hour().unwrap(), &interval, 0, Around::default())
    }

    #[test]
    fn a_snapshot_tells_interval_hour_and_total() {
        let mut live = live();
        let telnet = |packets| slot(Kind::Syn, 23, 0x0101_0101, Tool::Mirai, 0, packets);
        minute(&mut live, 0, vec![telnet(1)]);
        minute(&mut live, 60, vec![telnet(2), slot(Kind::SynAck, 80, 0x0808_0808, Tool::None, 1, 16)]);
        let tallies = vec![
            telnet(4),
            slot(Kind::Syn, 23, 0x0202_0202, Tool::None, 1, 32),
            slot(Kind::Udp, 53, 0x0a00_0001, Tool::None, 1, 8),
        ];
        let snapshot = minute(&mut live, 66, tallies);

        let packets = |interval, hour, total| Packets { interval, hour, total };
        let telnet = &snapshot.services[0];
        assert_eq!((telnet.service.to_string(), telnet.packets), ("23/tcp".to_owned(), packets(36, 38, 39)));
        assert_eq!(telnet.series, [2, 36], "by slot: the first minute's is over an hour old");
        assert_eq!(snapshot.slots.start, [3600, 3900]);
        assert_eq!(snapshot.services[1].packets, packets(8, 8, 8));
        let (unknown, inside) = (&snapshot.regions[0], &snapshot.regions[1]);
        assert_eq!(
            (unknown.region, unknown.packets, unknown.sources),
            (Region::UNKNOWN, packets(36, 38, 39), 2)
        );
        assert_eq!(
            (inside.region, inside.packets, inside.sources),
            (Region::NON_ROUTABLE, packets(8, 8, 8), 1)
        );
        let tool = |name: &str| snapshot.tools.iter().find(|row| row.tool == name).unwrap().packets;
        assert_eq!(
            (tool("mirai"), tool("none"), tool("zmap")),
            (packets(4, 6, 7), packets(40, 40, 40), packets(0, 0, 0))
        );
        assert_eq!(snapshot.backscatter[0].packets, packets(0, 16, 16));
        let (west, east) = (&snapshot.sensors[0], &snapshot.sensors[1]);
        assert_eq!((west.sensor.as_str(), west.packets, west.scan), ("west", packets(4, 6, 7), 7));
        assert_eq!((east.packets, east.scan, east.backscatter), (packets(40, 56, 56), 40, 16));

        assert_eq!(
            (snapshot.interval.packets, snapshot.interval.frames, snapshot.interval.scan),
            (44, 46, 44)
        );
        assert_eq!((snapshot.hour.counts.packets, snapshot.hour.counts.backscatter), (62, 16));
        assert_eq!((snapshot.total.packets, snapshot.total.non_ip), (63, 6));
        assert_eq!((snapshot.hour.from.as_str(), snapshot.hour.seconds), ("1970-01-01T01:00:00Z", 420.0));
        assert_eq!((snapshot.start.as_str(), snapshot.seconds), ("1970-01-01T01:06:00Z", 60.0));
        assert_eq!(snapshot.series.scan, [2, 44]);
        assert_eq!(snapshot.series.backscatter, [16, 0]);
        assert_eq!(snapshot.series.start, [3600.0, 3960.0]);
    }

    #[test]
    fn it_reads_back_as_it_was_written() {
        let snapshot = minute(&mut live(), 9, vec![slot(Kind::Syn, 23, 1, Tool::None, 0, 1)]);
        let text = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot);
    }

    async fn ask(newest: &Newest, path: &str) -> Response {
        router(newest.clone()).oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn the_newest_is_given_and_then_all_that_come() {
        let (feed, newest) = feed();
        assert_eq!(ask(&newest, "/api/v1/live").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        let mut live = live();
        let first = minute(&mut live, 0, vec![slot(Kind::Syn, 23, 1, Tool::None, 0, 1)]);
        feed.publish(&first);
        let body = to_bytes(ask(&newest, "/api/v1/live").await.into_body(), usize::MAX).await.unwrap();
        assert_eq!(serde_json::from_slice::<Snapshot>(&body).unwrap(), first);

        let response = ask(&newest, "/api/v1/live/stream").await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        let mut events = response.into_body().into_data_stream();
        let mut next = async || String::from_utf8(events.next().await.unwrap().unwrap().to_vec()).unwrap();
        assert_eq!(next().await, "retry: 2000\n\n");
        let read = |event: String| {
            let data = event.strip_prefix("event: live\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
            serde_json::from_str::<Snapshot>(data).unwrap()
        };
        assert_eq!(read(next().await), first, "at once");
        // Whoever is slow gets the newest only.
        feed.publish(&minute(&mut live, 1, Vec::new()));
        let third = minute(&mut live, 2, Vec::new());
        feed.publish(&third);
        assert_eq!(read(next().await), third);
        drop(feed);
        assert!(events.next().await.is_none(), "the stream ends with the agent");
    }

    #[tokio::test]
    async fn streams_are_bounded_and_a_closed_one_makes_room() {
        let (_feed, newest) = feed();
        let mut open = Vec::new();
        for _ in 0..MOST_STREAMS {
            open.push(ask(&newest, "/api/v1/live/stream").await);
        }
        assert!(open.iter().all(|response| response.status() == StatusCode::OK));
        let refused = ask(&newest, "/api/v1/live/stream").await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "10");
        open.pop();
        assert_eq!(ask(&newest, "/api/v1/live/stream").await.status(), StatusCode::OK);
    }
}
