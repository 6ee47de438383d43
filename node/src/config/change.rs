//! What differs between two configurations, key by key.

use toml::{Table, Value};

use super::Config;

/// The keys whose values differ, as in `membership.seeds`, in the order of the file's explanation. A list is one value.
pub fn changed_keys(before: &Config, after: &Config) -> Vec<String> {
    let table = |config: &Config| Table::try_from(config).expect("a configuration is a table");
    let mut keys = Vec::new();
    walk("", &table(before), &table(after), &mut keys);
    keys
}

fn walk(at: &str, before: &Table, after: &Table, keys: &mut Vec<String>) {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    for name in names {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match (before.get(name), after.get(name)) {
            (Some(Value::Table(before)), Some(Value::Table(after))) => walk(&path, before, after, keys),
            (before, after) if before != after => keys.push(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let config = |text| Config::parse(text).unwrap();
        assert_eq!(changed_keys(&config(""), &config("listen = \"0.0.0.0:7700\"")), Vec::<String>::new());
        let other = "mesh = \"m\"\nlog.level = \"debug\"\n[membership]\nenabled = true\nseeds = [\"127.0.0.1:1\"]\n\
                     [[agents]]\nfirst = 0\ncount = 16\n";
        let mut keys = changed_keys(&config(""), &config(other));
        keys.sort();
        assert_eq!(keys, ["agents", "log.level", "membership.enabled", "membership.seeds", "mesh"]);
    }
}
