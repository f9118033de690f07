//! A flood over a veth pair: the program against a bare drop.

use std::{
    ffi::CString,
    fs, io,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use aya::programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp, XdpMode};
use teiten::export::rows::grouped;
use teiten::kernel::{
    attach::{self, Mode},
    banks::Banks,
    interfaces::Interface,
    program::{self, Loaded, Program, Settings},
};

use crate::{
    Options, machine,
    object::{self, Object},
    report::{Section, median},
};

/// Frames of one batch on their way through the kernel.
const BATCH: u32 = 64;
/// How often the agent drains.
const INTERVAL: Duration = Duration::from_millis(100);
/// Frames after which the time is looked at.
const FRAMES: u32 = 1 << 16;

/// What receives the flood. Whatever it is, it drops every frame.
const RECEIVERS: [&str; 3] = ["XDP drop", "teiten", "teiten, watching"];

pub fn run(options: &Options) -> Result<Section> {
    let options = *options;
    // The namespace belongs to the thread: it and all that is in it go when the thread ends,
    // however that comes.
    thread::spawn(move || flood(&options)).join().map_err(|_| anyhow!("the benchmark panicked"))?
}

fn flood(options: &Options) -> Result<Section> {
    let (rounds, seconds) = if options.quick { (3, 0.5) } else { (9, 2.0) };
    // SAFETY: concerns this thread only, which has nothing open that belongs to a namespace.
    let unshared = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    ensure!(unshared == 0, "unshare(CLONE_NEWNET) failed: {}", io::Error::last_os_error());
    let mut cpus = machine::allowed()?;
    let sender = cpus.pop().unwrap_or(0);
    let drainers = if cpus.is_empty() { vec![sender] } else { cpus };
    machine::pin([sender])?;

    let mut object = Object::load(&object::settings()?)?;
    let mut ends = Vec::new();
    for number in 0..RECEIVERS.len() {
        ends.push(pair(&mut object, number)?);
    }
    attach_native(object.program("drop")?, ends[0].receiver.index)?;
    let everything = Settings { drop: true, ..object::settings()? };
    let watched = vec![("198.51.100.0/24".parse()?, 0)];
    let watching = Settings { watched, ..everything.clone() };
    let mut sensors = Vec::new();
    for (settings, ends) in [everything, watching].iter().zip(&ends[1..]) {
        let Loaded { program, banks, .. } = program::load(settings)?;
        let link = attach::attach(&program, &ends.receiver, Mode::Native)?;
        sensors.push(Sensor { banks, _link: link, _program: program });
    }

    let mut results: Vec<Vec<Received>> = vec![Vec::new(); RECEIVERS.len()];
    for number in 0..=rounds {
        for step in 0..RECEIVERS.len() {
            let receiver = (step + number) % RECEIVERS.len();
            let sensor = receiver.checked_sub(1).and_then(|number| sensors.get_mut(number));
            let received =
                round(&mut object, &ends[receiver], sensor, Duration::from_secs_f64(seconds), &drainers)
                    .with_context(|| RECEIVERS[receiver])?;
            // The first round warms up.
            if number != 0 {
                results[receiver].push(received);
            }
        }
        eprintln!("  round {number} of {rounds}");
    }

    let mut section = Section {
        title: "Flood",
        about: format!(
            "Frames of 60 bytes over a veth pair in native mode, every one with a random source and port, sent \
             from one core (live frames of BPF_PROG_TEST_RUN, batches of {BATCH}), which also receives them; \
             {rounds} interleaved rounds of {seconds} s, medians. All receivers drop every frame; `watching` \
             looks its destination up in the watched prefixes first. The agent drains every {} ms.",
            INTERVAL.as_millis()
        ),
        head: vec![
            "receiver",
            "packets a second",
            "of XDP drop",
            "sent",
            "received",
            "counted",
            "detail lost",
            "drain's CPU",
        ],
        ..Section::default()
    };
    for (receiver, name) in RECEIVERS.iter().enumerate() {
        let all = &results[receiver];
        let sum = |of: fn(&Received) -> u64| grouped(all.iter().map(of).sum());
        let ratio = median(all.iter().zip(&results[0]).map(|(one, drop)| one.rate / drop.rate));
        let counts = receiver != 0;
        let only = |text: String| if counts { text } else { "–".to_owned() };
        section.rows.push(vec![
            (*name).to_owned(),
            grouped(median(all.iter().map(|one| one.rate)) as u64),
            only(format!("{:.1} %", ratio * 100.0)),
            sum(|one| one.sent),
            sum(|one| one.received),
            only(sum(|one| one.counted)),
            only(sum(|one| one.lost)),
            only(format!("{:.1} %", median(all.iter().map(|one| one.cpu)) * 100.0)),
        ]);
    }
    section.notes.push(
        "`counted` must be `received`, or the benchmark fails. `drain's CPU`: CPU time of the thread that \
         drains, of one core."
            .to_owned(),
    );
    Ok(section)
}

/// A loaded program, attached.
struct Sensor {
    banks: Banks,
    _link: attach::Link,
    _program: Program,
}

/// Both ends of a veth pair.
struct Ends {
    sender: Interface,
    receiver: Interface,
}

/// What became of one round of the flood.
#[derive(Clone, Copy, Default)]
struct Received {
    sent: u64,
    received: u64,
    counted: u64,
    lost: u64,
    /// Received packets a second.
    rate: f64,
    /// CPU time of the draining thread, by wall-clock time.
    cpu: f64,
}

/// Makes a veth pair, up, with a program on the sender's end that lets frames in.
fn pair(object: &mut Object, number: usize) -> Result<Ends> {
    let (sender, receiver) = (format!("tx{number}"), format!("rx{number}"));
    ip(&["link", "add", &sender, "type", "veth", "peer", "name", &receiver])?;
    for name in [&sender, &receiver] {
        // No neighbour discovery, which would be received beside the flood.
        ip(&["link", "set", name, "addrgenmode", "none"])?;
        ip(&["link", "set", name, "up"])?;
    }
    let ends = Ends { sender: interface(sender)?, receiver: interface(receiver)? };
    attach_native(object.program("pass")?, ends.sender.index)?;
    Ok(ends)
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("running `ip` (package iproute2)")?;
    if !output.status.success() {
        bail!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn interface(name: String) -> Result<Interface> {
    let c_name = CString::new(name.as_str())?;
    // SAFETY: a string that ends with 0.
    let index = unsafe { libc::if_nametoindex(c_name.as_ptr()) };
    ensure!(index != 0, "no interface {name}: {}", io::Error::last_os_error());
    Ok(Interface { index, name, ..Interface::default() })
}

fn attach_native(program: &mut Xdp, interface: u32) -> Result<()> {
    program.attach_to_if_index(interface, XdpMode::Driver)?;
    Ok(())
}

fn round(
    object: &mut Object,
    ends: &Ends,
    sensor: Option<&mut Sensor>,
    duration: Duration,
    drainers: &[usize],
) -> Result<Received> {
    let mut result = Received::default();
    let before = received(&ends.receiver.name)?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| -> Result<()> {
        let drain = sensor.map(|sensor| scope.spawn(|| drain(&mut sensor.banks, &done, drainers)));
        let start = Instant::now();
        let sent = send(object.program("flood")?, ends.sender.index, start + duration);
        let took = start.elapsed();
        done.store(true, Ordering::Release);
        result.sent = sent?;
        result.received = settled(&ends.receiver.name)? - before;
        result.rate = result.received as f64 / took.as_secs_f64();
        if let Some(drain) = drain {
            let drained = drain.join().map_err(|_| anyhow!("the draining thread panicked"))??;
            (result.counted, result.lost) = (drained.counted, drained.lost);
            result.cpu = drained.cpu.as_secs_f64() / took.as_secs_f64();
            ensure!(
                result.counted == result.received,
                "{} packets received, {} counted",
                result.received,
                result.counted
            );
        }
        Ok(())
    })?;
    Ok(result)
}

/// Sends until this time. Returns the number of frames.
pub fn send(flood: &Xdp, interface: u32, until: Instant) -> Result<u64> {
    let frame = object::frame();
    // struct xdp_md of linux/bpf.h: data, data_end, data_meta, ingress_ifindex, rx_queue_index,
    // egress_ifindex.
    let words = [0, frame.len() as u32, 0, interface, 0, 0];
    let context: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    let mut sent = 0;
    while Instant::now() < until {
        let mut options = TestRunOptions::new();
        options.data_in = Some(&frame);
        options.ctx_in = Some(&context);
        options.repeat = FRAMES;
        options.attrs = TestRunAttrs::new().xdp_live_frames(BATCH);
        flood.test_run(options).context("sending")?;
        sent += u64::from(FRAMES);
    }
    Ok(sent)
}

/// What the agent took out of the kernel.
#[derive(Default)]
struct Drained {
    counted: u64,
    lost: u64,
    cpu: Duration,
}

/// Drains until all is sent, and once more.
fn drain(banks: &mut Banks, done: &AtomicBool, cpus: &[usize]) -> Result<Drained> {
    machine::pin(cpus.iter().copied())?;
    let mut drained = Drained::default();
    let start = machine::thread_time()?;
    let mut next = Instant::now();
    loop {
        next += INTERVAL;
        let last = loop {
            if done.load(Ordering::Acquire) {
                break true;
            }
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break false;
            }
            thread::sleep(left.min(Duration::from_millis(10)));
        };
        if last {
            // What is still on its way.
            thread::sleep(Duration::from_millis(20));
        }
        let drain = banks.take()?;
        if let Some(mismatch) = drain.mismatches.into_iter().next() {
            return Err(mismatch.into());
        }
        ensure!(drain.uncounted == 0, "{} packets were not counted", drain.uncounted);
        drained.counted += drain.outcomes.packets;
        drained.lost += drain.lost;
        if last {
            drained.cpu = machine::thread_time()? - start;
            return Ok(drained);
        }
        next = next.max(Instant::now());
    }
}

/// Packets that an interface has received, once there are no more on their way.
fn settled(name: &str) -> Result<u64> {
    let mut last = received(name)?;
    loop {
        thread::sleep(Duration::from_millis(5));
        let now = received(name)?;
        if now == last {
            return Ok(now);
        }
        last = now;
    }
}

/// Packets that an interface of this thread's namespace has received.
fn received(name: &str) -> Result<u64> {
    const PATH: &str = "/proc/thread-self/net/dev";
    let text = fs::read_to_string(PATH).context(PATH)?;
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(':'));
    let packets = line.and_then(|counters| counters.split_ascii_whitespace().nth(1)?.parse().ok());
    packets.with_context(|| format!("{PATH} has no packets of {name}"))
}
