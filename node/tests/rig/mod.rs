//! Real nodes with an admin API.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command::{octick, run};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running node with an admin API; it dies with the test.
pub(crate) struct Node {
    pub(crate) process: Child,
    pub(crate) id: String,
    pub(crate) listen: String,
    /// Its Unix socket, for `--admin`.
    pub(crate) admin: String,
    /// The TCP address of the same API.
    pub(crate) tcp: String,
    /// The file of the token that it asks for.
    pub(crate) token_file: PathBuf,
    /// What it logs from now on.
    pub(crate) lines: Box<dyn Iterator<Item = Value>>,
}

impl Node {
    /// Waits for an event of the log.
    pub(crate) fn says(&mut self, message: &str) -> Value {
        let starts = |line: &Value| line["message"].as_str().unwrap().starts_with(message);
        self.lines.find(starts).unwrap_or_else(|| panic!("it ends without saying {message:?}"))
    }

    /// Waits until it says what a quorum of so many members takes.
    pub(crate) fn quorum_of(&mut self, members: u32) -> Value {
        loop {
            let said = self.says("quorum");
            if said["counted"] == members {
                return said;
            }
        }
    }

    /// What `/readyz` answers: whether the node is ready, and the code of what stands in the way.
    pub(crate) fn ready(&self) -> (bool, Value) {
        let (head, body) = self.raw(&format!("GET /readyz HTTP/1.1\r\nHost: {}\r\n", self.tcp), "");
        let status = head.split(' ').nth(1).unwrap().to_owned();
        assert!(["200", "503"].contains(&&status[..]), "{head}");
        (status == "200", serde_json::from_str::<Value>(&body).unwrap()["error"].clone())
    }

    /// One HTTP exchange with its token, as a program without manners would do it: all headers, and the body.
    pub(crate) fn raw(&self, head: &str, body: &str) -> (String, String) {
        let token = fs::read_to_string(&self.token_file).unwrap();
        raw(&self.tcp, &format!("{head}Authorization: Bearer {}\r\n", token.trim_end()), body)
    }

    /// Waits until it is ready.
    pub(crate) fn until_ready(&self) {
        let began = Instant::now();
        loop {
            let (ready, why) = self.ready();
            if ready {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "not ready yet: {why}");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Node `n` of the mesh in `dir`.
pub(crate) fn node(dir: &Path, n: u32, seeds: &[&str]) -> Node {
    node_with(dir, n, seeds, "")
}

/// The same with `more` keys in its configuration.
pub(crate) fn node_with(dir: &Path, n: u32, seeds: &[&str], more: &str) -> Node {
    let key = format!("{n}.key");
    if !dir.join(&key).exists() {
        assert_eq!(run(dir, &["keygen", "--out", &key]).0, 0);
    }
    let config = format!(
        "key_file = {key:?}\nlisten = \"127.0.0.1:0\"\n{more}\n[membership]\nenabled = true\nseeds = {seeds:?}\n\
         [admin]\nenabled = true\nlisten = \"127.0.0.1:0\"\n[report]\ninterval_secs = 0\n\
         [table]\nslots = 1024\n[[agents]]\nfirst = {}\ncount = 16\n",
        16 * n
    );
    let file = format!("{n}.toml");
    fs::write(dir.join(&file), config).unwrap();
    start(dir, &file)
}

/// The node that the configuration `file` describes.
pub(crate) fn start(dir: &Path, file: &str) -> Node {
    let mut run = octick(dir, &["run", "--json", "--config", file]);
    let mut process = run.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok).map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let started = lines.find(|line| line["message"] == "node started").expect("it starts");
    let [id, listen, admin, tcp] =
        ["id", "listen", "admin", "admin_tcp"].map(|key| started[key].as_str().unwrap().to_owned());
    let file = dir.join(file);
    let config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
    let key = config.get("key_file").map_or("node.key", |key| key.as_str().unwrap());
    let token_file = file.parent().unwrap().join(key).with_extension("token");
    Node { process, id, listen, admin, tcp, token_file, lines: Box::new(lines) }
}

pub(crate) fn members(dir: &Path, node: &Node) -> Value {
    let (code, out, error) = run(dir, &["members", "--json", "--admin", &node.admin]);
    assert_eq!(code, 0, "{error}");
    serde_json::from_str(&out).unwrap()
}

/// Waits until `node` believes so many members to be in each state.
pub(crate) fn until(dir: &Path, node: &Node, counts: &Value) -> Value {
    let began = Instant::now();
    loop {
        let members = members(dir, node);
        if members["counts"] == *counts {
            return members;
        }
        assert!(began.elapsed() < PATIENCE, "still not {counts}: {members:#}");
    }
}

pub(crate) fn counts(alive: u32, failed: u32, left: u32) -> Value {
    json!({ "alive": alive, "suspected": 0, "failed": failed, "left": left })
}

/// The same without a token.
pub(crate) fn raw(admin: &str, head: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    // Status line and all headers.
    (head.to_ascii_lowercase(), body.to_owned())
}
