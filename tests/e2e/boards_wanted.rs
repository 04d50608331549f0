//! Boards that a feature wants and this farm does not have, or has only simulated.

use crate::support::{CACHE, Project, REPOSITORY};
use std::{fs, os::unix::fs::symlink, path::Path};

const SUBJECT: &str = "Given the model \"hello_world\" and the dataset \"sine_100\"\n";

#[test]
fn a_board_that_is_not_known_here_is_blocked_and_says_what_was_looked_for() {
    let project = Project::new();
    for (place, words) in [
        ("the board \"nucleo-77\"", "this farm knows no board `nucleo-77`"),
        ("any board tagged \"no such tag\"", "this farm knows no board tagged \"no such tag\""),
        ("every board tagged \"no such tag\" and \"m4\"", "this farm knows no board tagged \"no such tag\" and \"m4\""),
    ] {
        project.scenario(&format!("{SUBJECT}When it runs on {place}"));
        project.run().judged("blocked", &[words]);
        let checked = project.tinyfarm(&["check"]);
        assert_eq!(checked.code, 0, "features are shared between farms: {}", checked.err);
        assert!(checked.out.contains(&format!("scenarios will be blocked: {words}")), "{}", checked.out);
    }
}

#[test]
fn a_gate_that_requires_boards_is_not_met_by_simulated_ones() {
    let project = Project::new();
    for place in ["any board", "every board", "any board tagged \"simulated\""] {
        project.scenario(&format!("{SUBJECT}When it runs on {place}"));
        let ended = project.tinyfarm(&["run", "--require-boards", "--report", "report"]);
        ended.judged("blocked", &["a real board is required, and there are only simulated ones: sim-"]);
        assert_eq!(ended.report["jobs"].as_array().map(Vec::len), Some(0), "nothing was tried");
    }
}

#[test]
fn a_simulated_board_is_judged_like_its_emulator_and_tells_no_time() {
    let project = Project::new();
    let accepted = |metric: &str| {
        project.scenario(&format!(
            "{SUBJECT}When it runs on the board \"sim-netduinoplus2\", accepted by\n| metric | board |\n{metric}"
        ));
        project.run()
    };
    let agrees = accepted("| outputs | = qemu:netduinoplus2 |\n| instructions p99 | <= 1,000,000 |");
    agrees.judged("pass", &[]);
    assert!(agrees.out.contains("on sim-netduinoplus2 (simulated): pass"), "{}", agrees.out);
    assert_eq!(agrees.report["jobs"][0]["simulated"], true);
    accepted("| latency p99 | <= 5 s |").judged("inconclusive", &["sim-netduinoplus2 is simulated and tells no time"]);
}

#[test]
fn the_farms_own_board_has_room_for_its_sockets_however_deep_its_cache_and_temporary_files_lie() {
    let project = Project::new();
    let [cache, temporary] = ["c", "t"].map(|letter| project.path().join(letter.repeat(100)));
    // A cache of its own, with what is compiled already.
    fs::create_dir(&cache).unwrap();
    for entry in ["firmware", "objects", "runner", "stamps", "tmp"] {
        symlink(Path::new(CACHE).join(entry), cache.join(entry)).unwrap();
    }
    fs::create_dir(&temporary).unwrap();
    project.file("tinyfarm.toml", format!("models = [\"{REPOSITORY}/models\"]\ncache = \"{}\"\n", cache.display()));
    project.scenario(&format!("{SUBJECT}When it runs on the board \"sim-netduinoplus2\""));
    let mut command = project.command(&["run", "--report", "report"]);
    let output = command.env("TMPDIR", &temporary).output().unwrap();
    project.ended(output).judged("pass", &[]);
}
