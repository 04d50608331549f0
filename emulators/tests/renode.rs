//! Renode's platforms. Their runners are built wherever this runs; where `RENODE` names a Renode, they run on it as well.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{BUILDER, job, machine, model, options, run, sine};
use emulators::renode::platforms;
use farm::{Clock, Target};
use std::io::Write as _;

#[tokio::test(flavor = "multi_thread")]
async fn the_runner_of_every_platform_is_built_and_one_is_qemus_own_file() {
    let mut files = Vec::new();
    for platform in platforms(&options()) {
        let firmware = BUILDER.build(platform.port()).await.unwrap();
        assert!(firmware.model_room > 300_000, "{}: {}", platform.info().id, firmware.model_room);
        files.push((platform.info().id.0.clone(), firmware.elf.clone()));
    }
    let qemu = BUILDER.build(machine("netduinoplus2").port()).await.unwrap();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["renode:stm32f4_discovery", "renode:nrf52840"]);
    assert_eq!(files[0].1, qemu.elf);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_renode_brings_qemus_bits_on_every_platform_job_after_job() {
    if std::env::var_os("RENODE").is_none_or(|named| named.is_empty()) {
        // Past the test runner, which keeps what a test that passes prints to itself.
        let _ = writeln!(std::io::stderr(), "skipped: no Renode");
        return;
    }
    let model = model("hello_world");
    let qemu = machine("netduinoplus2");
    let (_, expected) = run(&*qemu, &job(&*qemu, &model, sine(40))).await.unwrap();
    for platform in platforms(&options()) {
        let mut ticks = Vec::new();
        for _ in 0..3 {
            let (handshake, found) = run(platform.as_ref(), &job(platform.as_ref(), &model, sine(40))).await.unwrap();
            assert_eq!(handshake.clock, Clock::RenodeVirtual);
            for (one, other) in found.iter().zip(&expected) {
                assert_eq!(one.output, other.output, "{}", platform.info().id);
                // The same instructions, but for what a look at the clock takes.
                assert!(one.ticks.abs_diff(other.ticks) < other.ticks / 20, "{one:?} beside {other:?}");
            }
            ticks.push(found.iter().map(|inference| inference.ticks).collect::<Vec<_>>());
        }
        assert!(ticks.windows(2).all(|two| two[0] == two[1]), "{ticks:?}");
        platform.shutdown().await;
    }
}
