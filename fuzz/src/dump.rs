//! Any file for `octick dump`: pieces that tile it, lines that end, JSON that parses.

use octick_node::dump::command::dump;
use octick_node::dump::split;

/// Splits and shows `data` in every way.
pub fn run(data: &[u8]) {
    let mut at = 0;
    for piece in split::file(data) {
        assert_eq!(piece.at, at, "a piece begins where the last one ended");
        assert!(piece.len > 0, "a piece of nothing goes on for ever");
        at += piece.len;
    }
    assert_eq!(at, data.len(), "bytes at the end were passed over");
    for piece in split::datagram(data) {
        assert!(piece.at + piece.len <= data.len());
    }

    let (mut text, mut json) = (Vec::new(), Vec::new());
    let (as_text, as_json) = (dump(data, false, &mut text), dump(data, true, &mut json));
    match (as_text, as_json) {
        (Ok(text_summary), Ok(json_summary)) => {
            assert_eq!(text_summary, json_summary);
            let pieces = text_summary.frames + text_summary.damaged;
            let objects = json.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
            assert_eq!(objects as u64, pieces, "one object a frame");
        }
        (Err(text_error), Err(json_error)) => assert_eq!(text_error.to_string(), json_error.to_string()),
        (text, json) => panic!("text gives {text:?}, JSON gives {json:?}"),
    }
    assert!(text.is_empty() || text.ends_with(b"\n"));
    String::from_utf8(text).expect("text is text");
    String::from_utf8(json).expect("JSON is text");
}
