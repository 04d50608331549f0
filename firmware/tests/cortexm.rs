//! The microcontrollers' half of the runner, as far as it runs on this machine: the rings of the RTT link with a thread as
//! their probe, the arithmetic of the clock, and the UARTE with a model of Renode's.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{path::Path, process::Command};

/// Runs a command to a good end.
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
}

#[test]
fn bytes_go_through_rings_of_any_size_in_order_and_no_cycle_is_lost_when_a_counter_wraps() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    // To the farm and from it: the smallest; one that is no power of two; one much larger than the other.
    for (up, down) in [(64, 64), (65, 100), (64, 4096)] {
        let program = folder.path().join(format!("harness-{up}-{down}"));
        run(Command::new("g++")
            .args([
                "-std=c++11",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-O1",
                "-g",
                "-pthread",
                "-fsanitize=address,undefined",
            ])
            .args([format!("-DPORT_RTT_UP={up}"), format!("-DPORT_RTT_DOWN={down}")])
            .arg("-I")
            .arg(here.join("runner"))
            .args([here.join("tests/cortexm/harness.cc"), here.join("runner/cortexm/rtt_link.cc")])
            .arg("-o")
            .arg(&program));
        for seed in 1..=3 {
            run(Command::new(&program).args([seed.to_string(), "300000".to_owned()]));
        }
    }
}

#[test]
fn the_uarte_loses_no_byte_of_a_burst_whenever_it_comes() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("uarte");
    // Its registers have room for addresses below 4 GiB, as a program has them that lies at a fixed place.
    run(Command::new("g++")
        .args(["-std=c++11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", "-no-pie"])
        .arg("-I")
        .arg(here.join("runner"))
        .arg(here.join("tests/cortexm/uarte.cc"))
        .arg("-o")
        .arg(&program));
    for seed in 1..=10 {
        for chance in [2, 10, 100] {
            run(Command::new(&program).args([seed.to_string(), chance.to_string()]));
        }
    }
}
