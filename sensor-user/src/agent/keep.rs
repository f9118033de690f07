//! Each epoch out of the kernel and into the store, once.
//!
//! A bank is zeroed only when what it held is durable in the store. While the store cannot commit,
//! the epoch is not raised: the kernel goes on counting into the live bank, where no packet can be
//! lost (once the spill log is full, packets lose their sources), and every later attempt begins
//! with the epoch that waits.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use log::{error, info, warn};

use crate::{
    kernel::{
        Drain, KernelError,
        attach::{Link, Mode},
        banks::{Banks, Spill},
        interfaces::interfaces_now,
        pins::{Pinned, PinnedLink},
        program::Program,
    },
    store::{Epoch, Nic, Notes, State, Store, Trouble},
};

/// A store that the committing and the folding side of an agent share.
pub type SharedStore = Arc<Mutex<Store>>;

/// The store, even after a panic of another thread: its transactions are whole at any time.
pub fn lock(store: &SharedStore) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the epochs of one generation go.
pub struct Keeping {
    store: SharedStore,
    /// The generation's row in the store.
    generation: i64,
    /// Read from the kernel, and not yet durable.
    waiting: Option<(Drain, Epoch)>,
    /// Whether packets could arrive when the epoch began that is being counted.
    observing: bool,
    /// Whether the epoch that is being counted is the first since an agent started.
    restarted: bool,
    state: State,
}

impl Keeping {
    /// Epochs of the generation of this row. `observing`: whether packets could arrive ever since
    /// the epoch began that is being counted.
    pub fn new(store: SharedStore, generation: i64, observing: bool) -> Self {
        Self { store, generation, waiting: None, observing, restarted: false, state: State::default() }
    }

    /// How it goes.
    pub fn state(&self) -> State {
        self.state
    }

    /// Says that an agent has started, to count on.
    pub fn begin(&mut self) {
        self.restarted = true;
    }

    /// Says that from now on packets can arrive, and that the epoch that is being counted has only
    /// just begun.
    pub fn begin_observing(&mut self) {
        self.observing = true;
    }

    /// Takes out what was counted, and keeps it. What comes back is durable: nothing while the store
    /// cannot commit, and two epochs when it can again. `observed`: whether packets could arrive up to
    /// now, and whether they can from now on. `nics`: what the interfaces have counted up to now.
    ///
    /// # Errors
    ///
    /// If the kernel does not answer. Nothing is lost then: the next drain takes it.
    pub fn drain(
        &mut self,
        banks: &mut Banks,
        (until_now, from_now): (bool, bool),
        mut nics: Vec<Nic>,
    ) -> Result<Vec<Drain>, KernelError> {
        let most = if self.waiting.is_some() { 2 } else { 1 };
        let mut kept = Vec::with_capacity(most);
        while kept.len() < most {
            if self.waiting.is_none() {
                let drain = banks.drain()?;
                let observed = mem::replace(&mut self.observing, from_now) && until_now;
                let restarted = mem::take(&mut self.restarted);
                let notes = Notes { observed, restarted, nics: mem::take(&mut nics) };
                let epoch = Epoch::new(self.generation, &drain, notes);
                self.waiting = Some((drain, epoch));
            }
            let Some(drain) = self.commit() else { break };
            banks.release();
            kept.push(drain);
        }
        match self.state.trouble {
            Some((trouble, since_ns)) => banks.note_agent(trouble.number(), since_ns),
            None => banks.note_agent(0, self.state.kept_until_ns),
        }
        Ok(kept)
    }

    /// Tries to commit the epoch that waits, and returns it when it is durable.
    fn commit(&mut self) -> Option<Drain> {
        let (_, epoch) = self.waiting.as_ref()?;
        let mut store = lock(&self.store);
        // After trouble, the file may be another one: a copy that was put in its place.
        let opened = if self.state.trouble.is_some() { store.reopen() } else { Ok(()) };
        let error = match opened.and_then(|()| store.commit(epoch)) {
            Ok(()) => {
                let path = store.path().display();
                if let Some((_, since_ns)) = self.state.trouble.take() {
                    let seconds = now_ns().saturating_sub(since_ns) / 1_000_000_000;
                    info!("{path} takes counts again; for {seconds} s the kernel has kept them");
                }
                self.state.commits += 1;
                let (drain, _) = self.waiting.take()?;
                self.state.kept_until_ns = drain.span.end_ns;
                return Some(drain);
            }
            Err(error) => error,
        };
        self.state.failures += 1;
        let trouble = error.trouble().unwrap_or(Trouble::Io);
        if self.state.trouble.is_none_or(|(before, _)| before != trouble) {
            let since_ns = self.state.trouble.map_or_else(now_ns, |(_, since_ns)| since_ns);
            self.state.trouble = Some((trouble, since_ns));
            error!(
                "cannot keep counts: {:#}; they stay in the kernel, which goes on counting, and are \
                 committed as soon as that is possible",
                anyhow::Error::from(error)
            );
        }
        None
    }
}

/// A pinned program, and where its counts go.
pub struct Generation {
    pub pinned: Pinned,
    pub keeping: Keeping,
}

impl Generation {
    /// Whether packets can arrive from everywhere: all interfaces that the program was put on are there. Where that
    /// cannot be seen, it is as it was.
    pub fn observes(&mut self) -> bool {
        if let Err(error) = self.pinned.refresh() {
            warn!("cannot look at the program's links: {:#}", anyhow::Error::from(error));
        }
        let links = self.pinned.links();
        !links.is_empty() && links.iter().all(|link| link.alive)
    }

    /// Takes the program off where this is not wanted.
    ///
    /// # Errors
    ///
    /// Those of [`Pinned::unlink`].
    pub fn detach_but(&mut self, stays: impl Fn(&PinnedLink) -> bool) -> Result<(), KernelError> {
        let links = self.pinned.links().iter();
        let unwanted: Vec<u32> = links.filter(|link| !stays(link)).map(|link| link.ifindex).collect();
        unwanted.into_iter().try_for_each(|ifindex| self.pinned.unlink(ifindex))
    }

    /// Puts the program back on interfaces that were gone and are there again, by their names. Returns
    /// the names of those that are back, and of those that are gone.
    ///
    /// # Errors
    ///
    /// If the kernel does not tell, or does not take the program back.
    pub fn attach_again(
        &mut self,
        wanted: &[(String, Mode)],
    ) -> Result<(Vec<String>, Vec<String>), KernelError> {
        self.pinned.refresh()?;
        let (mut back, mut gone) = (Vec::new(), Vec::new());
        if self.pinned.links().iter().filter(|link| link.alive).count() == wanted.len() {
            return Ok((back, gone));
        }
        let all = interfaces_now()?;
        let ours = self.pinned.program.id();
        for (name, mode) in wanted {
            match all.iter().find(|interface| interface.name == *name) {
                Some(interface) if interface.xdp_program == Some(ours) => {}
                Some(interface) => {
                    self.pinned.attach(interface, *mode)?;
                    back.push(name.clone());
                }
                None => gone.push(name.clone()),
            }
        }
        if gone.is_empty() {
            self.detach_but(|link| link.alive)?;
        }
        Ok((back, gone))
    }

    /// Takes out what was counted, and keeps it: see [`Keeping::drain`].
    ///
    /// # Errors
    ///
    /// If the kernel does not answer. Nothing is lost then: the next drain takes it.
    pub fn drain(&mut self, nics: Vec<Nic>) -> Result<Vec<Drain>, KernelError> {
        let observes = self.observes();
        self.keeping.drain(&mut self.pinned.banks, (observes, observes), nics)
    }

    /// Drains until everything up to this moment is kept; `None` if the store cannot commit.
    /// `observed`: as for [`Keeping::drain`].
    ///
    /// # Errors
    ///
    /// As [`Generation::drain`].
    pub fn drain_all(&mut self, observed: (bool, bool)) -> Result<Option<Vec<Drain>>, KernelError> {
        let last = self.pinned.banks.header().epoch;
        let mut all = Vec::new();
        loop {
            let drains = self.keeping.drain(&mut self.pinned.banks, observed, Vec::new())?;
            let Some(reached) = drains.last().map(|drain| drain.epoch) else { return Ok(None) };
            all.extend(drains);
            if reached >= last {
                return Ok(Some(all));
            }
        }
    }
}

/// A program that ends with the process.
pub struct Unkept {
    pub program: Program,
    pub banks: Banks,
    pub links: Vec<Link>,
}

/// A program that counts, and where its counts go.
pub enum Counters {
    /// Forgotten when they have been shown.
    Unkept(Box<Unkept>),
    /// Kept in a store; the program goes on without the process.
    Kept(Box<Generation>),
}

impl Counters {
    /// The program.
    pub fn program(&mut self) -> &mut Program {
        match self {
            Self::Unkept(unkept) => &mut unkept.program,
            Self::Kept(generation) => &mut generation.pinned.program,
        }
    }

    /// How keeping goes, where something is kept.
    pub fn state(&self) -> Option<State> {
        match self {
            Self::Unkept(_) => None,
            Self::Kept(generation) => Some(generation.keeping.state()),
        }
    }

    /// How full the spill log is.
    pub fn spill(&self) -> Spill {
        match self {
            Self::Unkept(unkept) => unkept.banks.spill(),
            Self::Kept(generation) => generation.pinned.banks.spill(),
        }
    }

    /// Takes out what was counted, and keeps it if it is to be kept: see [`Keeping::drain`].
    ///
    /// # Errors
    ///
    /// If the kernel does not answer. Nothing is lost then: the next drain takes it.
    pub fn drain(&mut self, nics: Vec<Nic>) -> Result<Vec<Drain>, KernelError> {
        match self {
            Self::Unkept(unkept) => Ok(vec![unkept.banks.take()?]),
            Self::Kept(generation) => generation.drain(nics),
        }
    }
}

/// Nanoseconds since 1970.
pub fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
