//! A robot server that expects the calls of a transcript in their order, and answers as Renode did.
//!
//! Calls are compared by what they mean: arguments are read as Renode reads them, and what a recorded call left to the
//! defaults of Renode (the selected machine, the only tester, its timeout) is filled in on both sides. HTTP itself is
//! checked for every request: what ends a real Renode is an error here.

#![allow(dead_code)]

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use dxr::{MethodCall, Value};
use renode_rs::Robot;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::support::transcript::{self, Direction};

/// A call as it was recorded or sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub method: String,
    pub params: Vec<Value>,
}

impl Call {
    /// From the body of a request.
    pub fn parse(body: &str) -> Option<Self> {
        let call = MethodCall::from_xml(body).ok()?;
        Some(Self { method: call.name.into_owned(), params: call.params })
    }

    /// The keyword and its arguments, all as text.
    pub fn keyword(&self) -> Option<(&str, Vec<String>)> {
        let [Value::String(name), Value::Array(arguments)] = self.params.as_slice() else { return None };
        let arguments = arguments.iter().map(|argument| match argument {
            Value::String(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Double(number) => Some(number.to_string()),
            _ => None,
        });
        (self.method == "run_keyword").then_some(())?;
        Some((name, arguments.collect::<Option<_>>()?))
    }
}

/// What is expected, and how it is answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub call: Call,
    pub note: String,
    /// The raw HTTP response; nothing for a call that is never answered.
    pub response: Option<Vec<u8>>,
    /// The answer waits for it.
    pub gate: Option<Arc<Notify>>,
    /// The connection is closed after the answer.
    pub close: bool,
}

impl Exchange {
    /// One with an answer of ours.
    pub fn new(keyword: &str, arguments: &[&str], response: impl Into<Vec<u8>>) -> Self {
        let arguments = arguments.iter().map(|text| Value::String((*text).to_owned())).collect();
        let params = vec![Value::String(keyword.to_owned()), Value::Array(arguments)];
        let call = Call { method: "run_keyword".to_owned(), params };
        Self { call, note: String::new(), response: Some(response.into()), gate: None, close: false }
    }
}

/// The exchanges of a transcript, as far as both sides are whole HTTP messages.
pub fn exchanges(name: &str) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut open: BTreeMap<Option<u32>, usize> = BTreeMap::new();
    for line in transcript::read(name) {
        let Some(http) = line.http else { continue };
        let Some((head, body)) = http.split_once("\r\n\r\n") else { continue };
        match line.direction {
            Direction::Out => {
                open.remove(&line.connection);
                if let Some(call) = Call::parse(body).filter(|_| head.starts_with("POST")) {
                    open.insert(line.connection, exchanges.len());
                    let note = line.note.unwrap_or_default();
                    exchanges.push(Exchange { call, note, response: None, gate: None, close: false });
                }
            }
            Direction::In => {
                if let Some(index) = open.remove(&line.connection) {
                    exchanges[index].close = head.contains("Connection: close");
                    exchanges[index].response = Some(http.into_bytes());
                }
            }
            Direction::Event => {}
        }
    }
    exchanges
}

/// The recorded call with a note that begins so, and its answer.
pub fn recorded(transcript: &str, note: &str) -> Exchange {
    let mut found = exchanges(transcript).into_iter().filter(|exchange| exchange.note.starts_with(note));
    found.next().unwrap_or_else(|| panic!("{transcript}: {note}"))
}

/// A command that prints something.
pub fn command(command: &str, output: &str) -> Exchange {
    Exchange::new("ExecuteCommand", &[command], passed(output))
}

/// The version, as it was recorded.
pub const VERSION: &str = "Renode, version 1.16.1 (v1.16.1-private)";

/// The call for it.
pub fn version() -> Exchange {
    command("version", &format!("{VERSION}\r\n\r"))
}

/// A client of the server.
pub async fn connect(server: &Replay) -> Robot {
    Robot::connect(server.address).await.expect("the server")
}

/// An answer of `ExecuteCommand`.
pub fn passed(output: &str) -> Vec<u8> {
    answer(&format!(
        "<params>\n<param>\n<value>\n<struct>\n<member>\n<name>return</name>\n<value>\n<string>{output}</string>\n</value>\n\
         </member>\n<member>\n<name>status</name>\n<value>\n<string>PASS</string>\n</value>\n</member>\n</struct>\n</value>\n\
         </param>\n</params>"
    ))
}

/// A response with these contents of `methodResponse`.
pub fn answer(contents: &str) -> Vec<u8> {
    let body = format!("<?xml version=\"1.0\"?>\n<methodResponse>\n{contents}\n</methodResponse>");
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// What Renode fills in.
#[derive(Clone, Debug, Default)]
struct Defaults {
    machine: Option<String>,
    timeout: Option<String>,
}

/// A call as Renode reads it.
type Meaning = (String, Vec<String>, BTreeMap<String, String>);

impl Defaults {
    fn meaning(&self, call: &Call) -> Meaning {
        let Some((name, arguments)) = call.keyword() else {
            return (call.method.clone(), vec![format!("{:?}", call.params)], BTreeMap::new());
        };
        let (mut positional, mut named) = (Vec::new(), BTreeMap::new());
        for argument in arguments {
            match split_named(&argument) {
                Some(("command" | "content" | "path" | "uart", value)) => positional.push(value.to_owned()),
                Some((name, value)) => drop(named.insert(name.to_owned(), value.to_owned())),
                None => positional.push(argument),
            }
        }
        let mut fill = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                named.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        };
        let about_uart = name.ends_with("OnUart") || name.ends_with("ToUart") || name.ends_with("TesterReport");
        if matches!(name, "ExecuteCommand" | "ExecutePython" | "CreateTerminalTester") && positional.len() == 1 {
            fill("machine", self.machine.as_deref());
        }
        if about_uart {
            fill("testerId", Some("0"));
        }
        if name.starts_with("WaitFor") && about_uart {
            fill("timeout", Some(self.timeout.as_deref().unwrap_or("8")));
        }
        if name == "CreateTerminalTester" {
            fill("timeout", Some("8"));
        }
        if let Some(timeout) = named.get_mut("timeout")
            && let Ok(seconds) = timeout.parse::<f64>()
        {
            *timeout = seconds.to_string();
        }
        (name.to_owned(), positional, named)
    }

    /// What the call changes.
    fn follow(&mut self, call: &Call) {
        let (name, positional, named) = self.meaning(call);
        let first = positional.first().map_or("", String::as_str);
        match name.as_str() {
            "ResetEmulation" => *self = Self::default(),
            "ExecuteScript" => self.machine = Some("stm".to_owned()),
            "CreateTerminalTester" if !named.contains_key("nosuch") => self.timeout = named.get("timeout").cloned(),
            "ExecuteCommand" => {
                let quoted = first.split('"').nth(1).map(str::to_owned);
                match first.split_whitespace().collect::<Vec<_>>().as_slice() {
                    ["Clear"] => *self = Self::default(),
                    ["mach", "clear"] => self.machine = None,
                    ["mach", "create" | "set", ..] => self.machine = quoted,
                    ["mach", "rem", ..] if self.machine == quoted => self.machine = None,
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// `name=value`, as Renode tells it from a positional argument.
pub fn split_named(argument: &str) -> Option<(&str, &str)> {
    let (name, value) = argument.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    // `.+` ends at a line feed.
    let value = value.split('\n').next().filter(|value| !value.is_empty())?;
    is_name.then_some((name, value))
}

/// What the server saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// For each connection the number of its requests.
    pub requests: Vec<u32>,
    /// Connections that ended, in whichever way.
    pub ended: usize,
    /// Calls that nobody expected, and HTTP that no Renode survives.
    pub faults: Vec<String>,
    /// Pauses that came on top of the script.
    pub pauses: usize,
    /// Exchanges not used yet.
    pub left: usize,
}

struct State {
    script: VecDeque<Exchange>,
    defaults: Defaults,
}

/// The server. It goes with this handle.
pub struct Replay {
    pub address: SocketAddr,
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
}

impl Replay {
    pub async fn start(script: Vec<Exchange>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (sender, seen) = watch::channel(Seen { left: script.len(), ..Seen::default() });
        let state = Arc::new(Mutex::new(State { script: script.into(), defaults: Defaults::default() }));
        let task = tokio::spawn(async move {
            // One that is dropped with the task, so that a server that dies takes its connections along.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut number = 0;
                sender.send_modify(|seen| {
                    number = seen.requests.len();
                    seen.requests.push(0);
                });
                let (state, sender) = (state.clone(), sender.clone());
                connections.spawn(async move {
                    if let Err(fault) = serve(stream, number, &state, &sender).await {
                        sender.send_modify(|seen| seen.faults.push(fault));
                    }
                    sender.send_modify(|seen| seen.ended += 1);
                });
            }
        });
        Self { address, seen, task }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits until what was seen is as wanted.
    pub async fn until(&self, wanted: impl FnMut(&Seen) -> bool) -> Seen {
        self.seen.clone().wait_for(wanted).await.expect("the server lives").clone()
    }

    /// The whole script was used, and nothing else came.
    pub fn finish(&self) {
        let seen = self.seen();
        assert_eq!(seen.faults, Vec::<String>::new());
        assert_eq!(seen.left, 0, "exchanges left");
        assert!(seen.requests.iter().all(|requests| *requests <= 100), "{:?}", seen.requests);
    }

    /// As a Renode that dies: its port and its connections are gone.
    pub async fn die(self) {
        self.task.abort();
        let mut task = self.task;
        let _ = (&mut task).await;
    }
}

/// One connection.
async fn serve(
    mut stream: TcpStream,
    number: usize,
    state: &Mutex<State>,
    seen: &watch::Sender<Seen>,
) -> Result<(), String> {
    let mut buffer = Vec::new();
    loop {
        let Some(body) = request(&mut stream, &mut buffer).await? else { return Ok(()) };
        let call = Call::parse(&body).filter(|_| body.contains("<params>"));
        let call = call.ok_or_else(|| format!("no method call: {body}"))?;
        let exchange = {
            let mut state = state.lock().expect("lock");
            let wanted = state.script.front().map(|exchange| state.defaults.meaning(&exchange.call));
            let sent = state.defaults.meaning(&call);
            if wanted.as_ref() == Some(&sent) {
                let exchange = state.script.pop_front().expect("it was there");
                state.defaults.follow(&exchange.call);
                exchange
            } else if sent.1 == ["pause"] {
                seen.send_modify(|seen| seen.pauses += 1);
                Exchange::new("ExecuteCommand", &["pause"], passed("Pausing emulation...\r\n\r"))
            } else if sent.1 == ["emulation GetTimeSourceInfo"] {
                // Asked where a keyword may have run the emulation; the quantum is the first one.
                recorded("robot-reset", "quantum and Advance")
            } else {
                return Err(format!("expected {wanted:?}\nbut got {sent:?}"));
            }
        };
        let left = state.lock().expect("lock").script.len();
        seen.send_modify(|seen| {
            seen.requests[number] += 1;
            seen.left = left;
        });
        if let Some(gate) = exchange.gate {
            gate.notified().await;
        }
        let Some(response) = exchange.response else {
            // Never answered; the client must not go away either.
            return match stream.read(&mut [0]).await {
                Ok(0) => Err("the client closed its connection in mid-keyword".to_owned()),
                other => Err(format!("the client went on in mid-keyword: {other:?}")),
            };
        };
        stream.write_all(&response).await.map_err(|error| format!("answer: {error}"))?;
        if exchange.close {
            return Ok(());
        }
    }
}

/// The body of the next request; nothing where the client closed between two of them.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Option<String>, String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).map_err(|error| error.to_string())?;
            let length = check_head(&head)?;
            if buffer.len() >= end + 4 + length {
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                if !buffer.is_empty() {
                    return Err("pipelined requests".to_owned());
                }
                return String::from_utf8(body).map(Some).map_err(|error| error.to_string());
            }
        }
        match stream.read_buf(buffer).await {
            Ok(0) if buffer.is_empty() => return Ok(None),
            Ok(0) => return Err("half a request".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(format!("reset: {error}")),
        }
    }
}

/// The length of the body of a request that Renode survives.
fn check_head(head: &str) -> Result<usize, String> {
    let mut lines = head.split("\r\n");
    if lines.next() != Some("POST / HTTP/1.1") {
        return Err(format!("no POST: {head}"));
    }
    let headers: BTreeMap<String, &str> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    if headers.contains_key("transfer-encoding") || headers.contains_key("expect") || !headers.contains_key("host") {
        return Err(format!("unwelcome headers: {head}"));
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    length.ok_or_else(|| format!("no length: {head}"))
}
