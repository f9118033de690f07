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
        interfaces::{Interface, interfaces_now},
        pins::{Pinned, PinnedLink, Pins},
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
    /// The store has no such generation.
    #[error(
        "{store} does not know the counters pinned at {pins} (generation {generation}): it is an older copy, \
         made before they were; put the newest one in its place, or forget what they hold with `teiten \
         detach --discard`"
    )]
    Unknown { store: String, pins: String, generation: String },
    /// The program sits on an interface that is not of this network namespace.
    #[error(
        "the program pinned at {pins} counts on an interface (index {ifindex}) of another network namespace: \
         run teiten there, name another --pin-path, or end that one with `teiten detach`"
    )]
    Elsewhere { pins: String, ifindex: u32 },
}

/// What becomes of a program that sits on an interface of another network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// It is not touched, and the start is refused.
    Refuse,
    /// It is taken off: that namespace was only made for it.
    Detach,
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
    pub elsewhere: Elsewhere,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// A program that counts on the interfaces that were wanted.
pub struct Started {
    pub generation: Box<Generation>,
    /// What it had counted while no agent ran, and is in the store now.
    pub meanwhile: Vec<Drain>,
    /// The same of programs that it replaced.
    pub last: Vec<Drain>,
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
        let all = interfaces_now()?;
        if let (Elsewhere::Refuse, Some(link)) = (self.elsewhere, elsewhere(&found, &all)) {
            let (pins, ifindex) = (self.pins.path().display().to_string(), link.ifindex);
            return Err(AgentError::Elsewhere { pins, ifindex }.into());
        }
        let wanted = program::configuration(self.settings);
        let current = found.iter().rposition(|other| other.pinned.banks.header().configuration == wanted);
        let (mut generation, adopted) = match current {
            Some(position) => (found.remove(position), true),
            None => (self.load()?, false),
        };
        generation.keeping.begin();
        for known in found.iter_mut().chain([&mut generation]) {
            known.detach_but(|link| self.may_stay(link, &all))?;
        }
        let mut meanwhile = Vec::new();
        if adopted {
            // What was counted up to now is told apart from what will be, and so is the time.
            generation.pinned.banks.grace()?;
            let observes = generation.observes();
            if let Some(drains) = generation.drain_all((observes, observes))? {
                meanwhile = drains;
                generation.keeping.begin_observing();
            }
        }
        let modes = match self.attach(&mut generation, &mut found, &all, attach) {
            Ok(modes) => modes,
            Err(error) => {
                if !adopted && found.is_empty() {
                    // The error that counts is the first one; what this leaves, the next start takes up.
                    let _ = retire(self.pins, generation);
                }
                return Err(error);
            }
        };
        let (mut last, mut replaced) = (Vec::new(), Vec::new());
        for other in found {
            match retire(self.pins, other)? {
                Retired::Done(drains) => last.extend(drains),
                Retired::Waits(other) => replaced.push(other),
            }
        }
        Ok(Started { generation, meanwhile, last, adopted, modes, replaced })
    }

    /// Whether a link stays until there are others: it is in this network namespace, and in no mode
    /// that is not wanted.
    fn may_stay(&self, link: &PinnedLink, all: &[Interface]) -> bool {
        let mode = |interface: &Interface| self.mode.is_none_or(|mode| interface.xdp_mode == Some(mode));
        let is_wanted = self.interfaces.iter().any(|interface| interface.index == link.ifindex);
        here(link, all).is_some_and(|interface| !is_wanted || mode(interface))
    }

    /// Puts a program on the wanted interfaces, and then takes it off all others.
    fn attach<E: From<KernelError>>(
        &self,
        generation: &mut Generation,
        others: &mut [Box<Generation>],
        all: &[Interface],
        attach: impl Fn(&mut Pinned, &Interface) -> Result<Mode, E>,
    ) -> Result<Vec<(String, Mode)>, E> {
        let sits = |generation: &Generation, interface: &Interface| {
            let links = generation.pinned.links();
            links.iter().any(|link| link.ifindex == interface.index && here(link, all).is_some())
        };
        let mut modes = Vec::with_capacity(self.interfaces.len());
        for interface in self.interfaces {
            let there = all.iter().find(|there| there.index == interface.index).unwrap_or(interface);
            let other = others.iter_mut().find(|other| sits(other, there));
            let mode = if sits(generation, there) {
                generation.pinned.claim(there.index)?;
                None
            } else if let Some(other) = other {
                generation.pinned.adopt_link(&mut other.pinned, there.index)?;
                None
            } else {
                Some(attach(&mut generation.pinned, there)?)
            };
            modes.push((there.name.clone(), mode.or(there.xdp_mode).unwrap_or(Mode::Generic)));
        }
        let wanted =
            |link: &PinnedLink| self.interfaces.iter().any(|interface| interface.index == link.ifindex);
        for known in others.iter_mut().map(|other| &mut **other).chain([generation]) {
            known.detach_but(wanted)?;
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

/// The interface of a link, if it is one of these: indices mean nothing in other network namespaces.
fn here<'a>(link: &PinnedLink, all: &'a [Interface]) -> Option<&'a Interface> {
    let is_it = |interface: &&Interface| {
        interface.index == link.ifindex && interface.xdp_program == Some(link.program)
    };
    all.iter().find(is_it).filter(|_| link.alive)
}

/// A link to an interface of another network namespace.
fn elsewhere<'a>(found: &'a [Box<Generation>], all: &[Interface]) -> Option<&'a PinnedLink> {
    let links = found.iter().flat_map(|known| known.pinned.links());
    links.into_iter().find(|link| link.alive && here(link, all).is_none())
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
        // The row is there before the program is.
        let Some(row) = guard.generation(header.generation)? else {
            let generation = hex(&header.generation);
            return Err(AgentError::Unknown { store: path, pins: place, generation });
        };
        let quiet = match resume(header.epoch, header.released, row.last_epoch) {
            Ok(quiet) => quiet,
            Err(diverged) if restored && diverged.is_behind() => Quiet::Drain(header.epoch.saturating_sub(1)),
            Err(diverged) => return Err(AgentError::Diverged { store: path, pins: place, diverged }),
        };
        found.push((pinned, row, quiet));
    }
    if restored {
        for (_, row, quiet) in &found {
            if let Quiet::Drain(next) = *quiet {
                guard.skip_epochs(row.id, next)?;
            }
        }
    }
    let ready = |(mut pinned, row, quiet): (Pinned, GenerationRow, Quiet)| {
        pinned.banks.resume(quiet, row.uncounted);
        let keeping = Keeping::new(store.clone(), row.id, false);
        let mut generation = Box::new(Generation { pinned, keeping });
        if generation.observes() {
            generation.keeping.begin_observing();
        }
        generation
    };
    Ok(found.into_iter().map(ready).collect())
}
