//! The CI recipes: each is valid under what its system publishes, and says nothing that this program would refuse.
//!
//! GitHub's and GitLab's files are held against their JSON schemas. Jenkins publishes none, and checks a pipeline only on
//! a server: of those files it is proven that they are Groovy, of which stages, and that their commands are good.

use crate::support::REPOSITORY;
use jsonschema::validator_for;
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

const GITHUB: &str = include_str!("ci/github-workflows.json");
const GITLAB: &str = include_str!("ci/gitlab-ci.json");

const WORKFLOWS: [&str; 2] = ["docs/ci/github-actions.yml", "docs/ci/github-actions-nightly.yml"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(REPOSITORY).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(value)) => value.as_ref().into(),
        Yaml::Sequence(all) => all.iter().map(json).collect(),
        Yaml::Mapping(all) => {
            all.iter().map(|(key, value)| (key.as_str().expect("keys are words").to_owned(), json(value))).collect()
        }
        other => panic!("a recipe is plain YAML: {other:?}"),
    }
}

fn parse(text: &str) -> Value {
    let all = Yaml::load_from_str(text).unwrap();
    assert_eq!(all.len(), 1, "one document");
    json(&all[0])
}

fn errors(schema: &str, document: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = validator_for(&schema).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_github_workflows_are_valid_under_the_published_schema() {
    for path in WORKFLOWS {
        let workflow = parse(&read(path));
        assert_eq!(errors(GITHUB, &workflow), [""; 0], "{path}");
        let mut broken = workflow;
        broken["jobs"].as_object_mut().unwrap().values_mut().for_each(|job| job["steps"][0]["usess"] = "x".into());
        assert!(!errors(GITHUB, &broken).is_empty(), "the schema refuses nothing");
    }
}

#[test]
fn the_gitlab_pipeline_is_valid_under_the_published_schema() {
    let pipeline = parse(&read("docs/ci/gitlab-ci.yml"));
    assert_eq!(errors(GITLAB, &pipeline), [""; 0]);
    let mut broken = pipeline;
    broken["models:all"]["artifacts"] = serde_json::json!({ "report": {} });
    assert!(!errors(GITLAB, &broken).is_empty(), "the schema refuses nothing");
}

/// The steps of a workflow's only job.
fn steps(workflow: &Value) -> &[Value] {
    let jobs = workflow["jobs"].as_object().unwrap();
    assert_eq!(jobs.len(), 1);
    jobs.values().next().unwrap()["steps"].as_array().unwrap()
}

/// A step's text under `key`; empty where it has none.
fn text<'a>(step: &'a Value, key: &str) -> &'a str {
    step[key].as_str().unwrap_or_default()
}

/// The steps that run this program, with what they run.
fn of_tinyfarm(workflow: &Value) -> Vec<(&Value, &str)> {
    let runs = steps(workflow).iter().map(|step| (step, text(step, "run")));
    runs.filter(|(_, run)| run.split_whitespace().any(|word| word == "tinyfarm")).collect()
}

/// The process that a step's shell is, and what a stand-in for this program says: its process, and its arguments.
fn as_a_step(run: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = "#!/bin/sh\nprintf '%s ' $$\nprintf '[%s]' \"$@\"\n";
    firmware::testing::write_program(&folder.path().join("tinyfarm"), stand_in).unwrap();
    fs::write(folder.path().join("step.sh"), run).unwrap();
    let path = format!("{}:{}", folder.path().display(), env::var("PATH").unwrap());
    // As GitHub starts a step without `shell`.
    let mut shell = Command::new("bash");
    shell.args(["-e", "step.sh"]).current_dir(folder.path()).env("PATH", path).env("BASE", "a b");
    let shell = shell.stdout(Stdio::piped()).spawn().unwrap();
    let process = shell.id().to_string();
    let output = shell.wait_with_output().unwrap();
    assert!(output.status.success(), "{run}");
    (process, String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_github_step_that_runs_tinyfarm_is_tinyfarm_so_that_a_cancel_reaches_it() {
    for path in WORKFLOWS {
        let workflow = parse(&read(path));
        let found = of_tinyfarm(&workflow);
        assert_eq!(found.len(), 3, "{path}");
        for (_, run) in found {
            assert!(run.starts_with("exec tinyfarm ") && run.lines().count() == 1, "{path}: {run}");
            let (shell, said) = as_a_step(run);
            let (process, arguments) = said.split_once(' ').unwrap();
            assert_eq!(process, shell, "{path}: {run}");
            let words = split(run)[2..].join("][").replace("$BASE", "a b");
            assert_eq!(arguments, format!("[{words}]"), "{path}: {run}");
        }
    }
    let (shell, said) = as_a_step("tinyfarm check\n");
    assert!(!said.starts_with(&format!("{shell} ")), "every command is the shell: nothing is proven");
}

#[test]
fn a_cancel_on_github_begins_no_run_and_keeps_the_reports() {
    for path in WORKFLOWS {
        let workflow = parse(&read(path));
        for (step, run) in of_tinyfarm(&workflow) {
            let wanted = match run.split(' ').nth(2).unwrap() {
                // It reads the ledger, and is done in no time.
                "flaky" => "always()",
                "run" if run.contains("--since") => "github.event_name == 'pull_request'",
                "run" => "github.event_name == 'push'",
                _ => "",
            };
            assert_eq!(text(step, "if"), wanted, "{path}: {run}");
            // A fault of a board is judged by the sweep.
            assert_eq!(step["continue-on-error"] == true, run.contains("doctor"), "{path}: {run}");
        }
        let summary = steps(&workflow).iter().find(|step| text(step, "run").contains("GITHUB_STEP_SUMMARY")).unwrap();
        assert!(text(summary, "if").starts_with("always() && "), "{path}");
        let upload = steps(&workflow).iter().find(|step| text(step, "uses").contains("upload-artifact")).unwrap();
        assert_eq!(text(upload, "if"), "always()", "{path}");
    }
}

#[test]
fn the_report_of_an_earlier_job_is_gone_before_anything_else() {
    for path in WORKFLOWS {
        let workflow = parse(&read(path));
        let first = &steps(&workflow)[0];
        assert_eq!((text(first, "run"), text(first, "if")), ("rm -rf report", ""), "{path}");
    }
    for path in ["docs/ci/Jenkinsfile", "docs/ci/Jenkinsfile.nightly"] {
        let text = read(path);
        let (_, steps) = text.split_once("steps {\n").unwrap();
        let first = steps.lines().map(str::trim).find(|line| !line.starts_with("//")).unwrap();
        assert_eq!(first, "sh 'rm -rf report'", "{path}");
    }
}

#[test]
fn gitlab_cleans_the_report_away_and_leaves_what_is_to_stay() {
    let pipeline = parse(&read("docs/ci/gitlab-ci.yml"));
    let flags = text(&pipeline["variables"], "GIT_CLEAN_FLAGS");
    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(folder.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let stays = [".tinyfarm/runner", "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"];
    for ignored in ["", "/report\n/.tinyfarm\n/ledger.sqlite*\n"] {
        git(&["init", "-q"]);
        fs::create_dir_all(folder.path().join("report")).unwrap();
        fs::create_dir_all(folder.path().join(".tinyfarm")).unwrap();
        fs::write(folder.path().join(".git/info/exclude"), ignored).unwrap();
        for name in stays.iter().chain(&["report/junit.xml"]) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        git(&[&["clean"][..], &flags.split_whitespace().collect::<Vec<_>>()].concat());
        assert!(!folder.path().join("report").exists(), "{ignored:?}");
        stays.iter().for_each(|name| assert!(folder.path().join(name).exists(), "{name}, {ignored:?}"));
    }
}

#[test]
fn the_github_gate_says_itself_which_tinyfarm_it_wants() {
    let source = read(WORKFLOWS[0]);
    let workflow = parse(&source);
    let page = read("docs/ci.md");
    assert!(!source.contains("vars."), "variables of the repository are empty for a pull request from a fork");
    let wanted = workflow["env"].as_object().unwrap();
    for (name, value) in wanted {
        assert!(value.as_str().unwrap().starts_with("REPLACE-"), "{name}: what is to be replaced looks like it");
        assert!(page.contains(&format!("`{name}`")), "docs/ci.md does not say what {name} is");
    }
    for (_, rest) in source.match_indices("${{ env.").map(|(at, found)| source.split_at(at + found.len())) {
        let name = rest.split(' ').next().unwrap();
        assert!(wanted.contains_key(name), "{name} is nowhere set");
    }
    let checkout = steps(&workflow).iter().find(|step| text(&step["with"], "path") == "tinyfarm-source").unwrap();
    assert_eq!(text(&checkout["with"], "repository"), "${{ env.TINYFARM_REPOSITORY }}");
    assert_eq!(text(&checkout["with"], "ref"), "${{ env.TINYFARM_REVISION }}");
}

#[test]
fn each_run_on_github_writes_a_cache_of_its_own_and_begins_with_the_newest() {
    let workflow = parse(&read(WORKFLOWS[0]));
    let cache = steps(&workflow).iter().find(|step| text(step, "uses").starts_with("actions/cache@")).unwrap();
    let (key, prefix) = (text(&cache["with"], "key"), text(&cache["with"], "restore-keys"));
    assert_eq!(key.strip_prefix(prefix), Some("${{ github.run_id }}"));
    assert!(prefix.contains("${{ env.TINYFARM_REVISION }}"), "another revision is another program");
}

/// The tree of a Jenkinsfile, as S-expressions.
fn groovy(text: &str) -> tree_sitter::Tree {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_groovy::LANGUAGE.into()).unwrap();
    parser.parse(text, None).unwrap()
}

#[test]
fn the_jenkinsfiles_are_groovy_with_a_pipeline_that_has_what_a_pipeline_needs() {
    for path in ["docs/ci/Jenkinsfile", "docs/ci/Jenkinsfile.nightly"] {
        let text = read(path);
        let tree = groovy(&text);
        assert!(!tree.root_node().has_error(), "{path}: {}", tree.root_node().to_sexp());
        assert!(groovy(&text.replacen("steps {", "steps (", 1)).root_node().has_error(), "the parser takes anything");
        // Sections of a declarative pipeline, each once and in its place: a level is four blanks.
        for section in ["    agent {", "    options {", "    stages {", "    post {"] {
            let count = text.lines().filter(|line| line.starts_with(section)).count();
            assert_eq!(count, 1, "{path}: `{section}`");
        }
        assert!(text.lines().any(|line| line == "pipeline {"), "{path}");
        assert!(text.contains("junit testResults: 'report/junit.xml'"), "{path}");
    }
}

/// The words of the commands of this program in `text`, as a shell would split them; what it would fill in stays a word.
fn commands(text: &str) -> BTreeSet<Vec<String>> {
    let starts = text.match_indices("tinyfarm ").filter(|(at, _)| {
        // A command begins a line, a string, an entry of a list or a piece of code.
        let before = text[..*at].chars().next_back();
        let line = text[..*at].rsplit('\n').next().unwrap_or_default();
        matches!(before, Some('`' | '\'')) || matches!(line.trim(), "" | "-" | "run:" | "- run:" | "run: exec")
    });
    let command = |(at, _): (usize, &str)| {
        let quote = text[..at].chars().next_back().filter(|c| matches!(c, '`' | '\''));
        let rest = &text[at + "tinyfarm ".len()..];
        let end = rest.find(['\n', '#']).unwrap_or(rest.len());
        let end = quote.and_then(|quote| rest.find(quote)).unwrap_or(end).min(end);
        split(&rest[..end])
    };
    starts.map(command).filter(|words| words.first().is_some_and(|word| word.starts_with(char::is_lowercase))).collect()
}

fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            _ => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    // What comes after the command is another's.
    let end = words.iter().position(|word| matches!(word.as_str(), "||" | "&&" | "|" | ">" | ">>" | ";"));
    words.truncate(end.unwrap_or(words.len()));
    words
}

/// Whether the program takes these words, and if not, what it says. With `--help` at the end nothing is run: the words
/// before it are parsed, and a word that it does not know is refused.
fn refusal(words: &[String]) -> Option<String> {
    let ended = Command::new(env!("CARGO_BIN_EXE_tinyfarm")).args(words).arg("--help").output().unwrap();
    (!ended.status.success()).then(|| String::from_utf8_lossy(&ended.stderr).into_owned())
}

const RECIPES: [&str; 6] = [
    "docs/ci.md",
    "docs/ci/github-actions.yml",
    "docs/ci/github-actions-nightly.yml",
    "docs/ci/gitlab-ci.yml",
    "docs/ci/Jenkinsfile",
    "docs/ci/Jenkinsfile.nightly",
];

#[test]
fn every_command_in_the_recipes_and_their_page_is_one_that_this_program_takes() {
    let mut wrong = Vec::new();
    for path in RECIPES {
        let text = read(path);
        let found = commands(&text);
        assert!(found.iter().any(|words| words[0] == "nightly" || words[0] == "run"), "{path}: {found:?}");
        for words in found {
            if let Some(told) = refusal(&words) {
                wrong.push(format!("{path}: tinyfarm {}\n{told}", words.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_renamed_option_would_be_found() {
    let refused = |line: &str| refusal(&split(line)).is_some();
    assert!(!refused("run --stages container,emulator --report report"));
    assert!(refused("run --stage container"));
    assert!(refused("run --stages moon"));
    assert!(refused("walk"));
    assert!(refused("boards doktor"));
    let text = "    - tinyfarm run --a \"b c\" || true # d\nsh(script: 'tinyfarm check')\nSee `tinyfarm run --x`.\n# tinyfarm is\n\
                run: exec tinyfarm flaky\n";
    let found: Vec<String> = commands(text).into_iter().map(|words| words.join("_")).collect();
    assert_eq!(found, ["check", "flaky", "run_--a_b c", "run_--x"]);
}

#[test]
fn every_recipe_is_named_on_the_page() {
    let page = read("docs/ci.md");
    for path in &RECIPES[1..] {
        let name = path.strip_prefix("docs/").unwrap();
        assert!(page.contains(&format!("({name})")), "docs/ci.md does not link {name}");
    }
}
