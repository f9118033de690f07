//! `teiten demo`: a living sensor in a network namespace of its own.

use std::{
    hash::{BuildHasher, RandomState},
    os::fd::{AsFd, AsRawFd},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use log::{info, warn};

use crate::{
    agent::Elsewhere,
    export::rows::grouped,
    kernel::{
        features::refuse_unsafe_realtime,
        interfaces::interfaces_now,
        namespace::{Namespace, Pair},
        packet_socket::PacketSocket,
        program::Settings,
    },
    live::Totals,
    model::Role,
    synth::{self, DEMO, Scenario, Traffic, player::Player},
};

use super::{
    counting::{AtEnd, ModeArg, Plan},
    options::{MemoryArgs, PinArgs, SensorArgs, StoreArgs, duration},
    run::{LiveArgs, Shown},
    watch::signalled,
};

/// Where the demo's program is pinned: beside that of a sensor, never in its place.
const PIN_PATH: &str = "/sys/fs/bpf/teiten-demo";
/// The end of the cable that frames are sent into.
const WORLD: &str = "world0";
/// The end that the sensor counts on.
const SENSOR: &str = "teiten0";
/// How long frames may be on their way.
const MOST_IN_FLIGHT: Duration = Duration::from_secs(10);

/// Options of `demo`.
///
/// Nothing outside is touched, and nothing remains, however it ends: the network namespace has no name
/// and goes with the process. With a store, what was counted is kept, and what the kernel holds after a
/// kill is taken up by the next demo. Exit status: 0 if every frame that was sent was counted.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("interval", |arg| arg.default_value("2s")),
    mut_arg("pin_path", |arg| arg.default_value(PIN_PATH))
)]
pub struct DemoArgs {
    /// Frames to send, per second
    #[arg(long, value_name = "FRAMES", default_value_t = 5000,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: u32,
    /// Number that decides which frames are made; a random one unless given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// End after this time
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    how_long: Option<Duration>,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    pins: PinArgs,
}

/// Runs until a signal or the time asks for the end.
///
/// # Errors
///
/// What keeps it from sending or counting, with what to do about it.
pub async fn run(args: DemoArgs) -> Result<ExitCode> {
    refuse_unsafe_realtime()?;
    args.store.check(args.live.interval)?;
    let seed = args.seed.unwrap_or_else(|| RandomState::new().hash_one(0) % 1_000_000);
    eprintln!(
        "a sensor for show: {} made frames a second, seed {seed}, over a veth pair in a network \
         namespace that ends with this process (Ctrl-C)",
        grouped(args.rate.into())
    );
    let shown = Shown::start(&args.live, args.store.store.as_deref())?;
    let plan = synth::Plan::new(Scenario::parse("the demo's scenario", DEMO)?)?;
    let sensors = plan.watches.first().and_then(|watch| watch.sensors.clone());
    let sensors = sensors.context("the demo's scenario has no sensors on its first day")?;
    let sensor_args = SensorArgs {
        sensor: sensors.iter().cloned().collect(),
        role: Role::Dark,
        v4_prefix: 32,
        v6_prefix: 64,
    };
    let traffic = Traffic::new(plan, seed, &shown.geo().tables());

    let namespace = Arc::new(Namespace::new()?);
    let Pair { sender, receiver } = namespace.pair(WORLD, SENSOR).context("cannot make a veth pair")?;
    let settings = Settings {
        watched: sensors.watched(),
        drop: false,
        v4_prefix: sensor_args.v4_prefix,
        v6_prefix: sensor_args.v6_prefix,
        ..Settings::everything(args.memory.sizes()?)
    };
    let signalled = signalled()?;
    let (counting, socket) = namespace.enter(|| {
        let plan = Plan {
            settings,
            sensors: &sensors,
            sensor_args: &sensor_args,
            store: &args.store,
            pins: &args.pins,
            interfaces: &[&receiver],
            mode: ModeArg::Native,
            elsewhere: Elsewhere::Detach,
        };
        anyhow::Ok((plan.begin()?, PacketSocket::open(&sender)?))
    })??;
    info!(
        "to look inside: nsenter --net=/proc/{}/fd/{} tcpdump -nei {WORLD}",
        std::process::id(),
        namespace.as_fd().as_raw_fd()
    );

    let inside = Arc::clone(&namespace);
    let ask = Box::new(move || inside.enter(interfaces_now)?);
    let watch = shown.watch(counting, AtEnd::Detach, ask, sensors, &sensor_args, &args.live)?;
    let mut player = Player::start(traffic, args.rate, move |frames| socket.send(frames));
    let mut sent = 0;
    let counted = watch
        .run(async {
            tokio::select! {
                () = signalled => {}
                () = sleep(args.how_long) => {}
                () = player.failed() => {}
            }
            sent = player.finish().await?;
            arrive(&namespace, sent).await
        })
        .await?;
    let code = verdict(sent, &counted);
    if let Some(store) = &args.store.store {
        eprintln!(
            "it is kept: teiten query --store {} --by region --where 'dst_port = 1433 and protocol = tcp'",
            store.display()
        );
    }
    Ok(code)
}

async fn sleep(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Waits until all frames have come out of the cable.
async fn arrive(namespace: &Namespace, sent: u64) -> Result<()> {
    let start = Instant::now();
    loop {
        let received = namespace.received(SENSOR)?;
        let arrived = received.frames + received.dropped;
        if arrived >= sent {
            return Ok(());
        }
        if start.elapsed() > MOST_IN_FLIGHT {
            warn!("{} frames did not come out of the cable", sent - arrived);
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Says whether all is accounted for.
fn verdict(sent: u64, counted: &Totals) -> ExitCode {
    let runs = counted.outcomes.runs;
    let says = format!("{} frames sent, {} counted", grouped(sent), grouped(runs));
    if sent == runs && counted.uncounted == 0 && counted.mismatches == 0 {
        eprintln!("{says}");
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "error: {says}, {} found no counter, {} accounting identities broken: please report this",
        counted.uncounted, counted.mismatches
    );
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        demo: DemoArgs,
    }

    #[test]
    fn arguments() {
        Command::command().debug_assert();
        let parse = |words: &str| Command::try_parse_from(words.split(' ')).map(|command| command.demo);
        let args = parse("demo").unwrap();
        assert_eq!((args.rate, args.seed, args.how_long), (5000, None, None));
        assert_eq!(args.live.interval, Duration::from_secs(2), "shorter than a sensor's");
        let args = parse("demo --rate 7 --seed 9 --for 1m30s --interval 1s").unwrap();
        assert_eq!((args.rate, args.seed, args.how_long), (7, Some(9), Some(Duration::from_secs(90))));
        assert_eq!(args.live.interval, Duration::from_secs(1));
        for bad in ["--rate 0", "--for 5", "--for -5s", "--seed x"] {
            assert!(parse(&format!("demo {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn frames_that_are_missing_fail() {
        let counted = |runs| {
            let mut totals = Totals::default();
            totals.outcomes.runs = runs;
            totals
        };
        assert_eq!(verdict(5, &counted(5)), ExitCode::SUCCESS);
        for runs in [4, 6] {
            assert_eq!(verdict(5, &counted(runs)), ExitCode::FAILURE);
        }
        assert_eq!(verdict(5, &Totals { uncounted: 1, ..counted(5) }), ExitCode::FAILURE);
        assert_eq!(verdict(5, &Totals { mismatches: 1, ..counted(5) }), ExitCode::FAILURE);
    }
}
