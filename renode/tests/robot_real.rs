//! The robot server of a real Renode, where `RENODE` names one: what the transcripts show, on echo firmware for an
//! STM32F4, and what they do not show.

#[path = "support/real.rs"]
mod real;

use std::{path::PathBuf, process::Command, time::Duration};

use renode_rs::{
    Machine, Renode, StartOptions,
    robot::{RobotError, TesterOptions},
};

const UART: &str = "sysbus.usart1";

/// The stock platform without its download from the network.
const PLATFORM: &str = r#"using "platforms/cpus/stm32f4.repl"

nvic:
    systickFrequency: 100000000

sysbus:
    init:
        Tag <0x40021000, 0x40021003> "GPIOE_MODER" 0xFFFFFFFF
"#;

async fn start() -> Option<Renode> {
    let installation = real::real()?;
    Some(installation.start(&StartOptions::default()).await.expect("a running Renode"))
}

/// A machine as in the transcripts.
async fn board(renode: &Renode, name: &str) -> Machine {
    let robot = renode.robot();
    let machine = robot.create_machine(name).await.expect("a machine");
    machine.load_platform(PLATFORM).await.expect("a platform");
    machine.set_mips("cpu", 100).await.expect("a pace");
    robot.set_quantum(Duration::from_micros(100)).await.expect("a quantum");
    robot.set_advance_immediately(true).await.expect("speed");
    robot.set_serial_execution(true).await.expect("an order");
    machine
}

/// The echo firmware, where there is a compiler for it.
fn firmware(renode: &Renode) -> Option<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/firmware");
    // With a space, which the monitor has a way of its own to say.
    let elf = renode.temp_folder().join("echo firmware.elf");
    let built = Command::new("arm-none-eabi-gcc")
        .args(["-mcpu=cortex-m4", "-mthumb", "-O2", "-ffreestanding", "-nostdlib", "-Wl,--build-id=none"])
        .arg("-T")
        .args([format!("{folder}/echo.ld"), format!("{folder}/echo.c")])
        .arg("-o")
        .arg(&elf)
        .status();
    match built {
        Ok(status) if status.success() => Some(elf),
        other => {
            println!("skipped: no firmware ({other:?})");
            None
        }
    }
}

#[tokio::test]
async fn memory_and_time() {
    let Some(renode) = start().await else { return };
    let robot = renode.robot();
    assert!(robot.version().await.expect("a version").starts_with("Renode, version "));
    assert!(robot.keywords().await.expect("keywords").iter().any(|name| name == "ExecuteCommand"));
    assert_eq!(robot.machines().await.expect("machines"), Vec::<String>::new());
    let machine = board(&renode, "a machine").await;
    let other = robot.create_machine("b").await.expect("a second machine");
    assert_eq!(robot.machines().await.expect("machines"), ["a machine", "b"]);
    // The second is selected, and has no CPU.
    assert!(matches!(other.pc("cpu").await, Err(RobotError::Keyword { .. })));
    assert_eq!(machine.pc("cpu").await.expect("a program counter"), 0);
    other.remove().await.expect("a removal");

    let bytes: Vec<u8> = (0..=255).chain(0..=255).chain(0..=255).chain(0..=255).chain(0..10).collect();
    machine.write_memory(0x2000_0000, &bytes[..70]).await.expect("bytes");
    assert_eq!(machine.read_memory(0x2000_0000, 70).await.expect("bytes"), &bytes[..70]);
    assert_eq!(machine.read_u32(0x2000_0004).await.expect("a word"), 0x0706_0504);
    machine.write_u32(0x2000_0004, 0xdead_beef).await.expect("a word");
    assert_eq!(machine.read_u32(0x2000_0004).await.expect("a word"), 0xdead_beef);

    let file = renode.temp_folder().join("model.bin");
    std::fs::write(&file, &bytes).expect("a file");
    machine.load_binary(&file, 0x0808_0000).await.expect("a binary");
    assert_eq!(machine.read_memory(0x0808_0000, bytes.len() as u64).await.expect("bytes"), bytes);
    let lost = machine.load_binary(&file, 0x9000_0000).await;
    assert!(matches!(lost, Err(RobotError::NotLoaded { .. })), "{lost:?}");
    let none = machine.load_elf(&renode.temp_folder().join("none.elf")).await;
    assert!(matches!(none, Err(RobotError::Load { .. })), "{none:?}");

    robot.run_for(Duration::from_millis(2)).await.expect("a run");
    assert_eq!(robot.virtual_time().await.expect("a time"), Duration::from_millis(2));
    assert!(!robot.is_started().await.expect("a state"));
    robot.start().await.expect("a start");
    assert!(robot.is_started().await.expect("a state"));
    assert!(matches!(robot.run_for(Duration::from_millis(1)).await, Err(RobotError::Started)));
    robot.pause().await.expect("a pause");
    // Within a quantum, this ends a Renode that is not run to its end first.
    robot.run_for(Duration::from_micros(1)).await.expect("a short run");
    robot.execute("numbersMode Decimal").await.expect("decimal numbers");
    assert_eq!(machine.read_u32(0x0808_0000).await.expect("a word"), 0x0302_0100);
    robot.clear().await.expect("a clear emulation");
    assert_eq!(robot.machines().await.expect("machines"), Vec::<String>::new());
    renode.end().await;
}

#[tokio::test]
async fn echo_firmware() {
    let Some(renode) = start().await else { return };
    let Some(elf) = firmware(&renode) else { return };
    let robot = renode.robot();
    let machine = board(&renode, "stm").await;
    machine.load_elf(&elf).await.expect("an ELF");
    assert!(machine.symbol_address("Reset_Handler").await.expect("a symbol") >= 0x0800_0000);
    let output = renode.temp_folder().join("uart.out");
    machine.create_file_backend(UART, &output, true).await.expect("a file");
    let options = TesterOptions { timeout: Duration::from_secs(1), ..TesterOptions::default() };
    let tester = machine.create_tester(UART, options).await.expect("a tester");
    let line = tester.wait_for_line("^READY (e.*)$", true).await.expect("a line");
    assert_eq!((line.text.as_str(), line.groups), ("READY echo", vec!["echo".to_owned()]));
    // The wait paused.
    robot.run_for(Duration::from_millis(1)).await.expect("a run");
    let sleeping = machine.executed_instructions("cpu").await.expect("a count");

    tester.write_line("x=hello").await.expect("a line");
    assert_eq!(tester.wait_for_line("hello", false).await.expect("the echo").text, "x=hello");
    tester.write(&[b'a', b' ', 7, b'\r']).await.expect("bytes");
    tester.wait_for_next_line().await.expect("the echo");
    machine.write_uart(UART, b"deterministic\r").await.expect("bytes");
    let line = tester.wait_for_line("deterministic", false).await.expect("the echo");
    assert!(line.timestamp > Duration::from_millis(1), "{line:?}");
    machine.write_uart(UART, b"prompt> ").await.expect("bytes");
    tester.wait_for_prompt("prompt>", false).await.expect("the echo");
    assert!(machine.executed_instructions("cpu").await.expect("a count") > sleeping);

    let none = tester.wait_for_line_within("never", false, Duration::from_millis(2)).await;
    assert!(matches!(none, Err(RobotError::Timeout { .. })), "{none:?}");
    assert!(!robot.is_started().await.expect("a state"));
    robot.run_for(Duration::from_micros(10)).await.expect("a short run");
    let echoed = std::fs::read(&output).expect("the output");
    assert!(echoed.starts_with(b"READY echo\n") && echoed.windows(7).any(|part| part == b"x=hello"), "{echoed:?}");

    machine.reset().await.expect("a reset");
    tester.wait_for_line("READY echo", false).await.expect("a second start");
    assert!(!machine.is_halted("cpu").await.expect("a state"));
    renode.end().await;
}

#[tokio::test]
async fn bytes_of_the_echo_firmware() {
    let Some(renode) = start().await else { return };
    let Some(elf) = firmware(&renode) else { return };
    let machine = board(&renode, "stm").await;
    machine.load_elf(&elf).await.expect("an ELF");
    let options = TesterOptions { timeout: Duration::from_secs(1), binary: true, ..TesterOptions::default() };
    let tester = machine.create_tester(UART, options).await.expect("a tester");
    tester.wait_for_bytes(b"echo\n").await.expect("the start");
    // Command 4: every byte.
    machine.write_char(UART, 4).await.expect("a byte");
    let found = tester.wait_for_bytes_matching(r"\x00(\x01\x02)[\s\S]*\xfe\xff").await.expect("every byte");
    assert_eq!(found.content, (0..=255).collect::<Vec<u8>>());
    assert_eq!(found.groups, [vec![1, 2]]);
    renode.end().await;
}
