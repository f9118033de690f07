//! What an agent finds in the kernel and in the store when it starts, and what it makes of it.
//!
//! Any step may be the last one before the process is killed; the next start goes on from there: the
//! generation's row in the store, its pins under a name that says they are not complete, the rename,
//! the links.

use crate::{
    cube::SourceLengths,
    kernel::{
        Drain, KernelError,
        attach::Mode,
        interfaces::Interface,
        pins::{Pinned, Pins},
        program::{self, Settings},
        resume::{Diverged, Quiet, resume},
    },
    model::{Sensors, hex},
    store::{GenerationRow, NewGeneration, Origin, StoreError},
};

use super::{
    end::{Retired, retire},
    keep::{Generation, Keeping, SharedStore, lock},
};

/// Why an agent cannot start or end.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The counters in the kernel belong to another store.
    #[error(
        "the counters pinned at {pins} belong to the store with id {theirs}, and {store} has id {ours}: \
         name theirs with --store, or forget what they hold with `teiten detach --discard`"
    )]
    Foreign { pins: String, theirs: String, store: String, ours: String },
    /// The store does not know these counters, or not as far as they have come.
    #[error("{store} and the counters pinned at {pins} do not go together: {diverged}")]
    Diverged { store: String, pins: String, diverged: Diverged },
}

/// What an agent wants to count, and where its counts go.
pub struct Start<'a> {
    pub pins: &'a Pins,
    pub store: &'a SharedStore,
    pub settings: &'a Settings,
    /// Name of this host.
    pub host: &'a str,
    pub sensors: &'a Sensors,
    pub lengths: SourceLengths,
    pub interfaces: &'a [&'a Interface],
    /// The mode that is insisted on; `None`: an interface that is observed already stays as it is.
    pub mode: Option<Mode>,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// A program that counts on the interfaces that were wanted.
pub struct Started {
    pub generation: Box<Generation>,
    /// What the kernel had counted while no agent ran, and is in the store now.
    pub meanwhile: Vec<Drain>,
    /// Whether it had been counting before.
    pub adopted: bool,
    /// The interfaces with their modes.
    pub modes: Vec<(String, Mode)>,
    /// Programs that it replaced, whose counts the store could not take yet.
    pub replaced: Vec<Box<Generation>>,
}

impl Start<'_> {
    /// Adopts the program that counts already, or loads one; sees to it that it sits on the wanted
    /// interfaces and on no other; takes everything out of programs that it replaces. `attach` puts
    /// it on an interface on which none of ours sits.
    ///
    /// # Errors
    ///
    /// What is in the way. A program that is new and replaces none is gone then; whatever else was
    /// done is taken up by the next start.
    pub fn run<E: From<AgentError> + From<KernelError>>(
        &self,
        attach: impl Fn(&mut Pinned, &Interface) -> Result<Mode, E>,
    ) -> Result<Started, E> {
        let mut found = adopt(self.pins, self.store, false)?;
        let wanted = program::configuration(self.settings);
        let current = found.iter().rposition(|other| other.pinned.banks.header().configuration == wanted);
        let (mut generation, adopted) = match current {
            Some(position) => (found.remove(position), true),
            None => (self.load()?, false),
        };
        let mut meanwhile = Vec::new();
        if adopted {
            generation.detach_but(&self.staying())?;
            // What was counted up to now is told apart from what will be, and so is the time.
            generation.pinned.banks.grace()?;
            if let Some(drains) = generation.drain_all()? {
                meanwhile = drains;
                generation.keeping.begin_observing();
            }
        }
        let modes = match self.attach(&mut generation, &mut found, attach) {
            Ok(modes) => modes,
            Err(error) => {
                if !adopted && found.is_empty() {
                    retire(self.pins, generation)?;
                }
                return Err(error);
            }
        };
        let mut replaced = Vec::new();
        for other in found {
            match retire(self.pins, other)? {
                Retired::Done(drains) => meanwhile.extend(drains),
                Retired::Waits(other) => replaced.push(other),
            }
        }
        Ok(Started { generation, meanwhile, adopted, modes, replaced })
    }

    /// Indices of the interfaces that stay as they are if a program of ours sits on them.
    fn staying(&self) -> Vec<u32> {
        let stays = |interface: &Interface| self.mode.is_none_or(|mode| interface.xdp_mode == Some(mode));
        self.interfaces.iter().filter(|interface| stays(interface)).map(|interface| interface.index).collect()
    }

    /// Puts a program on the wanted interfaces, on which it does not sit, and takes others off the rest.
    fn attach<E: From<KernelError>>(
        &self,
        generation: &mut Generation,
        others: &mut [Box<Generation>],
        attach: impl Fn(&mut Pinned, &Interface) -> Result<Mode, E>,
    ) -> Result<Vec<(String, Mode)>, E> {
        for other in others.iter_mut() {
            other.detach_but(&self.staying())?;
        }
        let mut modes = Vec::with_capacity(self.interfaces.len());
        for interface in self.interfaces {
            let other = others.iter_mut().find(|other| other.sits_on(interface.index));
            let mode = match (generation.sits_on(interface.index), other) {
                (true, _) => None,
                (false, Some(other)) => {
                    generation.pinned.adopt_link(&mut other.pinned, interface.index)?;
                    None
                }
                (false, None) => Some(attach(&mut generation.pinned, interface)?),
            };
            modes.push((interface.name.clone(), mode.or(interface.xdp_mode).unwrap_or(Mode::Generic)));
        }
        Ok(modes)
    }

    /// Loads a program: its row in the store first, then its pins.
    fn load(&self) -> Result<Box<Generation>, AgentError> {
        let loaded = program::load(self.settings)?;
        let row = lock(self.store).add_generation(&NewGeneration {
            generation: loaded.banks.header().generation,
            host: self.host,
            origin: Origin::Live,
            created: self.now,
            lengths: self.lengths,
            sensors: self.sensors,
        })?;
        let pinned = self.pins.pin(loaded)?;
        let keeping = Keeping::new(self.store.clone(), row.id, true);
        Ok(Box::new(Generation { pinned, keeping }))
    }
}

/// All pinned programs, each ready to be drained into this store. `restored`: the store may be an
/// older copy of the one that they were drained into before, and epochs between are missing.
///
/// # Errors
///
/// If one of them does not go together with the store; nothing was changed.
pub fn adopt(pins: &Pins, store: &SharedStore, restored: bool) -> Result<Vec<Box<Generation>>, AgentError> {
    let mut guard = lock(store);
    // What is zeroed because the store has it must be on the disk.
    guard.settle()?;
    let (path, place) = (guard.path().display().to_string(), pins.path().display().to_string());
    let mut found = Vec::new();
    for pinned in pins.generations()? {
        let header = pinned.banks.header();
        if header.store != guard.id() {
            return Err(AgentError::Foreign {
                pins: place,
                theirs: hex(&header.store),
                store: path,
                ours: hex(&guard.id()),
            });
        }
        let diverged = |diverged| AgentError::Diverged { store: path.clone(), pins: place.clone(), diverged };
        // The row is there before the program is.
        let row = guard
            .generation(header.generation)?
            .ok_or_else(|| diverged(Diverged { kernel: header.epoch, store: None }))?;
        let quiet = match resume(header.epoch, header.released, row.last_epoch) {
            Err(missing) if restored && missing.is_behind() => {
                let next = header.epoch.saturating_sub(1);
                guard.skip_epochs(row.id, next)?;
                Quiet::Drain(next)
            }
            quiet => quiet.map_err(diverged)?,
        };
        found.push((pinned, row, quiet));
    }
    let ready = |(mut pinned, row, quiet): (Pinned, GenerationRow, Quiet)| {
        pinned.banks.resume(quiet, row.uncounted);
        let observes = pinned.links().iter().any(|link| link.alive);
        let keeping = Keeping::new(store.clone(), row.id, observes);
        Box::new(Generation { pinned, keeping })
    };
    Ok(found.into_iter().map(ready).collect())
}
