//! The CI recipes: each is valid under what its system publishes, and says nothing that this program would refuse.
//!
//! GitHub's and GitLab's files are held against their JSON schemas. Jenkins publishes none, and checks a pipeline only on
//! a server: of those files it is proven that they are Groovy, of which stages, and that their commands are good.

use crate::support::REPOSITORY;
use jsonschema::validator_for;
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path, process::Command};

const GITHUB: &str = include_str!("ci/github-workflows.json");
const GITLAB: &str = include_str!("ci/gitlab-ci.json");

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
    for path in ["docs/ci/github-actions.yml", "docs/ci/github-actions-nightly.yml"] {
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
        matches!(before, Some('`' | '\'')) || matches!(line.trim(), "" | "-" | "run:" | "- run:")
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
    let text = "    - tinyfarm run --a \"b c\" || true # d\nsh(script: 'tinyfarm check')\nSee `tinyfarm run --x`.\n# tinyfarm is\n";
    let found: Vec<String> = commands(text).into_iter().map(|words| words.join("_")).collect();
    assert_eq!(found, ["check", "run_--a_b c", "run_--x"]);
}

#[test]
fn every_recipe_is_named_on_the_page() {
    let page = read("docs/ci.md");
    for path in &RECIPES[1..] {
        let name = path.strip_prefix("docs/").unwrap();
        assert!(page.contains(&format!("({name})")), "docs/ci.md does not link {name}");
    }
}
