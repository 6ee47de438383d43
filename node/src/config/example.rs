//! `octick config example`: the whole configuration as a commented file, written from the declarations themselves.

use toml::{Table, Value};

use super::keys::{
    AdminKeys, AdmissionKeys, Config, DiscoveryKeys, LimitKeys, LogKeys, MembershipKeys, PeerKeys, PushKeys,
    ReportKeys, RunKeys, SocketKeys, TableKeys, ThreadKeys, VerifyKeys,
};
use super::section::Key;

/// A file that explains every key, and that parses and checks.
pub fn example() -> String {
    let values = Table::try_from(sample()).expect("a configuration is a table");
    let mut text = String::new();
    comment(&mut text, Config::ABOUT);
    for key in Config::KEYS.iter().filter(|key| section(key.name).is_none()) {
        text.push('\n');
        assign(&mut text, key, &values);
    }
    for key in Config::KEYS {
        let Some((about, sub_keys)) = section(key.name) else { continue };
        let tables: &[Value] = match &values[key.name] {
            Value::Array(tables) => tables,
            table => std::slice::from_ref(table),
        };
        let listed = values[key.name].is_array();
        for (i, table) in tables.iter().enumerate() {
            text.push('\n');
            if i == 0 {
                comment(&mut text, key.doc);
                comment(&mut text, about);
            }
            text += &if listed { format!("[[{}]]\n", key.name) } else { format!("[{}]\n", key.name) };
            let table = table.as_table().expect("a section is a table");
            for key in sub_keys {
                assign(&mut text, key, table);
            }
        }
    }
    text
}

/// The defaults, and one of each that a list may hold.
pub(super) fn sample() -> Config {
    Config {
        agents: vec![RunKeys { first: 0, count: 1_008 }],
        peers: vec![PeerKeys {
            public_key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".into(),
            addr: Some("127.0.0.1:7701".into()),
            runs: vec![RunKeys { first: 1_008, count: 1_008 }],
            // The secret of this key is in RFC 8032, section 7.1: whoever keeps the file as it is believes nobody by it.
            revoked: Some(true),
        }],
        ..Config::default()
    }
}

/// What a section is about, and the keys in it; none for a plain key.
fn section(name: &str) -> Option<(&'static [&'static str], &'static [Key])> {
    Some(match name {
        "admission" => (AdmissionKeys::ABOUT, AdmissionKeys::KEYS),
        "membership" => (MembershipKeys::ABOUT, MembershipKeys::KEYS),
        "discovery" => (DiscoveryKeys::ABOUT, DiscoveryKeys::KEYS),
        "admin" => (AdminKeys::ABOUT, AdminKeys::KEYS),
        "table" => (TableKeys::ABOUT, TableKeys::KEYS),
        "push" => (PushKeys::ABOUT, PushKeys::KEYS),
        "socket" => (SocketKeys::ABOUT, SocketKeys::KEYS),
        "threads" => (ThreadKeys::ABOUT, ThreadKeys::KEYS),
        "verify" => (VerifyKeys::ABOUT, VerifyKeys::KEYS),
        "limits" => (LimitKeys::ABOUT, LimitKeys::KEYS),
        "log" => (LogKeys::ABOUT, LogKeys::KEYS),
        "report" => (ReportKeys::ABOUT, ReportKeys::KEYS),
        "agents" => (RunKeys::ABOUT, RunKeys::KEYS),
        "peers" => (PeerKeys::ABOUT, PeerKeys::KEYS),
        _ => return None,
    })
}

fn comment(text: &mut String, lines: &[&str]) {
    for line in lines {
        *text += &format!("#{line}\n");
    }
}

fn assign(text: &mut String, key: &Key, table: &Table) {
    comment(text, key.doc);
    *text += &format!("{} = {}\n", key.name, table[key.name]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_the_sample_and_checks() {
        let config = Config::parse(&example()).unwrap();
        assert_eq!(config, sample());
        config.check().unwrap();
    }

    #[test]
    fn every_key_is_explained() {
        let text = example();
        let mut above = "";
        for line in text.lines() {
            if line.contains(" = ") && !line.starts_with('#') {
                assert!(above.starts_with("# "), "nothing above {line:?} explains it");
            }
            above = line;
        }
    }
}
