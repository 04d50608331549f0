//! `run --since`: in a real repository, what a change can have touched runs, and nothing else.

use crate::{
    support::{Ended, Project, REPOSITORY},
    wave::{self, git},
};
use std::{collections::BTreeSet, fs, os::unix::fs::symlink, path::Path, process::Command};

const OTHER: &str = "[model]\nname = \"other\"\nfile = \"other.tflite\"\n\n\
                     [[dataset]]\nname = \"few\"\nmodel = \"other\"\nfile = \"few.csv\"\n";

const FILES: [&str; 9] = [
    "junit.xml",
    "report.json",
    "evidence.jsonl",
    "report.html",
    "report.md",
    "metrics.csv",
    "results.txt",
    "codequality.json",
    "messages.ndjson",
];

fn feature(name: &str, given: &str, place: &str) -> String {
    format!("Feature: {name}\n  Scenario: {name}\n    Given {given}\n    When it runs on {place}\n")
}

/// A repository with two models, a scenario for each, and a commit with all of it.
fn project() -> Project {
    let project = wave::project("");
    let (wave, other) =
        ("the model \"wave\" and the dataset \"points\"", "the model \"other\" and the dataset \"few\"");
    project
        .file("models/other/other.tflite", wave::model())
        .file("models/other/few.csv", "x,y\n1,0.84\n2,0.91\n")
        .file("models/other/other.toml", OTHER)
        .file("features/wave.feature", feature("wave", wave, "the host"))
        .file("features/other.feature", feature("other", other, "the host"))
        .file("docs/readme.md", "# Words\n")
        .file("firmware/runner.cc", "int main() {}\n")
        .file(".gitignore", "/report\n/ledger.sqlite*\n");
    git(&project, &["init", "-q", "-b", "main"]);
    commit(&project);
    project
}

fn commit(project: &Project) -> String {
    git(project, &["add", "-A"]);
    git(project, &["commit", "-q", "-m", "a commit"]);
    git(project, &["rev-parse", "HEAD"])
}

fn undo(project: &Project) {
    git(project, &["reset", "-q", "--hard"]);
    git(project, &["clean", "-fdq"]);
}

fn since(project: &Project, rev: &str) -> Ended {
    let _ = fs::remove_dir_all(project.path().join("report"));
    project.tinyfarm(&["run", "--report", "report", "--since", rev])
}

#[track_caller]
fn ran(ended: &Ended) -> Vec<String> {
    let all = ended.report["scenarios"].as_array().unwrap_or_else(|| panic!("no report; {}", ended.said()));
    let mut names: Vec<String> = all.iter().map(|scenario| scenario["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_changed_file_runs_the_scenarios_that_rest_on_it_and_says_why() {
    let project = project();
    let wave = fs::read_to_string(project.path().join("features/wave.feature")).unwrap();
    let config = fs::read_to_string(project.path().join("tinyfarm.toml")).unwrap();
    let manifest = fs::read_to_string(project.path().join("models/wave/wave.toml")).unwrap();
    let comment = |text: &str| format!("{text}\n# Another word.\n").into_bytes();
    let both: &[&str] = &["other", "wave"];
    for (file, contents, names) in [
        ("features/wave.feature", comment(&wave), &["wave"][..]),
        ("models/wave/wave.toml", comment(&manifest), &["wave"]),
        ("models/wave/wave.tflite", wave::worse_model(), &["wave"]),
        ("models/wave/points.csv", b"x,y\n1,0.84\n".to_vec(), &["wave"]),
        ("models/other/few.csv", b"x,y\n1,0.84\n".to_vec(), &["other"]),
        ("tinyfarm.toml", comment(&config), both),
        ("firmware/runner.cc", b"int main() { return 1; }\n".to_vec(), both),
        // Nobody told Git of it yet.
        ("Cargo.lock", b"# new\n".to_vec(), both),
        ("firmware/new/more.h", b"// new\n".to_vec(), both),
        ("features/new.feature", wave.replace("wave\n", "new\n").into_bytes(), &["new"]),
    ] {
        project.file(file, contents);
        let ended = since(&project, "HEAD");
        let total = if file == "features/new.feature" { 3 } else { 2 };
        let (runs, s) = (names.len(), if names.len() == 1 { "" } else { "s" });
        ended.expect(
            0,
            &[
                &format!("1 file changed; {runs} of {total} scenarios can be touched by that"),
                &format!("{runs} scenario{s} because of {file}"),
            ],
        );
        assert_eq!(ran(&ended), names, "{file}: {}", ended.said());
        // What is staged is as changed as what is not.
        git(&project, &["add", "-A"]);
        assert_eq!(ran(&since(&project, "HEAD")), names, "{file}, staged");
        undo(&project);
    }
}

#[test]
fn what_no_scenario_rests_on_runs_nothing_and_passes_with_whole_reports() {
    let project = project();
    let nothing = since(&project, "HEAD");
    nothing.expect(0, &["0 files changed; 0 of 2 scenarios can be touched by that", "nothing had to run"]);
    project.file("docs/readme.md", "# Other words\n").file("docs/new.md", "# More\n");
    let ended = since(&project, "HEAD");
    ended.expect(
        0,
        &[
            "2 files changed; 0 of 2 scenarios can be touched by that",
            "left out, for their feature, models, datasets, manifests, boards and firmware are as they were: 2 scenarios",
            "features/other.feature:2 other",
            "features/wave.feature:2 wave",
            "changed, and no scenario rests on it: 2 files docs/new.md docs/readme.md",
            "nothing had to run",
        ],
    );
    assert_eq!(ran(&ended), [""; 0]);
    assert_eq!(ended.report["run"]["state"], "finished", "{}", ended.report);
    assert!(ended.junit.contains("</testsuites>"), "{}", ended.junit);
    for file in FILES {
        assert!(project.path().join("report").join(file).is_file(), "{file} is missing");
    }
    let runs = wave::runs(&project);
    assert_eq!((runs.len(), &runs[0]["state"]), (2, &"finished".into()), "{runs:?}");
}

#[test]
fn a_deleted_file_touches_what_rested_on_its_folder() {
    let project = project();
    // With the manifest in the repository; of one outside Git could not tell.
    let config = fs::read_to_string(project.path().join("tinyfarm.toml")).unwrap();
    let manifest = fs::read_to_string(Path::new(REPOSITORY).join("models/micro_speech/micro_speech.toml")).unwrap();
    project.file("tinyfarm.toml", config.replace(&format!("\"{REPOSITORY}/models\", "), ""));
    project.file("models/micro_speech/micro_speech.toml", manifest);
    let bytes = 49 * 40;
    let labels = |count: usize| format!("{},4,0,{bytes},{bytes}\n", "a.bin\0b.bin".split('\0').nth(count).unwrap());
    project
        .file("features/silence/a.bin", vec![0; bytes])
        .file("features/silence/b.bin", vec![0; bytes])
        .file("features/silence/labels.csv", labels(0) + &labels(1))
        .file(
            "features/silence.feature",
            feature("silence", "the model \"micro_speech\" and the dataset \"silence\"", "the host"),
        );
    commit(&project);
    for (file, names) in [
        ("firmware/runner.cc", &["other", "silence", "wave"][..]),
        ("docs/readme.md", &[]),
        ("features/other.feature", &[]),
    ] {
        fs::remove_file(project.path().join(file)).unwrap();
        let ended = since(&project, "HEAD");
        assert_eq!(ended.code, 0, "{file}");
        assert_eq!(ran(&ended), names, "{file}: {}", ended.said());
        undo(&project);
    }
    fs::remove_file(project.path().join("features/silence/b.bin")).unwrap();
    project.file("features/silence/labels.csv", labels(0));
    let ended = since(&project, "HEAD");
    ended.expect(0, &["1 scenario because of features/silence/b.bin"]);
    assert_eq!(ran(&ended), ["silence"]);
    // The other way round: what was there then and is not now.
    let with = commit(&project);
    git(&project, &["mv", "models/wave/points.csv", "models/wave/renamed.csv"]);
    let manifest = fs::read_to_string(project.path().join("models/wave/wave.toml")).unwrap();
    project.file("models/wave/wave.toml", manifest.replace("points.csv", "renamed.csv"));
    commit(&project);
    let ended = since(&project, &with);
    ended.expect(0, &["3 files changed", "1 scenario because of models/wave/renamed.csv"]);
    assert_eq!(ran(&ended), ["wave"]);
}

#[test]
fn odd_file_names_are_followed_and_told_without_what_a_terminal_obeys() {
    let project = project();
    // A dataset that is named by its path, and one that a manifest names.
    let odd = "-data \u{fc}\u{2603} '*'.csv";
    let given = format!("the model \"wave\" and the dataset \"{odd}\"");
    let manifest = "[[dataset]]\nname = \"quoted\"\nmodel = \"wave\"\nfile = 'a \"quoted\" one.csv'\n";
    project
        .file(&format!("features/{odd}"), "x,y\n1,0.84\n")
        .file("features/odd.feature", feature("odd", &given, "the host"))
        .file("models/quoted.toml", manifest)
        .file("models/a \"quoted\" one.csv", "x,y\n1,0.84\n")
        .file(
            "features/quoted.feature",
            feature("quoted", "the model \"wave\" and the dataset \"quoted\"", "the host"),
        );
    commit(&project);
    project.file(&format!("features/{odd}"), "x,y\n2,0.91\n").file("docs/a\n\u{1b}[31mb\t c.md", "");
    let ended = since(&project, "HEAD");
    ended.expect(0, &["2 files changed", &format!("1 scenario because of features/{odd}")]);
    assert_eq!(ran(&ended), ["odd"]);
    undo(&project);
    project.file("models/a \"quoted\" one.csv", "x,y\n2,0.91\n");
    assert_eq!(ran(&since(&project, "HEAD")), ["quoted"]);
    assert!(!ended.said().contains('\u{1b}'), "{}", ended.said());
}

#[test]
fn a_link_that_points_elsewhere_is_a_change_as_what_it_points_to_is() {
    let project = project();
    let path = |name: &str| project.path().join(name);
    project.file("data/one.csv", "x,y\n1,0.84\n").file("data/two.csv", "x,y\n2,0.91\n");
    fs::remove_file(path("models/wave/points.csv")).unwrap();
    symlink("../../data/one.csv", path("models/wave/points.csv")).unwrap();
    commit(&project);
    project.file("data/one.csv", "x,y\n1,0.85\n");
    assert_eq!(ran(&since(&project, "HEAD")), ["wave"]);
    undo(&project);
    fs::remove_file(path("models/wave/points.csv")).unwrap();
    symlink("../../data/two.csv", path("models/wave/points.csv")).unwrap();
    assert_eq!(ran(&since(&project, "HEAD")), ["wave"]);
}

#[test]
fn a_boards_definition_touches_what_runs_on_boards_only() {
    let project = project();
    let board = fs::read_to_string(format!("{}/boards/nucleo-l4r5zi.toml", crate::support::REPOSITORY)).unwrap();
    let given = "the model \"wave\" and the dataset \"points\"";
    project
        .file("boards/nucleo-l4r5zi.toml", &board)
        .file("features/board.feature", feature("board", given, "any board tagged \"no such tag\""));
    commit(&project);
    project.file("boards/nucleo-l4r5zi.toml", format!("{board}\n# Another word.\n"));
    let ended = since(&project, "HEAD");
    ended.expect(3, &["1 of 3 scenarios", "1 scenario because of boards/nucleo-l4r5zi.toml"]);
    assert_eq!(ran(&ended), ["board"]);
}

#[test]
fn what_others_did_on_the_branch_meanwhile_is_no_change_of_this_one() {
    let project = project();
    git(&project, &["checkout", "-q", "-b", "mine"]);
    project.file("models/wave/points.csv", "x,y\n1,0.84\n");
    commit(&project);
    git(&project, &["checkout", "-q", "main"]);
    project.file("models/other/few.csv", "x,y\n1,0.84\n").file("tinyfarm.toml", "# gone\n");
    commit(&project);
    git(&project, &["checkout", "-q", "mine"]);
    let ended = since(&project, "main");
    ended.expect(0, &["since main (from ", "1 file changed; 1 of 2 scenarios"]);
    assert_eq!(ran(&ended), ["wave"]);
}

#[test]
fn it_holds_in_a_folder_of_the_repository_and_of_a_project_in_one() {
    let project = project();
    project.file("models/wave/points.csv", "x,y\n1,0.84\n");
    let mut command = project.command(&["run", "--report", "../report", "--since", "HEAD", "wave.feature"]);
    let output = command.current_dir(project.path().join("features")).output().unwrap();
    let ended = project.ended(output);
    ended.expect(0, &["1 of 1 scenario can be touched by that", "1 scenario because of models/wave/points.csv"]);
    assert_eq!(ran(&ended), ["wave"]);
}

#[test]
fn long_lists_are_cut_short_and_v_names_all() {
    let project = project();
    for number in 1..=8 {
        project.file(&format!("docs/{number}.md"), "");
    }
    let ended = since(&project, "HEAD");
    ended.expect(0, &["docs/5.md … and 3 more; -v names all"]);
    project.tinyfarm(&["run", "-v", "--since", "HEAD"]).expect(0, &["docs/7.md docs/8.md nothing had to run"]);
}

#[test]
fn what_git_cannot_tell_ends_it_before_anything_runs() {
    let project = project();
    for rev in ["no-such-branch", "--help", ""] {
        let ended = project.tinyfarm(&["run", "--report", "report", &format!("--since={rev}")]);
        ended.expect(2, &[&format!("Git knows no revision `{rev}`"), "in CI, fetch it first"]);
        assert!(!project.path().join("report").exists());
    }
    let stranger = git(&project, &["commit-tree", "-m", "a stranger", "HEAD^{tree}"]);
    since(&project, &stranger).expect(2, &["have no commit in common here", "git fetch --unshallow", "fetch-depth: 0"]);
    fs::rename(project.path().join(".git"), project.path().join("git-no-more")).unwrap();
    since(&project, "HEAD").expect(2, &["`--since` wants a Git repository", "run it inside a repository"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tinyfarm"));
    command.args(["run", "--since", "HEAD"]).current_dir(project.path()).env("PATH", "/no/such/folder");
    project.ended(command.output().unwrap()).expect(2, &["`--since` wants the program git", "install Git"]);
    assert!(!project.path().join("ledger.sqlite").exists(), "nothing was run");
}

/// What makes it so that a model or dataset is another one without the change of a file that the feature names.
#[test]
fn what_changes_behind_links_submodules_and_folders_is_seen() {
    type Change = fn(&Project);
    let arrange: Change = |project| {
        let labels = "file,classes,class\na.bin,1,0\n";
        let csv = "x,y\n1,0.84\n";
        project.file("data/v1/s.csv", csv).file("data/v2/s.csv", "x,y\n2,0.91\n").file("shared/a.bin", [0, 0, 128, 63]);
        project.file("raw/labels.csv", labels);
        symlink("../shared/a.bin", project.path().join("raw/a.bin")).unwrap();
        symlink("v1", project.path().join("data/current")).unwrap();
        symlink("v1/s.csv", project.path().join("data/middle.csv")).unwrap();
        symlink("middle.csv", project.path().join("data/top.csv")).unwrap();
        let given = |dataset: &str| format!("the model \"wave\" and the dataset \"{dataset}\"");
        for (name, dataset) in [
            ("folder-link", "../data/current/s.csv"),
            ("chain", "../data/top.csv"),
            ("raw", "../raw"),
            ("vendored", "../vendor/s.csv"),
            ("nested", "../nested/s.csv"),
        ] {
            project.file(&format!("features/{name}.feature"), feature(name, &given(dataset), "the host"));
        }
        for inner in ["vendor", "nested"] {
            project.file(&format!("{inner}/s.csv"), csv);
            let folder = project.path().join(inner);
            let path = folder.to_str().unwrap();
            git(project, &["init", "-q", "-b", "main", path]);
            git(project, &["-C", path, "add", "-A"]);
            git(project, &["-C", path, "commit", "-q", "-m", "inner"]);
        }
        project.file(".gitignore", "/report\n/ledger.sqlite*\n/nested\n");
        // Without a URL it is no submodule that can be cloned, and one that can be changed all the same.
        project.file(".gitmodules", "[submodule \"vendor\"]\n\tpath = vendor\n\turl = ./vendor\n\tignore = all\n");
        git(project, &["-c", "advice.addEmbeddedRepo=false", "add", "-f", "vendor"]);
        git(project, &["add", "."]);
        git(project, &["commit", "-q", "-m", "all of it"]);
    };
    let project = project();
    arrange(&project);
    // Git is told to ignore that repository, and so cannot say that it is as it was.
    let ended = since(&project, "HEAD");
    ended.expect(0, &["1 scenario because of nested/s.csv, which Git is told to ignore"]);
    assert_eq!(ran(&ended), ["nested"], "{}", ended.said());
    let link = |from: &str, to: &str| {
        fs::remove_file(project.path().join(from)).unwrap();
        symlink(to, project.path().join(from)).unwrap();
    };
    let check = |file: &str, name: &str| {
        let ended = since(&project, "HEAD");
        ended.expect(0, &[&format!("because of {file}")]);
        assert_eq!(
            ran(&ended),
            [name, "nested"].iter().copied().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        );
        git(&project, &["add", "-A"]);
        git(&project, &["commit", "-q", "--allow-empty", "-m", "next"]);
    };
    link("data/current", "v2");
    check("data/current", "folder-link");
    link("data/middle.csv", "v2/s.csv");
    check("data/middle.csv", "chain");
    project.file("shared/a.bin", [0, 0, 0, 64]);
    check("shared/a.bin", "raw");
    project.file("vendor/s.csv", "x,y\n2,0.91\n");
    check("vendor", "vendored");
}

#[test]
fn what_git_cannot_tell_of_runs() {
    let project = project();
    let elsewhere = Project::configured("");
    let path = elsewhere.path().join("far.csv");
    fs::write(&path, "x,y\n1,0.84\n").unwrap();
    let given = format!("the model \"wave\" and the dataset \"{}\"", path.display());
    project.file("features/far.feature", feature("far", &given, "the host"));
    project.file("data/x.csv", "x,y\n1,0.84\n");
    let given = "the model \"wave\" and the dataset \"../data/x.csv\"";
    project.file("features/big.feature", feature("big", given, "the host"));
    fs::write(project.path().join(".git/info/exclude"), "/data\n").unwrap();
    commit(&project);
    let ended = since(&project, "HEAD");
    ended.expect(
        0,
        &[
            &format!("1 scenario because of {}, which is outside of the repository", path.display()),
            "1 scenario because of data/x.csv, which Git is told to ignore",
        ],
    );
    assert_eq!(ran(&ended), ["big", "far"]);
}

#[test]
fn a_name_that_only_begins_like_the_caches_is_no_file_of_the_farm() {
    let project = project();
    let config = fs::read_to_string(project.path().join("tinyfarm.toml")).unwrap();
    project.file("ledger.toml", config.replace("cache = ", "ledger.file = \"ledger\"\ncache = "));
    project.file(".gitignore", "/report\n");
    commit(&project);
    let words = ["run", "--config", "ledger.toml", "--since", "HEAD", "--report", "report"];
    project.tinyfarm(&words).expect(0, &["0 files changed"]);
    project.file("ledger.toml", config.replace("cache = ", "retries = 1\nledger.file = \"ledger\"\ncache = "));
    project.tinyfarm(&words).expect(0, &["1 file changed", "2 scenarios because of ledger.toml"]);
}

#[test]
fn a_change_of_nothing_but_what_is_in_quarantine_does_not_gate() {
    let project = project();
    let config = fs::read_to_string(project.path().join("tinyfarm.toml")).unwrap();
    let rule = "[[quarantine]]\nfeature = \"features/wave.feature\"\nowner = \"Ada\"\nreason = \"known\"\nuntil = 2999-12-31\n";
    project.file("tinyfarm.toml", format!("{config}\n{rule}"));
    let wave = fs::read_to_string(project.path().join("features/wave.feature")).unwrap();
    let fails = format!("{wave}    Then the mean absolute error is at most 0.0000001\n");
    project.file("features/wave.feature", &fails);
    commit(&project);
    project.file("features/wave.feature", format!("{fails}# Another word.\n"));
    let ended = since(&project, "HEAD");
    ended.expect(0, &["0 pass, 1 quarantined (1 fail)", "1 scenario left out, which the change cannot have touched"]);
    let left_out = &ended.report["run"]["origin"];
    assert_eq!((&left_out["since"], &left_out["left_out"]), (&"HEAD".into(), &1.into()));
    let html = fs::read_to_string(project.path().join("report/report.html")).unwrap();
    assert!(html.contains("nothing that gates had to run"), "{html:.2000}");
    // All of it gates: that nothing is left to do so is no pass.
    fs::remove_file(project.path().join("features/other.feature")).unwrap();
    project.run().expect(3, &["0 pass, 1 quarantined (1 fail)"]);
}
