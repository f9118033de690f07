//! `teiten doctor`: what stands in the way of counting here, and what to do about it.
//!
//! Findings are data: functions without I/O judge what was read, and one place prints.

use std::{
    error::Error,
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use jiff::Timestamp;

use super::options::{GeoArgs, MemoryArgs};
use crate::{
    geo::{Geo, Paths},
    kernel::{
        KernelError,
        attach::{Mode, attach, holder},
        features::{Capabilities, Features, Realtime, Trial, page_size},
        interfaces::{Interface, default_route, interfaces, stacked},
        native::{self, ONE_BUFFER_MTU, XdpFeatures, xdp_features},
        program::{Entry, cpus},
    },
};

/// Seconds.
const DAY: i64 = 86_400;
/// Days after which a database is called old: it should be replaced monthly.
const OLD: i64 = 60;
/// Days after which its regions are wrong too often to publish.
const TOO_OLD: i64 = 365;

/// Check whether this machine can count, and say what to do where it cannot.
///
/// Nothing is attached to an interface and nothing is changed, unless --try-native is given.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Exit status: 0 if there is no problem (there may be warnings), 1 if there is one.")]
pub struct DoctorArgs {
    /// Interface to check; may be given several times [default: the interface of the default
    /// route, or else all that are up]
    #[arg(long = "iface", short, env = "TEITEN_IFACE", value_name = "IF", value_delimiter = ',')]
    pub interfaces: Vec<String>,
    #[command(flatten)]
    geo: GeoArgs,
    #[command(flatten)]
    memory: MemoryArgs,
    /// Attach the program in native mode for a moment. Some drivers reset the link for it
    #[arg(long)]
    pub try_native: bool,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One line a finding, and a second one with what to do
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ok,
    /// Counting works, at a cost or without something that is likely wanted.
    Warning,
    /// Counting fails or is wrong.
    Problem,
}

impl Verdict {
    /// `ok`, `warning` or `problem`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    /// The colour of the word on a terminal (ECMA-48).
    const fn colour(self) -> &'static str {
        match self {
            Self::Ok => "\x1b[32m",
            Self::Warning => "\x1b[33m",
            Self::Problem => "\x1b[31m",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub verdict: Verdict,
    /// What was looked at: a part of the machine, an interface, a database.
    pub topic: String,
    pub finding: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Line {
    fn new(verdict: Verdict, topic: &str, finding: impl Into<String>) -> Self {
        Self { verdict, topic: topic.to_owned(), finding: finding.into(), advice: None }
    }

    fn ok(topic: &str, finding: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, topic, finding)
    }

    fn warning(topic: &str, finding: impl Into<String>) -> Self {
        Self::new(Verdict::Warning, topic, finding)
    }

    fn problem(topic: &str, finding: impl Into<String>) -> Self {
        Self::new(Verdict::Problem, topic, finding)
    }

    fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// Checks, prints, and tells by the exit code whether there is a problem.
///
/// # Errors
///
/// If the findings cannot be printed. Whatever else fails is a finding.
pub async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let lines = examine(&args).await;
    let mut out = io::stdout().lock();
    let text = match args.format {
        Format::Text => {
            let colours =
                out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            text(&lines, colours)
        }
        Format::Json => json(&lines),
    };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::from(exit_code(&lines)))
}

/// All findings, in the order in which they are printed.
pub async fn examine(args: &DoctorArgs) -> Vec<Line> {
    let features = Features::read(Path::new("/"));
    let trial = Trial::new().and_then(|mut trial| trial.counts().map(|right| (trial, right)));
    let mut lines = vec![kernel(&features), realtime(features.realtime)];
    lines.extend(features.capabilities.map(privileges));
    lines.push(match &trial {
        Ok((trial, right)) => loaded(trial.entry(), *right),
        Err(error) => not_loaded(error, features.capabilities),
    });
    let trial = trial.ok().map(|(trial, _)| trial);
    let machine_code = trial.as_ref().and_then(|trial| trial.machine_code);
    lines.push(compiler(features.jit, features.jit_hardening, machine_code));
    lines.push(statistics(features.statistics));
    lines.push(memory(args.memory, &features));
    lines.push(bpf_file_system(&features));
    lines.extend(network(args, &features, trial.as_ref()).await);
    lines.extend(databases(&args.geo));
    lines
}

/// 1 with a problem, else 0.
pub fn exit_code(lines: &[Line]) -> u8 {
    u8::from(lines.iter().any(|line| line.verdict == Verdict::Problem))
}

fn count(lines: &[Line], verdict: Verdict) -> usize {
    lines.iter().filter(|line| line.verdict == verdict).count()
}

/// The findings for people to read.
pub fn text(lines: &[Line], colours: bool) -> String {
    let verdicts = Verdict::Problem.as_str().len();
    let topics = lines.iter().map(|line| line.topic.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for line in lines {
        let word = line.verdict.as_str();
        let (on, off) = if colours { (line.verdict.colour(), "\x1b[0m") } else { ("", "") };
        let gap = " ".repeat(verdicts - word.len());
        text += &format!("{on}{word}{off}{gap}  {:topics$}  {}\n", line.topic, line.finding);
        if let Some(advice) = &line.advice {
            text += &format!("{:1$}{advice}\n", "", verdicts + topics + 4);
        }
    }
    let several = |count: usize, one: &str| match count {
        0 => format!("no {one}s"),
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    let problems = several(count(lines, Verdict::Problem), "problem");
    let warnings = several(count(lines, Verdict::Warning), "warning");
    text + &format!("\n{problems}, {warnings}\n")
}

/// The findings for programs to read: `{"problems", "warnings", "findings": [{"verdict", "topic",
/// "finding", "advice"}]}`, `advice` being null where there is nothing to do.
pub fn json(lines: &[Line]) -> String {
    let findings: Vec<_> = lines
        .iter()
        .map(|line| {
            serde_json::json!({
                "verdict": line.verdict.as_str(),
                "topic": line.topic,
                "finding": line.finding,
                "advice": line.advice,
            })
        })
        .collect();
    let report = serde_json::json!({
        "problems": count(lines, Verdict::Problem),
        "warnings": count(lines, Verdict::Warning),
        "findings": findings,
    });
    format!("{report:#}\n")
}

/// An error with its causes. Those that the text before holds already are left out.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    // A verifier's log has a thousand lines.
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    if lines.next().is_some() { first + " […]" } else { first }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn kernel(features: &Features) -> Line {
    const TOPIC: &str = "kernel";
    let minimum = match features.architecture {
        "aarch64" => (5, 18),
        _ => (5, 12),
    };
    let Some(release) = &features.release else {
        return Line::warning(TOPIC, "its release cannot be read").advise("mount /proc");
    };
    let types = if features.btf { "with" } else { "without" };
    let finding = format!("Linux {release} on {}, {types} type information (BTF)", features.architecture);
    match features.version() {
        Some(version) if version < minimum => Line::warning(TOPIC, finding).advise(format!(
            "Linux {}.{} or newer is needed on this machine, unless its distributor has ported BPF \
             atomics back",
            minimum.0, minimum.1
        )),
        _ => Line::ok(TOPIC, finding),
    }
}

fn realtime(realtime: Realtime) -> Line {
    const TOPIC: &str = "real time";
    match realtime.refuse_unsafe() {
        Err(error) => Line::problem(TOPIC, chain(&error)),
        Ok(()) if realtime == Realtime::Serial => {
            Line::ok(TOPIC, "a real-time kernel, whose soft interrupts are serial on each CPU")
        }
        Ok(()) => Line::ok(TOPIC, "not a real-time kernel"),
    }
}

fn privileges(capabilities: Capabilities) -> Line {
    const TOPIC: &str = "privileges";
    let missing = capabilities.missing();
    if missing.is_empty() {
        return Line::ok(TOPIC, "BPF programs may be loaded and attached");
    }
    Line::problem(TOPIC, format!("{} missing", missing.join(", ")))
        .advise("run as root (sudo), or give the process CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")
}

fn loaded(entry: Entry, right: bool) -> Line {
    const TOPIC: &str = "program";
    let taken = match entry {
        Entry::Fragments => "for frames of one or several buffers",
        Entry::Linear => "for frames of one buffer (several want Linux 5.18)",
    };
    if right {
        Line::ok(TOPIC, format!("loaded on trial, {taken}; a test frame was counted right"))
    } else {
        Line::problem(TOPIC, format!("loaded on trial, {taken}; a test frame was counted wrong"))
            .advise("this is a defect of Teiten or of the kernel: please report it with this output")
    }
}

fn not_loaded(error: &KernelError, capabilities: Option<Capabilities>) -> Line {
    const TOPIC: &str = "program";
    let complete = capabilities.is_some_and(|capabilities| capabilities.missing().is_empty());
    match error {
        KernelError::NoPrivilege if complete => Line::problem(
            TOPIC,
            "the kernel does not let this process load BPF programs, for all its privileges",
        )
        .advise("a user namespace, a container's seccomp filter or a locked-down kernel forbids it"),
        // Said of the privileges already.
        KernelError::NoPrivilege => Line::warning(TOPIC, "not loaded on trial, for want of privileges"),
        _ => Line::problem(TOPIC, format!("loading it on trial failed: {}", chain(error))),
    }
}

/// `machine_code`: bytes that the kernel made of the program that was loaded on trial.
fn compiler(jit: Option<u32>, hardening: Option<u32>, machine_code: Option<u32>) -> Line {
    const TOPIC: &str = "compiler";
    let switch_on = "`sysctl -w net.core.bpf_jit_enable=1`; it lasts with a file in /etc/sysctl.d";
    match (machine_code, jit) {
        (Some(0), _) | (None, Some(0)) => {
            let off = if jit == Some(0) { "it is switched off" } else { "this kernel has none" };
            Line::warning(
                TOPIC,
                format!("no just-in-time compiler, {off}: the program is interpreted, several times slower"),
            )
            .advise(if jit == Some(0) { switch_on } else { "use a kernel with CONFIG_BPF_JIT" })
        }
        _ if hardening == Some(2) => Line::warning(
            TOPIC,
            "net.core.bpf_jit_harden is 2: constants are hidden, at a cost for each packet",
        )
        .advise("`sysctl -w net.core.bpf_jit_harden=1` hardens programs of unprivileged users only"),
        (None, Some(2)) | (Some(_), Some(2)) => {
            Line::warning(TOPIC, "net.core.bpf_jit_enable is 2: machine code is written to the kernel's log")
                .advise(switch_on)
        }
        (Some(bytes), _) => Line::ok(TOPIC, format!("just in time: {bytes} bytes of machine code")),
        (None, Some(_)) => Line::ok(TOPIC, "just in time"),
        (None, None) => Line::warning(TOPIC, "not known whether there is a just-in-time compiler")
            .advise("run this as root, so that the program can be loaded on trial"),
    }
}

fn statistics(enabled: Option<bool>) -> Line {
    const TOPIC: &str = "statistics";
    match enabled {
        Some(true) => Line::warning(
            TOPIC,
            "kernel.bpf_stats_enabled is 1: timing each run of the program costs tens of ns a packet",
        )
        .advise("`sysctl -w kernel.bpf_stats_enabled=0`"),
        Some(false) => Line::ok(TOPIC, "the kernel does not time BPF programs"),
        None => Line::ok(TOPIC, "not known whether the kernel times BPF programs"),
    }
}

fn memory(args: MemoryArgs, features: &Features) -> Line {
    const TOPIC: &str = "memory";
    match cpus().and_then(|cpus| Ok((cpus, args.fit(cpus)?))) {
        Ok((cpus, sizes)) => {
            enough_memory(cpus, sizes.bytes(), features.memory_available, features.memory_limit)
        }
        Err(error) => Line::problem(TOPIC, chain(&error)),
    }
}

/// `wanted`, `available` and `limit` in bytes.
fn enough_memory(cpus: u32, wanted: u64, available: Option<u64>, limit: Option<u64>) -> Line {
    const TOPIC: &str = "memory";
    let of = if cpus == 1 { "1 CPU".to_owned() } else { format!("{cpus} CPUs") };
    let mut finding = format!("the tables for {of} take {} of kernel memory", mib(wanted));
    if let Some(available) = available {
        finding += &format!(", {} available", mib(available));
    }
    if let Some(limit) = limit {
        finding += &format!(", the control group's limit is {}", mib(limit));
    }
    let advice = "--memory bounds it (CPUs with the highest numbers then lose detail), --spill-memory \
                  bounds the part that holds what does not fit the tables";
    let bound = available.unwrap_or(u64::MAX).min(limit.unwrap_or(u64::MAX));
    if wanted > bound {
        Line::problem(TOPIC, finding).advise(advice)
    } else if wanted > bound / 2 {
        Line::warning(TOPIC, finding).advise(advice)
    } else {
        Line::ok(TOPIC, finding)
    }
}

fn bpf_file_system(features: &Features) -> Line {
    const TOPIC: &str = "pinning";
    if features.bpf_file_system {
        return Line::ok(TOPIC, "a BPF file system is mounted on /sys/fs/bpf");
    }
    let finding = "no BPF file system on /sys/fs/bpf: the kernel cannot go on counting while no agent \
                   runs (a run without a store does not need it)";
    let advice = if features.initial_mounts == Some(false) {
        "this is not the mount namespace of process 1, and `ip netns exec` hides the file system by a \
         /sys of its own: use `nsenter --net=/run/netns/NAME`, or `mount -t bpf bpf /sys/fs/bpf`"
    } else {
        "`mount -t bpf bpf /sys/fs/bpf`"
    };
    Line::warning(TOPIC, finding).advise(advice)
}

/// What is known of one interface.
#[derive(Clone, Debug, Default)]
struct Card {
    interface: Interface,
    driver: Option<String>,
    /// LRO.
    merges: Option<bool>,
    /// Removal of VLAN tags.
    untags: Option<bool>,
    /// What the kernel says that the driver can do.
    features: Option<XdpFeatures>,
    /// Who is there already.
    holder: Option<String>,
    /// Whether the program could be attached in native mode, or why not.
    tried: Option<Result<(), String>>,
}

impl Card {
    fn read(interface: &Interface) -> Self {
        Self {
            driver: interface.driver(),
            merges: interface.large_receive_offload(),
            untags: interface.vlan_offload(),
            features: xdp_features(interface.index).ok().flatten(),
            holder: interface.xdp_program.map(holder),
            tried: None,
            interface: interface.clone(),
        }
    }
}

async fn network(args: &DoctorArgs, features: &Features, trial: Option<&Trial>) -> Vec<Line> {
    const TOPIC: &str = "interfaces";
    let (all, route) = match (interfaces().await, default_route().await) {
        (Ok(all), Ok(route)) => (all, route),
        (Err(error), _) | (_, Err(error)) => return vec![Line::problem(TOPIC, chain(&error))],
    };
    let (chosen, mut lines) = choose(&all, &args.interfaces, route);
    let host = Host {
        version: features.version(),
        fragments: trial.is_none_or(|trial| trial.entry() == Entry::Fragments),
        small_pages: page_size() == 4096,
    };
    for &interface in &chosen {
        let mut card = Card::read(interface);
        if let (true, Some(trial), None) = (args.try_native, trial, interface.xdp_program) {
            let attached = attach(&trial.program, interface, Mode::Native);
            card.tried = Some(attached.map(drop).map_err(|error| chain(&error)));
        }
        lines.extend(examine_card(&card, host));
    }
    lines.extend(twice(&all, &chosen));
    lines
}

/// The interfaces that are meant, and what is to be said of the choice.
fn choose<'a>(all: &'a [Interface], named: &[String], route: Option<u32>) -> (Vec<&'a Interface>, Vec<Line>) {
    const TOPIC: &str = "interfaces";
    if !named.is_empty() {
        let mut chosen: Vec<&Interface> = Vec::new();
        let mut lines = Vec::new();
        for name in named {
            match all.iter().find(|interface| interface.name == *name) {
                Some(interface) if chosen.iter().any(|other| other.index == interface.index) => {}
                Some(interface) => chosen.push(interface),
                None => {
                    let present: Vec<_> = all.iter().map(|interface| interface.name.as_str()).collect();
                    let advice = format!("there are: {}", present.join(", "));
                    lines.push(Line::problem(name, "no such interface").advise(advice));
                }
            }
        }
        return (chosen, lines);
    }
    if let Some(interface) = route.and_then(|index| all.iter().find(|interface| interface.index == index)) {
        return (vec![interface], Vec::new());
    }
    let up: Vec<&Interface> = all.iter().filter(|interface| interface.up && !interface.loopback).collect();
    let finding = if up.is_empty() { "no default route, and nothing is up" } else { "no default route" };
    (up, vec![Line::warning(TOPIC, finding).advise("name what is to be watched with --iface")])
}

/// What the machine has to do with native mode.
#[derive(Clone, Copy)]
struct Host {
    version: Option<(u32, u32)>,
    /// The program takes frames of several buffers.
    fragments: bool,
    /// Pages have 4 KiB.
    small_pages: bool,
}

fn examine_card(card: &Card, host: Host) -> Vec<Line> {
    let mut lines = vec![link(card)];
    lines.extend(upper(card));
    if card.merges == Some(true) {
        let name = &card.interface.name;
        lines.push(
            Line::warning(name, "received packets are merged (LRO): they would be counted as one")
                .advise(format!("`ethtool -K {name} lro off`")),
        );
    }
    lines.extend(card.holder.as_deref().map(|holder| occupied(&card.interface.name, holder)));
    lines.push(native_mode(card, host));
    lines
}

fn link(card: &Card) -> Line {
    let Interface { name, mtu, up, .. } = &card.interface;
    if !card.interface.ethernet() {
        return Line::problem(
            name,
            format!("its frames have no Ethernet header (link type {})", card.interface.link_layer),
        )
        .advise("name the interface below, which the tunnel's packets come in by");
    }
    let mut finding = String::from(if *up { "up" } else { "down" });
    match (&card.driver, card.interface.loopback) {
        (_, true) => finding += ", the loopback interface",
        (Some(driver), _) => finding += &format!(", driver {driver}"),
        (None, _) => finding += ", driver not known",
    }
    finding += &format!(", MTU {mtu}");
    if card.untags == Some(true) {
        finding += ", removes VLAN tags (what is counted stays the same)";
    }
    if *up {
        Line::ok(name, finding)
    } else {
        Line::warning(name, finding).advise(format!("`ip link set dev {name} up`"))
    }
}

/// What to know of an interface that is made of others.
fn upper(card: &Card) -> Option<Line> {
    let name = &card.interface.name;
    let (finding, advice) = match card.interface.kind.as_deref()? {
        "bridge" => (
            "a bridge: only what the host itself receives is seen, not what is forwarded",
            "name its ports to count all that comes in, and in native mode",
        ),
        "bond" => (
            "a bond: native mode wants Linux 5.15 and native XDP on all of its ports",
            "name its ports instead where that is not so, never both",
        ),
        "team" => ("a team, which has no native mode", "name its ports instead, never both"),
        "vlan" => (
            "a VLAN: only packets of this VLAN are seen, and in generic mode",
            "name the interface below to count all VLANs, never both",
        ),
        "macvlan" | "macvtap" | "ipvlan" | "ipvtap" => (
            "shares an interface: only packets to its own addresses are seen, and in generic mode",
            "name the interface below to count all, never both",
        ),
        _ => return None,
    };
    Some(Line::warning(name, finding).advise(advice))
}

fn occupied(name: &str, holder: &str) -> Line {
    let finding = format!("has an XDP program already: {holder}");
    if holder.starts_with("`teiten") {
        Line::warning(name, finding).advise("Teiten counts here: end that one before another is started")
    } else {
        Line::problem(name, finding).advise(format!(
            "an interface takes one at a time: end that one first (`ip link set dev {name} xdp off` removes a \
             program that no process holds)"
        ))
    }
}

fn native_mode(card: &Card, host: Host) -> Line {
    let Interface { name, mtu, .. } = &card.interface;
    const GENERIC: &str = "--mode auto falls back to generic mode, which costs more for each packet";
    match &card.tried {
        Some(Ok(())) => return Line::ok(name, "native mode: tried, works"),
        Some(Err(reason)) => {
            return Line::warning(name, format!("native mode: tried, refused: {reason}")).advise(GENERIC);
        }
        None => {}
    }
    if card.interface.loopback {
        return Line::ok(name, "native mode: none, generic mode is used");
    }
    let driver = card.driver.as_deref().unwrap_or("not known");
    let known = card.driver.as_deref().and_then(native::driver);
    let (source, fragments) = match (card.features, known, host.version) {
        (Some(features), ..) if !features.native() => {
            return Line::warning(name, format!("native mode: not offered (driver {driver})"))
                .advise(GENERIC);
        }
        (Some(features), ..) => ("offered by the driver, says the kernel", features.fragments()),
        (None, Some(known), Some(version)) if version < known.since => {
            let (major, minor) = known.since;
            let finding = format!("native mode: the driver {driver} has it since Linux {major}.{minor}");
            return Line::warning(name, finding)
                .advise(format!("{GENERIC}; --try-native tells whether it was ported back"));
        }
        (None, Some(known), version) => {
            let fragments = known.fragments.zip(version).is_some_and(|(since, version)| version >= since);
            ("this kernel's driver is known for it", fragments)
        }
        (None, None, _) => {
            return Line::warning(name, format!("native mode: not known (driver {driver})"))
                .advise("--try-native tells; some drivers reset the link for it");
        }
    };
    let limit = known.map_or(Some(ONE_BUFFER_MTU), |known| known.one_buffer_mtu);
    match limit {
        Some(limit) if *mtu > limit && host.small_pages && !(fragments && host.fragments) => {
            Line::warning(name, format!("native mode: {source}, but likely refused at an MTU above {limit}"))
                .advise(format!("`ip link set dev {name} mtu {limit}`; otherwise {GENERIC}"))
        }
        _ => Line::ok(name, format!("native mode: {source}; --try-native makes sure")),
    }
}

/// Whether packets would pass through two of the chosen interfaces.
fn twice(all: &[Interface], chosen: &[&Interface]) -> Option<Line> {
    let (lower, upper) = stacked(all, chosen)?;
    let finding = format!("{} lies above {}: packets would be counted twice", upper.name, lower.name);
    Some(Line::problem("interfaces", finding).advise("name one of them, or count twice with --allow-stacked"))
}

/// Whether the databases that are named can be used, and how old they are.
fn databases(args: &GeoArgs) -> Vec<Line> {
    let now = Timestamp::now();
    let mut lines = Vec::new();
    match &args.country {
        Some(path) => {
            lines.push(database(Paths { country: Some(path.clone()), asn: Vec::new() }, "country", now));
        }
        None => lines.push(
            Line::warning("country", "no country database: every region will be `unknown`").advise(
                "get one in the MMDB format (GeoLite2 Country, DB-IP Lite, IPinfo Lite) and name it with --country",
            ),
        ),
    }
    let asn = args.asn.iter().map(|path| Paths { country: None, asn: vec![path.clone()] });
    lines.extend(asn.map(|paths| database(paths, "asn", now)));
    lines
}

fn database(paths: Paths, topic: &str, now: Timestamp) -> Line {
    let geo = match Geo::open(paths) {
        Ok(geo) => geo,
        Err(error) => return Line::problem(topic, error.to_string()),
    };
    let tables = geo.tables();
    let Some(database) = tables.databases().first() else {
        return Line::problem(topic, "no database was read");
    };
    let what = format!(
        "{}: {}, {} IPv4 and {} IPv6 networks",
        database.path.display(),
        database.database_type,
        database.networks_v4,
        database.networks_v6
    );
    match database.built.timestamp() {
        Some(built) => aged(topic, &what, built, now),
        None => Line::warning(topic, format!("{what}, of unknown age")),
    }
}

fn aged(topic: &str, what: &str, built: Timestamp, now: Timestamp) -> Line {
    // A clock that is behind the database makes it new.
    let days = (now.as_second() - built.as_second()).max(0) / DAY;
    let finding = format!("{what}, {days} days old");
    let advice = "replace the file by a newer one: a running agent notices";
    if days <= OLD {
        Line::ok(topic, finding)
    } else if days <= TOO_OLD {
        Line::warning(topic, format!("{finding}: addresses have moved since")).advise(advice)
    } else {
        Line::warning(topic, format!("{finding}: too old for figures that are published")).advise(advice)
    }
}

#[cfg(test)]
mod tests;
