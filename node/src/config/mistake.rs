//! What is wrong with a configuration that does not even parse, in an operator's words: the key, its value, and what it wants.
//!
//! In come the text and what the parser says of it, in the words of Rust's types; out comes one line. What the parser says of broken
//! TOML (a missing quote, a key twice) is passed on as it is, with the key if there is one.

use toml::de::{DeArray, DeTable, DeValue};

use super::error::ConfigError;
use super::lines;

/// How alike a key has to be to one that exists to be taken for a slip of the pen (Jaro and Winkler; 1 is equal).
const ALIKE: f64 = 0.8;

/// The parser's error about `text`, with its line.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> ConfigError {
    let message = error.message().replace('\n', "; ");
    let Some(span) = error.span() else { return ConfigError { line: None, message } };
    let line = Some(lines::line_at(text, span.start));
    let Some(key) = key_at(text, span.start) else { return ConfigError { line, message } };
    let value = text.get(span).unwrap_or_default().trim();
    let message = unknown_key(&key, &message)
        .or_else(|| unknown_word(&key, &message))
        .or_else(|| wrong_type(&key, value, &message))
        .unwrap_or_else(|| format!("{key}: {message}"));
    ConfigError { line, message }
}

/// `unknown field ...`: a key that is not there.
fn unknown_key(key: &str, message: &str) -> Option<String> {
    let (name, known) = names(message.strip_prefix("unknown field ")?)?;
    let alike = closest(name, &known);
    let advice = match (alike, key.rsplit_once('.')) {
        (Some(alike), _) => format!("did you mean {alike}?"),
        (None, Some((table, _))) => format!("{table} has {}", known.join(", ")),
        (None, None) => "octick config example shows all keys".into(),
    };
    Some(format!("{key}: no such key; {advice}"))
}

/// `unknown variant ...`: a value that is not one of a few words.
fn unknown_word(key: &str, message: &str) -> Option<String> {
    let (word, known) = names(message.strip_prefix("unknown variant ")?)?;
    let known: Vec<String> = known.iter().map(|word| format!("\"{word}\"")).collect();
    Some(format!("{key} = \"{word}\": want {}", known.join(" or ")))
}

/// `invalid type ..., expected ...`: a value of another type, or a number that does not fit.
fn wrong_type(key: &str, value: &str, message: &str) -> Option<String> {
    let found = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (_, wanted) = found.rsplit_once(", expected ")?;
    let wanted = match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "string" => "text in quotes",
        "a sequence" => "a list, as in [1, 2]",
        of if of.starts_with("struct ") => "a table of keys",
        of => of,
    };
    Some(format!("{key} = {value}: want {wanted}"))
}

/// The name at the beginning, in backticks, and those that are expected, in backticks behind it.
fn names(message: &str) -> Option<(&str, Vec<&str>)> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    Some((quoted.next()?, quoted.collect()))
}

fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = known.iter().map(|known| (strsim::jaro_winkler(name, known), *known));
    likeness
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// The key whose name or value stands at byte `at`: `membership.seeds`, `peers[2].address`. None when `text` is not TOML.
fn key_at(text: &str, at: usize) -> Option<String> {
    in_table(DeTable::parse(text).ok()?.get_ref(), "", at)
}

fn in_table(table: &DeTable<'_>, path: &str, at: usize) -> Option<String> {
    let inner = table.iter().find_map(|(name, value)| {
        let key =
            if path.is_empty() { name.get_ref().to_string() } else { format!("{path}.{}", name.get_ref()) };
        let deeper = match value.get_ref() {
            DeValue::Table(table) => in_table(table, &key, at),
            DeValue::Array(items) => in_list(items, &key, at),
            _ => None,
        };
        deeper.or_else(|| (name.span().contains(&at) || value.span().contains(&at)).then_some(key))
    });
    debug_assert!(inner.as_ref().is_none_or(|key| key.starts_with(path)), "a key of this table");
    inner
}

fn in_list(items: &DeArray<'_>, path: &str, at: usize) -> Option<String> {
    items.iter().enumerate().find_map(|(i, item)| {
        let key = format!("{path}[{i}]");
        match item.get_ref() {
            DeValue::Table(table) => in_table(table, &key, at),
            _ => item.span().contains(&at).then_some(key),
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    /// What is said of `text`.
    fn said(text: &str) -> String {
        Config::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_slip_of_the_pen_is_named_with_what_was_meant() {
        assert_eq!(
            said("mesh = 'a'\n[membership]\nregoin = 3\n"),
            "line 3: membership.regoin: no such key; did you mean region?"
        );
        assert_eq!(
            said("membrship.enabled = true"),
            "line 1: membrship: no such key; did you mean membership?"
        );
        assert_eq!(said("zzz = 1"), "line 1: zzz: no such key; octick config example shows all keys");
        let unlike = said("[[agents]]\nfirst = 0\ncount = 16\n[[peers]]\nqqq = 1\n");
        assert!(unlike.starts_with("line 5: peers[0].qqq: no such key; peers[0] has "), "{unlike}");
    }

    #[test]
    fn a_value_of_another_type_is_named_with_what_is_wanted() {
        assert_eq!(
            said("[socket]\nbuffers = \"many\"\n"),
            "line 2: socket.buffers = \"many\": want a whole number, 0 or more"
        );
        assert_eq!(said("[membership]\nenabled = 3"), "line 2: membership.enabled = 3: want true or false");
        assert_eq!(
            said("[membership]\nregion = 70000"),
            "line 2: membership.region = 70000: want a whole number from 0 to 65535"
        );
        assert_eq!(said("mesh = 7"), "line 1: mesh = 7: want text in quotes");
        assert_eq!(said("membership = 7"), "line 1: membership = 7: want a table of keys");
        assert_eq!(
            said("[membership]\nseeds = [\"a:1\", 2]\n"),
            "line 2: membership.seeds[1] = 2: want text in quotes"
        );
    }

    #[test]
    fn a_word_that_is_none_of_the_words_is_named_with_them() {
        let said = said("kernel = \"sse\"");
        assert!(said.starts_with("line 1: kernel = \"sse\": want \"auto\" or "), "{said}");
    }

    #[test]
    fn what_is_no_toml_is_told_as_the_parser_tells_it() {
        assert!(
            said("mesh = a\n").starts_with("line 1: string values must be quoted"),
            "{}",
            said("mesh = a\n")
        );
        assert!(
            said("mesh = 'a'\nmesh = 'b'\n").contains("duplicate key"),
            "{}",
            said("mesh = 'a'\nmesh = 'b'\n")
        );
    }
}
