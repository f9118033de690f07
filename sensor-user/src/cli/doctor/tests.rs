use std::fs;

use clap::{CommandFactory, Parser};

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    doctor: DoctorArgs,
}

const HOST: Host = Host { version: Some((6, 12)), fragments: true, small_pages: true };

fn card(driver: &str, mtu: u32) -> Card {
    Card {
        interface: Interface {
            index: 2,
            name: "eth0".to_owned(),
            mtu,
            up: true,
            link_layer: 1,
            ..Interface::default()
        },
        driver: Some(driver.to_owned()),
        ..Card::default()
    }
}

#[test]
fn arguments() {
    Command::command().debug_assert();
    let help = Command::command().render_help().to_string();
    assert!(help.contains("Exit status: 0 if there is no problem"), "{help}");
    let parsed =
        Command::try_parse_from("doctor --iface a --iface b --asn x --asn y --format json".split(' '));
    let args = parsed.unwrap_or_else(|error| panic!("{error}")).doctor;
    assert_eq!(args.interfaces, ["a", "b"]);
    assert_eq!(args.geo.asn.len(), 2);
    assert_eq!(args.format, Format::Json);
    assert!(!args.try_native);
}

#[test]
fn only_problems_fail() {
    let (ok, warning, problem) = (Line::ok("a", "b"), Line::warning("a", "b"), Line::problem("a", "b"));
    assert_eq!(exit_code(&[]), 0);
    assert_eq!(exit_code(&[ok.clone(), warning.clone()]), 0);
    assert_eq!(exit_code(&[problem, ok, warning]), 1);
}

#[test]
fn text_is_aligned_and_coloured_only_on_request() {
    let lines = [
        Line::ok("kernel", "fine"),
        Line::warning("a", "slow").advise("do this"),
        Line::problem("b", "broken"),
    ];
    let expected = "\
ok       kernel  fine
warning  a       slow
                 do this
problem  b       broken

1 problem, 1 warning
";
    assert_eq!(text(&lines, false), expected);
    let coloured = text(&lines, true);
    assert!(coloured.starts_with("\x1b[32mok\x1b[0m       kernel  fine\n"), "{coloured}");
    assert_eq!(coloured.replace("\x1b[32m", "").matches('\x1b').count(), 5);
    assert!(text(&[], false).ends_with("no problems, no warnings\n"));
}

#[test]
fn json_has_the_words_of_the_text() {
    let lines = [Line::problem("b", "\"quoted\"").advise("do this"), Line::ok("c", "d")];
    let value: serde_json::Value = serde_json::from_str(&json(&lines)).unwrap();
    assert_eq!(value["problems"], 1);
    assert_eq!(value["warnings"], 0);
    assert_eq!(value["findings"][0]["verdict"], "problem");
    assert_eq!(value["findings"][0]["finding"], "\"quoted\"");
    assert_eq!(value["findings"][1]["advice"], serde_json::Value::Null);
}

#[test]
fn causes_are_told_once_and_on_one_line() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer: inner")]
    struct Outer(#[source] io::Error);
    assert_eq!(chain(&Outer(io::Error::other("inner"))), "outer: inner");
    assert_eq!(chain(&Outer(io::Error::other("deeper\nlog"))), "outer: inner: deeper […]");
}

#[test]
fn realtime_kernels() {
    assert_eq!(realtime(Realtime::No).verdict, Verdict::Ok);
    assert_eq!(realtime(Realtime::Serial).verdict, Verdict::Ok);
    assert_eq!(realtime(Realtime::Preemptible).verdict, Verdict::Problem);
    assert_eq!(realtime(Realtime::Unknown).verdict, Verdict::Problem);
}

#[test]
fn compilers() {
    let verdict = |jit, hardening, code| compiler(jit, hardening, code).verdict;
    assert_eq!(verdict(Some(1), Some(0), Some(9)), Verdict::Ok);
    assert_eq!(verdict(Some(1), Some(1), Some(9)), Verdict::Ok);
    assert_eq!(verdict(None, None, Some(9)), Verdict::Ok, "another network namespace has no switch");
    assert_eq!(verdict(Some(1), None, None), Verdict::Ok);
    for (jit, hardening, code) in [
        (Some(0), Some(0), Some(0)),
        (Some(0), None, None),
        (Some(1), None, Some(0)),
        (Some(1), Some(2), Some(9)),
        (Some(2), Some(0), Some(9)),
        (None, None, None),
    ] {
        assert_eq!(verdict(jit, hardening, code), Verdict::Warning, "{jit:?} {hardening:?} {code:?}");
    }
    assert!(compiler(Some(0), None, Some(0)).advice.unwrap().contains("bpf_jit_enable=1"));
    assert!(compiler(None, None, Some(0)).advice.unwrap().contains("CONFIG_BPF_JIT"));
}

#[test]
fn costly_settings() {
    assert_eq!(statistics(Some(true)).verdict, Verdict::Warning);
    assert_eq!(statistics(Some(false)).verdict, Verdict::Ok);
    let verdict = |wanted, available, limit| enough_memory(2, wanted, available, limit).verdict;
    assert_eq!(verdict(100, Some(200), None), Verdict::Ok);
    assert_eq!(verdict(101, Some(200), None), Verdict::Warning);
    assert_eq!(verdict(101, Some(1000), Some(100)), Verdict::Problem);
    assert_eq!(verdict(101, None, None), Verdict::Ok);
}

#[test]
fn kernels_and_privileges() {
    let mut features = Features::read(Path::new("/nowhere"));
    assert_eq!(kernel(&features).verdict, Verdict::Warning);
    for (release, architecture, verdict) in [
        ("5.12.0", "x86_64", Verdict::Ok),
        ("5.11.9", "x86_64", Verdict::Warning),
        ("5.15.0", "aarch64", Verdict::Warning),
        ("6.18.0", "aarch64", Verdict::Ok),
    ] {
        (features.release, features.architecture) = (Some(release.to_owned()), architecture);
        assert_eq!(kernel(&features).verdict, verdict, "{release} {architecture}");
    }
    assert_eq!(privileges(Capabilities(u64::MAX)).verdict, Verdict::Ok);
    let line = privileges(Capabilities(0));
    assert_eq!(
        (line.verdict, line.finding.as_str()),
        (Verdict::Problem, "CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON missing")
    );
    let denied = |capabilities| not_loaded(&KernelError::NoPrivilege, capabilities).verdict;
    assert_eq!(denied(Some(Capabilities(0))), Verdict::Warning, "said already");
    assert_eq!(denied(Some(Capabilities(u64::MAX))), Verdict::Problem);
    assert_eq!(not_loaded(&KernelError::Object("x"), None).verdict, Verdict::Problem);
    assert_eq!(bpf_file_system(&features).verdict, Verdict::Warning);
    features.initial_mounts = Some(false);
    assert!(bpf_file_system(&features).advice.unwrap().contains("nsenter"));
    features.bpf_file_system = true;
    assert_eq!(bpf_file_system(&features).verdict, Verdict::Ok);
    assert_eq!(loaded(Entry::Linear, true).verdict, Verdict::Ok);
    assert_eq!(loaded(Entry::Fragments, false).verdict, Verdict::Problem);
}

#[test]
fn native_mode_by_kernel_table_or_trial() {
    let verdict = |card: &Card, host| native_mode(card, host).verdict;
    let offered = |bits, driver, mtu| Card { features: Some(XdpFeatures(bits)), ..card(driver, mtu) };
    // The kernel's word goes before the table's.
    assert_eq!(verdict(&offered(0, "i40e", 1500), HOST), Verdict::Warning);
    assert_eq!(verdict(&offered(1, "newcomer", 1500), HOST), Verdict::Ok);
    assert_eq!(verdict(&offered(1, "newcomer", 9000), HOST), Verdict::Warning);
    assert_eq!(verdict(&offered(0x21, "newcomer", 9000), HOST), Verdict::Ok);
    assert_eq!(
        verdict(&offered(0x21, "newcomer", 9000), Host { fragments: false, ..HOST }),
        Verdict::Warning
    );
    assert_eq!(verdict(&offered(1, "newcomer", 9000), Host { small_pages: false, ..HOST }), Verdict::Ok);
    // The table.
    let old = Host { version: Some((5, 15)), ..HOST };
    assert_eq!(verdict(&card("i40e", 1500), old), Verdict::Ok);
    assert_eq!(verdict(&card("i40e", 3100), old), Verdict::Warning);
    assert_eq!(verdict(&card("i40e", 3100), HOST), Verdict::Ok);
    assert_eq!(verdict(&card("gve", 1460), old), Verdict::Warning);
    assert!(native_mode(&card("gve", 1460), old).finding.contains("6.4"));
    assert!(native_mode(&card("e1000e", 1500), old).advice.unwrap().contains("--try-native"));
    // What was tried goes before both.
    let tried = |result| Card { tried: Some(result), ..offered(0, "e1000e", 9000) };
    assert_eq!(verdict(&tried(Ok(())), HOST), Verdict::Ok);
    let refused = native_mode(&tried(Err("too few queues".to_owned())), HOST);
    assert_eq!(refused.verdict, Verdict::Warning);
    assert!(refused.finding.contains("too few queues"));
}

#[test]
fn links() {
    assert_eq!(link(&card("igb", 1500)).verdict, Verdict::Ok);
    let mut tunnel = card("tun", 1500);
    tunnel.interface.link_layer = 65534;
    assert_eq!(link(&tunnel).verdict, Verdict::Problem);
    let mut down = card("igb", 1500);
    down.interface.up = false;
    assert_eq!(link(&down).advice.unwrap(), "`ip link set dev eth0 up`");
    for (kind, warned) in
        [("bridge", true), ("bond", true), ("vlan", true), ("macvlan", true), ("veth", false), ("tun", false)]
    {
        let mut of_kind = card("x", 1500);
        of_kind.interface.kind = Some(kind.to_owned());
        assert_eq!(upper(&of_kind).is_some(), warned, "{kind}");
    }
    assert_eq!(occupied("eth0", "`teiten`, id 3, held by teiten (pid 4)").verdict, Verdict::Warning);
    assert_eq!(occupied("eth0", "`xdp_drop`, id 3").verdict, Verdict::Problem);
    let merging = Card { merges: Some(true), ..card("igb", 1500) };
    let lines = examine_card(&merging, HOST);
    assert!(
        lines.iter().any(|line| line.advice.as_deref() == Some("`ethtool -K eth0 lro off`")),
        "{lines:?}"
    );
}

#[test]
fn interfaces_are_chosen() {
    let made =
        |index: u32, name: &str, up| Interface { index, name: name.to_owned(), up, ..Interface::default() };
    let lo = Interface { loopback: true, ..made(1, "lo", true) };
    let vlan = Interface { below: Some(2), ..made(4, "eth0.5", true) };
    let all = [lo, made(2, "eth0", true), made(3, "eth1", false), vlan];
    let names = |named: &[&str], route| -> (Vec<String>, Vec<Line>) {
        let named: Vec<String> = named.iter().map(|&name| name.to_owned()).collect();
        let (chosen, lines) = choose(&all, &named, route);
        (chosen.iter().map(|interface| interface.name.clone()).collect(), lines)
    };
    assert_eq!(names(&[], Some(3)), (vec!["eth1".to_owned()], Vec::new()));
    assert_eq!(names(&[], None).0, ["eth0", "eth0.5"]);
    assert_eq!(names(&["eth1", "lo", "eth1"], Some(2)).0, ["eth1", "lo"]);
    let (chosen, lines) = names(&["eht0"], Some(2));
    assert!(chosen.is_empty());
    assert_eq!(lines[0].advice.as_deref(), Some("there are: lo, eth0, eth1, eth0.5"));
    assert_eq!(twice(&all, &[&all[1], &all[3]]).unwrap().verdict, Verdict::Problem);
    assert_eq!(twice(&all, &[&all[1], &all[2]]), None);
}

#[test]
fn ages() {
    let at = |days: i64| Timestamp::from_second(days * DAY).unwrap();
    let verdict = |days: i64| aged("country", "x", at(1000 - days), at(1000));
    assert_eq!(verdict(60).verdict, Verdict::Ok);
    assert_eq!(verdict(61).verdict, Verdict::Warning);
    assert!(!verdict(365).finding.contains("published"));
    assert!(verdict(366).finding.contains("published"));
    assert_eq!(aged("country", "x", at(1), at(0)).verdict, Verdict::Ok);
}

#[test]
fn databases_that_are_missing_broken_or_text() {
    let named = |country: Option<&Path>, asn: &[&Path]| {
        let asn = asn.iter().map(|path| path.to_path_buf()).collect();
        databases(&GeoArgs { country: country.map(Path::to_path_buf), asn })
    };
    let lines = named(None, &[]);
    assert_eq!((lines.len(), lines[0].verdict), (1, Verdict::Warning));
    let path = |name: &str| std::env::temp_dir().join(format!("teiten-doctor-{}-{name}", std::process::id()));
    let lines = named(Some(&path("missing")), &[&std::env::temp_dir()]);
    assert!(lines.iter().all(|line| line.verdict == Verdict::Problem), "{lines:?}");
    let csv = path("asn.csv");
    fs::write(&csv, "1.0.0.0,1.0.0.255,13335,\"Example, Inc.\"\n").unwrap();
    let lines = named(Some(&csv), &[&csv]);
    assert_eq!(lines[0].verdict, Verdict::Problem, "{lines:?}");
    assert_eq!(lines[1].verdict, Verdict::Ok, "{lines:?}");
    assert!(lines[1].finding.contains("1 IPv4 and 0 IPv6 networks, 0 days old"), "{lines:?}");
    // The marker alone is no database.
    fs::write(&csv, b"\xab\xcd\xefMaxMind.com").unwrap();
    assert_eq!(named(Some(&csv), &[])[0].verdict, Verdict::Problem);
    fs::remove_file(&csv).unwrap();
}

/// The whole, in a network namespace of its own with a pair of veths.
#[test]
fn a_machine_is_examined() {
    // A thread of its own: the namespace ends with it.
    let lines = std::thread::spawn(|| {
        // SAFETY: changes the namespace of this thread alone.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return None;
        }
        // tokio's current-thread runtime stays on this thread, and in its namespace.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Some(runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().unwrap();
            tokio::spawn(connection);
            handle
                .link()
                .add(rtnetlink::LinkVeth::new("left", "right").up().build())
                .execute()
                .await
                .unwrap();
            // A sensor that counts already.
            let trial = Trial::new().unwrap();
            let all = interfaces().await.unwrap();
            let right = all.iter().find(|interface| interface.name == "right").unwrap();
            let _link = attach(&trial.program, right, Mode::Generic).unwrap();
            let names = ["lo", "left", "middle", "right"];
            let interfaces = names.iter().map(|&name| name.to_owned()).collect();
            let words = ["doctor", "--try-native"];
            examine(&DoctorArgs { interfaces, ..Command::parse_from(words).doctor }).await
        }))
    })
    .join()
    .unwrap();
    let Some(lines) = lines else {
        eprintln!("skipped: not allowed to make a network namespace");
        return;
    };
    let text = text(&lines, false);
    let of = |topic: &str, finding: &str| {
        let line = lines.iter().find(|line| line.topic == topic && line.finding.contains(finding));
        line.unwrap_or_else(|| panic!("no `{finding}` on {topic}:\n{text}")).verdict
    };
    assert_eq!(of("program", "counted right"), Verdict::Ok);
    assert_eq!(of("left", "driver veth"), Verdict::Ok);
    assert_eq!(of("left", "tried, works"), Verdict::Ok);
    assert_eq!(of("lo", "loopback"), Verdict::Warning, "it is down");
    assert_eq!(of("lo", "tried, refused"), Verdict::Warning);
    assert_eq!(of("right", "has an XDP program already: `teiten`"), Verdict::Warning);
    assert_eq!(of("right", "native mode: offered by the driver"), Verdict::Ok);
    assert_eq!(of("middle", "no such interface"), Verdict::Problem);
}
