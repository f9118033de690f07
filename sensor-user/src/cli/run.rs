//! `teiten run`: count what arrives on interfaces.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use log::{info, warn};

use crate::{
    agent::Elsewhere,
    export::{
        metrics::{Metrics, Scope},
        screen::Header,
    },
    geo::Geo,
    kernel::{
        KernelError,
        features::refuse_unsafe_realtime,
        interfaces::{Interface, covered, default_route, interfaces, interfaces_now, stacked},
        program::Settings,
    },
    live::Live,
    model::{Dimension, Sensors},
    serve::{self, live, status},
    sketch::SketchKey,
    store::random,
};

use super::{
    counting::{Ask, AtEnd, Counting, Kept, ModeArg, Plan},
    listen::{self, ListenArgs, Listening},
    options::{GeoArgs, MemoryArgs, PinArgs, SensorArgs, StoreArgs, interval},
    watch::{Messages, Output, Publishing, Watch, is_terminal, signalled, start_log_noting},
};

/// Options of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Interface to count on; may be given several times
    ///
    /// Without it the interface of the default route, in generic mode.
    #[arg(long, short, env = "TEITEN_IFACE", value_name = "IF", value_delimiter = ',')]
    iface: Vec<String>,
    /// Where in the receive path to count
    ///
    /// The default is auto for a named interface, generic for that of the default route.
    #[arg(long, env = "TEITEN_MODE", value_enum)]
    mode: Option<ModeArg>,
    #[command(flatten)]
    sensors: SensorArgs,
    /// What becomes of counted packets; all others always pass
    ///
    /// `drop` wants --sensor, and never drops ICMPv6 neighbour discovery.
    #[arg(long, env = "TEITEN_ACTION", value_enum, default_value_t = Action::Pass)]
    action: Action,
    /// Drop even where a watched prefix covers an address of this host
    #[arg(long, env = "TEITEN_FORCE")]
    force: bool,
    /// Count on interfaces that are stacked on each other, where every packet is seen twice
    #[arg(long, env = "TEITEN_ALLOW_STACKED")]
    allow_stacked: bool,
    #[command(flatten)]
    pub live: LiveArgs,
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    pins: PinArgs,
    /// TOML file whose keys are the names of these options
    ///
    /// The command line wins over the environment, which wins over the file.
    #[arg(long, env = "TEITEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How counts are shown and exported while the agent runs.
#[derive(Clone, Debug, clap::Args)]
pub struct LiveArgs {
    /// How often counts are taken out and shown: 100ms to 24h (with a store, 1h), aligned to the clock
    #[arg(long, env = "TEITEN_INTERVAL", value_name = "DURATION", default_value = "10s", value_parser = interval)]
    pub interval: Duration,
    #[command(flatten)]
    pub geo: GeoArgs,
    /// Live table, or JSON Lines
    #[arg(long, env = "TEITEN_FORMAT", value_enum, default_value_t = LiveFormat::Table)]
    pub format: LiveFormat,
    /// Dimensions of the rows of --format jsonl, separated by commas
    #[arg(
        long,
        env = "TEITEN_BY",
        value_name = "DIM",
        value_delimiter = ',',
        default_value = "sensor,class,kind,protocol,dst_port,victim_port,icmp_type,region,tool"
    )]
    pub by: Vec<Dimension>,
    /// Ports and regions in the table
    #[arg(long, env = "TEITEN_TOP", value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub top: u16,
    /// Serve Prometheus metrics at this address, under /metrics
    #[arg(long, env = "TEITEN_METRICS", value_name = "ADDR:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Ports that have metrics of their own: those with the most scan packets since the start
    ///
    /// All others are counted as port `other`. 0: no metrics by port.
    #[arg(long, env = "TEITEN_METRICS_PORTS", value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u16).range(..=1000))]
    pub metrics_ports: u16,
    /// Regions that have metrics of their own: those with the most scan packets since the start
    ///
    /// All others are counted as region `other`. 0: no metrics by region.
    #[arg(long, env = "TEITEN_METRICS_REGIONS", value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u16).range(..=300))]
    pub metrics_regions: u16,
    #[command(flatten)]
    pub listen: ListenArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Action {
    Pass,
    Drop,
}

/// How a running agent shows what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LiveFormat {
    Table,
    Jsonl,
}

/// Runs until a signal asks for the end.
///
/// # Errors
///
/// What keeps it from counting, with what to do about it.
pub async fn run(args: RunArgs) -> Result<ExitCode> {
    refuse_unsafe_realtime()?;
    args.store.check(args.live.interval)?;
    let shown = Shown::start(&args.live, args.store.store.as_deref())?;
    let sensors = args.sensors.sensors()?;
    let all = interfaces().await?;
    let chosen = choose(&args.iface, &all).await?;
    if let (false, Some((lower, upper))) = (args.allow_stacked, stacked(&all, &chosen)) {
        bail!(
            "{} is stacked on {}: every packet would be counted twice; name one of them, or say \
             --allow-stacked",
            upper.name,
            lower.name
        );
    }
    if args.action == Action::Drop {
        may_drop(&sensors, &all, args.force)?;
    }
    let settings = Settings {
        watched: sensors.watched(),
        drop: args.action == Action::Drop,
        v4_prefix: args.sensors.v4_prefix,
        v6_prefix: args.sensors.v6_prefix,
        ..Settings::everything(args.memory.sizes()?)
    };
    let mode = args.mode.unwrap_or(if args.iface.is_empty() { ModeArg::Generic } else { ModeArg::Auto });
    // From the moment on at which something is attached, the end is an orderly one.
    let signalled = signalled()?;
    let plan = Plan {
        settings,
        sensors: &sensors,
        sensor_args: &args.sensors,
        store: &args.store,
        pins: &args.pins,
        interfaces: &chosen,
        mode,
        elsewhere: Elsewhere::Refuse,
    };
    let counting = plan.begin()?;
    if args.iface.is_empty() {
        info!(
            "counting on {}, the interface of the default route, in generic mode, which never resets \
             a link; --iface {} tries native mode, for which some drivers reset the link",
            chosen[0].name, chosen[0].name
        );
    }
    let goes_on = counting.kept.is_some();
    let watch =
        shown.watch(counting, AtEnd::GoOn, Box::new(interfaces_now), sensors, &args.sensors, &args.live)?;
    watch
        .run(async {
            signalled.await;
            Ok(())
        })
        .await?;
    if goes_on {
        info!("the kernel goes on counting; `teiten run` takes up what it counts, `teiten detach` ends it");
    }
    Ok(ExitCode::SUCCESS)
}

/// What is opened before anything is loaded, so that a mistake costs nothing.
pub struct Shown {
    geo: Geo,
    output: Output,
    listener: Option<TcpListener>,
    listening: Option<Listening>,
    troubles: Messages,
}

impl Shown {
    /// Reads the databases, takes the addresses of dashboard and metrics, starts the log. `store`: where counts are
    /// to be kept.
    pub fn start(args: &LiveArgs, store: Option<&Path>) -> Result<Self> {
        let top = usize::from(args.top);
        let output = match args.format {
            LiveFormat::Jsonl => Output::Jsonl { by: args.by.clone() },
            LiveFormat::Table if is_terminal() => Output::Screen { top, messages: Messages::default() },
            LiveFormat::Table => Output::Plain { top },
        };
        let screen = match &output {
            Output::Screen { messages, .. } => Some(messages.clone()),
            _ => None,
        };
        let troubles = Messages::default();
        start_log_noting(screen, Some(troubles.clone()));
        let geo = args.geo.open()?;
        if args.geo.country.is_none() {
            warn!(
                "no --country database: all regions are `unknown`; any country database in MaxMind's format will do, \
                 such as GeoLite2 Country, DB-IP Country Lite or IPinfo Lite"
            );
        }
        let listener = match args.metrics {
            Some(address) => Some(TcpListener::bind(address).with_context(|| {
                format!("cannot serve metrics at {address}: choose another --metrics ADDR:PORT, or end what uses it")
            })?),
            None => None,
        };
        let listening = args.listen.listen(store)?;
        Ok(Self { geo, output, listener, listening, troubles })
    }

    /// The databases.
    pub fn geo(&self) -> &Geo {
        &self.geo
    }

    /// The agent of a program that counts.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn watch(
        self,
        counting: Counting,
        at_end: AtEnd,
        received: Ask,
        sensors: Sensors,
        sensor_args: &SensorArgs,
        args: &LiveArgs,
    ) -> Result<Watch> {
        let interfaces: Vec<_> =
            counting.modes.iter().map(|(name, mode)| (name.clone(), mode.as_str())).collect();
        let header = Header {
            interfaces: interfaces.iter().map(|(name, mode)| format!("{name} ({mode})")).collect(),
            sensors: sensors
                .iter()
                .map(|sensor| format!("{} ({})", sensor.name, sensor.role.as_str()))
                .collect(),
            store: counting.kept.as_ref().map(Kept::line).transpose()?,
            dashboard: self.listening.as_ref().map(|listening| format!("http://{}/", listening.address)),
        };
        if let (Output::Jsonl { .. }, Some(dashboard)) = (&self.output, &header.dashboard) {
            info!("dashboard: {dashboard}");
        }
        let started = Timestamp::now();
        let metrics = (self.listener.is_some() || self.listening.is_some()).then(|| {
            let mut metrics = Metrics::new(&Scope {
                sensors: &sensors,
                interfaces: &interfaces,
                interval: args.interval,
                ports: args.metrics_ports.into(),
                regions: args.metrics_regions.into(),
                started: started.as_second(),
            });
            if counting.kept.is_some() {
                metrics = metrics.with_store();
            }
            metrics
        });
        if let Some(metrics) = metrics.as_ref().filter(|_| counting.meanwhile.is_empty()) {
            metrics.publish().context("the metrics cannot be written, please report this")?;
        }
        if let (Some(listener), Some(metrics)) = (self.listener, &metrics) {
            serve::start_metrics(listener, metrics.newest()).context("cannot serve metrics")?;
        }
        let geo = Arc::new(self.geo);
        let mut feed = None;
        if let (Some(listening), Some(metrics)) = (self.listening, &metrics) {
            let (sender, live) = live::feed();
            let agent = listen::Agent {
                state: status::Agent {
                    started: started.to_string(),
                    interval_seconds: args.interval.as_secs_f64(),
                    v4_prefix: sensor_args.v4_prefix,
                    v6_prefix: sensor_args.v6_prefix,
                    action: if counting.drops { "drop" } else { "pass" },
                },
                sensors: status::sensors(&sensors),
                live,
                metrics: metrics.newest(),
            };
            listening.serve(Arc::clone(&geo), Some(agent))?;
            // What the kernel counted while no agent ran is among what is shown.
            let begins = counting.meanwhile.iter().map(|drain| drain.span.start_ns);
            let own = u64::try_from(started.as_nanosecond()).unwrap_or_default();
            let since_ns = begins.filter(|_| at_end == AtEnd::GoOn).fold(own, u64::min);
            feed = Some(Publishing { feed: sender, since_ns, troubles: self.troubles });
        }
        let rows = match &self.output {
            Output::Jsonl { by } => Some(by.as_slice()),
            _ => None,
        };
        let mut live = Live::new(sensors, sensor_args.lengths(), rows);
        if feed.is_some() {
            live = live.with_hour(SketchKey::new(random()?));
        }
        Ok(Watch {
            counting,
            at_end,
            received,
            live,
            geo,
            header,
            output: self.output,
            metrics,
            interval: args.interval,
            feed,
        })
    }
}

/// The named interfaces; without names, that of the default route.
async fn choose<'a>(names: &[String], all: &'a [Interface]) -> Result<Vec<&'a Interface>> {
    let present = || all.iter().map(|interface| interface.name.as_str()).collect::<Vec<_>>().join(", ");
    if names.is_empty() {
        let index = default_route().await?;
        let interface = all.iter().find(|interface| Some(interface.index) == index);
        return Ok(vec![interface.with_context(|| {
            format!(
                "there is no default route to take the interface of: name one with --iface ({})",
                present()
            )
        })?]);
    }
    let mut chosen: Vec<&Interface> = Vec::new();
    for name in names {
        let interface = all
            .iter()
            .find(|interface| interface.name == *name)
            .ok_or_else(|| KernelError::NoInterface { name: name.clone(), present: present() })?;
        if chosen.iter().any(|other| other.index == interface.index) {
            bail!("--iface {name} is given twice");
        }
        if !interface.ethernet() {
            bail!("{name} carries no Ethernet frames, which are what is read: name the interface below it");
        }
        if !interface.up {
            warn!("{name} is down: nothing arrives there until `ip link set dev {name} up`");
        }
        chosen.push(interface);
    }
    Ok(chosen)
}

/// Refuses to drop what this host needs.
fn may_drop(sensors: &Sensors, all: &[Interface], force: bool) -> Result<()> {
    let watched = sensors.watched();
    if watched.is_empty() {
        bail!("--action drop without --sensor would cut this host off: say which prefixes are watched");
    }
    for (prefix, _) in watched {
        let addresses = covered(all, &prefix);
        if let (false, Some(address)) = (force, addresses.first()) {
            bail!(
                "prefix {prefix} covers {address}, an address of this host, which --action drop would \
                 cut off: leave it out of the prefix, or say --force"
            );
        }
    }
    Ok(())
}
