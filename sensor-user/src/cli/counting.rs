//! From what was asked for to a program that counts, with or without a store.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use jiff::Timestamp;
use log::{info, warn};

use crate::{
    agent::{self, Counters, Elsewhere, Generation, SharedStore, Start, Started, Unkept},
    export::{rows::grouped, screen},
    kernel::{
        Drain, KernelError,
        attach::{Mode, attach},
        interfaces::Interface,
        pins::Pins,
        program::{self, Entry, Loaded, Settings},
    },
    model::Sensors,
    store::{Reader, Retention},
};

use super::options::{PinArgs, SensorArgs, StoreArgs, host_name};

/// Where in the receive path to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ModeArg {
    /// Native where the driver has it, else generic
    Auto,
    /// In the driver: fastest; some drivers reset the link when it starts
    Native,
    /// Behind the driver: works everywhere, costs more per packet
    Generic,
}

impl ModeArg {
    /// The only mode that will do, if there is one.
    fn only(self) -> Option<Mode> {
        match self {
            Self::Auto => None,
            Self::Native => Some(Mode::Native),
            Self::Generic => Some(Mode::Generic),
        }
    }

    /// Attaches by `put`, in the mode that is asked for or can be had.
    fn attach<T>(self, mut put: impl FnMut(Mode) -> Result<T, KernelError>) -> Result<(T, Mode)> {
        if let Some(mode) = self.only() {
            return Ok((put(mode)?, mode));
        }
        match put(Mode::Native) {
            Err(error @ (KernelError::NoNative { .. } | KernelError::Refused { .. })) => {
                warn!(
                    "{:#}; counting in generic mode instead, which makes a socket buffer of every frame \
                     first and so costs several times as much per packet",
                    anyhow::Error::from(error)
                );
                Ok((put(Mode::Generic)?, Mode::Generic))
            }
            attached => Ok((attached?, Mode::Native)),
        }
    }
}

/// What is to count, and where its counts go.
pub struct Plan<'a> {
    pub settings: Settings,
    pub sensors: &'a Sensors,
    pub sensor_args: &'a SensorArgs,
    pub store: &'a StoreArgs,
    pub pins: &'a PinArgs,
    pub interfaces: &'a [&'a Interface],
    pub mode: ModeArg,
    pub elsewhere: Elsewhere,
}

/// Asks for the interfaces, with their own counters.
pub type Ask = Box<dyn Fn() -> Result<Vec<Interface>, KernelError> + Send + Sync>;

/// What becomes of a pinned program when its agent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// It goes on counting, and the next agent takes up what it counted.
    GoOn,
    /// It goes, when all that it counted is kept.
    Detach,
}

/// A program that counts.
pub struct Counting {
    pub counters: Counters,
    /// Interfaces with their modes.
    pub modes: Vec<(String, Mode)>,
    /// Whether counted packets are dropped.
    pub drops: bool,
    /// What was counted while no agent ran, and is kept.
    pub meanwhile: Vec<Drain>,
    pub kept: Option<Kept>,
}

/// What there is besides when counts are kept.
pub struct Kept {
    pub store: SharedStore,
    pub pins: Pins,
    /// Programs that were replaced, and whose counts are not all in the store yet.
    pub replaced: Vec<Box<Generation>>,
    pub retention: Retention,
}

impl Kept {
    /// What the store has, for the screen.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn line(&self) -> Result<screen::Kept> {
        let store = agent::lock(&self.store);
        let extent = Reader::open(store.path())?.extent()?;
        Ok(screen::Kept {
            path: store.path().display().to_string(),
            since: extent.map_or(store.meta().created, |(first, _)| first),
            frames: store.frames()?,
            trouble: None,
        })
    }
}

impl Plan<'_> {
    /// Puts a program on the interfaces: a new one, or the one that counts for the same store already.
    ///
    /// # Errors
    ///
    /// What is in the way.
    pub fn begin(mut self) -> Result<Counting> {
        let Some(store) = self.store.open()? else { return self.begin_unkept() };
        let pins = Pins::lock(&self.pins.pin_path)?;
        self.settings.store = store.id();
        self.settings.label = format!("{:?}", self.sensors);
        let store = Arc::new(Mutex::new(store));
        let start = Start {
            pins: &pins,
            store: &store,
            settings: &self.settings,
            host: &host_name(),
            sensors: self.sensors,
            lengths: self.sensor_args.lengths(),
            interfaces: self.interfaces,
            mode: self.mode.only(),
            elsewhere: self.elsewhere,
            now: Timestamp::now().as_second(),
        };
        let Started { generation, meanwhile, last, adopted, modes, replaced } =
            start.run(|pinned, interface| {
                let (_, mode) = self.mode.attach(|mode| pinned.attach(interface, mode))?;
                anyhow::Ok(mode)
            })?;
        tell_of_old_kernels(generation.pinned.program.entry());
        let frames: u64 = meanwhile.iter().chain(&last).map(|drain| drain.outcomes.runs).sum();
        if adopted || !last.is_empty() || !replaced.is_empty() {
            info!(
                "{}; {} frames were counted meanwhile, and are kept",
                if adopted {
                    "went on with the program that counts already"
                } else {
                    "replaced the program that counted before"
                },
                grouped(frames)
            );
        }
        Ok(Counting {
            counters: Counters::Kept(generation),
            modes,
            drops: self.settings.drop,
            meanwhile,
            kept: Some(Kept { store, pins, replaced, retention: self.store.retention() }),
        })
    }

    fn begin_unkept(&self) -> Result<Counting> {
        let Loaded { program, banks, .. } = program::load(&self.settings)?;
        tell_of_old_kernels(program.entry());
        let links = self
            .interfaces
            .iter()
            .map(|interface| Ok(self.mode.attach(|mode| attach(&program, interface, mode))?.0))
            .collect::<Result<Vec<_>>>()?;
        let modes = links.iter().map(|link| (link.interface.clone(), link.mode)).collect();
        Ok(Counting {
            meanwhile: Vec::new(),
            counters: Counters::Unkept(Box::new(Unkept { program, banks, links })),
            modes,
            drops: self.settings.drop,
            kept: None,
        })
    }
}

fn tell_of_old_kernels(entry: Entry) {
    if entry == Entry::Linear {
        warn!("this kernel is older than 5.18: frames of several buffers (jumbo frames) are not accepted");
    }
}
