//! Every error that a person can meet: what is said, and the exit code.

use std::{net::TcpListener, os::unix::process::CommandExt, process::Command};

use teiten_tests::{
    agent::{Agent, Finished, binary, finish, teiten},
    mmdb,
    netns::{Netns, Pair},
    root,
    scratch::Scratch,
};

/// `teiten run` in a namespace, which must end by itself.
fn run(namespace: &Netns, words: &[&str]) -> Finished {
    let mut command = teiten(namespace);
    command.arg("run").args(words);
    finish(command)
}

/// Runs, and asserts that the agent ends with this exit code, names the error with all of these
/// parts in its last line, counts nothing and leaves no program behind.
#[track_caller]
fn refused(pair: &Pair, words: &[&str], code: i32, parts: &[&str]) -> String {
    let output = run(&pair.inner, words);
    assert_eq!(output.code(), code, "{words:?}: {}", output.stderr);
    assert_eq!(output.stdout, "", "{words:?}");
    for part in parts {
        assert!(output.stderr.contains(part), "{words:?}: `{part}` is not in:\n{}", output.stderr);
    }
    assert!(output.stderr.contains("error: "), "{words:?}: {}", output.stderr);
    assert!(!output.stderr.contains("panicked"), "{words:?}: {}", output.stderr);
    output.stderr
}

#[test]
fn no_privilege() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    // As nobody, from a place where nobody may read the binary.
    let scratch = Scratch::new();
    let copy = scratch.path("teiten");
    std::fs::copy(binary(), &copy).unwrap();
    for path in [scratch.dir(), &copy] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let capture = scratch.write("empty.pcap", teiten_tests::capture::pcap(1, []));
    for words in [&["run", "--iface=in0"][..], &["replay", capture.to_str().unwrap()]] {
        let mut command = pair.inner.command(&copy);
        command.args(words);
        // SAFETY: system calls alone, which touch no memory of the parent. Runs after entering the
        // namespace, which wants privileges.
        unsafe {
            command.pre_exec(|| {
                if libc::setgid(65534) != 0 || libc::setuid(65534) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            })
        };
        let output = finish(command);
        assert_eq!(output.code(), 1, "{}", output.stderr);
        for part in ["error: not allowed to load BPF programs", "run as root (sudo)", "CAP_BPF"] {
            assert!(output.stderr.contains(part), "{}", output.stderr);
        }
    }
}

#[test]
fn no_such_interface() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    refused(&pair, &["--iface=eth9"], 1, &["no interface is named `eth9`", "in0", "lo"]);
    refused(&pair, &["--iface=in0", "--iface=in0"], 1, &["--iface in0 is given twice"]);
    refused(&pair, &[], 1, &["no default route", "--iface", "in0"]);
    assert_eq!(pair.inner.xdp("in0"), None);
}

#[test]
fn an_interface_that_is_taken() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    let first = Agent::run(&pair.inner, &["--iface=in0"]);
    let holder = format!("teiten (pid {})", first.pid());
    for mode in ["auto", "native", "generic"] {
        let parts = ["in0 already has an XDP program: `teiten`, id ", &holder, "end that one first"];
        refused(&pair, &["--iface=in0", "--mode", mode], 1, &parts);
    }
    // The first goes on as if nothing had been.
    assert!(pair.inner.xdp("in0").is_some());
    first.interrupt().good();
    assert_eq!(pair.inner.xdp("in0"), None);
}

/// The loopback interface has no native XDP.
#[test]
fn a_driver_without_native_xdp() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    pair.inner.ip("link set lo up");
    let parts = ["the driver of lo", "has no native XDP", "--mode generic"];
    refused(&pair, &["--iface=lo", "--mode=native"], 1, &parts);
    let agent = Agent::run(&pair.inner, &["--iface=lo", "--mode=auto"]);
    let said = agent.wait_message("counting in generic mode instead");
    assert!(said.starts_with("warning: ") && said.contains("has no native XDP"), "{said}");
    assert!(said.contains("costs several times as much"), "{said}");
    assert_eq!(pair.inner.xdp("lo").unwrap().mode, "generic");
    agent.interrupt().good();
}

/// veth refuses native XDP where its peer may send frames of several buffers, unless the program
/// takes them. This one does, wherever the kernel can; `MTU too large` is met on older kernels and
/// with other drivers only.
#[test]
fn jumbo_frames_are_no_reason_to_refuse() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    pair.outer.ip("link set out0 mtu 9000");
    pair.inner.ip("link set in0 mtu 9000");
    let agent = Agent::run(&pair.inner, &["--iface=in0", "--mode=native"]);
    assert_eq!(pair.inner.xdp("in0").unwrap().mode, "native");
    agent.interrupt().good();
}

/// veth takes XDP only with as many receive queues as its peer has transmit queues: another reason
/// of a driver to refuse, and the same way out.
#[test]
fn a_driver_that_refuses() {
    if !root() {
        return;
    }
    let pair = Pair { outer: Netns::new(), inner: Netns::new() };
    pair.outer
        .ip("link add out0 numtxqueues 4 numrxqueues 1 type veth peer name in0 numtxqueues 1 numrxqueues 1");
    pair.outer.ip("link set out0 up");
    pair.outer.ip("link set in0 up");
    let pair = Pair { inner: pair.outer, outer: pair.inner };
    let parts = ["the driver of in0 (veth) refuses native XDP", "--mode generic", "too few queues"];
    refused(&pair, &["--iface=in0", "--mode=native"], 1, &parts);
    let agent = Agent::run(&pair.inner, &["--iface=in0"]);
    agent.wait_message("refuses native XDP");
    assert_eq!(pair.inner.xdp("in0").unwrap().mode, "generic");
    agent.interrupt().good();
}

#[test]
fn stacked_interfaces() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    pair.inner.ip("link add link in0 name upper0 type macvlan mode bridge");
    pair.inner.ip("link set upper0 up");
    for words in [["--iface=in0", "--iface=upper0"], ["--iface=upper0", "--iface=in0"]] {
        let parts = ["upper0 is stacked on in0", "counted twice", "--allow-stacked"];
        refused(&pair, &words, 1, &parts);
    }
    let agent =
        Agent::run(&pair.inner, &["--iface=in0", "--iface=upper0", "--mode=generic", "--allow-stacked"]);
    assert!(pair.inner.xdp("in0").is_some() && pair.inner.xdp("upper0").is_some());
    agent.interrupt().good();
}

#[test]
fn databases() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    let scratch = Scratch::new();
    let countries = scratch.write("countries.mmdb", mmdb::countries(&[(11, "NL")]));
    let systems = scratch.write("systems.mmdb", mmdb::systems(&[11], 64500));
    let corrupt = {
        let mut bytes = mmdb::countries(&[(11, "NL")]);
        // A node that leads nowhere.
        bytes[..4].copy_from_slice(&[0xff; 4]);
        bytes[4..8].copy_from_slice(&[0xff; 4]);
        scratch.write("corrupt.mmdb", bytes)
    };
    let cut = scratch.write("cut.mmdb", &mmdb::countries(&[(11, "NL")])[..40]);
    let empty = scratch.write("empty.mmdb", "");
    let missing = scratch.path("missing.mmdb");
    let text = scratch.write("table.csv", "1.0.0.0,1.0.0.255,13335,Example\n");
    for (option, path, parts) in [
        ("--country", &missing, &["cannot read", "No such file"][..]),
        ("--country", &empty, &["is empty"]),
        ("--country", &corrupt, &["is damaged", "download it again"]),
        ("--country", &cut, &["is not a MaxMind database"]),
        ("--country", &systems, &["names no countr", "give it to --asn"]),
        ("--country", &text, &["is a text file", "--asn"]),
        ("--asn", &countries, &["names no autonomous system", "give it to --country"]),
        ("--asn", &missing, &["cannot read"]),
    ] {
        let path = path.to_str().unwrap();
        let said = refused(&pair, &["--iface=in0", option, path], 1, parts);
        assert!(said.contains(path), "{said}");
    }
}

#[test]
fn a_port_in_use() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    pair.inner.ip("link set lo up");
    let listener = pair.inner.enter(|| TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let parts = ["cannot serve metrics at", &address, "--metrics ADDR:PORT", "in use"];
    refused(&pair, &["--iface=in0", "--metrics", &address], 1, &parts);
    let bad = refused(&pair, &["--iface=in0", "--metrics=9100"], 2, &["--metrics"]);
    assert!(bad.contains("9100"), "{bad}");
}

#[test]
fn dropping_what_this_host_needs() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    pair.inner.ip("address add 192.0.2.7/24 dev in0");
    let drop = ["--iface=in0", "--action=drop"];
    refused(&pair, &drop, 1, &["--action drop without --sensor", "which prefixes are watched"]);
    for prefix in ["192.0.2.0/24", "0.0.0.0/0", "192.0.2.7/32"] {
        let sensor = format!("--sensor=a=203.0.113.0/24,{prefix}");
        let named = format!("prefix {prefix} covers 192.0.2.7");
        refused(&pair, &[&drop[..], &[&sensor]].concat(), 1, &[&named, "--force"]);
    }
    for words in [&["--sensor=a=192.0.2.128/25"][..], &["--sensor=a=192.0.2.0/24", "--force"]] {
        let agent = Agent::run(&pair.inner, &[&drop[..], words].concat());
        agent.interrupt().good();
    }
}

#[test]
fn words_that_cannot_be_read() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    for (word, parts) in [
        ("--sensor=west", &["no `=`", "NAME=PREFIX"][..]),
        ("--sensor=a=192.0.2.1/24", &["192.0.2.0/24 is meant"]),
        ("--sensor=a=192.0.2.0/33", &["no IP prefix"]),
        ("--sensor=a=192.0.2.0/24;role=grey", &["dark, lit or honeypot"]),
        ("--interval=soon", &["write a duration such as 10s"]),
        ("--interval=10ms", &["at least 100ms"]),
        ("--mode=fast", &["auto, native, generic"]),
        ("--by=port", &["`port` is no dimension"]),
        ("--v4-prefix=8", &["16..=32"]),
        ("--spill-memory=much", &["64M or 2G"]),
        ("--colour", &["unexpected argument"]),
    ] {
        let said = refused(&pair, &["--iface=in0", word], 2, parts);
        assert!(said.lines().count() < 20, "{said}");
    }
    let two = ["--iface=in0", "--sensor=a=192.0.2.0/24", "--sensor=b=192.0.2.0/24"];
    refused(&pair, &two, 1, &["sensors `a` and `b` both watch 192.0.2.0/24"]);
    refused(&pair, &["--iface=in0", "--memory=1M"], 1, &["raise --memory"]);
}

#[test]
fn a_bad_configuration_is_told_by_file_and_line() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    let scratch = Scratch::new();
    for (text, line, parts) in [
        ("iface = \"in0\"\n\ninterval = \"soon\"\n", 3, &["bad value for `interval`", "10s"][..]),
        ("iface = \"in0\"\nface = 1\n", 2, &["`face` is no setting", "iface"]),
        ("iface = \"in0\"\nmode = \"fast\"\n", 2, &["fast"]),
        ("iface = [\"in0\"\n", 1, &["unclosed array"]),
        ("# sensors\n[[sensor]]\nname = \"a\"\nprefixes = [\"192.0.2.1/24\"]\n", 2, &["192.0.2.0/24"]),
    ] {
        let path = scratch.write("teiten.toml", text);
        let place = format!("{}:{line}: ", path.display());
        let parts = [&[place.as_str()], parts].concat();
        refused(&pair, &["--config", path.to_str().unwrap()], 1, &parts);
    }
    let missing = scratch.path("missing.toml");
    let parts = ["cannot read the configuration", missing.to_str().unwrap()];
    refused(&pair, &["--config", missing.to_str().unwrap()], 1, &parts);
}

/// A tun interface carries IP packets without Ethernet headers.
#[test]
fn an_interface_without_ethernet() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    pair.inner.ip("tuntap add dev tun0 mode tun");
    refused(&pair, &["--iface=tun0"], 1, &["tun0 carries no Ethernet frames"]);
}

/// Help is no error, a missing subcommand is.
#[test]
fn help_and_version() {
    let output = |words: &[&str]| {
        let mut command = Command::new(binary());
        command.args(words);
        finish(command)
    };
    assert!(output(&["--help"]).good().stdout.contains("replay"));
    assert!(output(&["run", "--help"]).good().stdout.contains("--allow-stacked"));
    assert!(output(&["--version"]).good().stdout.starts_with("teiten "));
    assert_eq!(output(&[]).code(), 2);
    assert_eq!(output(&["walk"]).code(), 2);
}

/// An interface that goes away under the agent takes nothing with it.
#[test]
fn an_interface_that_goes_away() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    let agent = Agent::run(&pair.inner, &["--iface=in0"]);
    pair.outer.ip("link delete out0");
    let before = agent.counts();
    agent.wait_stdout("two more intervals", |lines| {
        let intervals = lines.iter().filter(|line| line.contains(r#""type":"interval""#)).count();
        (intervals >= 3).then_some(())
    });
    assert!(agent.counts().total("frames") >= before.total("frames"));
    assert!(!pair.inner.ip("-o link").contains("in0"));
    agent.interrupt().good();
}
