//! Where an agent goes on that finds counters which count already: the start-up rule.
//!
//! Kernel and store are two memories without a common transaction. What makes them one is an order of
//! steps: flip, wait, read, commit, zero. An agent may end between any two of them; the numbers of the
//! epochs on both sides tell where.

/// What is to be done with the quiet bank, before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// The store has its counts: zero it.
    Zero,
    /// The store does not have its counts: wait, read it, and commit it as this epoch.
    Drain(u64),
}

/// Kernel and store do not belong to the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.says())]
pub struct Diverged {
    /// The epoch that the kernel counts.
    pub kernel: u64,
    /// The last epoch that the store has of this generation.
    pub store: Option<u64>,
}

impl Diverged {
    /// Whether the store lacks epochs that the kernel no longer has; else it has epochs that the
    /// kernel has not counted yet.
    pub fn is_behind(&self) -> bool {
        self.store.is_none_or(|store| store < self.kernel)
    }

    fn says(&self) -> String {
        let kernel = self.kernel;
        match self.store {
            Some(store) if store >= kernel => format!(
                "the store is ahead of the kernel: it ends with epoch {store} of these counters, which count \
                 epoch {kernel}; it was written from other counters, or these were changed by another \
                 program; give the store that belongs to them, or end them without their last counts by \
                 `teiten detach --discard`"
            ),
            store => format!(
                "the store is behind the kernel: it ends with {} of these counters, which count epoch {kernel} \
                 and hold no more than the one before it; it is an older copy; put the newest one in its \
                 place, or keep what the kernel still holds, without what lies between, by `teiten detach \
                 --restored`",
                store.map_or_else(|| "no epoch".to_owned(), |store| format!("epoch {store}"))
            ),
        }
    }
}

/// What is in the quiet bank, where the kernel counts epoch `kernel` and the store's last epoch of the
/// same generation is `store`.
///
/// The epoch before the kernel's is in the quiet bank until it is zeroed, and the kernel's epoch was
/// not raised before that bank was zeroed, which was not done before its last content was committed.
/// So the store has the epoch before the kernel's, or lacks just that one. Epochs below `released`
/// were in the store, and their banks may be zeroed: a store that lacks one is an older copy.
///
/// # Errors
///
/// [`Diverged`] if neither is so: one of the two was replaced.
pub fn resume(kernel: u64, released: u64, store: Option<u64>) -> Result<Quiet, Diverged> {
    // Without any epoch in the store, the next one is 0.
    let next = match store {
        None => Some(0),
        Some(last) => last.checked_add(1),
    };
    match next {
        Some(next) if next < released => Err(Diverged { kernel, store }),
        Some(next) if next == kernel => Ok(Quiet::Zero),
        Some(next) if next.checked_add(1) == Some(kernel) => Ok(Quiet::Drain(next)),
        _ => Err(Diverged { kernel, store }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashSet, VecDeque};

    use super::*;

    #[test]
    fn the_rule() {
        for (kernel, store, expected) in [
            (0, None, Some(Quiet::Zero)),
            (1, None, Some(Quiet::Drain(0))),
            (2, None, None),
            (1, Some(0), Some(Quiet::Zero)),
            (2, Some(0), Some(Quiet::Drain(1))),
            (3, Some(0), None),
            (0, Some(0), None),
            (7, Some(8), None),
            (9, Some(7), Some(Quiet::Drain(8))),
            (u64::MAX, Some(u64::MAX - 1), Some(Quiet::Zero)),
            (u64::MAX, Some(u64::MAX), None),
            (0, Some(u64::MAX), None),
        ] {
            assert_eq!(resume(kernel, 0, store).ok(), expected, "{kernel}, {store:?}");
        }
        assert_eq!(resume(2, 1, Some(0)), Ok(Quiet::Drain(1)));
        assert_eq!(resume(2, 2, Some(1)), Ok(Quiet::Zero));
        assert!(resume(2, 2, Some(0)).is_err_and(|diverged| diverged.is_behind()), "it was zeroed");
        assert!(resume(1, 1, None).is_err_and(|diverged| diverged.is_behind()), "it was zeroed");
    }

    #[test]
    fn what_diverged_is_told() {
        let says = |kernel, store| {
            let diverged = resume(kernel, 0, store).unwrap_err();
            (diverged.is_behind(), diverged.to_string())
        };
        let (behind, text) = says(9, Some(3));
        assert!(behind && text.contains("behind") && text.contains("epoch 3") && text.contains("epoch 9"));
        assert!(text.contains("--restored") && !text.contains("--discard"), "{text}");
        let (behind, text) = says(2, None);
        assert!(behind && text.contains("behind") && text.contains("no epoch"), "{text}");
        let (behind, text) = says(3, Some(3));
        assert!(!behind && text.contains("ahead") && text.contains("--discard"), "{text}");
    }

    /// A set of packets, by number.
    type Packets = u8;

    /// Packets that may arrive.
    const PACKETS: u8 = 4;
    /// Epochs that are begun while the program is attached stay below this number.
    const EPOCHS: u8 = 5;
    /// All do: an agent that retires the counters begins one more each time it tries.
    const MOST_EPOCHS: u8 = 7;

    /// A run of the program, from its start to its end.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    struct Run {
        packet: u8,
        /// The epoch that it has read.
        epoch: Option<u8>,
        /// Whether the agent waits for its end.
        awaited: bool,
    }

    /// What the agent does next.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    enum Step {
        /// Nothing: there is no agent.
        Down,
        /// Quiet bank known to be kept; it is zeroed in two steps.
        Zero,
        ZeroRest,
        /// Nothing is waiting to be kept.
        Idle,
        Flip,
        Wait,
        Waiting,
        Read,
        Commit,
        /// The store has answered with an error.
        ReadBack,
        /// The link is gone: wait for the runs that it has started.
        Detached,
        DetachedWaiting,
        /// The generation is drained for good.
        Remove,
    }

    /// Everything that there is, at one moment.
    #[derive(Clone, PartialEq, Eq, Hash, Debug)]
    struct World {
        // The kernel.
        epoch: u8,
        released: u8,
        banks: [Packets; 2],
        runs: [Option<Run>; 2],
        attached: bool,
        pinned: bool,
        arrived: u8,
        counted: Packets,
        // The store.
        last: Option<u8>,
        kept: Packets,
        /// What was kept, by epoch.
        epochs: [Packets; MOST_EPOCHS as usize],
        // The agent.
        step: Step,
        /// Whether no run can follow, so that its next commit is the last.
        retiring: bool,
        /// What it has read, of which epoch.
        read: Option<(u8, Packets)>,
    }

    /// What the agent of a model does, so that wrong ones can be tried.
    #[derive(Clone, Copy)]
    struct Agent {
        rule: fn(u64, u64, Option<u64>) -> Result<Quiet, Diverged>,
        waits_after_flip: bool,
        waits_after_detach: bool,
        zeroes: bool,
        marks: bool,
        commits_before_zero: bool,
        reads_back: bool,
    }

    const RIGHT: Agent = Agent {
        rule: resume,
        waits_after_flip: true,
        waits_after_detach: true,
        zeroes: true,
        marks: true,
        commits_before_zero: true,
        reads_back: true,
    };

    impl World {
        fn new() -> Self {
            Self {
                epoch: 0,
                released: 0,
                banks: [0; 2],
                runs: [None; 2],
                attached: true,
                pinned: true,
                arrived: 0,
                counted: 0,
                last: None,
                kept: 0,
                epochs: [0; MOST_EPOCHS as usize],
                step: Step::Down,
                retiring: false,
                read: None,
            }
        }

        fn live(&self) -> usize {
            usize::from(self.epoch & 1)
        }

        fn rule(&self, agent: &Agent) -> Result<Quiet, Diverged> {
            (agent.rule)(self.epoch.into(), self.released.into(), self.last.map(u64::from))
        }

        /// The same world with a copy of the store that was made when `last` was its last epoch.
        fn restored(&self, last: Option<u8>) -> Self {
            let epochs = self.epochs.iter().take(last.map_or(0, |last| usize::from(last) + 1));
            let kept = epochs.fold(0, |all, packets| all | packets);
            self.then(|world| {
                world.last = last;
                world.kept = kept;
            })
        }

        /// What is in the banks and will be drained, now or by an agent to come.
        fn pending(&self) -> Packets {
            if !self.pinned {
                return 0;
            }
            let lacks_quiet = self.last.map_or(0, |last| last + 1) < self.epoch;
            self.banks[self.live()] | if lacks_quiet { self.banks[self.live() ^ 1] } else { 0 }
        }

        /// What must be so at every moment.
        fn check(&self, agent: &Agent) -> Result<(), String> {
            let pending = self.pending();
            if self.kept & pending != 0 {
                return Err(format!("packets {:b} would be kept twice", self.kept & pending));
            }
            if self.kept | pending != self.counted {
                return Err(format!("packets {:b} are lost", self.counted & !(self.kept | pending)));
            }
            if self.pinned {
                self.rule(agent).map_err(|diverged| diverged.to_string())?;
                // An older copy is refused, unless the banks still hold all that it lacks.
                for older in (0..=self.last.unwrap_or(0)).map(|epochs| epochs.checked_sub(1)) {
                    let world = self.restored(older);
                    if world.rule(agent).is_ok() && world.kept | world.pending() != self.counted {
                        return Err(format!(
                            "a copy that ends with {older:?} is taken, and packets are lost"
                        ));
                    }
                }
            }
            Ok(())
        }

        fn then(&self, change: impl FnOnce(&mut Self)) -> Self {
            let mut next = self.clone();
            change(&mut next);
            next
        }

        /// Every world that can follow.
        fn next(&self, agent: &Agent) -> Result<Vec<Self>, String> {
            let mut all = self.packets();
            if self.step != Step::Down {
                // It may end at any moment; nobody waits for anything then.
                all.push(self.then(|world| {
                    world.step = Step::Down;
                    world.retiring = false;
                    world.read = None;
                    world.forget_waits();
                }));
            }
            self.agent(agent, &mut all)?;
            Ok(all)
        }

        fn forget_waits(&mut self) {
            for run in self.runs.iter_mut().flatten() {
                run.awaited = false;
            }
        }

        /// Runs of the program: they start, read the epoch, count and end, on two CPUs.
        fn packets(&self) -> Vec<Self> {
            let mut all = Vec::new();
            for cpu in 0..self.runs.len() {
                match self.runs[cpu] {
                    None if self.attached && self.arrived < PACKETS => all.push(self.then(|world| {
                        world.runs[cpu] = Some(Run { packet: world.arrived, epoch: None, awaited: false });
                        world.arrived += 1;
                    })),
                    None => {}
                    Some(run @ Run { epoch: None, .. }) => all.push(self.then(|world| {
                        world.runs[cpu] = Some(Run { epoch: Some(world.epoch), ..run });
                    })),
                    Some(Run { packet, epoch: Some(epoch), .. }) => all.push(self.then(|world| {
                        world.banks[usize::from(epoch & 1)] |= 1 << packet;
                        world.counted |= 1 << packet;
                        world.runs[cpu] = None;
                    })),
                }
            }
            all
        }

        fn agent(&self, agent: &Agent, all: &mut Vec<Self>) -> Result<(), String> {
            let live = self.live();
            let mut to = |change: &dyn Fn(&mut Self)| all.push(self.then(change));
            let awaited = self.runs.iter().flatten().any(|run| run.awaited);
            let wait = |world: &mut Self| world.runs.iter_mut().flatten().for_each(|run| run.awaited = true);
            match self.step {
                Step::Down if self.pinned => {
                    let first = match self.rule(agent).map_err(|diverged| diverged.to_string())? {
                        Quiet::Zero => Step::Zero,
                        Quiet::Drain(_) => Step::Wait,
                    };
                    to(&|world| world.step = first);
                }
                Step::Down => {}
                Step::Zero => to(&|world| {
                    world.released = if agent.marks { world.epoch } else { 0 };
                    world.banks[live ^ 1] &= 0b0101_0101;
                    world.step = Step::ZeroRest;
                }),
                Step::ZeroRest => to(&|world| {
                    if agent.zeroes {
                        world.banks[live ^ 1] = 0;
                    }
                    world.step = Step::Idle;
                }),
                Step::Idle => {
                    // Another generation takes the link over, or has taken it.
                    to(&|world| {
                        world.attached = false;
                        world.step = Step::Detached;
                    });
                    if self.attached && self.epoch + 1 < EPOCHS {
                        to(&|world| world.step = Step::Flip);
                    }
                }
                Step::Flip => {
                    if self.banks[live ^ 1] != 0 {
                        return Err(format!("a flip to a bank that holds {:b}", self.banks[live ^ 1]));
                    }
                    to(&|world| {
                        world.epoch += 1;
                        world.step = if agent.waits_after_flip { Step::Wait } else { Step::Read };
                    });
                }
                Step::Wait => to(&|world| {
                    wait(world);
                    world.step = Step::Waiting;
                }),
                Step::Waiting if !awaited => to(&|world| world.step = Step::Read),
                Step::Waiting => {
                    // The wait fails, and the next drain waits again.
                    to(&|world| {
                        world.forget_waits();
                        world.step = Step::Wait;
                    });
                }
                Step::Read => to(&|world| {
                    world.read = Some((world.epoch - 1, world.banks[live ^ 1]));
                    if !agent.commits_before_zero {
                        world.banks[live ^ 1] = 0;
                    }
                    world.step = Step::Commit;
                }),
                Step::Commit => {
                    let (epoch, packets) = self.read.expect("what was read");
                    if self.last.map_or(0, |last| last + 1) != epoch {
                        return Err(format!("epoch {epoch} is committed after {:?}", self.last));
                    }
                    if self.kept & packets != 0 {
                        return Err(format!("packets {:b} are kept twice", self.kept & packets));
                    }
                    // An error, with and without the commit having come through; or success, of which
                    // the agent may never hear.
                    to(&|world| world.step = Step::ReadBack);
                    for step in [Step::ReadBack, Step::Zero] {
                        to(&|world| {
                            world.last = Some(epoch);
                            world.kept |= packets;
                            world.epochs[usize::from(epoch)] = packets;
                            world.step = if step == Step::Zero { world.committed() } else { step };
                        });
                    }
                }
                Step::ReadBack => to(&|world| {
                    let there = world.last == world.read.map(|(epoch, _)| epoch);
                    world.step = if there && agent.reads_back { world.committed() } else { Step::Commit };
                }),
                Step::Detached if agent.waits_after_detach => to(&|world| {
                    wait(world);
                    world.step = Step::DetachedWaiting;
                }),
                Step::DetachedWaiting if awaited => {}
                Step::Detached | Step::DetachedWaiting => {
                    if self.epoch + 1 < MOST_EPOCHS {
                        to(&|world| {
                            world.retiring = true;
                            world.step = Step::Flip;
                        });
                    }
                }
                Step::Remove => to(&|world| {
                    world.pinned = false;
                    world.banks = [0; 2];
                    world.step = Step::Down;
                }),
            }
            Ok(())
        }

        /// What comes after a commit.
        fn committed(&mut self) -> Step {
            self.read = None;
            if self.retiring { Step::Remove } else { Step::Zero }
        }
    }

    /// Visits every world that can come to be. Returns how many there are, and in how many of them
    /// nothing can happen any more.
    fn explore(agent: &Agent) -> Result<(usize, usize), String> {
        let mut seen = HashSet::from([World::new()]);
        let mut waiting = VecDeque::from([World::new()]);
        let mut ends = 0;
        while let Some(world) = waiting.pop_front() {
            world.check(agent).map_err(|wrong| format!("{wrong}: {world:?}"))?;
            let next = world.next(agent).map_err(|wrong| format!("{wrong}: {world:?}"))?;
            if next.is_empty() {
                ends += 1;
                if world.kept != world.counted || world.pinned {
                    return Err(format!("an end without all packets in the store: {world:?}"));
                }
            }
            for next in next {
                if seen.insert(next.clone()) {
                    waiting.push_back(next);
                }
            }
        }
        Ok((seen.len(), ends))
    }

    #[test]
    fn no_packet_is_lost_or_kept_twice_wherever_an_agent_ends() {
        let (worlds, ends) = explore(&RIGHT).unwrap();
        println!("{worlds} worlds, {ends} of them ends");
        assert!(worlds > 10_000, "{worlds} worlds");
        assert!(ends > 0);
    }

    #[test]
    fn the_model_finds_what_is_wrong() {
        let wrong = |agent: Agent, says: &str| {
            let found = explore(&agent).unwrap_err();
            assert!(found.contains(says), "{found}, and not: {says}");
        };
        wrong(Agent { rule: |_, _, _| Ok(Quiet::Zero), ..RIGHT }, "are lost");
        let always_drain = |kernel: u64, _, _| Ok(kernel.checked_sub(1).map_or(Quiet::Zero, Quiet::Drain));
        wrong(Agent { rule: always_drain, ..RIGHT }, "is taken, and packets are lost");
        let strict = |kernel, released, store| match resume(kernel, released, store) {
            Ok(Quiet::Drain(_)) => Err(Diverged { kernel, store }),
            result => result,
        };
        wrong(Agent { rule: strict, ..RIGHT }, "behind the kernel");
        wrong(Agent { waits_after_flip: false, ..RIGHT }, "are lost");
        wrong(Agent { waits_after_detach: false, ..RIGHT }, "are lost");
        wrong(Agent { zeroes: false, ..RIGHT }, "a flip to a bank");
        wrong(Agent { marks: false, ..RIGHT }, "is taken, and packets are lost");
        wrong(Agent { commits_before_zero: false, ..RIGHT }, "are lost");
        wrong(Agent { reads_back: false, ..RIGHT }, "is committed after");
    }
}
