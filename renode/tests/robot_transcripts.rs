//! Every recorded conversation with the robot server is led again through the typed API, call by call, and what it
//! returns is compared with what Renode answered.

#[path = "support/robot_compare.rs"]
mod robot_compare;
#[path = "support/robot_replay.rs"]
mod robot_replay;
mod support;

use std::{path::Path, time::Duration};

use renode_rs::robot::{BytesMatch, Robot, RobotError, TerminalTester, TesterOptions};
use robot_compare::{Answered, Returned, agree, answered, number};
use robot_replay::{Call, Exchange, Replay, exchanges, split_named};
use support::transcript;

/// A call of the session, in the words of the API where it has them.
struct Session {
    robot: Robot,
    machine: String,
    tester: Option<TerminalTester>,
}

impl Session {
    async fn call(&mut self, call: &Call) -> Result<Returned, RobotError> {
        match call.method.as_str() {
            "get_keyword_names" => return self.robot.keywords().await.map(Returned::Names),
            "stop_remote_server" => return self.robot.stop_server().await.map(|()| Returned::Done),
            _ => {}
        }
        let (name, arguments) = call.keyword().expect("a keyword");
        let named: Vec<_> = arguments.iter().filter_map(|argument| split_named(argument)).collect();
        let positional: Vec<_> =
            arguments.iter().filter(|argument| split_named(argument).is_none()).map(String::as_str).collect();
        match (name, positional.as_slice(), named.as_slice()) {
            ("ResetEmulation", [], []) => return self.robot.reset_emulation().await.map(|()| Returned::Done),
            ("ExecuteCommand", [command], []) => return self.command(command).await,
            ("ExecuteScript", [path], []) => return self.robot.execute_script(path).await.map(Returned::Text),
            ("ExecutePython", [code], []) => return self.robot.execute_python(code).await.map(Returned::Value),
            ("ExecutePython", [], [("command", code)]) => {
                return self.robot.execute_python(code).await.map(Returned::Value);
            }
            ("CreateTerminalTester", [uart], named) if named.iter().all(is_option) && !self.machine.is_empty() => {
                return self.create_tester(uart, named).await;
            }
            _ => {}
        }
        if let Some(tester) = &self.tester
            && let Some(returned) = wait(tester, name, &positional, &named).await
        {
            return returned;
        }
        self.robot.keyword(name, &positional, &named).await.map(Returned::Value)
    }

    async fn create_tester(&mut self, uart: &str, named: &[(&str, &str)]) -> Result<Returned, RobotError> {
        let mut options = TesterOptions { pause: false, ..TesterOptions::default() };
        for (name, value) in named {
            match *name {
                "timeout" => options.timeout = seconds(value).expect("a timeout"),
                "binaryMode" => options.binary = *value == "true",
                _ => options.pause = *value == "true",
            }
        }
        let tester = self.robot.machine(&self.machine)?.create_tester(uart, options).await?;
        self.tester = Some(tester);
        Ok(Returned::Done)
    }

    async fn command(&mut self, command: &str) -> Result<Returned, RobotError> {
        let robot = &self.robot;
        let quoted = command.split('"').nth(1).unwrap_or_default().to_owned();
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["version"] => return robot.version().await.map(Returned::Text),
            ["mach", "create", _, ..] => {
                self.machine.clone_from(&quoted);
                return robot.create_machine(&quoted).await.map(|_| Returned::Done);
            }
            ["mach", "rem", name, ..] if name.starts_with('"') => {
                return robot.machine(&quoted)?.remove().await.map(|()| Returned::Done);
            }
            ["Clear"] => return robot.clear().await.map(|()| Returned::Done),
            ["start"] => return robot.start().await.map(|()| Returned::Done),
            ["pause"] => return robot.pause().await.map(|()| Returned::Done),
            ["currentTime"] => return robot.virtual_time().await.map(Returned::Time),
            ["emulation", "Names"] => return robot.machines().await.map(Returned::Names),
            ["emulation", "RunFor", _] => {
                if let Some(time) = seconds(quoted.trim_start_matches("00:00:0")) {
                    // The one recorded with hours has no other spelling in the API.
                    if !quoted.contains(':') {
                        return robot.run_for(time).await.map(|()| Returned::Done);
                    }
                }
            }
            ["emulation", "SetGlobalQuantum", _] => match seconds(&quoted) {
                Some(time) if !time.is_zero() => return robot.set_quantum(time).await.map(|()| Returned::Done),
                Some(time) => assert!(matches!(robot.set_quantum(time).await, Err(RobotError::InvalidValue { .. }))),
                None => {}
            },
            ["emulation", "SetGlobalAdvanceImmediately", on] => {
                return robot.set_advance_immediately(*on == "true").await.map(|()| Returned::Done);
            }
            ["emulation", "SetGlobalSerialExecution", on] => {
                return robot.set_serial_execution(*on == "true").await.map(|()| Returned::Done);
            }
            _ => {}
        }
        if self.machine.is_empty() {
            return robot.execute(command).await.map(Returned::Text);
        }
        // A fresh handle has nothing loaded, so that its reset is that of Renode alone.
        let machine = robot.machine(&self.machine)?;
        let path = |word: &str| Path::new(word.trim_start_matches('@')).to_owned();
        match words.as_slice() {
            ["machine", "LoadPlatformDescription", file] => {
                machine.load_platform_file(&path(file)).await.map(|()| Returned::Done)
            }
            ["machine", "LoadPlatformDescriptionFromString", word, ..] if word.starts_with('"') => {
                let (_, text) = command.split_once(" \"").expect("a string");
                let text = text.trim_end_matches('"').replace("\\\"", "\"");
                machine.load_platform(&text).await.map(|()| Returned::Done)
            }
            ["machine", "Reset"] => machine.reset().await.map(|()| Returned::Done),
            ["sysbus", "LoadELF", file] => machine.load_elf(&path(file)).await.map(|()| Returned::Done),
            ["sysbus", "LoadBinary", file, address] if address.starts_with("0x") => {
                machine.load_binary(&path(file), number(address)).await.map(|()| Returned::Done)
            }
            ["cpu", "PerformanceInMips", mips] if !mips.starts_with('-') => {
                machine.set_mips("cpu", mips.parse().expect("MIPS")).await.map(|()| Returned::Done)
            }
            ["cpu", "PC"] => machine.pc("cpu").await.map(Returned::Number),
            ["cpu", "IsHalted"] => machine.is_halted("cpu").await.map(Returned::Truth),
            ["cpu", "ExecutedInstructions"] => machine.executed_instructions("cpu").await.map(Returned::Number),
            ["sysbus", "ReadDoubleWord", address] if address.starts_with("0x") => {
                machine.read_u32(number(address)).await.map(|word| Returned::Number(word.into()))
            }
            ["sysbus", "WriteDoubleWord", address, value] if value.starts_with("0x") => {
                let value = u32::try_from(number(value)).expect("a word");
                machine.write_u32(number(address), value).await.map(|()| Returned::Done)
            }
            ["sysbus", "ReadBytes", address, count] => {
                let count = count.parse().expect("a count");
                machine.read_memory(number(address), count).await.map(Returned::Bytes)
            }
            ["sysbus", "GetSymbolAddress", _] => machine.symbol_address(&quoted).await.map(Returned::Number),
            [uart, "CreateFileBackend", file, flush] => {
                machine.create_file_backend(uart, &path(file), *flush == "true").await.map(|()| Returned::Done)
            }
            [peripheral, ..] if peripheral.starts_with("sysbus") && words.len() > 1 => {
                let (_, rest) = command.split_once(' ').expect("a command");
                machine.execute(peripheral, rest).await.map(Returned::Text)
            }
            _ => self.robot.execute(command).await.map(Returned::Text),
        }
    }
}

/// A keyword of a tester, where the API has it.
async fn wait(
    tester: &TerminalTester,
    name: &str,
    positional: &[&str],
    named: &[(&str, &str)],
) -> Option<Result<Returned, RobotError>> {
    let known = |name: &&(&str, &str)| !matches!(name.0, "timeout" | "treatAsRegex");
    let regex = named.contains(&("treatAsRegex", "true"));
    let timeout = named.iter().find(|(name, _)| *name == "timeout").and_then(|(_, value)| seconds(value));
    let returned = match (name, positional) {
        ("WriteLineToUart", [text]) if named == [("waitForEcho", "false")] => {
            tester.write_line(text).await.map(|()| Returned::Done)
        }
        _ if named.iter().any(|name| known(&name)) => return None,
        ("WaitForLineOnUart", [pattern]) => match timeout {
            Some(timeout) => tester.wait_for_line_within(pattern, regex, timeout).await.map(Returned::Line),
            None => tester.wait_for_line(pattern, regex).await.map(Returned::Line),
        },
        ("WaitForNextLineOnUart", []) => tester.wait_for_next_line().await.map(Returned::Line),
        ("WaitForPromptOnUart", [pattern]) => tester.wait_for_prompt(pattern, regex).await.map(Returned::Line),
        ("WaitForBytesOnUart", [pattern]) => match timeout {
            Some(timeout) => tester.wait_for_bytes_as(pattern, regex, timeout).await.map(Returned::Match),
            None if regex => tester.wait_for_bytes_matching(pattern).await.map(Returned::Match),
            None => {
                let content = tester.wait_for_bytes(&transcript::hex(pattern)).await;
                content.map(|content| Returned::Match(BytesMatch { content, groups: Vec::new() }))
            }
        },
        ("WriteToUart", [text]) if text.is_ascii() && !text.contains('\t') => {
            tester.write(text.as_bytes()).await.map(|()| Returned::Done)
        }
        ("SendKeyToUart", [key]) if key.parse::<u8>().is_ok() => {
            tester.write(&[key.parse().expect("a byte")]).await.map(|()| Returned::Done)
        }
        ("GetTerminalTesterReport", []) => tester.report().await.map(Returned::Text),
        _ => return None,
    };
    Some(returned)
}

fn is_option((name, value): &(&str, &str)) -> bool {
    matches!(*name, "defaultPauseEmulation" | "binaryMode") || (*name == "timeout" && seconds(value).is_some())
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// Whether the API can say this call; it refuses what Renode would take for something else.
fn can_say(call: &Call) -> bool {
    if matches!(call.method.as_str(), "get_keyword_names" | "stop_remote_server") {
        return true;
    }
    let Some((name, arguments)) = call.keyword() else { return false };
    let first_named = arguments.iter().position(|argument| split_named(argument).is_some());
    let named_last = first_named.is_none_or(|at| arguments[at..].iter().all(|text| split_named(text).is_some()));
    let one_line = arguments.iter().all(|text| split_named(text).is_none() || !text.contains('\n'));
    // A command that looks named is given under the name of its parameter.
    let trap = name.starts_with("Execute") && arguments.iter().any(|text| text.starts_with("x="));
    named_last && one_line && !trap
}

/// Leads a transcript again; returns the notes of the calls that the API cannot say.
async fn replay(name: &str) -> Vec<String> {
    // A refused quantum is not sent at all.
    let unsent = |exchange: &Exchange| {
        exchange.call.keyword().is_some_and(|(_, arguments)| arguments == ["emulation SetGlobalQuantum \"0\""])
    };
    let all = exchanges(name).into_iter().filter(|exchange| exchange.response.is_some() && !unsent(exchange));
    let (script, unsaid): (Vec<_>, Vec<_>) = all.partition(|exchange| can_say(&exchange.call));
    let server = Replay::start(script.clone()).await;
    let robot = Robot::connect(server.address).await.expect("the server");
    let mut session = Session { robot, machine: String::new(), tester: None };
    for exchange in &script {
        let returned = session.call(&exchange.call).await;
        let answered = answered(exchange);
        assert!(
            agree(&returned, &answered),
            "{name}: {:?}\n{returned:?}\n{answered:?}\n{:?}",
            exchange.call,
            server.seen().faults
        );
        if matches!(answered, Answered::Passed(_)) {
            follow(&mut session, &exchange.call);
        }
    }
    server.finish();
    unsaid.into_iter().map(|exchange| exchange.note).collect()
}

/// What the recording did to the selected machine besides creating one.
fn follow(session: &mut Session, call: &Call) {
    let Some((name, arguments)) = call.keyword() else { return };
    match (name, arguments.first().map_or("", String::as_str)) {
        ("ResetEmulation", _) | ("ExecuteCommand", "Clear" | "mach clear") => {
            session.machine.clear();
            session.tester = None;
        }
        ("ExecuteScript", _) => session.machine = "stm".to_owned(),
        _ => {}
    }
}

macro_rules! transcripts {
    ($($test:ident $name:literal: $unsaid:expr;)*) => {
        $(#[tokio::test]
        async fn $test() {
            let unsaid: &[&str] = &$unsaid;
            assert_eq!(replay($name).await, unsaid);
        })*
    };
}

transcripts! {
    protocol "robot-protocol": [
        "run_keyword with one parameter missing",
        "run_keyword with three parameters (Robot kwargs slot, here an array)",
        "run_keyword with three parameters (kwargs struct)",
        "second parameter is a string, not an array",
        "first parameter is an int",
        "unknown XML-RPC method",
        "optional Robot method",
        "optional Robot method",
        "introspection",
        "positional after named",
        "boolean argument",
        "an argument that looks like an unknown named argument",
    ];
    execute "robot-execute": ["line feed between commands with command= prefix", "statement"];
    errors "robot-errors": [];
    platform "robot-platform": [];
    stm32f4_hello "robot-stm32f4-hello": [];
    uart_text "robot-uart-text": [];
    uart_binary "robot-uart-binary": [];
    uart_python "robot-uart-python": [];
    reset "robot-reset": [];
    log "robot-log": [];
    concurrent "robot-concurrent": [];
    keepalive "robot-keepalive": [];
    shutdown "robot-shutdown": [];
}
