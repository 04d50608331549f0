//! Every way out: what brought QEMU down is told apart, and no process outlives its job.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{children, gone, job, machine, model, open, run, sample, sine};
use emulators::{EmulatorOptions, Launch, Qemu, bench::QemuBench, machines};
use farm::{Availability, Fault, JobSpec, Target, TargetError};
use firmware::{ExpectedRunner, Instructions, Load, RunnerSession};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The processes of this one's QEMUs that run `machine`. Each test here has a machine of its own.
fn qemus(machine: &str) -> Vec<u32> {
    let runs = |pid: &u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split('\0').nth(2).is_some_and(|name| name.split(',').next() == Some(machine))
    };
    children("qemu-system").into_iter().filter(runs).collect()
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

/// A firmware file of `words` at address 0, the first two being stack pointer and reset vector.
fn elf(folder: &Path, words: &[u32]) -> PathBuf {
    let size = 4 * words.len() as u32;
    let mut bytes = b"\x7fELF\x01\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([2, 0, 40, 0, 1, 0, 0, 0]); // executable, Arm, version 1
    for word in [words[1], 52, 0, 0x0500_0200] {
        bytes.extend(word.to_le_bytes()); // entry, program headers, section headers, flags
    }
    for half in [52u16, 32, 1, 0, 0, 0] {
        bytes.extend(half.to_le_bytes()); // sizes and counts of headers
    }
    for word in [1, 84, 0, 0, size, size, 5, 4] {
        bytes.extend(u32::to_le_bytes(word)); // one segment, loaded to address 0
    }
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    let path = folder.join("firmware.elf");
    fs::write(&path, bytes).unwrap();
    path
}

/// What becomes of a job whose firmware is `words`.
async fn with_firmware(target: &Qemu, words: &[u32], open: Duration) -> TargetError {
    let folder = tempfile::tempdir().unwrap();
    let mut job = job(target, &model("hello_world"), sine(1));
    job.timeouts.open = open;
    let launch = Launch { elf: elf(folder.path(), words), model_address: None, ..target.launch().await.unwrap() };
    let firmware = common::BUILDER.build(target.port()).await.unwrap();
    let started = launch.start(&[]).await.unwrap();
    let pid = started.child.id().unwrap();
    let instructions = Instructions { clock_hz: 25_000_000, icount_shift: 7 };
    let (bench, link) = QemuBench::new(started, firmware.clone(), instructions);
    let session = RunnerSession::open(link, bench, &job, Load::Beside, ExpectedRunner::from(firmware)).await;
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "it was waited for");
    session.map(|_| ()).unwrap_err()
}

const SPIN: u32 = 0xE7FE_E7FE; // b .

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_locks_up_is_a_crash_of_the_device() {
    // No stack and no code: the first fault cannot be reported to a handler.
    let error = with_firmware(&machine("mps2-an385"), &[0; 8], Duration::from_secs(60)).await;
    let TargetError::Fault(Fault::Crash { detail }) = &error else { panic!("{error:?}") };
    assert!(detail.starts_with("core locked up: ") && detail.contains("(pc 0x"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_that_resets_the_core_is_a_crash_of_the_device() {
    // ldr r0, =AIRCR; ldr r1, =SYSRESETREQ with its key; str r1, [r0]; b .
    let words = [0x2000_1000, 9, 0x4902_4801, 0xE7FE_6001, 0xE000_ED0C, 0x05FA_0004];
    let error = with_firmware(&machine("mps2-an386"), &words, Duration::from_secs(60)).await;
    assert_eq!(error, Fault::Crash { detail: "the firmware reset the core".into() }.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_that_never_speaks_is_given_up_in_time_and_leaves_no_process() {
    let error = with_firmware(&machine("mps2-an500"), &[0x2000_1000, 9, SPIN], Duration::from_secs(1)).await;
    let TargetError::Bench(reason) = &error else { panic!("{error:?}") };
    assert!(reason.contains("never said HELLO"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_that_scribbles_over_the_links_words_is_a_crash_of_the_device() {
    // r0 = 0x80000000 + 192 (head of the ring to the host): ldr r0, =; ldr r1, =; str r1, [r0]; then a byte over the UART:
    // ldr r0, =0x50200000; movs r1, #3; str r1, [r0, #8]; str r1, [r0]; b .
    let words = [
        0x3800_1000,
        0x1000_0009,
        0x4904_4803, // 8: ldr r0, [24]; ldr r1, [28]
        0x4804_6001, // 12: str r1, [r0]; ldr r0, [32]
        0x6081_2103, // 16: movs r1, #3; str r1, [r0, #8]
        0xE7FE_6001, // 20: str r1, [r0]; b .
        0x8000_00C0,
        0x7000_0000,
        0x5020_0000,
    ];
    let target = machine("mps2-an505");
    let folder = tempfile::tempdir().unwrap();
    let path = elf(folder.path(), &words);
    let mut bytes = fs::read(&path).unwrap();
    bytes[60..68].copy_from_slice(&[0, 0, 0, 0x10, 0, 0, 0, 0x10]); // the segment's address
    fs::write(&path, bytes).unwrap();
    let job = job(&*target, &model("hello_world"), sine(1));
    let launch = Launch { elf: path, model_address: None, ..target.launch().await.unwrap() };
    let firmware = common::BUILDER.build(target.port()).await.unwrap();
    let started = launch.start(&[]).await.unwrap();
    let (bench, link) = QemuBench::new(started, firmware.clone(), Instructions { clock_hz: 1, icount_shift: 0 });
    let error = RunnerSession::open(link, bench, &job, Load::Beside, firmware.into()).await.map(|_| ()).unwrap_err();
    let TargetError::Fault(Fault::Crash { detail }) = &error else { panic!("{error:?}") };
    assert!(detail.contains("shared-memory link corrupt: the runner has written ahead"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_qemu_that_is_killed_in_mid_job_is_the_benchs_fault() {
    let target = machine("mps3-an547");
    let job = job(&*target, &model("person_detection_grayscale"), vec![sample("person_image_data_grayscale.data"); 8]);
    for (signal, word) in [(Signal::KILL, "SIGKILL"), (Signal::TERM, "signal 15")] {
        let mut session = open(&*target, &job).await.unwrap();
        let pid = qemus("mps3-an547")[0];
        let killed = AtomicBool::new(false);
        let kill_once = |done: usize| {
            if done > 0 && !killed.swap(true, Ordering::SeqCst) {
                kill(pid, signal);
            }
        };
        let error = session.infer(job.dataset.inputs(), &kill_once).await.unwrap_err();
        assert!(killed.load(Ordering::SeqCst));
        let TargetError::Bench(reason) = &error else { panic!("{error:?}") };
        assert!(reason.contains(word), "{reason}");
        session.close().await;
        assert!(qemus("mps3-an547").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_closed_or_dropped_and_an_open_that_is_dropped_leave_no_process() {
    let target = machine("lm3s6965evb");
    let job = job(&*target, &model("hello_world"), sine(3));
    let mut session = open(&*target, &job).await.unwrap();
    let pid = qemus("lm3s6965evb")[0];
    session.infer(job.dataset.inputs(), &|_| ()).await.unwrap();
    let log = session.log();
    assert!(log.contains("QMP: QEMU "), "{log}");
    assert!(!log.contains("has no peer"), "{log}");
    session.close().await;
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "close waits for the end");

    let session = open(&*target, &job).await.unwrap();
    let pid = qemus("lm3s6965evb")[0];
    drop(session);
    gone(pid).await;

    let started = async {
        loop {
            if let Some(pid) = qemus("lm3s6965evb").first() {
                return *pid;
            }
            tokio::task::yield_now().await;
        }
    };
    let pid = tokio::select! {
        pid = started => pid,
        _ = target.open(&job) => panic!("opened before its process was seen"),
    };
    gone(pid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_side_by_side_hold_none_of_each_others_sockets_and_leave_no_descriptor_behind() {
    let target = machine("netduinoplus2");
    let job = job(&*target, &model("hello_world"), sine(2));
    run(&*target, &job).await.unwrap();
    let opens: Vec<_> = (0..6)
        .map(|_| {
            let (target, job) = (target.clone(), job.clone());
            tokio::spawn(async move { open(&*target, &job).await.unwrap() })
        })
        .collect();
    let mut sessions = Vec::new();
    for open in opens {
        sessions.push(open.await.unwrap());
    }
    let pids = qemus("netduinoplus2");
    assert_eq!(pids.len(), 6);
    for pid in &pids {
        let links =
            fs::read_dir(format!("/proc/{pid}/fd")).unwrap().filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
        let names: Vec<String> = links.map(|link| link.display().to_string()).collect();
        let count = |start: &str| names.iter().filter(|name| name.starts_with(start)).count();
        assert_eq!(count("socket:"), 2, "UART and monitor: {names:?}");
        assert_eq!(count("/memfd:model"), 1, "{names:?}");
    }
    for session in sessions {
        session.close().await;
    }
    for pid in pids {
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}

/// Run by [`a_farm_that_is_killed_takes_its_qemus_along`] in a process of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "plays the farm that is killed"]
async fn farm_to_be_killed() {
    let target = machine("microbit");
    let _session = open(&*target, &job(&*target, &model("hello_world"), sine(1))).await.unwrap();
    println!("\nqemu is {}", qemus("microbit")[0]);
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farm_that_is_killed_takes_its_qemus_along() {
    let mut farm = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "farm_to_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(farm.stdout.take().unwrap()).lines();
    let pid: u32 = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("qemu is ")?.parse().ok()).unwrap();
    farm.kill().unwrap();
    farm.wait().unwrap();
    gone(pid).await;
}

/// A machine whose QEMU is a script that answers as QEMU does, and that does `then` in `folder` where it should start.
fn script(folder: &Path, then: &str) -> Arc<Qemu> {
    let path = folder.join("qemu-by-script");
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in --version|'-machine help') exec qemu-system-arm \"$@\";; esac\ncd {}\n{then}\n",
        folder.display()
    );
    firmware::testing::write_program(&path, &text).unwrap();
    let options = EmulatorOptions { qemu: Some(path), ..common::options() };
    machines(&options).into_iter().find(|machine| machine.port().name == "mps2-an386").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_around_qemu_takes_what_it_started_along() {
    let folder = tempfile::tempdir().unwrap();
    let target = script(folder.path(), "sleep 600 & echo $! > new; mv new left; wait");
    let job = job(&*target, &model("hello_world"), sine(1));
    let left = async {
        loop {
            match fs::read_to_string(folder.path().join("left")) {
                Ok(pid) => return pid.trim().parse::<u32>().unwrap(),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let pid = tokio::select! {
        pid = left => pid,
        _ = target.open(&job) => panic!("no runner, no session"),
    };
    gone(pid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_ends_at_once_is_no_fault_of_the_firmware() {
    let folder = tempfile::tempdir().unwrap();
    let target = script(folder.path(), "exit 0");
    let error = target.open(&job(&*target, &model("hello_world"), sine(1))).await.map(|_| ()).unwrap_err();
    let TargetError::Bench(reason) = &error else { panic!("{error:?}") };
    assert!(reason.starts_with("QEMU ended with exit status 0"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_qemu_that_somebody_stopped_is_late_by_the_benchs_fault() {
    let target = machine("stm32vldiscovery");
    let job = job(&*target, &model("hello_world"), sine(1));
    let mut session = open(&*target, &job).await.unwrap();
    assert_eq!(session.why_late().await, None);
    let pid = qemus("stm32vldiscovery")[0];
    kill(pid, Signal::STOP);
    while !firmware::process::is_stopped(pid) {
        tokio::task::yield_now().await;
    }
    let late = session.why_late().await;
    assert!(matches!(&late, Some(TargetError::Bench(why)) if why.contains("somebody stopped QEMU")), "{late:?}");
    session.close().await;
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "a stopped process is killed all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_and_a_too_old_qemu_are_absent_and_block_their_jobs_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old-qemu");
    let script = "#!/bin/sh\necho 'QEMU emulator version 5.2.0 (Debian 1:5.2+dfsg-11)'\n";
    firmware::testing::write_program(&old, script).unwrap();
    for (qemu, expected) in
        [(old, "is QEMU 5.2.0, and 7.2.0 or newer is needed"), (folder.path().join("none"), "is not a program")]
    {
        let targets = machines(&EmulatorOptions { qemu: Some(qemu), ..common::options() });
        assert_eq!(targets.len(), 9, "all are named, whether they can be used or not");
        let target: &Arc<Qemu> = &targets[0];
        let Availability::Absent { reason } = target.availability().await else { panic!("{expected}") };
        assert!(reason.contains(expected), "{reason}");
        let spec: JobSpec = job(&**target, &model("hello_world"), sine(1));
        for result in [target.prepare().await, target.open(&spec).await.map(|_| ())] {
            assert_eq!(result, Err(TargetError::Blocked(reason.clone())));
        }
    }
}
