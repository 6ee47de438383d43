//! What the check lets through, the sockets accept; and what they would not, it names.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use octick::pool::Pool;
use octick::socket::{Socket, SocketSettings, Wait, bounds};
use octick::{Config, Identity, Membership, Mode, Peer};
use octick_core::limits::FRAME_MIN;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn config(listen: &str) -> Config {
    Config::new(Identity::from_seed(&[1; 32]), address(listen))
}

fn peer(addr: &str) -> Peer {
    let key = Identity::from_seed(&[2; 32]).public().clone();
    Peer { key, addr: Some(address(addr)), runs: Vec::new(), revoked: false }
}

#[test]
fn a_node_starts_with_the_fewest_buffers_that_pass_the_check() {
    let free = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("loopback");
    for (mode, sockets) in [(Mode::Solo, 1), (Mode::Split { ingress: 1 }, 1), (Mode::Split { ingress: 3 }, 3)]
    {
        let with = |buffers| {
            let mut config = config(&free.to_string());
            config.threads.mode = mode;
            config.socket.buffers = buffers;
            config.check()
        };
        let least = *bounds::buffers(sockets).start();
        octick::start(with(least).expect("enough")).expect("it starts").stop().expect("it ran");
        for buffers in [0, 8, least - 1, bounds::BUFFERS_MAX + 1] {
            let error = with(buffers).expect_err("no such number");
            assert_eq!(error.key, "socket.buffers", "{buffers} buffers for {sockets} sockets: {error}");
            let line = error.to_string();
            assert!(
                line.starts_with(&format!("socket.buffers = {buffers} is not in {least} to 4096")),
                "{line}"
            );
        }
    }
}

#[test]
fn sockets_that_wait_leave_each_other_buffers_of_the_fewest_that_pass() {
    let pool = Arc::new(Pool::new(*bounds::buffers(2).start()).expect("memory"));
    let settings = SocketSettings::new(address("127.0.0.1:0"));
    let [mut idle, mut busy] = [(); 2].map(|()| Socket::open(&settings, &pool).expect("a socket"));
    let mut out = Vec::with_capacity(64);
    assert_eq!(idle.poll(Wait::None, &mut out).expect("polled"), 0);
    let frames = [&[0; FRAME_MIN][..]; 64];
    for _ in 0..10 {
        let to = [busy.local_address()];
        assert_eq!(busy.send_train(&frames, &to).frames_sent, 64);
        let began = Instant::now();
        while busy.poll(Wait::Micros(1_000), &mut out).expect("polled") == 0 {
            assert!(began.elapsed() < Duration::from_secs(5), "{:?}", busy.counters());
        }
        assert_eq!(out.drain(..).map(|arrival| arrival.count()).sum::<usize>(), 64);
    }
}

#[test]
fn no_more_ingress_threads_pass_the_check_than_there_are_buffers_for() {
    let mut config = config("127.0.0.1:7700");
    config.threads.mode = Mode::Split { ingress: bounds::SOCKETS_MAX + 1 };
    config.socket.buffers = bounds::BUFFERS_MAX;
    let error = config.check().expect_err("too many");
    assert_eq!(error.to_string(), "threads.ingress = 65 is above the most, 64");
}

#[test]
fn a_peer_or_a_seed_that_the_socket_cannot_send_to_is_named() {
    for (listen, near, to, why) in [
        ("0.0.0.0:7700", "127.0.0.1:7702", "[::1]:7701", "sends to IPv4 only; listen on [::]:7700 for both"),
        ("[::1]:7700", "[::1]:7702", "127.0.0.1:7701", "sends to IPv6 only; listen on [::]:7700 for both"),
        (
            "127.0.0.1:7700",
            "127.0.0.1:7702",
            "192.0.2.7:7701",
            "stays on this machine; listen on 0.0.0.0:7700 to leave it",
        ),
    ] {
        let why = format!("= \"{to}\": listen = {listen} {why}");
        let mut listed = config(listen);
        listed.peers = vec![peer(to)];
        assert_eq!(listed.check().expect_err("silent").to_string(), format!("peers[0].addr {why}"));
        let mut membership = Membership::default();
        membership.settings.seeds = vec![address(near), address(to)];
        let mut seeded = config(listen);
        seeded.membership = Some(membership);
        assert_eq!(seeded.check().expect_err("silent").to_string(), format!("membership.seeds[1] {why}"));
    }
    for to in ["[::1]:7701", "127.0.0.1:7701"] {
        let mut both = config("[::]:7700");
        both.peers = vec![peer(to)];
        both.check().expect("it speaks both");
    }
}

#[test]
fn a_port_that_is_let_go_within_a_second_is_taken_over() {
    let held = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let at = held.local_addr().expect("bound");
    let holder = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        drop(held);
    });
    let node = octick::start(config(&at.to_string()).check().expect("sound")).expect("it waited");
    holder.join().expect("it let go");
    assert_eq!(node.local_addr(), at);
    assert_eq!(SocketSettings::new(at).bind_patience, Duration::ZERO, "a bare socket does not wait");
}

#[test]
fn a_port_that_stays_taken_is_given_up_after_a_second() {
    let held = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let at = held.local_addr().expect("bound").to_string();
    let began = Instant::now();
    let error = octick::start(config(&at).check().expect("sound")).err().expect("it is taken");
    assert!(error.to_string().contains(&at), "{error}");
    assert!((1.0..10.0).contains(&began.elapsed().as_secs_f64()), "{:?}", began.elapsed());
}
