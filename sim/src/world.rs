//! Nodes, and what happens to them: packets arrive, timers fall due, processes stop, crash and start again.
//!
//! Whatever runs on a node is an [`Actor`]: it is handed packets and time, and says what it sends and when it wants to
//! be woken. One event is one call of an actor. Packets are shared, never copied: a clone of an actor's packet is a
//! clone of a pointer.

use octick_core::control::Random;

use crate::link::{End, Links, Who};
use crate::role::Role;
use crate::trace::{Mark, Trace};
use crate::wheel::Wheel;

/// Packets that wait for a stopped process; further ones are dropped, as a socket's buffer drops them.
const WAITING_MAX: u32 = 256;

/// What runs on a node.
pub trait Actor {
    /// What it sends: cheap to clone.
    type Packet: Clone;

    /// How long a packet is on the wire, bytes.
    fn len(packet: &Self::Packet) -> usize;

    /// A packet arrives.
    fn handle(&mut self, now: u64, from: u32, packet: &Self::Packet, out: &mut Out<Self::Packet>);

    /// What was due at [`Actor::next_due`], or earlier.
    fn tick(&mut self, now: u64, out: &mut Out<Self::Packet>);

    /// When it wants to be woken; `u64::MAX` for never.
    fn next_due(&self) -> u64;

    /// The process starts again, in its next life, with what its disk kept or without.
    fn restart(&mut self, now: u64, disk: bool, out: &mut Out<Self::Packet>);

    /// The process is about to end in an orderly way, and says goodbye where there is somebody to hear it.
    fn leave(&mut self, _now: u64, _out: &mut Out<Self::Packet>) {}

    /// An operator has node `of` leave, which is gone for good.
    fn force_leave(&mut self, _now: u64, _of: u32, _out: &mut Out<Self::Packet>) {}

    /// What a node of an evil role sends instead of `packet`.
    fn misbehave(&mut self, role: Role, packet: Self::Packet, random: &mut Random) -> Option<Self::Packet>;
}

/// What an actor wants done.
#[derive(Debug)]
pub struct Out<P> {
    /// Packets and where to.
    pub send: Vec<(u32, P)>,
    /// Packets with a made-up sender: whose address they bear, where to, and what.
    pub forged: Vec<(u32, u32, P)>,
    /// What people should read: what, and about whom.
    pub marks: Vec<(Mark, u32)>,
}

impl<P> Default for Out<P> {
    fn default() -> Self {
        Self { send: Vec::new(), forged: Vec::new(), marks: Vec::new() }
    }
}

/// A node's machine: everything about it but the actor.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Where it is.
    pub region: u16,
    /// How it behaves.
    pub role: Role,
    /// Whether the process is dead.
    pub down: bool,
    /// How far its clock is ahead, microseconds.
    pub skew: u32,
    /// How long it takes for each packet, microseconds.
    pub slow: u32,
    /// Bytes sent.
    pub bytes: u64,
    /// Packets sent.
    pub packets: u32,
    /// Its process, which the world runs.
    pub process: Process,
}

/// How it stands with a node's process.
#[derive(Clone, Debug, Default)]
pub struct Process {
    waiting: u32,
    /// Counts its lives, so that timers of an earlier one wake nobody.
    life: u32,
    stopped_until: u64,
    busy_until: u64,
    wake_at: u64,
}

enum Event<P> {
    Wake {
        node: u32,
        life: u32,
    },
    /// `forged`: from whom it really comes, if not from `from`.
    Arrive {
        to: u32,
        from: u32,
        forged: Option<u32>,
        waited: bool,
        packet: P,
    },
}

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls of actors.
    pub events: u64,
    /// Packets sent.
    pub packets: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Packets that the links lost, cut or found too long.
    pub lost: u64,
    /// Packets that a stopped process had no room for.
    pub overflowed: u64,
    /// Most events that waited at once.
    pub queue_max: usize,
    /// Longest packet, bytes.
    pub longest: usize,
    /// Bytes that came from reflectors with a victim's address.
    pub spent_on_reflection: u64,
    /// Bytes that their receivers sent to the victims in answer.
    pub reflected: u64,
}

/// All nodes, and the time.
pub struct World<A: Actor> {
    /// What runs on each node.
    pub actors: Vec<A>,
    /// The nodes themselves.
    pub hosts: Vec<Host>,
    /// What lies between them.
    pub links: Links,
    /// What happened.
    pub trace: Trace,
    /// The same in numbers.
    pub totals: Totals,
    now: u64,
    wheel: Wheel<Event<A::Packet>>,
    random: Random,
    out: Out<A::Packet>,
    /// The victim of the packet that is being handled, if a reflector sent it.
    victim: Option<u32>,
}

impl<A: Actor> World<A> {
    /// Nobody yet.
    pub fn new(links: Links, random: Random) -> Self {
        Self {
            actors: Vec::new(),
            hosts: Vec::new(),
            links,
            trace: Trace::default(),
            totals: Totals::default(),
            now: 0,
            wheel: Wheel::default(),
            random,
            out: Out::default(),
            victim: None,
        }
    }

    /// The time, microseconds.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// One more node. Its actor was made at this time.
    pub fn add(&mut self, host: Host, actor: A) {
        let node = self.actors.len() as u32;
        self.actors.push(actor);
        self.hosts.push(Host { process: Process { wake_at: u64::MAX, ..Process::default() }, ..host });
        self.trace.mark(self.now, Mark::Start, node, 1);
        self.schedule(node);
    }

    /// Runs up to and including `until`.
    pub fn run_until(&mut self, until: u64) {
        while let Some((at, event)) = self.wheel.pop(until) {
            self.now = self.now.max(at);
            match event {
                Event::Wake { node, life } => self.wake(node, life),
                Event::Arrive { to, from, forged, waited, packet } => {
                    self.arrive(to, from, forged, waited, packet);
                }
            }
            self.totals.queue_max = self.totals.queue_max.max(self.wheel.len());
        }
        self.now = self.now.max(until);
    }

    /// Calls an actor, and does what it wants.
    pub fn call<T>(&mut self, node: u32, f: impl FnOnce(&mut A, u64, &mut Out<A::Packet>) -> T) -> T {
        let host = &self.hosts[node as usize];
        let mut out = core::mem::take(&mut self.out);
        let told = f(&mut self.actors[node as usize], self.now + u64::from(host.skew), &mut out);
        self.totals.events += 1;
        for (mark, about) in out.marks.drain(..) {
            self.trace.mark(self.now, mark, node, about);
        }
        let victim = self.victim.take();
        for (to, packet) in out.send.drain(..) {
            if victim == Some(to) {
                self.totals.reflected += A::len(&packet) as u64;
            }
            self.send(node, to, packet);
        }
        for (claimed, to, packet) in out.forged.drain(..) {
            self.put_on_the_way(node, Some(claimed), to, packet);
        }
        self.out = out;
        self.schedule(node);
        told
    }

    /// The process stops for a while: it runs nothing, and its packets wait.
    pub fn stop(&mut self, node: u32, micros: u64) {
        self.trace.mark(self.now, Mark::Stop, node, (micros / crate::MS) as u32);
        self.hosts[node as usize].process.stopped_until = self.now + micros;
    }

    /// The process dies without a word.
    pub fn crash(&mut self, node: u32) {
        self.trace.mark(self.now, Mark::Crash, node, 0);
        self.hosts[node as usize].down = true;
    }

    /// The process says goodbye, and ends.
    pub fn leave(&mut self, node: u32) {
        self.trace.mark(self.now, Mark::Leave, node, 0);
        self.call(node, |actor, now, out| actor.leave(now, out));
        self.hosts[node as usize].down = true;
    }

    /// The operator of node `by` has node `of` leave.
    pub fn force_leave(&mut self, by: u32, of: u32) {
        self.trace.mark(self.now, Mark::ForceLeave, by, of);
        self.call(by, |actor, now, out| actor.force_leave(now, of, out));
    }

    /// Whether a process runs, and has done so for so many microseconds if it was ever stopped.
    pub fn has_run_for(&self, node: u32, micros: u64) -> bool {
        let host = &self.hosts[node as usize];
        !host.down && (host.process.stopped_until == 0 || host.process.stopped_until + micros <= self.now)
    }

    /// A dead process starts again.
    pub fn restart(&mut self, node: u32, disk: bool) {
        let host = &mut self.hosts[node as usize];
        host.down = false;
        let process = &mut host.process;
        (process.stopped_until, process.wake_at) = (0, u64::MAX);
        process.life += 1;
        let life = process.life + 1;
        self.trace.mark(self.now, Mark::Start, node, life);
        self.call(node, |actor, now, out| actor.restart(now, disk, out));
    }

    /// Cuts all links from `from` to `to`.
    pub fn cut(&mut self, from: Who, to: Who) {
        self.trace.mark(self.now, Mark::Cut, 0, 0);
        self.links.cut(from, to);
    }

    /// Mends all links.
    pub fn heal(&mut self) {
        self.trace.mark(self.now, Mark::Heal, 0, 0);
        self.links.heal();
    }

    /// The nodes that run, and behave.
    pub fn honest(&self) -> impl Iterator<Item = u32> + '_ {
        let good = |host: &Host| !host.down && host.role == Role::Honest;
        self.hosts.iter().enumerate().filter(move |(_, host)| good(host)).map(|(node, _)| node as u32)
    }

    fn wake(&mut self, node: u32, life: u32) {
        let host = &mut self.hosts[node as usize];
        if host.down || host.process.life != life || host.process.wake_at != self.now {
            return;
        }
        if host.process.stopped_until > self.now {
            host.process.wake_at = host.process.stopped_until;
            self.wheel.push(host.process.stopped_until, Event::Wake { node, life });
            return;
        }
        host.process.wake_at = u64::MAX;
        self.trace.event(self.now, node, 1);
        self.call(node, |actor, now, out| actor.tick(now, out));
    }

    fn arrive(&mut self, to: u32, from: u32, forged: Option<u32>, waited: bool, packet: A::Packet) {
        let host = &mut self.hosts[to as usize];
        host.process.waiting -= u32::from(waited);
        if host.down {
            return;
        }
        let busy_until = host.process.stopped_until.max(host.process.busy_until);
        if busy_until > self.now {
            if host.process.waiting == WAITING_MAX {
                self.totals.overflowed += 1;
                return;
            }
            host.process.waiting += 1;
            self.wheel.push(busy_until, Event::Arrive { to, from, forged, waited: true, packet });
            return;
        }
        host.process.busy_until = self.now + u64::from(host.slow);
        self.trace.event(self.now, to, u64::from(from) << 16 | A::len(&packet) as u64);
        if forged.is_some_and(|sender| self.hosts[sender as usize].role == Role::Reflector) {
            self.totals.spent_on_reflection += A::len(&packet) as u64;
            self.victim = Some(from);
        }
        self.call(to, |actor, now, out| actor.handle(now, from, &packet, out));
    }

    fn send(&mut self, from: u32, to: u32, packet: A::Packet) {
        let role = self.hosts[from as usize].role;
        let packet = if role == Role::Honest {
            packet
        } else {
            let twisted = self.actors[from as usize].misbehave(role, packet, &mut self.random);
            let Some(packet) = twisted else { return };
            packet
        };
        self.put_on_the_way(from, None, to, packet);
    }

    /// Sends a packet of `from` as it is; `claimed` is the address that it bears, if not its own.
    fn put_on_the_way(&mut self, from: u32, claimed: Option<u32>, to: u32, packet: A::Packet) {
        let len = A::len(&packet);
        let host = &mut self.hosts[from as usize];
        host.bytes += len as u64;
        host.packets += 1;
        self.totals.bytes += len as u64;
        self.totals.packets += 1;
        self.totals.longest = self.totals.longest.max(len);
        let ends = [from, to].map(|node| End { node, region: self.hosts[node as usize].region });
        let fate = self.links.send(ends[0], ends[1], len);
        self.totals.lost += u64::from(fate.first.is_none());
        let arrive = |packet| Event::Arrive {
            to,
            from: claimed.unwrap_or(from),
            forged: claimed.map(|_| from),
            waited: false,
            packet,
        };
        if let Some(after) = fate.second {
            self.wheel.push(self.now + after, arrive(packet.clone()));
        }
        if let Some(after) = fate.first {
            self.wheel.push(self.now + after, arrive(packet));
        }
    }

    fn schedule(&mut self, node: u32) {
        let host = &mut self.hosts[node as usize];
        let due = self.actors[node as usize].next_due();
        if due == u64::MAX {
            return;
        }
        let at = due.saturating_sub(u64::from(host.skew)).max(self.now);
        // A timer that was set for later stays in the wheel, and is passed over when its time comes.
        if at < host.process.wake_at {
            host.process.wake_at = at;
            self.wheel.push(at, Event::Wake { node, life: host.process.life });
        }
    }
}
