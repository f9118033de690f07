//! `--action drop`: what is watched ends at the sensor, all else goes on.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use teiten_tests::{DEADLINE, agent::Agent, frames::*, netns::Pair, root, send::Socket};

/// A pair with addresses on both ends, and a TCP connection through it to a server that sends back
/// what it gets.
struct Connected {
    pair: Pair,
    client: TcpStream,
}

impl Connected {
    fn new() -> Self {
        let pair = Pair::new();
        pair.outer.ip("address add 10.99.0.1/24 dev out0");
        pair.inner.ip("address add 10.99.0.2/24 dev in0");
        let listener = pair.inner.enter(|| TcpListener::bind("10.99.0.2:7000")).expect("listening");
        thread::spawn(move || {
            let (mut server, _) = listener.accept().expect("a connection");
            let mut buffer = vec![0; 1 << 16];
            while let Ok(got @ 1..) = server.read(&mut buffer) {
                if server.write_all(&buffer[..got]).is_err() {
                    break;
                }
            }
        });
        let client = pair.outer.enter(|| TcpStream::connect("10.99.0.2:7000")).expect("connecting");
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { pair, client }
    }

    /// Sends data both ways.
    fn echo(&mut self, byte: u8) {
        let sent = vec![byte; 100_000];
        let mut to = self.client.try_clone().unwrap();
        let mut got = vec![0; sent.len()];
        thread::scope(|scope| {
            scope.spawn(|| to.write_all(&sent).expect("sending"));
            self.client.read_exact(&mut got).expect("the data coming back");
        });
        assert!(got == sent, "other data came back");
    }
}

const WATCHED6: [u16; 8] = [0x2001, 0xdb8, 1, 0, 0, 0, 0, 1];

fn watched(port: u16) -> Vec<u8> {
    Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).udp(Udp::new(40000, port)).frame()
}

/// Marks the end of what was sent: not watched.
fn marker() -> Vec<u8> {
    Ipv4::new([198, 51, 100, 7], [203, 0, 113, 1]).udp(Udp::new(40000, 9)).frame()
}

#[test]
fn unwatched_connections_live_on_while_watched_packets_are_dropped() {
    if !root() {
        return;
    }
    for mode in ["native", "generic"] {
        let mut connected = Connected::new();
        connected.echo(1);
        let agent = Agent::run(
            &connected.pair.inner,
            &[
                "--iface=in0",
                "--mode",
                mode,
                "--action=drop",
                "--sensor=a=192.0.2.0/24,2001:db8:1::/48",
                "--by=kind",
            ],
        );
        assert_eq!(connected.pair.inner.xdp("in0").expect("an XDP program").mode, mode);
        connected.echo(2);

        let behind = Socket::receiver(&connected.pair.inner, "in0");
        let sender = Socket::sender(&connected.pair.outer, "out0");
        let discovery: Vec<_> = (133..=137)
            .map(|icmp_type| Ipv6::new([0x2a00; 8], WATCHED6).icmp(Icmp::new(icmp_type, 0)).frame())
            .collect();
        let other6 = Ipv6::new([0x2a00; 8], WATCHED6).icmp(Icmp::new(128, 0)).frame();
        sender.send((0..200).map(watched));
        sender.send(&discovery);
        sender.send([other6, watched(1), marker()]);
        let end = marker();
        let passed = behind.receive_until(|frame| frame == end);
        assert!(!passed.iter().any(|frame| (0..200).any(|port| *frame == watched(port))), "{mode}");
        let v6: Vec<_> = passed.iter().filter(|frame| frame[12..14] == IPV6.to_be_bytes()).collect();
        assert_eq!(v6, discovery.iter().collect::<Vec<_>>(), "{mode}: discovery passes, nothing else");
        connected.echo(3);

        // 201 UDP packets, five of neighbour discovery and an echo request are counted.
        agent.wait_stdout("all packets", |lines| {
            let counts = teiten_tests::agent::Counts::of(lines.iter().map(String::as_str));
            (counts.total("packets") >= 207).then_some(())
        });
        let counts = agent.interrupt().good().counts();
        assert_eq!(counts.total("packets"), 207, "{mode}: {counts:?}");
        assert_eq!(counts.packets_with(&[r#""kind":"udp""#]), 201);
        assert_eq!(counts.packets_with(&[r#""kind":"icmp""#]), 5);
        assert_eq!(counts.packets_with(&[r#""kind":"echo""#]), 1);
        // The marker, and each way of either transfer in at least two segments, large as they may be.
        assert!(counts.total("unwatched") >= 5, "the connection's packets are seen, and not watched");
        assert_eq!(connected.pair.inner.xdp("in0"), None);

        // Without the sensor, they pass. (The other socket is full of what was echoed.)
        connected.echo(4);
        let behind = Socket::receiver(&connected.pair.inner, "in0");
        let wanted = watched(77);
        sender.send([&wanted]);
        behind.receive_until(|frame| frame == wanted);
    }
}
