//! External Control, the monitor and a UART of the real Renode that `RENODE` names, with the echo firmware of the
//! recordings; skipped where there is none, or no `arm-none-eabi-gcc` to build the firmware.

#[path = "support/real.rs"]
mod real;

use std::path::{Path, PathBuf};
use std::time::Duration;

use renode_rs::external_control::{Capabilities, Command, ExternalControlError, Width};
use renode_rs::monitor::MonitorError;
use renode_rs::{Machine, Renode, StartOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command as Process;
use tokio::time::timeout;

/// Generous: only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);
const RAM: u64 = 0x2001_0000;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Builds the echo firmware where Renode may read it.
async fn firmware(folder: &Path) -> Option<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/firmware");
    let elf = folder.join("echo.elf");
    let built = Process::new("arm-none-eabi-gcc")
        .args(["-mcpu=cortex-m4", "-mthumb", "-O1", "-ffreestanding", "-nostdlib", "-T"])
        .args([sources.join("echo.ld"), sources.join("echo.c"), PathBuf::from("-o"), elf.clone()])
        .status()
        .await;
    match built {
        Ok(status) => {
            assert!(status.success(), "firmware: {status}");
            Some(elf)
        }
        Err(_) => {
            println!("skipped: no arm-none-eabi-gcc");
            None
        }
    }
}

/// A Renode with the machine of the recordings, paused before its first instruction.
async fn prepared() -> Option<(Renode, Machine)> {
    let renode = real::real()?.start(&StartOptions::default()).await.expect("start");
    let elf = firmware(renode.temp_folder()).await?;
    let platform = renode.temp_folder().join("stm32f405.repl");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/firmware/stm32f405.repl"), &platform)
        .expect("copy");
    let machine = renode.robot().create_machine("stm").await.expect("machine");
    machine.load_platform_file(&platform).await.expect("platform");
    machine.load_elf(&elf).await.expect("elf");
    machine.set_mips("cpu", 100).await.expect("mips");
    renode.robot().set_quantum(Duration::from_micros(100)).await.expect("quantum");
    renode.robot().set_advance_immediately(true).await.expect("advance");
    renode.robot().set_serial_execution(true).await.expect("serial");
    Some((renode, machine))
}

#[tokio::test(flavor = "multi_thread")]
async fn external_control_controls() {
    let Some((renode, firmware)) = prepared().await else { return };
    let capabilities = Capabilities::of_version(renode.version());
    if !capabilities.contains(Capabilities::ALL) {
        println!("skipped: {} has less", renode.version());
        return;
    }
    let control = renode.external_control(capabilities).await.expect("connect");
    assert_eq!(control.time().await.expect("time"), Duration::ZERO);
    control.run_for(ms(1)).await.expect("run");
    assert_eq!(control.time().await.expect("time"), ms(1));

    let failed = control.machine("nope").await.expect_err("none");
    assert!(matches!(failed, ExternalControlError::CommandFailed { command: Command::GetMachine, .. }), "{failed:?}");
    let machine = control.machine("stm").await.expect("machine");
    let bus = control.system_bus(machine, "sysbus").await.expect("bus");
    let data: Vec<u8> = (0..=255).cycle().take(2048).collect();
    for width in [Width::Block, Width::U8, Width::U16, Width::U32, Width::U64] {
        bus.write(RAM, width, &data).await.expect("write");
        assert_eq!(bus.read(RAM, width, data.len()).await.expect("read"), data);
        bus.write(RAM, Width::Block, &[0; 2048]).await.expect("clear");
    }
    assert!(bus.read(RAM, Width::Block, 0).await.expect("nothing").is_empty());

    let port = control.gpio(machine, "sysbus.gpioPortA", 100).await.expect("port");
    port.set(7, true).await.expect("set");
    assert_eq!(bus.read_u32(0x4002_0010).await.expect("IDR") & 0x80, 0x80);
    let error = port.set(99, true).await.expect_err("no such pin");
    assert!(matches!(error, ExternalControlError::PinOutOfRange { pin: 99, .. }), "{error:?}");
    port.subscribe(5, 77).await.expect("subscribe");
    firmware.write_char("sysbus.usart1", 1).await.expect("toggle");

    // A caller that goes in the middle of a run takes nothing with it.
    assert!(timeout(ms(100), control.run_for(ms(2000))).await.is_err());
    assert_eq!(control.time().await.expect("time"), ms(2001));
    let events = control.run_for(ms(1)).await.expect("run");
    assert_eq!(events.len(), 6, "{events:?}");
    assert!(events.iter().enumerate().all(|(at, event)| event.descriptor == 77 && event.high == (at % 2 == 0)));

    let second = timeout(PATIENCE, async {
        let clone = control.clone();
        clone.close().await;
        control.time().await
    });
    assert!(matches!(second.await.expect("closed"), Err(ExternalControlError::Dead { .. })));
    renode.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_monitor_answers() {
    let Some(installation) = real::real() else { return };
    let renode = installation.start(&StartOptions::default()).await.expect("start");
    let mut monitor = timeout(PATIENCE, renode.monitor()).await.expect("in time").expect("monitor");
    assert!(monitor.command("version").await.expect("version").starts_with("Renode"));
    assert_eq!(monitor.command("echo \"héllo 你好\"").await.expect("echo"), "héllo 你好");
    for command in ["nosuch", "emulation RunFor \"abc\"", "echo \"open", "mach set \"nope\"", "python \"1/0\""] {
        let error = monitor.command(command).await.expect_err(command);
        assert!(matches!(error, MonitorError::Command { .. }), "{command}: {error:?}");
    }
    assert_eq!(monitor.command("mach create \"a b\"").await.expect("create"), "");
    assert_eq!(monitor.prompt().as_deref(), Some("a b"));
    drop(monitor);
    let mut monitor = timeout(PATIENCE, renode.monitor()).await.expect("in time").expect("again");
    assert_eq!(monitor.command("echo \"again\"").await.expect("echo"), "again");
    assert_eq!(monitor.prompt().as_deref(), Some("a b"));
    renode.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uart_is_a_byte_stream() {
    let Some((renode, machine)) = prepared().await else { return };
    let mut uart = renode.uart(&machine, "sysbus.usart1").await.expect("uart");
    renode.robot().run_for(ms(1)).await.expect("boot");
    let mut ready = [0; 11];
    timeout(PATIENCE, uart.read_exact(&mut ready)).await.expect("in time").expect("read");
    assert_eq!(&ready, b"READY echo\n");

    // The firmware's every byte, asked for while paused.
    machine.write_char("sysbus.usart1", 4).await.expect("write");
    renode.robot().run_for(ms(1)).await.expect("run");
    let mut all = [0; 256];
    timeout(PATIENCE, uart.read_exact(&mut all)).await.expect("in time").expect("read");
    assert!(all.iter().enumerate().all(|(at, byte)| usize::from(*byte) == at));

    // And by the socket: when it arrives is the host's, so it runs until it has.
    uart.write_all(b"x\xffy").await.expect("write");
    let mut echoed = [0; 3];
    let run = async {
        loop {
            renode.robot().run_for(ms(1)).await.expect("run");
        }
    };
    tokio::select! {
        read = timeout(PATIENCE, uart.read_exact(&mut echoed)) => { read.expect("in time").expect("read"); },
        () = run => {},
    }
    assert_eq!(&echoed, b"x\xffy");
    renode.end().await;
}
