//! What goes wrong on benches, shown by simulated boards: each fault has its verdict and its reason, and the next run on
//! the same bench passes.

use crate::{
    bench::{self, SimBoards, attempts, control, evidence, expect_history, happened},
    support::{Ended, Project, Running},
};

const SHORT: &str = r#"Given the model "hello_world" and the dataset "sine_100"
                       When it runs on the board "one""#;

/// Another model than that of [`SHORT`], so that there is something to flash.
const OTHER: &str = r#"Given the model "magic_wand" and the dataset "gestures"
                       When it runs on the board "one""#;

/// A bench with a simulated board on it, which is the project's board `one`.
fn bench_of(config: &str, arguments: &[&str], definition: &str) -> (Project, SimBoards) {
    let project = bench::configured(config);
    let boards = SimBoards::start(&project, arguments);
    boards.define(&project, 0, "one", definition);
    project.scenario(SHORT);
    (project, boards)
}

/// Plans a fault on the one board.
fn fault(project: &Project, fault: &str) {
    control(project, "port-1", &["fault", fault]);
}

/// What came before has left nothing behind: the next job is served, at once.
#[track_caller]
fn passes(project: &Project) {
    project.scenario(SHORT);
    let ended = project.run();
    ended.judged("pass", &[]);
    assert_eq!(attempts(&ended), [("one", "pass")].map(owned), "{}", ended.said());
}

fn owned((target, verdict): (&str, &str)) -> (String, String) {
    (target.to_owned(), verdict.to_owned())
}

/// A pass that says that it was tried again, and why.
#[track_caller]
fn passes_after_a_retry(project: &Project, why: &str) -> Ended {
    let ended = project.run();
    ended.judged("pass", &["after 1 infra retry", why]);
    assert_eq!(attempts(&ended), [("one", "infra"), ("one", "pass")].map(owned), "{}", ended.said());
    ended
}

/// Infra, although it was tried three times.
#[track_caller]
fn fails_three_times(project: &Project, why: &str) {
    let ended = project.run();
    ended.judged("infra", &[why, "after 2 infra retries"]);
    assert_eq!(attempts(&ended), [("one", "infra"); 3].map(owned), "{}", ended.said());
}

/// A fail with its place, which is not tried again.
#[track_caller]
fn fails_once(ended: &Ended, words: &[&str]) {
    ended.judged("fail", words);
    assert_eq!(attempts(ended), [("one", "fail")].map(owned), "a fail is never retried: {}", ended.said());
}

#[test]
fn a_flash_that_cannot_be_verified_is_tried_again_and_infra_in_the_end() {
    let (project, _boards) = bench_of("", &["--fault", "flash-verify"], "");
    passes_after_a_retry(&project, "could not verify what was flashed");
    passes(&project);
    fault(&project, "flash-verify=3");
    project.scenario(OTHER);
    fails_three_times(&project, "could not verify what was flashed");
    passes(&project);
}

#[test]
fn a_probe_that_leaves_is_waited_for_and_the_job_tried_again() {
    let (project, mut boards) = bench_of("", &[], "");
    for (word, steps) in [("probe-leaves-flashing", OTHER), ("probe-leaves-running", SHORT)] {
        fault(&project, word);
        project.scenario(steps);
        passes_after_a_retry(&project, "the probe has left");
        for event in ["fault-shown", "unplugged", "plugged"] {
            boards.await_event(event);
        }
        passes(&project);
    }
}

#[test]
fn a_debug_port_that_answers_fault_or_wait_is_tried_again_and_infra_in_the_end() {
    let (project, _boards) = bench_of("", &[], "");
    for (word, answer) in [("swd-fault", "FAULT response"), ("swd-wait", "WAIT response")] {
        fault(&project, word);
        passes_after_a_retry(&project, answer);
        fault(&project, &format!("{word}=3"));
        fails_three_times(&project, answer);
        passes(&project);
    }
}

#[test]
fn another_chip_than_the_definitions_is_refused_before_the_first_write() {
    // So that no health check, which may write, comes in between.
    let (project, boards) = bench_of("quarantine_after = 50", &["--fault", "wrong-chip=3"], "");
    fails_three_times(&project, "is not one");
    let ended = project.run();
    let told = happened(&boards.stop(&project));
    let kinds = |kind: &str| told.iter().filter(|event| event["event"] == kind).count();
    // The fourth connection is that of the run after, which finds an erased chip.
    assert_eq!((kinds("fault-shown"), kinds("connected")), (3, 4), "{told:#?}");
    let last = told.iter().rposition(|event| event["event"] == "connected").unwrap();
    let first_write = told.iter().position(|event| event["event"] == "erased" || event["event"] == "programmed");
    assert!(first_write.is_some_and(|write| write > last), "{told:#?}");
    ended.judged("pass", &[]);
}

#[test]
fn a_core_that_locks_up_or_faults_is_a_fail_with_its_place_and_registers() {
    let (project, _boards) = bench_of("", &[], "");
    fault(&project, "lockup");
    let ended = project.run();
    fails_once(&ended, &["lockup at 0x08", "(lr 0x08", ", in ", "(CFSR 0x", ", HFSR 0x"]);
    assert_eq!(ended.report["jobs"][0]["fault"]["kind"], "hard-fault", "{}", ended.report);
    assert!(ended.junit.contains("lockup at 0x08"), "{}", ended.junit);
    passes(&project);

    fault(&project, "hardfault");
    let ended = project.run();
    // It jumped to where there is nothing to execute.
    let called = "at 0x5f000000 (lr 0x08";
    fails_once(&ended, &[called, "instruction access violation (CFSR 0x00000001, HFSR 0x00000000), called from "]);
    assert!(evidence(&ended)["job"]["fault"]["message"].as_str().unwrap().contains(called), "{}", ended.report);
    passes(&project);
}

#[test]
fn a_core_that_hangs_is_a_fail_with_its_place_in_the_log() {
    let (project, _boards) = bench_of("", &["--fault", "hang"], "");
    project.scenario(&format!("Given a time limit of 8 s\n{}", SHORT.replacen("Given", "And", 1)));
    let ended = project.run();
    fails_once(&ended, &["hung: no answer within 8s", "of 100 inferences"]);
    let evidence = evidence(&ended);
    let log = evidence["log"].as_str().unwrap();
    let (_, place) = log.split_once("when no answer came the core was at pc 0x08").unwrap_or_else(|| panic!("{log}"));
    assert!(place.contains(" in ") && place.contains(", lr 0x") && place.contains(", sp 0x2"), "{log}");
    passes(&project);
}

#[test]
fn output_that_is_slow_is_waited_for() {
    let (project, mut boards) = bench_of("", &["--fault", "slow"], "");
    passes(&project);
    boards.await_event("fault-shown");
    passes(&project);
}

#[test]
fn output_that_is_too_slow_is_blocked_and_asks_for_more_time() {
    let (project, mut boards) = bench_of("", &["--fault", "slow"], "");
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine"
           And a time limit of 5 s
           When it runs on the board "one""#,
    );
    let ended = project.run();
    ended.judged("blocked", &["5s were too short", "of 1001 inferences came", "still answering", "allow more"]);
    boards.await_event("fault-shown");
    passes(&project);
}

/// The same with a serial port as its link, slow enough for a job of some seconds.
fn serial_bench_of(retries: &str) -> (Project, SimBoards) {
    let (project, boards) = bench_of("", &["--baud", "38400"], "");
    let uart = boards.ready()[0]["uart"].as_str().unwrap();
    boards.define(&project, 0, "one", &format!("link = \"serial\"\nserial = {{ path = \"{uart}\", baud = 38400 }}"));
    project.scenario(&format!(
        r#"Given the model "hello_world" and the dataset "sine"
           And {retries}
           When it runs on the board "one""#
    ));
    (project, boards)
}

/// Runs it, and shows the fault when inferences are back.
fn disturbed(project: &Project, word: &str) -> Ended {
    let mut running = Running::start(project, &["run", "--report", "report", "--format", "json"]);
    running.await_event("job-progress");
    fault(project, word);
    running.ended(project)
}

#[test]
fn garbage_on_a_serial_line_is_infra_and_kept_as_it_came() {
    let (project, _boards) = serial_bench_of("0 retries");
    let ended = disturbed(&project, "uart-garbage");
    ended.judged("infra", &["one"]);
    let evidence = evidence(&ended);
    let log = evidence["log"].as_str().unwrap();
    assert!(log.starts_with("# seconds since the log began") && log.contains("\\xde\\xad"), "{log}");
    passes(&project);
}

#[test]
fn a_serial_line_that_stops_in_its_middle_is_infra_and_says_how_much_came() {
    let (project, _boards) = serial_bench_of("a time limit of 20 s\nAnd 0 retries");
    let ended = disturbed(&project, "uart-stops");
    ended.judged("infra", &["stopped half-way through a frame", "no answer within 20s"]);
    passes(&project);
}

#[test]
fn a_serial_line_that_stops_in_the_first_words_is_infra_and_kept_as_it_came() {
    let (project, _boards) = serial_bench_of("0 retries");
    // Flashed before, so that something lies there.
    passes(&project);
    // It is tried with what lies on the board, and with everything flashed anew.
    fault(&project, "uart-stops=2");
    project.scenario(&format!("Given 0 retries\n{}", SHORT.replacen("Given", "And", 1)));
    let ended = project.run();
    ended.judged("infra", &["the runner never said HELLO", "half-way through a frame"]);
    let evidence = evidence(&ended);
    let log = evidence["log"].as_str().unwrap();
    // How much of a frame comes before the cut depends on the pieces in which it left the chip.
    assert!(log.starts_with("# seconds since the log began") && log.matches(" < \\xa5").count() == 2, "{log}");
    assert!(log.contains("with what lay on the board there was no session: the runner never said HELLO"), "{log}");
    passes(&project);
}

#[test]
fn a_serial_port_that_comes_back_under_another_name_is_found_again() {
    let (project, mut boards) = serial_bench_of("1 retry");
    let before = bench::record(&project, "port-1").unwrap().uart;
    let ended = disturbed(&project, "uart-renamed");
    ended.judged("pass", &["after 1 infra retry: the connection to the runner ended"]);
    assert_eq!(attempts(&ended), [("one", "infra"), ("one", "pass")].map(owned));
    let renamed = boards.await_event("uart-renamed");
    assert_ne!(renamed["uart"], before.display().to_string());
    passes(&project);
}

#[test]
fn of_two_equal_boards_that_swap_places_the_right_one_is_used() {
    let project = bench::configured("quarantine_after = 50\n");
    let mut boards = SimBoards::start(&project, &["--count", "2"]);
    boards.define(&project, 0, "one", "").define(&project, 1, "two", "");
    project.scenario(SHORT);
    project.run().judged("pass", &[]);
    boards.await_event_of("SIM-1", "connected");
    assert_eq!(control(&project, "port-1", &["swap", "port-2"])["place"], "port-2");
    passes(&project);
    boards.await_event_of("SIM-1", "connected");

    // By its place the wrong one is found, and known by its chip's own number.
    let id = bench::record(&project, "port-2").unwrap().unique_id;
    let selector = boards.ready()[1]["selector"].as_str().unwrap().to_owned();
    let by_place = format!(
        "kind = \"sim-netduinoplus2\"\nprobe = \"{}\"\nunique_id.value = \"{id}\"\n",
        selector.replace("port-2", "port-1")
    );
    project.file("boards/one.toml", by_place.clone());
    let ended = project.run();
    ended.judged("infra", &["is not one: its unique id is", "nothing was written"]);
    project.file("boards/one.toml", by_place.replace("port-1", "port-2"));
    passes(&project);
    let told = happened(&boards.stop(&project));
    let of_two = |kind: &str| told.iter().filter(|event| event["board"] == "SIM-2" && event["event"] == kind).count();
    assert_eq!((of_two("connected"), of_two("erased"), of_two("programmed")), (3, 0, 0), "{told:#?}");
}

#[test]
fn a_board_that_needs_its_power_cycled_is_cycled_by_its_hook() {
    let (project, mut boards) = bench_of("quarantine_after = 1", &["--fault", "needs-power-cycle"], "");
    passes_after_a_retry(&project, "could not attach");
    boards.await_event("power-cycled");
    expect_history(&project, "one", &["infra", "recovered", "check-passed", "served"]);
    project.tinyfarm(&["boards", "history", "one"]).expect(0, &["recovery: power-cycled by", "health check passed"]);
    passes(&project);
}

#[test]
fn without_a_hook_it_is_quarantined_with_the_reason_until_somebody_does_it() {
    let project = bench::configured("quarantine_after = 1\n");
    let _boards = SimBoards::start(&project, &["--fault", "needs-power-cycle"]);
    project.file("boards/one.toml", "kind = \"sim-netduinoplus2\"\nprobe = \"SIM-1\"\n");
    project.scenario(&format!("Given 0 retries\n{}", SHORT.replacen("Given", "And", 1)));
    project.run().judged("infra", &["could not attach"]);
    expect_history(&project, "one", &["infra", "recovered", "check-failed"]);
    project.tinyfarm(&["boards", "history", "one"]).expect(0, &["the reset by the probe did not work"]);
    let why = ["quarantined since", "its health check did not pass: could not attach"];
    project.run().judged("blocked", &why);
    project.tinyfarm(&["boards", "why-waiting", "one"]).expect(0, &why);
    control(&project, "port-1", &["power-cycle"]);
    project.tinyfarm(&["boards", "health", "one"]).expect(0, &["one: health check passed; healthy"]);
    passes(&project);
}
