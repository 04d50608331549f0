//! The monitor: the recorded sessions with and without colours, and what may go wrong.

mod support;

use std::sync::Arc;
use std::time::Duration;

use renode_rs::Monitor;
use renode_rs::monitor::MonitorError;
use support::raw_replay::{RawReplay, Step, script};
use support::transcript::{Direction, Line, read};
use tokio::sync::Notify;

const PREAMBLE: [u8; 12] = [0xFF, 0xFD, 0, 0xFF, 0xFB, 1, 0xFF, 0xFB, 3, 0xFF, 0xFC, 0x22];
const BANNER: &str = "Renode, version 1.16.1 (v1.16.1-private)\n\r\n\r(monitor) ";

/// Commands of the recordings that fail, with the beginnings of what Renode says.
const FAILING: [(&str, &str); 10] = [
    ("nosuch", "No such command or device: nosuch"),
    ("echo \"A\"; nosuch; echo \"C\"", "No such command or device: nosuch"),
    (
        "emulation RunFor \"abc\"",
        "There was an error executing command 'emulation RunFor \"abc\"'\nParameters did not match the signature",
    ),
    ("echo \"unterminated", "Could not tokenize here:\necho \"unterminated\n     ^"),
    ("mach set \"nope\"", "Machine nope not found."),
    ("python \"1/0\"", "There was an error executing command 'python \"1/0\"'\nAttempted to divide by zero."),
    ("echo \"third\"", "No such command or device: partialecho"),
    ("ver", "No such command or device: ver"),
    ("cpu PC", "No such command or device: cpu"),
    ("mach set 0", "Wrong machine number. Type mach to show a list of available machines."),
];

/// What some commands of the recordings answer.
const ANSWERS: [(&str, &str); 13] = [
    ("version", "Renode, version 1.16.1 (v1.16.1-private)"),
    ("echo \"abc\"", "abc"),
    ("numbersMode Decimal", ""),
    ("echo \"A\"; echo \"B\"", "A\nB"),
    ("echo \"héllo 你好\"", "héllo 你好"),
    ("mach create \"stm\"", ""),
    ("cpu ExecutedInstructions", "*"),
    ("peripherals", "Available peripherals:\n\n  sysbus (SystemBus)\n  │   "),
    ("sysbus ReadBytes 0x08000000 8", "[\n8, 16, 0, 32, 107, 0, 0, 8, \n]"),
    ("start", "Starting emulation..."),
    ("pause", "Pausing emulation..."),
    ("python \"print(1+2)\"", "3"),
    ("", ""),
];

/// Whether the client sent a whole line that can be typed, as our commands are.
fn command(line: &Line) -> Option<String> {
    let text = String::from_utf8(line.bytes.clone()?).ok()?;
    let command = text.strip_suffix('\r').or_else(|| text.strip_suffix('\n'))?;
    (!command.chars().any(char::is_control)).then(|| command.to_owned())
}

/// The lines of a connection that [`Monitor`] can take part in: whole lines and their answers, sent with CR. The editing
/// keys, and the Enter that runs what they made, go with their answers.
fn expressible(lines: &[Line], connection: u32) -> Vec<Line> {
    let mut dropping = false;
    let mut edited = false;
    lines
        .iter()
        .filter(|line| line.connection == Some(connection))
        .filter_map(|line| {
            if line.direction == Direction::Out {
                dropping = edited || command(line).is_none();
                edited = command(line).is_none() && !line.bytes.as_deref().expect("bytes").ends_with(b"\n");
                edited &= !matches!(line.note.as_deref(), Some("Ctrl-C" | "DEL twice"));
                edited &= !line.bytes.as_deref().expect("bytes").starts_with(&[0xFF]);
                edited &= !line.bytes.as_deref().expect("bytes").ends_with(b"\r");
            }
            let mut line = line.clone();
            if line.direction == Direction::Out && !dropping {
                line.bytes = command(&line).map(|command| format!("{command}\r").into_bytes());
            }
            (!dropping || line.direction == Direction::Event).then_some(line)
        })
        .collect()
}

/// Replays a connection; gives how many commands it had.
async fn replay(lines: &[Line], connection: u32) -> usize {
    let lines = expressible(lines, connection);
    let steps = script(&lines, connection);
    let server = RawReplay::start(vec![steps]).await;
    let mut monitor = Monitor::connect(server.address).await.expect("connect");
    let mut count = 0;
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.direction == Direction::Out) {
        let command = command(line).expect("command");
        count += 1;
        if command == "quit" {
            monitor.quit().await.expect("quit");
            server.finish().await;
            return count;
        }
        // The last command of a client that left before its end.
        if !lines[at + 1..].iter().any(|line| line.direction == Direction::In && has_prompt(line)) {
            tokio::select! {
                biased;
                result = monitor.command(&command) => panic!("{result:?}"),
                () = std::future::ready(()) => {},
            }
            break;
        }
        let result = monitor.command(&command).await;
        let answer: String = lines[at + 1..]
            .iter()
            .take_while(|line| line.direction != Direction::Out)
            .filter_map(|line| line.text.clone())
            .collect();
        check(&command, result, &answer);
    }
    drop(monitor);
    server.finish().await;
    count
}

fn has_prompt(line: &Line) -> bool {
    line.text.as_deref().is_some_and(|text| text.ends_with(") ") || text.ends_with(") \u{1b}[0m"))
}

fn check(command: &str, result: Result<String, MonitorError>, answer: &str) {
    let failing = FAILING.iter().find(|(name, message)| {
        let first = message.lines().next().expect("line");
        *name == command && answer.contains(first)
    });
    match (failing, result) {
        (Some((_, expected)), Err(MonitorError::Command { command: told, message, output })) => {
            assert_eq!((told.as_str(), message.as_str()), (command, *expected));
            if command.starts_with("echo \"A\"") {
                assert_eq!(output, "A");
            }
            if command.starts_with("emulation RunFor") {
                assert!(
                    output.starts_with("\nThe following methods are available:\n - Void RunFor (TimeInterval period)")
                );
            }
        }
        (None, Ok(output)) => {
            if let Some((_, expected)) = ANSWERS.iter().find(|(name, text)| *name == command && *text != "*") {
                assert_eq!(output, *expected, "{command}");
            }
            assert!(!output.contains(['\u{1b}', '\r']) && !output.ends_with('\n'), "{output:?}");
            assert!(output.is_empty() || output.lines().all(|line| answer.contains(line)), "{output:?}");
        }
        (_, other) => panic!("{command}: {other:?} to {answer:?}"),
    }
}

#[tokio::test]
async fn recorded_sessions_are_replayed() {
    let mut count = 0;
    for name in ["monitor-plain", "monitor-color"] {
        let lines = read(name);
        for connection in 0..4 {
            // The second client sends before it hears anything: see `a_second_client_is_told_so`.
            if connection != 1 {
                count += replay(&lines, connection).await;
            }
        }
    }
    assert!(count > 60, "{count}");
}

#[tokio::test]
async fn sessions_with_arguments_are_replayed() {
    let lines = read("monitor-execute");
    let is_start = |line: &Line| line.event.as_deref() == Some("process started");
    let starts: Vec<usize> = (0..lines.len()).filter(|at| is_start(&lines[*at])).collect();
    assert_eq!(starts.len(), 4);
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(lines.len());
        assert_eq!(replay(&lines[*start..end], 0).await, 2);
    }
}

#[tokio::test]
async fn output_of_the_robot_server_is_unasked() {
    let lines = read("monitor-with-robot");
    assert_eq!(replay(&lines, 0).await, 7);

    let server = RawReplay::start(vec![script(&lines, 0)]).await;
    let mut monitor = Monitor::connect(server.address).await.expect("connect");
    monitor.command("version").await.expect("version");
    assert_eq!(monitor.take_unasked(), "Renode, version 1.16.1 (v1.16.1-private)\n\n(monitor) ");
    monitor.command("version").await.expect("version");
    let unasked = monitor.take_unasked();
    assert!(unasked.contains("No such command or device: nosuch"), "{unasked:?}");
    assert_eq!(monitor.prompt().as_deref(), Some("stm"));
}

#[tokio::test]
async fn a_second_client_is_told_so() {
    let held = Arc::new(Notify::new());
    let server =
        RawReplay::start(vec![vec![Step::Hold(Arc::clone(&held)), Step::Send(PREAMBLE.to_vec()), Step::Close]]).await;
    let error = Monitor::connect_within(server.address, Duration::from_millis(50)).await.expect_err("silent");
    assert!(matches!(error, MonitorError::Silent { .. }), "{error:?}");
    assert!(error.to_string().contains("one client at a time"));
    held.notify_one();
    server.finish().await;
}

#[tokio::test]
async fn a_second_client_is_served_after_the_first() {
    for name in ["monitor-plain", "monitor-color"] {
        let lines = read(name);
        let lines: Vec<Line> = lines.into_iter().filter(|line| line.connection == Some(1)).collect();
        let mut steps = script(&lines, 1);
        // It waited for nothing and typed at once; we wait for the preamble that begins the answer.
        let Step::Send(answer) = steps.remove(1) else { panic!("answer") };
        steps.insert(0, Step::Send(answer[..12].to_vec()));
        steps.insert(2, Step::Send(answer[12..].to_vec()));
        // Half a line, which we never leave, and its echo.
        steps.truncate(5);
        let server = RawReplay::start(vec![steps]).await;
        let mut monitor = Monitor::connect(server.address).await.expect("connect");
        assert_eq!(monitor.command("echo \"from second\"").await.expect("echo"), "from second");
        assert_eq!(monitor.command("echo \"second now\"").await.expect("echo"), "second now");
        drop(monitor);
        server.finish().await;
    }
}

fn opening(rest: &[Step]) -> Vec<Step> {
    let mut steps = vec![Step::Send([&PREAMBLE[..], BANNER.as_bytes()].concat())];
    steps.extend_from_slice(rest);
    steps
}

fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

fn expect(text: &str) -> Step {
    Step::Expect(text.as_bytes().to_vec())
}

#[tokio::test]
async fn keys_of_the_monitor_are_refused() {
    let server = RawReplay::start(vec![opening(&[])]).await;
    let mut monitor = Monitor::connect(server.address).await.expect("connect");
    for command in ["ver\t", "a\rb", "a\nb", "version\r\n", "\u{3}", "\u{1b}[A", "a\u{7f}"] {
        let error = monitor.command(command).await.expect_err("refused");
        assert!(matches!(error, MonitorError::ControlCharacter { .. }), "{command:?}: {error:?}");
    }
    drop(monitor);
    server.finish().await;
}

#[tokio::test]
async fn a_dropped_command_is_finished_by_the_next() {
    let (asked, late) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = RawReplay::start(vec![opening(&[
        expect("sleep 2\r"),
        send("sleep 2\n\r"),
        Step::Tell(Arc::clone(&asked)),
        Step::Hold(Arc::clone(&late)),
        send("(monitor) "),
        expect("sleep 2\r"),
        send("sleep 2\n\rsecond\r\r\n(monitor) "),
    ])])
    .await;
    let mut monitor = Monitor::connect(server.address).await.expect("connect");
    tokio::select! {
        biased;
        () = asked.notified() => {},
        result = monitor.command("sleep 2") => panic!("{result:?}"),
    }
    late.notify_one();
    // The same text, so that the answer of the first would do.
    assert_eq!(monitor.command("sleep 2").await.expect("sleep"), "second");
    drop(monitor);
    server.finish().await;
}

#[tokio::test]
async fn pieces_are_put_together() {
    let text = "echo \"é\"\n\ré\r\r\n(monitor) ".as_bytes();
    for at in 1..text.len() {
        let gate = Arc::new(Notify::new());
        let server = RawReplay::start(vec![vec![
            Step::Send(PREAMBLE[..5].to_vec()),
            Step::Send(PREAMBLE[5..].to_vec()),
            expect("echo \"é\"\r"),
            Step::Send(text[..at].to_vec()),
            Step::Hold(Arc::clone(&gate)),
            Step::Send(text[at..].to_vec()),
        ]])
        .await;
        let mut monitor = Monitor::connect(server.address).await.expect("connect");
        let (output, ()) = tokio::join!(monitor.command("echo \"é\""), async {
            tokio::task::yield_now().await;
            gate.notify_one();
        });
        assert_eq!(output.expect("echo"), "é", "{at}");
        drop(monitor);
        server.finish().await;
    }
}

#[tokio::test]
async fn an_end_tells_what_was_said() {
    for end in [Step::Close, Step::Reset] {
        let reset = matches!(end, Step::Reset);
        let server = RawReplay::start(vec![opening(&[expect("cpu PC\r"), send("cpu PC\n\rhalf an ans"), end])]).await;
        let mut monitor = Monitor::connect(server.address).await.expect("connect");
        match monitor.command("cpu PC").await {
            // A reset may drop what was not yet read.
            Err(MonitorError::Closed { said }) => assert!(reset || said == "half an ans", "{said:?}"),
            other => panic!("{other:?}"),
        }
        let error = monitor.command("version").await.expect_err("closed");
        assert!(matches!(error, MonitorError::Closed { .. }), "{error:?}");
        server.finish().await;
    }
}

#[tokio::test]
async fn something_else_is_no_monitor() {
    let server = RawReplay::start(vec![vec![send("HTTP/1.1 400 Bad Request\r\n")], vec![Step::Close]]).await;
    let error = Monitor::connect(server.address).await.expect_err("http");
    assert!(matches!(&error, MonitorError::NotMonitor { begins } if begins.starts_with(b"HTTP")), "{error:?}");
    let error = Monitor::connect(server.address).await.expect_err("closed");
    assert!(matches!(error, MonitorError::Closed { .. }), "{error:?}");
    server.finish().await;
}
