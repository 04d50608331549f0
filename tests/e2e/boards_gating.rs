//! What an earlier stage refuses never reaches a board, and what reaches it is what the earlier stage ran.

use crate::{
    bench::{self, SimBoards, happened},
    support::Project,
};
use serde_json::{Value, json};
use std::fs;

/// A bench with a simulated board on it, which is the project's board `one`.
fn bench_of_one() -> (Project, SimBoards) {
    let project = bench::project();
    let boards = SimBoards::start(&project, &[]);
    boards.define(&project, 0, "one", "");
    (project, boards)
}

/// How often a debugger opened the board's probe.
fn connections(project: &Project, boards: SimBoards) -> usize {
    let told = happened(&boards.stop(project));
    assert!(told.iter().any(|event| event["event"] == "started"), "nothing was told at all");
    told.iter().filter(|event| event["event"] == "connected").count()
}

#[test]
fn a_criterion_that_fails_on_the_emulator_leaves_the_board_untouched() {
    for (bound, verdict) in [("0.01", "fail"), ("0.05", "pass")] {
        let (project, boards) = bench_of_one();
        project.scenario(&format!(
            r#"Given the model "hello_world" and the dataset "sine_100"
               When it runs on the emulator "qemu:netduinoplus2"
               Then the mean absolute error is at most {bound}
               When it runs on the board "one""#
        ));
        let ended = project.run();
        ended.judged(verdict, &[]);
        let ran = ended.report["jobs"].as_array().unwrap().iter().any(|job| job["target"] == "one");
        // The second bound shows that it is the first that keeps it away.
        assert_eq!(
            (ran, connections(&project, boards) > 0),
            (verdict == "pass", verdict == "pass"),
            "{}",
            ended.report
        );
    }
}

#[test]
fn a_stage_that_fails_keeps_every_stage_from_the_board() {
    for (bound, verdict) in [("0.01", "fail"), ("0.05", "pass")] {
        let (project, boards) = bench_of_one();
        project.scenario(&format!(
            r#"Given the model "hello_world" and the dataset "sine_100"
               When it runs on every stage that it fits, accepted by
               | metric              | container | emulator | board   |
               | mean absolute error | <= 0.05   | <= {bound} | <= 0.05 |"#
        ));
        let ended = project.run();
        let why: &[&str] = if verdict == "fail" { &["board stage blocked: emulator stage failed"] } else { &[] };
        ended.judged(verdict, why);
        assert_eq!(connections(&project, boards) > 0, verdict == "pass", "{}", ended.report);
    }
}

#[test]
fn a_gate_that_requires_boards_touches_no_simulated_one() {
    let (project, boards) = bench_of_one();
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the board "one""#,
    );
    let ended = project.tinyfarm(&["run", "--require-boards", "--report", "report"]);
    ended.judged("blocked", &["one", "simulated"]);
    assert_eq!(connections(&project, boards), 0);
}

/// Where the bytes of an ELF file are loaded (32 bits, little-endian: its `PT_LOAD` headers), and they themselves.
fn loaded(elf: &[u8]) -> Vec<(usize, &[u8])> {
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().unwrap()) as usize;
    let half = |at: usize| usize::from(u16::from_le_bytes(elf[at..at + 2].try_into().unwrap()));
    let headers = (0..half(44)).map(|number| word(28) + number * half(42));
    let load = headers.filter(|header| word(*header) == 1 && word(header + 16) > 0);
    load.map(|header| (word(header + 12), &elf[word(header + 4)..][..word(header + 16)])).collect()
}

/// A job's evidence, without what may differ from run to run and from target to target.
fn brought(evidence: &[Value], model: &str, target: &str) -> Value {
    let job = evidence.iter().find(|line| line["job"]["model"] == model && line["job"]["target"] == target);
    let job = job.unwrap_or_else(|| panic!("{model} did not run on {target}"));
    let mut provenance = job["job"]["provenance"].clone();
    provenance["tool"].take();
    json!([job["outputs"], job["ticks"], job["job"]["figures"], provenance])
}

#[test]
fn the_board_runs_the_file_that_the_emulator_ran_and_answers_to_the_bit() {
    let project = bench::configured("[qemu]\nprogram = \"./qemu\"");
    // The real one, which notes what it is given to run.
    let noted = project.path().join("kernels");
    let script = format!(
        "#!/bin/sh\nlast=\nfor word; do\n[ \"$last\" = -kernel ] && echo \"$word\" >> '{}'\nlast=$word\ndone\n\
         exec qemu-system-arm \"$@\"\n",
        noted.display()
    );
    firmware::testing::write_program(&project.path().join("qemu"), &script).unwrap();
    let boards = SimBoards::start(&project, &[]);
    boards.define(&project, 0, "one", "");
    project.file(
        "features/test.feature",
        r#"Feature: test
             Scenario Outline: <model>
               Given the model "<model>" and the dataset "<dataset>"
               When it runs on the emulator "qemu:netduinoplus2"
               And it runs on the board "one"
               Then the outputs are bit-identical to those on "qemu:netduinoplus2"
               Examples:
                 | model        | dataset |
                 | hello_world  | sine    |
                 | micro_speech | yes_no  |
        "#,
    );
    let ended = project.run();
    ended.expect(0, &["2 pass"]);
    let evidence = fs::read_to_string(&ended.evidence).unwrap();
    let evidence: Vec<Value> = evidence.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (model, samples) in [("hello_world", 1001), ("micro_speech", 2)] {
        let emulated = brought(&evidence, model, "qemu:netduinoplus2");
        assert_eq!(emulated, brought(&evidence, model, "one"));
        assert_eq!(emulated[1].as_array().map(Vec::len), Some(samples), "{model}");
        assert!(emulated[1].as_array().unwrap().iter().all(|ticks| ticks.as_u64() > Some(1000)), "{emulated:#}");
    }

    let mut files: Vec<_> = fs::read_to_string(noted).unwrap().lines().map(str::to_owned).collect();
    files.dedup();
    let [file] = &files[..] else { panic!("the emulator ran {files:?}") };
    let elf = fs::read(file).unwrap();
    boards.stop(&project).expect(0, &[]);
    let flash = fs::read(bench::folder(&project).join("SIM-1.flash")).unwrap();
    let pieces = loaded(&elf);
    assert!(pieces.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 50_000, "{file} has nothing in it");
    for (address, bytes) in pieces {
        let at = address - 0x0800_0000;
        assert!(flash[at..at + bytes.len()] == *bytes, "what was flashed at {address:#x} is not of {file}");
    }
    let digest = evidence[0]["job"]["provenance"]["runner_digest"].as_str().unwrap();
    assert!(digest.len() == 64 && elf.windows(64).any(|text| text == digest.as_bytes()), "{digest} is not in {file}");
}
