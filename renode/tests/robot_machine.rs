//! Machines, testers and time through the robot server: what Renode does otherwise than one would think.

#[path = "support/robot_replay.rs"]
mod robot_replay;
mod support;

use std::{io::Write as _, path::Path, sync::Arc, time::Duration};

use renode_rs::robot::{Machine, RobotError, TesterOptions, Value};
use robot_replay::{Exchange, Replay, VERSION, answer, command, connect, passed, recorded, version};
use tokio::sync::Notify;

/// A server for a machine `m`, and the machine.
async fn machine(mut script: Vec<Exchange>) -> (Replay, Machine) {
    script.insert(0, command("mach create \"m\"", ""));
    let server = Replay::start(script).await;
    let machine = connect(&server).await.create_machine("m").await.expect("a machine");
    (server, machine)
}

#[tokio::test]
async fn a_wait_that_fails_pauses_the_emulation_even_when_its_caller_is_gone() {
    let gate = Arc::new(Notify::new());
    let tester = || recorded("robot-stm32f4-hello", "text tester");
    let mut timeout = recorded("robot-stm32f4-hello", "timeout (virtual time)");
    timeout.gate = Some(gate.clone());
    let (server, machine) = machine(vec![tester(), timeout, version()]).await;
    let options = TesterOptions { timeout: Duration::from_secs(5), ..TesterOptions::default() };
    let tester = machine.create_tester("sysbus.usart1", options).await.expect("a tester");
    tokio::select! {
        _ = tester.wait_for_line_within("NEVER", false, Duration::from_millis(2)) => panic!("answered"),
        _ = server.until(|seen| seen.left == 1) => {}
    }
    gate.notify_one();
    machine.robot().version().await.expect("a version");
    server.finish();
    assert_eq!(server.seen().pauses, 1);
}

#[tokio::test]
async fn a_tester_that_does_not_pause_leaves_the_emulation_as_it_is() {
    let tester = Exchange::new("CreateTerminalTester", &["sysbus.usart1", "timeout=5"], number(0));
    let timeout = recorded("robot-stm32f4-hello", "timeout (virtual time)");
    let (server, machine) = machine(vec![tester, timeout]).await;
    let options = TesterOptions { timeout: Duration::from_secs(5), pause: false, ..TesterOptions::default() };
    let tester = machine.create_tester("sysbus.usart1", options).await.expect("a tester");
    match tester.wait_for_line_within("NEVER", false, Duration::from_millis(2)).await {
        Err(RobotError::Timeout { waited_for, timeout, report }) => {
            assert_eq!((waited_for.as_str(), timeout), ("NEVER", Duration::from_millis(2)));
            assert!(report.contains("Attached to UART"), "{report}");
        }
        other => panic!("{other:?}"),
    }
    server.finish();
    assert_eq!(server.seen().pauses, 0);
}

/// An answer of a keyword that returns a number.
fn number(number: i32) -> Vec<u8> {
    let text = String::from_utf8(passed("")).expect("UTF-8");
    let (_, contents) = text.split_once("<methodResponse>").expect("a response");
    let contents = contents.replace("<string></string>", &format!("<i4>{number}</i4>"));
    answer(contents.trim_end_matches("</methodResponse>"))
}

#[tokio::test]
async fn each_tester_keeps_its_pause_although_renode_has_one_for_all() {
    let line = recorded("robot-stm32f4-hello", "boot line").response.expect("an answer");
    let (server, machine) = machine(vec![
        Exchange::new("CreateTerminalTester", &["sysbus.usart1", "defaultPauseEmulation=true"], number(0)),
        Exchange::new("WaitForLineOnUart", &["a", "testerId=0"], line.clone()),
        Exchange::new("CreateTerminalTester", &["sysbus.usart2"], number(1)),
        Exchange::new("WaitForLineOnUart", &["b", "testerId=1"], line.clone()),
        Exchange::new("WaitForLineOnUart", &["c", "testerId=0", "pauseEmulation=true"], line),
    ])
    .await;
    let first = machine.create_tester("sysbus.usart1", TesterOptions::default()).await.expect("a tester");
    first.wait_for_line("a", false).await.expect("a line");
    let options = TesterOptions { pause: false, ..TesterOptions::default() };
    let second = machine.create_tester("sysbus.usart2", options).await.expect("a tester");
    second.wait_for_line("b", false).await.expect("a line");
    first.wait_for_line("c", false).await.expect("a line");
    server.finish();
}

#[tokio::test]
async fn a_short_run_after_a_free_one_first_reaches_the_end_of_the_quantum() {
    let run = |time: &str| command(&format!("emulation RunFor \"{time}\""), "");
    let sync = || command("emulation RunToNearestSyncPoint", "");
    let info = recorded("robot-reset", "quantum and Advance");
    let (server, machine) = machine(vec![
        run("0.00001"),
        command("start", "Starting emulation...\r\n\r"),
        command("pause", "Pausing emulation...\r\n\r"),
        info,
        run("0.0001"),
        sync(),
        run("0.00001"),
        run("0.00001"),
    ])
    .await;
    let robot = machine.robot();
    let short = Duration::from_micros(10);
    robot.run_for(short).await.expect("a run");
    robot.start().await.expect("a start");
    robot.pause().await.expect("a pause");
    robot.run_for(Duration::from_micros(100)).await.expect("a run of a quantum");
    robot.run_for(short).await.expect("a run");
    robot.run_for(short).await.expect("a run");
    robot.run_for(Duration::ZERO).await.expect("nothing");
    server.finish();
}

#[tokio::test]
async fn a_run_after_a_free_one_reaches_the_end_of_a_quantum_that_was_longer() {
    let info = recorded("robot-reset", "quantum and Advance");
    let (server, machine) = machine(vec![
        command("start", "Starting emulation...\r\n\r"),
        command("pause", "Pausing emulation...\r\n\r"),
        info,
        command("emulation SetGlobalQuantum \"0.00001\"", ""),
        command("emulation RunToNearestSyncPoint", ""),
        command("emulation RunFor \"0.00005\"", ""),
        command("emulation RunFor \"0.00005\"", ""),
    ])
    .await;
    let robot = machine.robot();
    robot.start().await.expect("a start");
    robot.pause().await.expect("a pause");
    robot.set_quantum(Duration::from_micros(10)).await.expect("a quantum");
    robot.run_for(Duration::from_micros(50)).await.expect("a run");
    robot.run_for(Duration::from_micros(50)).await.expect("a run");
    server.finish();
}

#[tokio::test]
async fn commands_and_keywords_that_run_freely_are_remembered() {
    let start = command("Clear; start; pause", "");
    let script = Exchange::new("ExecuteScript", &["/x.resc"], passed(""));
    let info = || recorded("robot-reset", "quantum and Advance");
    let (server, machine) = machine(vec![
        start,
        info(),
        command("emulation RunToNearestSyncPoint", ""),
        command("emulation RunFor \"0.00001\"", ""),
        script,
        info(),
        command("emulation RunToNearestSyncPoint", ""),
        command("emulation RunFor \"0.00001\"", ""),
    ])
    .await;
    let robot = machine.robot();
    robot.execute("Clear; start; pause").await.expect("a free run");
    robot.run_for(Duration::from_micros(10)).await.expect("a run");
    robot.keyword("ExecuteScript", &["/x.resc"], &[]).await.expect("a script");
    robot.run_for(Duration::from_micros(10)).await.expect("a run");
    server.finish();
}

#[tokio::test]
async fn a_run_of_a_started_emulation_is_refused() {
    let refused = recorded("robot-stm32f4-hello", "the timed-out wait left");
    let (server, machine) = machine(vec![refused]).await;
    assert!(matches!(machine.robot().run_for(Duration::from_millis(1)).await, Err(RobotError::Started)));
    server.finish();
}

#[tokio::test]
async fn failures_of_files_and_platforms_say_what_to_do() {
    let (server, machine) = machine(vec![
        recorded("robot-errors", "stock platform without network"),
        recorded("robot-errors", "missing ELF"),
        recorded("robot-errors", "repl syntax error"),
    ])
    .await;
    let error = machine.load_platform_file(Path::new("platforms/cpus/stm32f4.repl")).await.expect_err("no network");
    assert!(matches!(&error, RobotError::PlatformDownload { .. }));
    assert!(error.to_string().contains("using \"platforms/cpus/stm32f4.repl\""), "{error}");
    let error = machine.load_elf(Path::new("/fw/none.elf")).await.expect_err("no file");
    assert!(matches!(&error, RobotError::Load { path, .. } if path == Path::new("/fw/none.elf")));
    let error = machine.load_platform_file(Path::new("/fw/badsyntax.repl")).await.expect_err("a syntax error");
    assert!(error.to_string().contains("At /fw/badsyntax.repl:2:13:"), "{error}");
    server.finish();
}

#[tokio::test]
async fn a_reset_loads_again_in_the_same_order() {
    let load = || [command("sysbus LoadELF @/fw/a.elf", ""), command("sysbus LoadBinary @/fw/m.bin 0x08080000", "")];
    let mut script = load().to_vec();
    script.push(recorded("robot-errors", "missing ELF"));
    script.push(command("machine Reset", ""));
    script.extend(load());
    let (server, machine) = machine(script).await;
    machine.load_elf(Path::new("/fw/a.elf")).await.expect("an ELF");
    machine.load_binary(Path::new("/fw/m.bin"), 0x0808_0000).await.expect("a binary");
    machine.clone().load_elf(Path::new("/fw/none.elf")).await.expect_err("no such file");
    machine.clone().reset().await.expect("a reset");
    server.finish();
}

#[tokio::test]
async fn a_binary_that_is_not_in_memory_is_noticed() {
    let mut file = tempfile::Builder::new().suffix(".bin").tempfile().expect("a file");
    file.write_all(b"TFL3").expect("content");
    let path = file.path().to_owned();
    let load = |address: &str| command(&format!("sysbus LoadBinary @{} {address}", path.display()), "");
    let (server, machine) = machine(vec![
        load("0x20010000"),
        command("sysbus ReadBytes 0x20010000 4", "[\r\r\n0x54, 0x46, 0x4C, 0x33, \r\r\n]\r\r\n"),
        load("0x90000000"),
        command("sysbus ReadBytes 0x90000000 4", "[\r\r\n0, 0, 0, 0, \r\r\n]\r\r\n"),
    ])
    .await;
    machine.load_binary(&path, 0x2001_0000).await.expect("memory");
    let error = machine.load_binary(&path, 0x9000_0000).await.expect_err("no memory");
    assert!(matches!(error, RobotError::NotLoaded { address: 0x9000_0000, .. }));
    server.finish();
}

#[tokio::test]
async fn uart_bytes_and_memory_are_written_in_chains() {
    let (server, machine) = machine(vec![
        command("sysbus.usart2 WriteChar 0x77", ""),
        command("sysbus.usart2 WriteChar 0xA5; sysbus.usart2 WriteChar 0x00", ""),
        command("sysbus WriteByte 0x20000000 0x01; sysbus WriteByte 0x20000001 0xFF", ""),
    ])
    .await;
    machine.write_char("sysbus.usart2", 0x77).await.expect("a byte");
    machine.write_uart("sysbus.usart2", &[0xa5, 0]).await.expect("bytes");
    machine.write_memory(0x2000_0000, &[1, 0xff]).await.expect("bytes");
    server.finish();
}

#[tokio::test]
async fn what_renode_would_misread_is_refused_before_it_is_sent() {
    let (server, machine) = machine(Vec::new()).await;
    let robot = machine.robot();
    for name in ["", " m", "a\"b", "a\nb", "a,b", "a\\b"] {
        assert!(matches!(robot.create_machine(name).await, Err(RobotError::InvalidName { .. })), "{name:?}");
    }
    for path in ["a;b", "a\nb", "@a", ""] {
        assert!(matches!(machine.load_elf(Path::new(path)).await, Err(RobotError::InvalidPath { .. })), "{path:?}");
    }
    for uart in ["", "sysbus.usart2; quit", "a b"] {
        assert!(matches!(machine.write_char(uart, 0).await, Err(RobotError::InvalidName { .. })), "{uart:?}");
    }
    for text in ["x=1\ny=2", "\u{1b}", "a\rb"] {
        assert!(matches!(robot.execute(text).await, Err(RobotError::UnsafeArgument { .. })), "{text:?}");
    }
    assert!(matches!(robot.keyword("Provides", &["a=b"], &[]).await, Err(RobotError::UnsafeArgument { .. })));
    assert!(matches!(machine.set_mips("cpu", 0).await, Err(RobotError::InvalidValue { .. })));
    assert!(matches!(robot.set_quantum(Duration::ZERO).await, Err(RobotError::InvalidValue { .. })));
    assert!(matches!(robot.run_for(Duration::from_nanos(1500)).await, Err(RobotError::InvalidValue { .. })));
    server.finish();
}

#[tokio::test]
async fn a_text_that_looks_named_is_given_under_its_name() {
    let server = Replay::start(vec![
        recorded("robot-protocol", "named argument command"),
        Exchange::new("ExecutePython", &["command=x=1"], passed("")),
    ])
    .await;
    let robot = connect(&server).await;
    assert_eq!(
        robot.keyword("ExecuteCommand", &[], &[("command", "version")]).await.expect("a version").as_str(),
        Some(format!("{VERSION}\n").as_str())
    );
    assert_eq!(robot.execute_python("x=1").await.expect("a value"), Value::Text(String::new()));
    server.finish();
}

#[tokio::test]
async fn output_of_another_form_is_an_error() {
    let (server, machine) = machine(vec![
        command("cpu PC", "not a number\r\r\n"),
        command("emulation Names", "m\r\r\n"),
        command("sysbus ReadBytes 0x00000000 2", "[\r\r\n1, \r\r\n]\r\r\n"),
        command("currentTime", "soon\r\n\r"),
    ])
    .await;
    assert!(matches!(machine.pc("cpu").await, Err(RobotError::Output { .. })));
    assert!(matches!(machine.robot().machines().await, Err(RobotError::Output { .. })));
    assert!(matches!(machine.read_memory(0, 2).await, Err(RobotError::Output { .. })));
    assert!(matches!(machine.robot().virtual_time().await, Err(RobotError::Output { .. })));
    server.finish();
}
