//! SIGHUP: the configuration file is read again; what a running node can change is changed, and the rest is named.
//!
//! | key | at once |
//! |---|---|
//! | `log.level`, `report.interval_secs` | unless the command line says otherwise |
//! | `membership.seeds`, `discovery.*` | seeds that are new are greeted; the search begins anew |
//! | files of the credential and of the decisions | whatever became of the keys: a credential that is new is lived by, decisions are passed on |
//! | `peers` | new ones are known, known ones get their new address and rights; one that is left out stays until the next start |
//!
//! A file that does not hold together changes nothing. It is read by [`reread`](super::reread); here it is followed.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use octick::Peer;
use tracing::{error, info, warn};

use super::reread::{Before, Reread};
use super::watch::Watch;
use crate::config::{Config, PeerKeys, Settings, changed_keys};
use crate::discovery::{Discovery, Search};
use crate::failure::Failure;
use crate::log;

/// What is changed at once; a name that ends in a dot stands for all keys of its section.
const AT_ONCE: [&str; 5] = ["log.level", "report.interval_secs", "membership.seeds", "discovery.", "peers"];

fn is_at_once(key: &str) -> bool {
    AT_ONCE.iter().any(|known| if known.ends_with('.') { key.starts_with(known) } else { key == *known })
}

impl Watch<'_> {
    /// Has the file read again.
    pub(super) fn reload(&mut self) {
        let before = || Before {
            config: self.config.clone(),
            admission: self.admission.clone(),
            mesh: self.config.mesh.clone(),
            own: self.node.id(),
            // A node without membership was told nothing, and one that has ended says so elsewhere.
            known: self.node.decisions(0).unwrap_or_default(),
        };
        if let Err(why) = self.reload.begin(&self.terms.config, before) {
            error!(target: log::ASKED, %why, "configuration not reloaded: nothing has changed");
        }
    }

    /// Does what a file says that was read meanwhile, as far as that goes.
    pub(super) fn take_reload(&mut self) {
        match self.reload.take() {
            Some(Ok(read)) => self.follow(read),
            Some(Err(why)) => {
                error!(target: log::ASKED, %why, "configuration not reloaded: nothing has changed");
            }
            None => return,
        }
        if self.reload.again {
            self.reload();
        }
    }

    fn follow(&mut self, Reread { config, settings, peers, decisions, credential }: Reread) {
        self.decide(decisions);
        self.renew(credential);
        let file = self.terms.config.display();
        let keys = changed_keys(&self.config, &config);
        let has = |name: &str| keys.iter().any(|key| key.starts_with(name));
        let (mut done, rest): (Vec<&str>, Vec<&str>) =
            keys.iter().map(String::as_str).partition(|key| is_at_once(key));
        if let Some(Err(why)) = peers.map(|peers| self.learn(peers?, &config)) {
            error!(target: log::ASKED, %why, "peers not reloaded: those known before stay as they are");
            done.retain(|key| *key != "peers");
        }
        if has("log.level") && self.terms.level.is_none() {
            log::set_level(settings.log.level);
        }
        if has("report.interval_secs") && self.terms.report.is_none() {
            self.reporter.set_interval(Duration::from_secs(settings.report.interval_secs.into()));
        }
        if has("membership.seeds") {
            self.greet(&config);
        }
        if (has("membership.seeds") || has("discovery."))
            && let Err(why) = self.search(&settings)
        {
            error!(target: log::ASKED, %why, "discovery not reloaded: nothing is looked up any more");
            done.retain(|key| !key.starts_with("discovery."));
        }
        info!(target: log::ASKED, %file, changed = done.join(" "), "configuration reloaded");
        if !rest.is_empty() {
            let keys = rest.join(" ");
            warn!(target: log::ASKED, keys, "these keys take effect at the next start");
        }
        // What was not changed is named again the next time, for it still differs from what is in force.
        self.config = self.in_force(config, &done);
    }

    /// The configuration before, with those keys that were changed as they are now.
    fn in_force(&self, after: Config, done: &[&str]) -> Config {
        let mut config = self.config.clone();
        for key in done {
            match *key {
                "log.level" => config.log.level = after.log.level,
                "report.interval_secs" => config.report.interval_secs = after.report.interval_secs,
                "membership.seeds" => config.membership.seeds.clone_from(&after.membership.seeds),
                "peers" => config.peers.clone_from(&after.peers),
                _ => config.discovery.clone_from(&after.discovery),
            }
        }
        config
    }

    fn learn(&self, peers: Vec<Peer>, config: &Config) -> Result<(), Failure> {
        self.node.learn(peers)?;
        let missing = |peer: &&PeerKeys| {
            !config.peers.iter().any(|now| now.public_key.eq_ignore_ascii_case(&peer.public_key))
        };
        for peer in self.config.peers.iter().filter(missing) {
            let public_key = &peer.public_key;
            warn!(target: log::ASKED, public_key, "this peer is known until the next start; revoked = true ends its rights now");
        }
        Ok(())
    }

    /// Greets seeds that are addresses and were not seeds before; names are for the search.
    fn greet(&self, config: &Config) {
        let before = &self.config.membership.seeds;
        for seed in config.membership.seeds.iter().filter(|seed| !before.contains(seed)) {
            if let Ok(address) = seed.parse::<SocketAddr>() {
                // A node that has ended greets nobody.
                let _ = self.node.join(address);
            }
        }
    }

    fn search(&mut self, settings: &Settings) -> io::Result<()> {
        if let Some(discovery) = self.discovery.take() {
            // It may wait for a name server, and is waited for elsewhere.
            thread::Builder::new().name("octick-parting".into()).spawn(move || drop(discovery))?;
        }
        self.discovery =
            Search::of(settings).map(|search| Discovery::start(&self.node, search)).transpose()?;
        Ok(())
    }
}
