//! `octick init`: makes a whole mesh that is ready to run, an authority and its first nodes.
//!
//! ```text
//! farm/authority/           keys and register, to be kept off the nodes
//! farm/node-1/node.toml     the configuration; beside it node.key and node.credential
//! ```
//!
//! What could be refused is refused before the first file is written; no file is ever overwritten.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use octick_core::admission::grant::is_name;
use octick_core::admission::{Authority, Credential};
use octick_crypto::{Identity, key_file};

use super::document;
use super::init::{admission, authority_of, check_mesh, generate, key_files, write_keys};
use super::issue::{lifetime, now};
use super::register::{Register, Wish};
use super::store::{Store, hand_out};
use super::words::slots;
use crate::failure::Failure;
use crate::output::{counted, say, wrap};

/// Seeds that a node is told of: one that answers is enough, and not all are down at a time.
const SEEDS: usize = 3;

/// Makes a mesh that is ready to run: its authority, and a node or more with key, credential and configuration
#[derive(Debug, clap::Args)]
pub struct InitMesh {
    /// The name of the mesh
    #[arg(value_name = "MESH")]
    mesh: String,
    /// The folder to make it in; without, one of the mesh's name
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How many nodes; others are let in later by `octick authority invite` or `issue`
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    nodes: u16,
    /// Slots that each node may write, rounded up to 16
    #[arg(long, value_name = "N", default_value_t = 1_024)]
    cells: u32,
    /// Slots of the mesh's tables; a multiple of 16
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    slots: u32,
    /// UDP address that the first node listens on; the others take the ports behind it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7700")]
    listen: SocketAddr,
    /// How long the credentials hold
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    days: u64,
}

/// A node of the mesh, before anything of it is on the disk.
struct Planned {
    name: String,
    identity: Identity,
    listen: SocketAddr,
    credential: Credential,
}

impl InitMesh {
    /// Makes everything, and says how to go on.
    ///
    /// # Errors
    /// Numbers that do not fit together, and nothing was made; or files that are there already, and were not touched.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        check_mesh("MESH", &self.mesh, "--slots", self.slots)?;
        let dir = self.directory()?;
        let signer = generate(1)?;
        let mut register = Register::new(&self.mesh, self.slots, authority_of(&signer, 1)?, key_files(1, 1));
        let planned = self.plan(&mut register, &signer[0])?;
        refuse_what_is_there(&dir)?;
        let store = Store::create(&dir.join("authority"))?;
        write_keys(&store, &register.key_files, &signer)?;
        store.save(&register)?;
        for node in &planned {
            self.write(&dir.join(&node.name), node, &planned, &register.root)?;
        }
        self.say(&dir, &planned)?;
        Ok(ExitCode::SUCCESS)
    }

    fn directory(&self) -> Result<PathBuf, Failure> {
        match &self.dir {
            Some(dir) => Ok(dir.clone()),
            None if is_name(&self.mesh) && !self.mesh.starts_with('.') => Ok(self.mesh.clone().into()),
            None => {
                Err(Failure::usage(format!("{:?} is no name for a folder: name one with --dir", self.mesh)))
            }
        }
    }

    fn plan(&self, register: &mut Register, signer: &Identity) -> Result<Vec<Planned>, Failure> {
        let (from, until, grace) = lifetime(now()?, self.days, 7)?;
        let node = |i: u16| {
            let port = match self.listen.port() {
                0 if self.nodes == 1 => Some(0),
                0 => None,
                port => port.checked_add(i),
            };
            let port = port.ok_or_else(|| {
                Failure::usage(format!(
                    "--listen {}: {} nodes want as many ports, one behind the other, from one that is known",
                    self.listen, self.nodes
                ))
            })?;
            let (name, identity) = (format!("node-{}", i + 1), Identity::generate()?);
            let key = Some(identity.public().clone());
            let wish = Wish {
                name: name.clone(),
                key,
                cells: Some(self.cells),
                region: None,
                roles: None,
                from,
                until,
                grace,
            };
            let credential = register.issue(&wish, &[signer])?;
            Ok(Planned { name, identity, listen: SocketAddr::new(self.listen.ip(), port), credential })
        };
        (0..self.nodes).map(node).collect()
    }

    fn write(&self, dir: &Path, node: &Planned, all: &[Planned], root: &Authority) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::new(format!("{}: {error}", dir.display()));
        DirBuilder::new().mode(0o700).create(dir).map_err(failed)?;
        key_file::create(&dir.join("node.key"), &node.identity)?;
        let credential = document::credential(&node.credential, &self.mesh);
        hand_out(&dir.join("node.credential"), &credential).map_err(failed)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(dir.join("node.toml")).map_err(failed)?;
        file.write_all(self.configuration(node, all, root).as_bytes()).map_err(failed)
    }

    fn configuration(&self, node: &Planned, all: &[Planned], root: &Authority) -> String {
        let others = all.iter().filter(|other| other.name != node.name).take(SEEDS);
        let seeds: Vec<String> =
            others.map(|other| format!("{:?}", reached(other.listen).to_string())).collect();
        format!(
            "# {} of the mesh, made by octick init. All keys, explained: octick config example\n\
             mesh = {}\nlisten = \"{}\"\n\n[table]\nslots = {}\n\n[membership]\nenabled = true\nseeds = [{}]\n\n{}\n",
            node.name,
            toml::Value::from(self.mesh.as_str()),
            node.listen,
            self.slots,
            seeds.join(", "),
            admission(root)
        )
    }

    fn say(&self, dir: &Path, planned: &[Planned]) -> Result<(), Failure> {
        let at = dir.display();
        let nodes = counted(planned.len(), "node");
        say(format_args!("mesh {:?} is in {at}: an authority, and {nodes} ready to run\n", self.mesh))?;
        for Planned { name, listen, credential, .. } in planned {
            let grant = credential.grant();
            say(format_args!(
                "{name}  {}  {}, listens on {listen}",
                grant.member.short(),
                slots(&grant.runs)
            ))?;
        }
        say("\nRun them, each in a terminal of its own:")?;
        for node in planned.iter().take(SEEDS) {
            say(format_args!("  octick run --config {at}/{}/node.toml", node.name))?;
        }
        if planned.len() > SEEDS {
            say("  ...")?;
        }
        say(format_args!("See who is there:\n  octick members --config {at}/node-1/node.toml"))?;
        say(format_args!("Let another node in, by a token for one command on its machine:"))?;
        say(format_args!(
            "  octick authority invite --dir {at}/authority --name NAME --cells {}",
            self.cells
        ))?;
        let advice = format!(
            "Keep {at}/authority off the nodes: whoever has it says who belongs to the mesh. The credentials hold for {}; to renew one: octick authority \
             issue --dir {at}/authority --name node-1 --out {at}/node-1/node.credential, and SIGHUP to the node. See docs/admission.md.",
            counted(self.days as usize, "day")
        );
        say(wrap(&advice, 0))
    }
}

/// Where others on the same machine reach who listens there.
fn reached(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// A mesh is made in a folder that is new or empty.
fn refuse_what_is_there(dir: &Path) -> Result<(), Failure> {
    let at = dir.display();
    match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::new(format!("{at}: {error}; name another folder with --dir"))),
        Ok(mut there) => match there.next() {
            None => Ok(()),
            Some(_) => {
                Err(Failure::new(format!("{at}: there is something in it; name another folder with --dir")))
            }
        },
    }
}
