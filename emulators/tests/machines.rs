//! Models on real QEMU machines: right answers, the same to the bit and to the instruction every time.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{big_endian_sample, float, job, machine, model, run, sample, sine};
use emulators::{Launch, bench::QemuBench};
use farm::{Availability, Clock, Fault, Session, Target, TargetError};
use firmware::{Instructions, Load, ModelImage, RunnerSession};

const MACHINES: [&str; 9] = [
    "mps2-an385",
    "mps2-an386",
    "mps2-an500",
    "mps2-an505",
    "mps3-an547",
    "netduinoplus2",
    "stm32vldiscovery",
    "lm3s6965evb",
    "microbit",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_machine_is_there_and_says_by_which_qemu() {
    let targets = emulators::machines(&common::options());
    let mut names: Vec<&str> = targets.iter().map(|target| target.info().id.0.as_str()).collect();
    let mut expected: Vec<String> = MACHINES.iter().map(|name| format!("qemu:{name}")).collect();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for target in targets {
        let Availability::Ready { tool } = target.availability().await else { panic!("{}", target.info().id) };
        assert!(tool.starts_with("QEMU "), "{tool}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hello_world_is_a_sine_on_every_machine_and_the_same_to_the_bit() {
    let model = model("hello_world");
    let inputs = sine(40);
    let mut first: Option<Vec<Vec<u8>>> = None;
    for name in MACHINES {
        let target = machine(name);
        let (handshake, inferences) = run(&*target, &job(&*target, &model, inputs.clone())).await.unwrap();
        assert_eq!(handshake.clock, Clock::QemuInstructions);
        assert_eq!(handshake.model, model.digest());
        for (input, inference) in inputs.iter().zip(&inferences) {
            assert!((float(&inference.output) - float(input).sin()).abs() < 0.2, "{name}: {inference:?}");
            assert!((4_000..40_000).contains(&inference.ticks), "{name}: {} instructions", inference.ticks);
        }
        let outputs: Vec<Vec<u8>> = inferences.into_iter().map(|inference| inference.output).collect();
        assert_eq!(*first.get_or_insert(outputs.clone()), outputs, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_side_by_side_bring_the_same_evidence_to_the_bit_and_the_instruction() {
    let model = model("hello_world");
    for name in ["mps2-an386", "mps3-an547", "netduinoplus2"] {
        let target = machine(name);
        let job = job(&*target, &model, sine(30));
        let alone = run(&*target, &job).await.unwrap();
        // More than the machine has cores: each is interrupted at other places.
        let crowd: Vec<_> = (0..10)
            .map(|_| {
                let (target, job) = (target.clone(), job.clone());
                tokio::spawn(async move { run(&*target, &job).await.unwrap() })
            })
            .collect();
        for together in crowd {
            assert_eq!(together.await.unwrap(), alone, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn magic_wand_and_micro_speech_answer_right_over_shared_memory_and_over_the_uart() {
    let wand = model("magic_wand");
    let speech = model("micro_speech");
    for name in ["mps2-an386", "netduinoplus2"] {
        let target = machine(name);
        let inputs = vec![sample("yes_micro_f2e59fea_nohash_1.data"), sample("no_micro_f9643d42_nohash_4.data")];
        let (_, said) = run(&*target, &job(&*target, &speech, inputs)).await.unwrap();
        assert_eq!(said[0].output, [0, 0, 255, 0], "{name}");
        assert_eq!(said[1].output, [0, 17, 0, 239], "{name}");
        let inputs = vec![
            big_endian_sample("ring_micro_f9643d42_nohash_4.data"),
            big_endian_sample("slope_micro_f2e59fea_nohash_1.data"),
        ];
        let (_, waved) = run(&*target, &job(&*target, &wand, inputs)).await.unwrap();
        let class = |output: &[u8], index: usize| float(&output[4 * index..]);
        assert!((class(&waved[0].output, 1) - 0.801).abs() < 0.001, "{name}: {waved:?}");
        assert!((class(&waved[1].output, 2) - 0.954).abs() < 0.001, "{name}: {waved:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_seen_in_inputs_larger_than_a_uart_would_take_in_good_time() {
    let target = machine("mps2-an386");
    let model = model("person_detection_grayscale");
    let inputs = vec![sample("person_image_data_grayscale.data"), sample("no_person_image_data_grayscale.data")];
    let (handshake, seen) = run(&*target, &job(&*target, &model, inputs)).await.unwrap();
    assert_eq!(seen[0].output, [43, 250, 44]);
    assert_eq!(seen[1].output, [14, 107, 215]);
    assert!(handshake.arena_used > 80_000, "{handshake:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_larger_than_its_room_does_not_fit_and_both_sizes_are_told() {
    let target = machine("stm32vldiscovery");
    let model = model("person_detection_grayscale");
    let inputs = vec![sample("person_image_data_grayscale.data")];
    let error = run(&*target, &job(&*target, &model, inputs)).await.unwrap_err();
    let TargetError::Fault(Fault::DoesNotFit { what, needed, available }) = &error else { panic!("{error:?}") };
    assert_eq!((what.as_ref(), *needed), ("model", 236_072 + 64));
    assert!(*available > 0 && *available < 131_072, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_has_a_fixed_instruction_count_and_no_semihosting() {
    let launch: Launch = machine("mps2-an505").launch().await.unwrap();
    let fds = emulators::launch::Inherited { uart: 11, monitor: Some(12), model: Some(13), memory: Some(14) };
    let line: Vec<String> = launch.arguments(&fds).into_iter().map(|word| word.into_string().unwrap()).collect();
    let line = line.join(" ");
    assert!(line.starts_with("-machine mps2-an505,memory-backend=ram0 -nodefaults"), "{line}");
    assert!(line.contains("-icount shift=") && !line.contains("semihosting"), "{line}");
    assert!(line.contains("loader,file=/proc/self/fd/13,addr=0x"), "{line}");
}

/// The clock's resolution must not show: with instructions twice as long the counts are the same, to the instruction
/// that a clock of less than two ticks for each cannot tell.
#[tokio::test(flavor = "multi_thread")]
async fn instructions_are_counted_and_not_the_time_they_were_given() {
    let model = model("hello_world");
    for name in ["mps2-an385", "mps2-an505", "mps3-an547", "netduinoplus2"] {
        let target = machine(name);
        let job = job(&*target, &model, sine(12));
        let (_, usual) = run(&*target, &job).await.unwrap();
        let launch = target.launch().await.unwrap();
        let slower = Launch { icount_shift: launch.icount_shift + 1, ..launch };
        let firmware = common::BUILDER.build(target.port()).await.unwrap();
        let started = slower.start(&ModelImage::encode(&model)).await.unwrap();
        let instructions = Instructions { clock_hz: target.port().clock_hz, icount_shift: slower.icount_shift };
        let (bench, link) = QemuBench::new(started, firmware.clone(), instructions);
        let mut session = RunnerSession::open(link, bench, &job, Load::Beside, firmware.into()).await.unwrap();
        let slow = session.infer(job.dataset.inputs(), &|_| ()).await.unwrap();
        Box::new(session).close().await;
        for (usual, slow) in usual.iter().zip(&slow) {
            assert_eq!(usual.output, slow.output);
            assert!(usual.ticks.abs_diff(slow.ticks) <= 1, "{name}: {} and {}", usual.ticks, slow.ticks);
        }
    }
}
