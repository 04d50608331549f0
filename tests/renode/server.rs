//! The robot server over HTTP, as seen with Renode 1.16.1: 101 requests a connection, the last one unanswered; 15 s of
//! rest and a connection is closed; one request at a time over all connections; and a request that is no POST with a
//! length ends the process.

use crate::{
    emulation::Emulation,
    orders::Orders,
    xml::{self, Call},
};
use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// Requests of a connection that are answered.
const REQUESTS: u32 = 100;
/// Rest after which a connection is closed.
const IDLE: Duration = Duration::from_secs(15);

/// Keywords that there are.
const KEYWORDS: [&str; 2] = ["ExecuteCommand", "StopRemoteServer"];

/// Serves until it is told to end.
pub fn serve(listener: &TcpListener, emulation: Emulation, orders: &Arc<Orders>) -> io::Result<()> {
    let emulation = Arc::new(Mutex::new(emulation));
    let (end, ended) = mpsc::channel();
    let accepting = {
        let (listener, emulation, orders) = (listener.try_clone()?, emulation.clone(), orders.clone());
        move || {
            for client in listener.incoming().flatten() {
                let (emulation, orders, end) = (emulation.clone(), orders.clone(), end.clone());
                thread::spawn(move || {
                    if let Err(error) = converse(&client, &emulation, &orders, &end) {
                        println!("robot server: {error}");
                    }
                });
            }
        }
    };
    thread::spawn(accepting);
    // It fails when nobody is left to say so, which cannot be: the listener is open.
    let _ = ended.recv();
    emulation.lock().unwrap_or_else(PoisonError::into_inner).clear();
    Ok(())
}

fn converse(
    client: &TcpStream,
    emulation: &Mutex<Emulation>,
    orders: &Orders,
    end: &mpsc::Sender<()>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(IDLE))?;
    let mut reader = BufReader::new(client);
    for left in (0..REQUESTS).rev() {
        let Some(body) = request(&mut reader)? else { return Ok(()) };
        let (answer, last) = {
            let mut emulation = emulation.lock().unwrap_or_else(PoisonError::into_inner);
            respond(&body, &mut emulation, orders)?
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nKeep-Alive: timeout=15,max={left}\r\n\r\n",
            answer.len()
        );
        (&mut &*client).write_all((head + &answer).as_bytes())?;
        if last {
            let _ = end.send(());
        }
    }
    // One more is read, and not answered.
    request(&mut reader).map(drop)
}

/// The body of the next request; `None` where there is none any more.
fn request(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<String>> {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(0) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        read => read?,
    };
    if !line.starts_with("POST /") {
        crash(&format!("a request that is no POST: {line}"));
    }
    let mut length = None;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    let Some(length) = length else { crash("a POST without a length") };
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    String::from_utf8(body).map(Some).map_err(io::Error::other)
}

/// The answer, and whether it is the last one.
fn respond(body: &str, emulation: &mut Emulation, orders: &Orders) -> io::Result<(String, bool)> {
    let Some(call) = Call::parse(body) else { return Ok((xml::fault(0, "not a call"), false)) };
    let mut texts = call.texts.iter().map(String::as_str);
    Ok(match (call.method.as_str(), texts.next()) {
        ("stop_remote_server", _) => (xml::nothing(), true),
        ("get_keyword_names", _) => (xml::list(&KEYWORDS), false),
        ("run_keyword", Some("StopRemoteServer")) => (xml::outcome(Ok(String::new())), true),
        ("run_keyword", Some("ExecuteCommand")) => match texts.next() {
            Some(command) => {
                let command = command.strip_prefix("command=").unwrap_or(command);
                orders.note(command)?;
                (xml::outcome(emulation.execute(command, texts.next())), false)
            }
            None => {
                (xml::fault(2, "Arguments types do not match any available keyword \"ExecuteCommand\" : []"), false)
            }
        },
        (_, keyword) => (xml::fault(1, &format!("Keyword \"{}\" not found", keyword.unwrap_or_default())), false),
    })
}

/// What ends Renode ends this.
fn crash(why: &str) -> ! {
    eprintln!("Unhandled exception: {why}");
    std::process::abort()
}
