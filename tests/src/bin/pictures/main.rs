//! Takes the pictures that the documentation shows, of a running demo: `cargo xtask pictures`.
//!
//! Wants root, a browser in `TEITEN_CHROMIUM` and databases in `TEITEN_DATA`; its argument is the folder that the
//! pictures go into. What they show is made by the scenario of the demo: eight weeks of past that end now, then what
//! comes over the demo's wire.

mod terminal;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use teiten_tests::{
    agent::{Agent, binary},
    bpffs::Pins,
    chromium::{Browser, Media, Page},
    pty::Pty,
    scratch::Scratch,
};

/// Frames a second: as many as the scenario has.
const RATE: &str = "22";
/// Frames that are counted before the first picture, so that there is something to see.
const FRAMES: u64 = 3000;
/// Size of the terminal that `teiten top` is shown on.
const TERMINAL: (u16, u16) = (110, 32);

/// A picture of a page.
struct Picture {
    file: &'static str,
    /// Path and query, in the dashboard.
    address: &'static str,
    /// Of the window's inside, in pixels.
    size: (u32, u32),
    is_dark: bool,
    /// An expression that is true when what the picture is about stands on the page.
    is_there: &'static str,
}

const WIDE: (u32, u32) = (1440, 960);
const PHONE: (u32, u32) = (360, 780);
const LIVE: &str =
    "document.querySelectorAll('.map path').length > 200 && document.querySelector('.uplot canvas')";
const CHART: &str = "document.querySelector('.uplot canvas') && document.querySelector('tbody tr')";

const PICTURES: [Picture; 8] = [
    Picture { file: "live.png", address: "/?lang=en", size: WIDE, is_dark: false, is_there: LIVE },
    Picture { file: "live-dark.png", address: "/?lang=en", size: WIDE, is_dark: true, is_there: LIVE },
    Picture { file: "phone.png", address: "/?lang=ja", size: PHONE, is_dark: false, is_there: LIVE },
    Picture {
        file: "history.png",
        address: "/history?lang=en&period=-28d..now",
        size: WIDE,
        is_dark: false,
        is_there: CHART,
    },
    Picture {
        file: "service.png",
        address: "/service/1433/tcp?lang=en&period=-28d..now",
        size: WIDE,
        is_dark: false,
        is_there: CHART,
    },
    Picture {
        file: "region.png",
        address: "/region/IR?lang=en&period=-28d..now",
        size: WIDE,
        is_dark: true,
        is_there: CHART,
    },
    Picture {
        file: "report-en.png",
        address: "/report?lang=en&period=last-week",
        size: WIDE,
        is_dark: false,
        is_there: "document.querySelector('iframe')",
    },
    Picture {
        file: "report-ja.png",
        address: "/report?lang=ja&period=last-week",
        size: WIDE,
        is_dark: false,
        is_there: "document.querySelector('iframe')",
    },
];

fn main() -> Result<()> {
    let folder: PathBuf = env::args_os().nth(1).context("usage: pictures FOLDER")?.into();
    let data: PathBuf =
        env::var_os("TEITEN_DATA").context("TEITEN_DATA names no folder of databases")?.into();
    let Some(browser) = Browser::start() else {
        bail!("there is no Chromium: run cargo xtask setup --only tests");
    };
    fs::create_dir_all(&folder).with_context(|| format!("making {} failed", folder.display()))?;
    let scratch = Scratch::new();
    let store = scratch.path("teiten.db");
    past(&store, &data)?;
    let pins = Pins::new();
    let agent = demo(&pins, &store, &data)?;
    let told = agent.wait_message("dashboard: http://");
    let (_, dashboard) = told.split_once("dashboard: ").context("no address")?;
    let dashboard = dashboard.trim_end_matches('/');
    let page = browser.page();
    for picture in &PICTURES {
        save(&folder, picture.file, &take(&page, dashboard, picture))?;
    }
    let screen = top(dashboard);
    let drawn = scratch.write("top.html", terminal::html(&screen));
    page.media(Media::default());
    page.open_file(&drawn);
    save(&folder, "top.png", &page.screenshot_of("pre"))?;

    drop(page);
    agent.interrupt().good();
    Ok(())
}

/// The agent's binary with the databases.
fn teiten(subcommand: &str, data: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg(subcommand).arg("--country").arg(data.join("country.mmdb"));
    for file in ["asn-ipv4.csv", "asn-ipv6.csv"] {
        command.arg("--asn").arg(data.join(file));
    }
    command.stdin(Stdio::null());
    command
}

/// Fills a store with the scenario's weeks, as `cargo xtask demo` does.
fn past(store: &Path, data: &Path) -> Result<()> {
    eprintln!("making the past ...");
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios/demo.toml");
    let mut command = teiten("synth", data);
    command.args(["--until=now", "--sample=100", "--store"]).arg(store).arg(scenario);
    let status = command.status().context("starting teiten synth failed")?;
    ensure!(status.success(), "teiten synth failed: {status}");
    Ok(())
}

/// Starts a demo that goes on from there, and waits until it has something to show.
fn demo(pins: &Pins, store: &Path, data: &Path) -> Result<Agent> {
    let mut command = teiten("demo", data);
    command.args(["--format=jsonl", "--listen=127.0.0.1:0", "--seed=1", "--rate", RATE]);
    command.arg("--store").arg(store).arg("--pin-path").arg(pins.path());
    let mut agent = Agent::start(command);
    eprintln!("waiting for {FRAMES} frames ...");
    while agent.counts().total("frames") < FRAMES {
        ensure!(agent.ended().is_none(), "the demo has ended:\n{}", agent.messages());
        thread::sleep(Duration::from_secs(1));
    }
    Ok(agent)
}

/// A page as it looks when all of it is there.
fn take(page: &Page<'_>, dashboard: &str, picture: &Picture) -> Vec<u8> {
    let Picture { address, size: (width, height), is_dark, is_there, .. } = picture;
    page.resize(*width, *height);
    page.media(Media { is_dark: *is_dark, ..Media::default() });
    page.open(&format!("{dashboard}{address}"));
    page.wait_until(&format!("Boolean({is_there})"));
    page.wait_until("[...document.querySelectorAll('.loading')].every((shown) => !shown.checkVisibility())");
    // Charts are drawn, and figures come up, a little later.
    page.evaluate("document.fonts.ready.then(() => new Promise((done) => setTimeout(done, 1000)))");
    page.screenshot_of("html")
}

/// What `teiten top` draws.
fn top(dashboard: &str) -> vt100::Screen {
    let mut command = Command::new(binary());
    command.args(["top", "--connect", dashboard]);
    let (columns, rows) = TERMINAL;
    let pty = Pty::start(command, columns, rows);
    pty.wait_text("23/tcp");
    let screen = pty.screen();
    pty.write("q");
    pty.end();
    screen
}

fn save(folder: &Path, file: &str, png: &[u8]) -> Result<()> {
    let path = folder.join(file);
    fs::write(&path, png).with_context(|| format!("writing {} failed", path.display()))?;
    eprintln!("{} ({} KiB)", path.display(), png.len() >> 10);
    Ok(())
}
