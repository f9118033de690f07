//! Real interfaces: every frame that is sent is counted, in the driver and behind it.

use std::os::fd::AsFd;

use teiten_tests::{
    agent::{Agent, Counts},
    bpf::{self, Instruction},
    frames::*,
    netns::{Netns, Pair},
    root,
    rules::{Expected, WATCHED, cases},
    send::Socket,
    skip,
};

const MODES: [&str; 2] = ["native", "generic"];

/// Sends frames through a pair to a sensor, and says what it counted until its end.
fn counted<F: AsRef<[u8]>>(pair: &Pair, mode: &str, words: &[&str], frames: &[F]) -> Counts {
    let mut all = vec!["--iface=in0", "--mode", mode];
    all.extend(words);
    let agent = Agent::run(&pair.inner, &all);
    assert_eq!(pair.inner.xdp("in0").expect("an XDP program").mode, mode);
    Socket::sender(&pair.outer, "out0").send(frames);
    agent.wait_frames(frames.len() as u64);
    let counts = agent.interrupt().good().counts();
    assert_eq!(counts.total("frames"), frames.len() as u64, "{mode}: every frame, and nothing else");
    assert_eq!((counts.total("lost"), counts.total("uncounted")), (0, 0), "{mode}");
    assert_eq!(pair.inner.xdp("in0"), None, "{mode}: detached");
    counts
}

fn syn(to: [u8; 4], port: u16) -> Ipv4 {
    Ipv4::new([198, 51, 100, 7], to).tcp(Tcp::syn(40000, port))
}

#[test]
fn the_rules_hold_on_the_wire() {
    if !root() {
        return;
    }
    let cases: Vec<_> = cases().into_iter().filter(|case| case.frame.len() >= ETHERNET_LEN).collect();
    let sensors: Vec<_> = (0..4)
        .map(|number| {
            let prefixes = WATCHED.iter().filter(|(_, sensor)| *sensor == number);
            let prefixes: Vec<_> = prefixes.map(|(prefix, _)| *prefix).collect();
            format!("--sensor=s{number}={}", prefixes.join(","))
        })
        .collect();
    let mut words: Vec<&str> = sensors.iter().map(String::as_str).collect();
    words.push("--by=sensor,kind");
    let of = |wanted: fn(&Expected) -> bool| cases.iter().filter(|c| wanted(&c.expected)).count() as u64;
    let outcomes = [
        of(|expected| matches!(expected, Expected::Packet(_))),
        of(|expected| *expected == Expected::NonIp),
        of(|expected| *expected == Expected::Malformed),
        of(|expected| *expected == Expected::Unwatched),
        of(|expected| *expected == Expected::Local),
    ];
    let packets = cases.iter().filter_map(|case| match case.expected {
        Expected::Packet(packet) => Some(packet),
        _ => None,
    });
    let bytes: u64 = packets.clone().map(|packet| u64::from(packet.bytes)).sum();
    let frames: Vec<_> = cases.iter().map(|case| &case.frame).collect();
    for mode in MODES {
        let counts = counted(&Pair::new(), mode, &words, &frames);
        assert_eq!(counts.outcomes(), outcomes, "{mode}");
        assert_eq!(counts.total("bytes"), bytes, "{mode}");
        for sensor in 0..4 {
            let expected = packets.clone().filter(|packet| packet.sensor == sensor).count() as u64;
            let name = format!(r#""sensor":"s{sensor}""#);
            assert_eq!(counts.packets_with(&[&name]), expected, "{mode}, sensor {sensor}");
        }
    }
}

/// Tags in the frame are stepped over, four at most.
#[test]
fn vlan_and_qinq() {
    if !root() {
        return;
    }
    let packet = syn([192, 0, 2, 1], 23);
    let mut frames = Vec::new();
    for tags in [&[VLAN][..], &[SERVICE_VLAN, VLAN], &[VLAN, VLAN, VLAN], &[SERVICE_VLAN, VLAN, VLAN, VLAN]] {
        frames.extend([packet.tagged(tags), packet.tagged(tags)]);
    }
    let five = packet.tagged(&[SERVICE_VLAN, VLAN, VLAN, VLAN, VLAN]);
    frames.extend([five.clone(), five]);
    for mode in MODES {
        let counts = counted(&Pair::new(), mode, &["--by=dst_port"], &frames);
        assert_eq!(counts.outcomes(), [8, 0, 2, 0, 0], "{mode}");
        assert_eq!(counts.packets_with(&[r#""dst_port":23"#]), 8);
    }
}

/// Gives every packet that leaves an interface a VLAN tag, as a VLAN interface above it does: beside
/// the packet's data, for the driver to put it in.
const TAG: [Instruction; 5] = [
    (0xb7, 0x02, 0, 0x0081), // r2 = 0x8100, in network byte order
    (0xb7, 0x03, 0, 7),      // r3 = 7, the number of the VLAN
    (0x85, 0, 0, 18),        // bpf_skb_vlan_push(r1, r2, r3)
    (0xb7, 0x00, 0, 0),      // r0 = TCX_PASS
    (0x95, 0, 0, 0),         // exit
];

/// Where the sender's driver takes tags beside the frame (an offload, which veth claims to have), XDP
/// sees the frame without the tag, natively and generically: it is counted all the same. Without the
/// offload the tag is in the frame. One with four more tags shows the difference, since five tags in
/// a frame are malformed.
#[test]
fn tags_beside_the_frame() {
    if !root() {
        return;
    }
    let tag = bpf::load(bpf::CLASSIFIER, &TAG).unwrap();
    let four = syn([192, 0, 2, 1], 23).tagged(&[VLAN; 4]);
    for mode in MODES {
        for (offload, outcomes) in [(true, [10, 0, 0, 0, 0]), (false, [0, 0, 10, 0, 0])] {
            let pair = Pair::new();
            pair.outer.set_vlan_offload("out0", offload);
            let index = pair.outer.index("out0");
            let _attached = match pair.outer.enter(|| bpf::attach(tag.as_fd(), index, bpf::AT_EGRESS, 0)) {
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    return skip("it wants TCX programs: Linux 6.6");
                }
                attached => attached.unwrap(),
            };
            let counts = counted(&pair, mode, &[], &[&four; 10]);
            assert_eq!(counts.outcomes(), outcomes, "{mode}, offload {offload}");
        }
    }
}

#[test]
fn jumbo_frames() {
    if !root() {
        return;
    }
    let to = [0x2001, 0xdb8, 1, 0, 0, 0, 0, 1];
    let udp = [Udp::new(40000, 5060).bytes(), vec![7; 8000]].concat();
    let long = Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).carrying(UDP, &udp);
    // A TCP header 6 KiB behind the start.
    let deep = (0..3)
        .fold(Ipv6::new([0x2a00; 8], to), |packet, _| {
            packet.extension(Extension::new(DESTINATION_OPTIONS, 255))
        })
        .tcp(Tcp::syn(40000, 2323));
    let frames = [long.frame(), deep.frame(), deep.tagged(&[VLAN]), long.frame()];
    for mode in MODES {
        let pair = Pair::new();
        pair.outer.ip("link set out0 mtu 9000");
        pair.inner.ip("link set in0 mtu 9000");
        let counts = counted(&pair, mode, &["--by=protocol,dst_port"], &frames);
        assert_eq!(counts.outcomes(), [4, 0, 0, 0, 0], "{mode}");
        assert_eq!(counts.packets_with(&[r#""dst_port":5060"#, "udp"]), 2, "{mode}: {:?}", counts.rows);
        assert_eq!(counts.packets_with(&[r#""dst_port":2323"#, "tcp"]), 2, "{mode}: {:?}", counts.rows);
        assert_eq!(counts.total("bytes"), 2 * 8028 + 2 * (40 + 3 * 2048 + 20), "{mode}");
    }
}

#[test]
fn two_interfaces_in_one_run() {
    if !root() {
        return;
    }
    let (outer, inner) = (Netns::new(), Netns::new());
    outer.veth("out0", &inner, "in0");
    outer.veth("out1", &inner, "in1");
    for words in [&["--iface=in0", "--iface=in1"][..], &["--iface=in0,in1", "--mode=generic"]] {
        let agent = Agent::run(&inner, &[words, &["--by=dst_port"]].concat());
        let mode = if words.len() == 2 && words[1].contains("generic") { "generic" } else { "native" };
        for interface in ["in0", "in1"] {
            assert_eq!(inner.xdp(interface).expect("an XDP program").mode, mode);
        }
        Socket::sender(&outer, "out0").send(vec![syn([192, 0, 2, 1], 23).frame(); 300]);
        Socket::sender(&outer, "out1").send(vec![syn([192, 0, 2, 1], 22).frame(); 200]);
        agent.wait_frames(500);
        let counts = agent.interrupt().good().counts();
        assert_eq!(counts.outcomes(), [500, 0, 0, 0, 0]);
        assert_eq!(counts.packets_with(&[r#""dst_port":23}"#]), 300);
        assert_eq!(counts.packets_with(&[r#""dst_port":22}"#]), 200);
        assert_eq!((inner.xdp("in0"), inner.xdp("in1")), (None, None));
    }
}

#[test]
fn the_longest_prefix_tells_the_sensor() {
    if !root() {
        return;
    }
    let frames: Vec<_> =
        [[192, 0, 2, 1], [192, 0, 2, 129], [192, 0, 2, 200], [192, 0, 2, 201], [192, 0, 3, 1]]
            .into_iter()
            .flat_map(|to| vec![syn(to, 23).frame(); 10])
            .chain([Ipv6::new([0x2a00; 8], [0x2001, 0xdb8, 1, 0, 0, 0, 0, 1]).tcp(Tcp::syn(1, 23)).frame()])
            .collect();
    let words = [
        "--sensor=west=192.0.2.0/24,2001:db8:1::/48",
        "--sensor=inner=192.0.2.128/25;role=lit",
        "--sensor=one=192.0.2.200;role=honeypot;group=pots",
        "--by=sensor,class",
    ];
    for mode in MODES {
        let counts = counted(&Pair::new(), mode, &words, &frames);
        assert_eq!(counts.outcomes(), [41, 0, 0, 10, 0], "{mode}");
        for (sensor, packets) in [("west", 11), ("inner", 20), ("one", 10)] {
            let name = format!(r#""sensor":"{sensor}""#);
            assert_eq!(counts.packets_with(&[&name, r#""class":"scan""#]), packets, "{mode}, {sensor}");
        }
    }
}

/// Observing changes nothing for those behind the sensor.
#[test]
fn observed_frames_go_on_as_they_came() {
    if !root() {
        return;
    }
    let frames: Vec<_> = (0..50).map(|port| syn([192, 0, 2, 1], port).frame()).collect();
    for mode in MODES {
        let pair = Pair::new();
        let behind = Socket::receiver(&pair.inner, "in0");
        counted(&pair, mode, &["--sensor=a=192.0.2.0/24"], &frames);
        let mut seen = 0;
        let passed = behind.receive_until(|_| {
            seen += 1;
            seen == frames.len()
        });
        assert_eq!(passed, frames, "{mode}");
    }
}
