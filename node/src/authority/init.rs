//! `octick authority init`: makes an authority, and says what nodes need to know of it.

use std::process::ExitCode;

use octick::limits::MESH_NAME_MAX;
use octick_core::admission::Authority;
use octick_core::limits::{AUTHORITY_KEYS_MAX, RUN_ALIGN, SLOTS_MAX};
use octick_crypto::{Identity, key_file};

use super::folder::Folder;
use super::register::Register;
use super::store::Store;
use super::words::signing;
use crate::failure::Failure;
use crate::keygen::hex;
use crate::output::{say, wrap};

/// Makes an authority: its keys, its register, and what its nodes have to be configured with
#[derive(Debug, clap::Args)]
pub struct Init {
    /// The name of the mesh
    #[arg(long, value_name = "NAME")]
    mesh: String,
    /// Slots of the mesh's tables, as table.slots of every node; a multiple of 16
    #[arg(long, value_name = "N")]
    slots: u32,
    #[command(flatten)]
    folder: Folder,
    /// How many keys it has
    #[arg(long, value_name = "N", default_value_t = 1)]
    keys: usize,
    /// How many of them have to sign
    #[arg(long, value_name = "M", default_value_t = 1)]
    threshold: usize,
}

impl Init {
    /// Makes the folder, and prints the part of a node's configuration.
    ///
    /// # Errors
    /// A number that makes no authority, or files that are there already; they were not touched.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        check_mesh("--mesh", &self.mesh, "--slots", self.slots)?;
        let identities = generate(self.keys)?;
        let authority = authority_of(&identities, self.threshold)?;
        let store = Store::create(&self.folder.dir)?;
        let files = key_files(1, self.keys);
        write_keys(&store, &files, &identities)?;
        let register = Register::new(&self.mesh, self.slots, authority, files);
        store.save(&register)?;
        say_made(&store, &register)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether a mesh may be called so, and its tables have so many slots.
pub(super) fn check_mesh(of_mesh: &str, mesh: &str, of_slots: &str, slots: u32) -> Result<(), Failure> {
    if mesh.is_empty() || mesh.len() > MESH_NAME_MAX || mesh.chars().any(char::is_control) {
        return Err(Failure::usage(format!(
            "{of_mesh} {mesh:?}: want a name of 1 to {MESH_NAME_MAX} bytes without control characters"
        )));
    }
    if !(RUN_ALIGN..=SLOTS_MAX).contains(&slots) || !slots.is_multiple_of(RUN_ALIGN) {
        return Err(Failure::usage(format!(
            "{of_slots} {slots}: want a multiple of {RUN_ALIGN}, at most {SLOTS_MAX}"
        )));
    }
    Ok(())
}

/// New keys.
pub(super) fn generate(keys: usize) -> Result<Vec<Identity>, Failure> {
    if keys > AUTHORITY_KEYS_MAX {
        return Err(Failure::usage(format!("--keys {keys}: an authority has at most {AUTHORITY_KEYS_MAX}")));
    }
    (0..keys).map(|_| Ok(Identity::generate()?)).collect()
}

/// The authority of these keys.
pub(super) fn authority_of(identities: &[Identity], threshold: usize) -> Result<Authority, Failure> {
    let keys = identities.iter().map(|identity| identity.public().clone()).collect();
    Authority::new(keys, threshold).map_err(|why| Failure::usage(why.to_string()))
}

/// What the files of the keys of a generation are called, from 1.
pub(super) fn key_files(generation: usize, keys: usize) -> Vec<String> {
    let stem = if generation == 1 { "authority".into() } else { format!("authority-{generation}") };
    let name = |i| if keys == 1 { format!("{stem}.key") } else { format!("{stem}.{i}.key") };
    (1..=keys).map(name).collect()
}

/// Writes key files, none of which may be there.
pub(super) fn write_keys(store: &Store, files: &[String], identities: &[Identity]) -> Result<(), Failure> {
    for (name, identity) in files.iter().zip(identities) {
        key_file::create(&store.path(name), identity)?;
    }
    Ok(())
}

fn say_made(store: &Store, register: &Register) -> Result<(), Failure> {
    let root = &register.root;
    say(format_args!("authority  mesh {:?}, {} slots; {}", register.mesh, register.slots, signing(root)))?;
    for name in &register.key_files {
        say(format_args!("key        {}", store.path(name).display()))?;
    }
    say(format_args!("register   {}\n", store.register_path().display()))?;
    let advice = "Keys and register stay off the nodes: whoever has them says who belongs to the mesh. Keep copies; without the register slots \
                  would be given out twice, and a lost key cannot be made again. Every node's configuration gets this, and seeds: docs/admission.md.";
    say(format_args!("{}\n", wrap(advice, 0)))?;
    say(configuration(&register.mesh, register.slots, root))
}

/// What the configuration of a node says about its mesh and its authority.
pub(crate) fn configuration(mesh: &str, slots: u32, root: &Authority) -> String {
    let mesh = toml::Value::from(mesh);
    format!(
        "mesh = {mesh}\n\n[table]\nslots = {slots}\n\n[membership]\nenabled = true\nseeds = []   # members to begin with, \"host:port\": without any this node begins a mesh of its own\n\n{}",
        admission(root)
    )
}

/// The part of that that says whom to trust.
pub(super) fn admission(root: &Authority) -> String {
    let keys: String = root.keys().iter().map(|key| format!("    \"{}\",\n", hex(key.as_bytes()))).collect();
    let threshold = root.threshold();
    format!("[admission]\nrule = \"issued\"\nauthority = {{ threshold = {threshold}, keys = [\n{keys}] }}")
}
