//! `tinyfarm nightly`: the sweep, what it is compared with, how it goes on after a kill, and whom it tells.

use crate::{
    bench::{SimBoards, control},
    support::{CACHE, Ended, Project, Running},
    wave::{self, git, json, runs},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

const EMULATOR: &str = "qemu:mps2-an386";

/// The model `wave` and two datasets; an emulator that does not start as long as there is a `gate`.
fn project(more: &str) -> Project {
    let project = Project::configured("");
    let config = format!("models = [\"models\"]\ncache = \"{CACHE}\"\njobs = 4\n[qemu]\nprogram = \"./qemu\"\n{more}");
    let gate = project.path().join("gate");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *-kernel*) [ -p '{0}' ] && read -r line < '{0}' ;; esac\nexec qemu-system-arm \"$@\"\n",
        gate.display()
    );
    firmware::testing::write_program(&project.path().join("qemu"), &script).unwrap();
    let dataset = |name: &str| format!("[[dataset]]\nname = \"{name}\"\nmodel = \"wave\"\nfile = \"{name}.csv\"\n");
    project
        .file("tinyfarm.toml", config)
        .file("models/wave/wave.tflite", wave::model())
        .file("models/wave/few.csv", "x,y\n1,0.84\n2,0.91\n")
        .file("models/wave/three.csv", "x,y\n1,0.84\n2,0.91\n3,0.14\n")
        .file(
            "models/wave/wave.toml",
            format!("[model]\nname = \"wave\"\nfile = \"wave.tflite\"\n{}{}", dataset("few"), dataset("three")),
        )
        .file(".gitignore", "/report\n/ledger.*\n/gate\n");
    project
}

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["nightly", "--report", "report", "--target", "host", "--target", EMULATOR], more].concat()
}

fn nightly(project: &Project, more: &[&str]) -> Ended {
    project.tinyfarm(&arguments(more))
}

/// A quick one: only on the host.
fn on_host(project: &Project, more: &[&str]) -> Ended {
    project.tinyfarm(&[&["nightly", "--report", "report", "--target", "host"], more].concat())
}

fn changes(project: &Project, kind: &str) -> String {
    fs::read_to_string(project.path().join("report/nightly-changes").with_extension(kind)).unwrap()
}

/// Starts a nightly, and kills it when both scenarios on the host are done and recorded, and the emulator's are not.
fn cut(project: &Project) -> String {
    let gate = project.path().join("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let mut running = Running::start(project, &arguments(&["--format", "json"]));
    running.await_event("scenario-finished");
    running.await_event("scenario-finished");
    let run = loop {
        let run = runs(project).remove(0);
        if run["verdicts"]["pass"] == 2 {
            break run;
        }
        thread::yield_now();
    };
    assert_eq!(run["state"], "running", "{run}");
    running.signal("KILL");
    running.ended(project).expect(-1, &[]);
    assert_eq!(runs(project)[0]["state"], "cut");
    fs::remove_file(gate).unwrap();
    run["name"].as_str().unwrap().to_owned()
}

#[track_caller]
fn scenarios(ended: &Ended) -> Vec<&str> {
    let all = ended.report["scenarios"].as_array().unwrap_or_else(|| panic!("no report; {}", ended.said()));
    let mut names: Vec<&str> = all.iter().map(|scenario| scenario["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

const ALL: [&str; 4] = [
    "wave over few on host",
    "wave over few on qemu:mps2-an386",
    "wave over three on host",
    "wave over three on qemu:mps2-an386",
];

#[test]
fn the_first_has_nothing_to_compare_with_and_the_second_is_compared_with_it() {
    let project = project("");
    let first = nightly(&project, &[]);
    first.expect(0, &["no nightly before this one came to its end: there is nothing to compare with"]);
    assert_eq!(scenarios(&first), ALL);
    let name = wave::latest(&project);
    assert_eq!(runs(&project)[0]["origin"]["nightly"], true);
    // A run of one's own in between is no nightly.
    project.scenario(wave::MEASURED.replace("points", "few").as_str());
    project.tinyfarm(&["run"]).expect(0, &[]);
    let second = nightly(&project, &[]);
    let head =
        format!("since nightly {name}: 0 newly not passing, 0 newly passing, 0 jobs that needed another attempt");
    second.expect(0, &[&head, "4 series compared: 0 worse"]);
    assert!(changes(&project, "md").contains("## tinyfarm nightly"), "{}", changes(&project, "md"));
    let json: Value = serde_json::from_str(&changes(&project, "json")).unwrap();
    assert_eq!((&json["before"], &json["retried"]), (&name.into(), &0.into()), "{json}");
}

#[test]
fn a_model_that_got_worse_fails_the_nightly_and_is_named_in_what_changed() {
    let project = project("");
    on_host(&project, &[]).expect(0, &["there is nothing to compare with"]);
    project.file("models/wave/wave.tflite", wave::worse_model());
    let ended = on_host(&project, &[]);
    // Each scenario passes: none has a limit. It is the comparison that fails.
    ended.expect(1, &["2 series compared", "wave over few on host", "worse mean absolute error"]);
    let (md, text) = (changes(&project, "md"), changes(&project, "json"));
    assert!(md.contains("wave") && md.contains("mean absolute error"), "{md}");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert!(text.contains("mean absolute error") && json["changes"].is_object(), "{json}");
    // What is accepted is compared in the scenario itself, and the next nightly says what passes no more.
    project.tinyfarm(&["baseline", "accept", "--reason", "meant"]).expect(0, &["accepted"]);
    on_host(&project, &[]).expect(0, &["0 worse"]);
    project.file("models/wave/few.csv", "x,y\n1,5\n2,5\n");
    let ended = on_host(&project, &[]);
    ended.expect(3, &["1 newly not passing", "inconclusive: wave over few on host:"]);
    project.file("models/wave/few.csv", "x,y\n1,0.84\n2,0.91\n");
    on_host(&project, &[]).expect(0, &["1 newly passing", "passes again: wave over few on host"]);
}

#[test]
fn one_that_was_killed_goes_on_where_it_was() {
    let project = project("");
    let name = cut(&project);
    let (_, before) = json(&project, &["history", "--format", "json"]);
    assert_eq!(before.as_array().map(Vec::len), Some(1));
    let ended = nightly(&project, &["--format", "json"]);
    ended.expect(0, &[&format!("nightly {name} was cut short: going on after 2 scenarios")]);
    // Each once, as though nothing had been.
    assert_eq!(scenarios(&ended), ALL);
    assert_eq!(ended.report["run"]["id"], name.as_str(), "{}", ended.report["run"]);
    assert_eq!(ended.report["run"]["state"], "finished");
    for name in ALL {
        assert_eq!(ended.junit.matches(&format!("name=\"{name}\"")).count(), 1, "{}", ended.junit);
    }
    let events: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let at = events.iter().position(|event| event["event"] == "run-resumed").expect("it says that it goes on");
    let queued = |events: &[Value]| -> Vec<u64> {
        events
            .iter()
            .filter(|event| event["event"] == "job-queued")
            .map(|event| event["job"].as_u64().unwrap())
            .collect()
    };
    let (earlier, later) = (queued(&events[..at]), queued(&events[at..]));
    assert_eq!(later.len(), 2, "only what was not done: {later:?}");
    assert!(earlier.iter().max() < later.iter().min(), "{earlier:?} {later:?}");
    // One run, whole, in the ledger.
    let rows = runs(&project);
    assert_eq!((rows.len(), &rows[0]["state"], &rows[0]["verdicts"]["pass"]), (1, &"finished".into(), &4.into()));
    project.tinyfarm(&["ledger", "verify"]).expect(0, &[]);
    let again = project.tinyfarm(&["report", "latest", "--report", "again"]);
    again.expect(0, &[]);
    for file in ["report.json", "junit.xml", "metrics.csv", "messages.ndjson", "evidence.jsonl"] {
        let read = |folder: &str| fs::read_to_string(project.path().join(folder).join(file)).unwrap();
        assert_eq!(read("report"), read("again"), "{file}");
    }
    // The next one is compared with all of it.
    nightly(&project, &[]).expect(0, &[&format!("since nightly {name}"), "4 series compared: 0 worse"]);
}

#[test]
fn one_that_was_killed_twice_goes_on_twice() {
    let project = project("");
    let name = cut(&project);
    let gate = project.path().join("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let mut running = Running::start(&project, &arguments(&["--format", "json"]));
    running.await_event("run-resumed");
    running.await_event("scenario-started");
    running.signal("KILL");
    running.ended(&project).expect(-1, &[]);
    fs::remove_file(gate).unwrap();
    let ended = nightly(&project, &[]);
    ended.expect(0, &[&format!("nightly {name} was cut short: going on after 2 scenarios")]);
    assert_eq!((scenarios(&ended), runs(&project).len()), (ALL.to_vec(), 1));
    project.tinyfarm(&["ledger", "verify"]).expect(0, &[]);
}

#[test]
fn what_was_killed_is_begun_anew_where_asked_for_or_where_its_files_are_no_more() {
    type Change = fn(&Project);
    let cases: [(Change, &[&str], &str); 5] = [
        (|_| {}, &["--fresh"], ""),
        (
            |project| {
                project.file("models/wave/wave.tflite", wave::worse_model());
            },
            &[],
            "is another file",
        ),
        (
            |_| {},
            &["--target", "qemu:mps2-an385"],
            "begins anew: models, datasets, targets, their tools, baselines or the configuration are not the same",
        ),
        (
            |project| {
                let file = fs::read_to_string(project.path().join("tinyfarm.toml")).unwrap();
                project.file("tinyfarm.toml", format!("retries = 3\n{file}"));
            },
            &[],
            "begins anew: models, datasets, targets, their tools, baselines or the configuration are not the same",
        ),
        (
            |project| {
                git(project, &["add", "-A"]);
                git(project, &["commit", "-q", "-m", "another"]);
            },
            &[],
            "begins anew: another commit is checked out",
        ),
    ];
    thread::scope(|scope| {
        for (change, more, why) in cases {
            scope.spawn(move || {
                let project = project("");
                git(&project, &["init", "-q", "-b", "main"]);
                git(&project, &["commit", "-q", "--allow-empty", "-m", "one"]);
                let name = cut(&project);
                change(&project);
                let ended = nightly(&project, more);
                ended.expect(0, &[why]);
                let said = ended.err.split_whitespace().collect::<Vec<_>>().join(" ");
                assert_eq!(said.contains(&format!("nightly {name} was cut short")), !why.is_empty(), "{said}");
                assert!(!said.contains("going on after"), "{said}");
                assert!(scenarios(&ended).len() >= 4);
                // One that did not come to its end is nothing to compare with, and not gone on with later.
                ended.expect(0, &["there is nothing to compare with"]);
                let states: Vec<_> = runs(&project).iter().map(|run| run["state"].clone()).collect();
                assert_eq!(states, ["finished", "cut"]);
            });
        }
    });
}

#[test]
fn boards_are_checked_first_and_standard_output_stays_with_the_events() {
    let project = project("[boards]\nbench = \"bench\"\nstate = \"state\"\nleases = \"leases\"\n");
    let boards = SimBoards::start(&project, &[]);
    boards.define(&project, 0, "one", "");
    let words = ["nightly", "--report", "report", "--target", "one"];
    let ended = project.tinyfarm(&[&words[..], &["--format", "json"]].concat());
    ended.expect(0, &["one: health check passed"]);
    assert!(!ended.out.contains("health check"), "{}", ended.out);
    assert_eq!(scenarios(&ended), ["wave over few on one", "wave over three on one"]);
    // One that is not well is told, and what it should have run is no pass.
    control(&project, "port-1", &["fault", "wrong-chip=9"]);
    let ended = project.tinyfarm(&words);
    ended.expect(3, &["one: health check failed"]);
    assert!(ended.out.contains("one: health check failed"), "{}", ended.out);
}

#[test]
fn what_was_killed_with_changes_or_while_it_was_interrupted_is_begun_anew() {
    let project = project("");
    git(&project, &["init", "-q", "-b", "main"]);
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-q", "-m", "one"]);
    let script = fs::read_to_string(project.path().join("qemu")).unwrap();
    let name = cut(&project);
    firmware::testing::write_program(&project.path().join("qemu"), &format!("{script}# Another word.\n")).unwrap();
    nightly(&project, &[]).expect(0, &[&format!("nightly {name} was cut short"), "files differ from the commit"]);
    git(&project, &["checkout", "-q", "qemu"]);
    // With the changes that were there then.
    fs::remove_file(project.path().join("ledger.sqlite")).unwrap();
    firmware::testing::write_program(&project.path().join("qemu"), &format!("{script}# Another word.\n")).unwrap();
    let name = cut(&project);
    git(&project, &["checkout", "-q", "qemu"]);
    nightly(&project, &[]).expect(0, &[&format!("nightly {name} was cut short"), "files differ from the commit"]);

    // Of an interruption that was not over when the kill came.
    fs::remove_file(project.path().join("ledger.sqlite")).unwrap();
    let name = cut(&project);
    let exported = project.tinyfarm(&["ledger", "export"]).out;
    let at = exported.rfind("\"event\":\"scenario-finished\"").expect("one is finished");
    let (before, last) = exported.split_at(at);
    let passed = "\"judgement\":{\"verdict\":\"pass\",\"reason\":\"\"}";
    assert!(last.contains(passed), "{last}");
    let last = last.replacen(passed, "\"judgement\":{\"verdict\":\"blocked\",\"reason\":\"interrupted\"}", 1);
    fs::remove_file(project.path().join("ledger.sqlite")).unwrap();
    project.file("export.jsonl", format!("{before}{last}"));
    project.tinyfarm(&["ledger", "import", "export.jsonl"]).expect(0, &[]);
    let ended = nightly(&project, &[]);
    ended.expect(0, &[&format!("nightly {name} was cut short"), "somebody had interrupted it"]);
    assert_eq!(scenarios(&ended), ALL);
}

#[test]
fn two_at_once_each_sweep_their_own() {
    let project = project("");
    let start = |target: &str| {
        let mut command = project.command(&["nightly", "--fresh", "--report", target, "--target", target]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for _ in 0..5 {
        for (target, child) in ["host", EMULATOR].map(|target| (target, start(target))) {
            let ended = project.ended(child.wait_with_output().unwrap());
            ended.expect(0, &["2 scenarios: 2 pass"]);
            assert!(ended.out.contains(&format!("wave over few on {target}")), "{}", ended.said());
        }
    }
}

#[test]
fn a_webhook_hears_of_a_night_that_did_not_come_to_its_end() {
    let server = Server::new(&[200, 200]);
    let project = project("");
    let ended = project.tinyfarm(&["nightly", "--target", "nothing", "--webhook", &server.url()]);
    ended.expect(2, &["no target is called `nothing`"]);
    let (_, body) = server.bodies().remove(0);
    assert_eq!((&body["exit_code"], &body["state"]), (&2.into(), &"none".into()), "{body}");
    assert!(body["error"].as_str().is_some_and(|error| error.contains("no target is called")), "{body}");
    // What ran stands, though what changed cannot be written.
    fs::create_dir_all(project.path().join("report/nightly-changes.md")).unwrap();
    let ended = on_host(&project, &["--webhook", &server.url()]);
    ended.expect(3, &["2 scenarios: 2 pass", "nightly-changes.md"]);
    let (_, body) = server.bodies().remove(1);
    assert_eq!((&body["exit_code"], &body["verdicts"]["pass"]), (&3.into(), &2.into()), "{body}");
}

#[test]
fn a_night_is_compared_with_those_of_its_branch() {
    let project = project("");
    git(&project, &["init", "-q", "-b", "main"]);
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-q", "-m", "one"]);
    on_host(&project, &[]).expect(0, &["no nightly of branch main before this one"]);
    git(&project, &["checkout", "-q", "-b", "worse"]);
    project.file("models/wave/wave.tflite", wave::worse_model());
    git(&project, &["commit", "-q", "-a", "-m", "worse"]);
    on_host(&project, &[]).expect(0, &["no nightly of branch worse before this one"]);
    // Merged without a look, it is told where it arrives.
    git(&project, &["checkout", "-q", "main"]);
    git(&project, &["merge", "-q", "worse"]);
    let ended = on_host(&project, &[]);
    ended.expect(1, &["2 series compared", "worse"]);
    assert!(!ended.said().contains(": 0 worse"), "{}", ended.said());
}

#[test]
fn a_target_that_is_not_known_ends_it_before_anything_runs() {
    let project = project("");
    project.tinyfarm(&["nightly", "--target", "qemu:mps2-an386x"]).expect(2, &["qemu:mps2-an386x", "qemu:mps2-an386"]);
    let empty = Project::new();
    empty.file("tinyfarm.toml", format!("models = [\"models\"]\ncache = \"{CACHE}\"\n"));
    empty.tinyfarm(&["nightly", "--target", "host"]).expect(2, &["there is nothing to sweep: no model has a dataset"]);
}

/// A server that answers with one status after the other, and keeps what it was sent.
struct Server {
    address: String,
    bodies: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Server {
    fn new(answers: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = bodies.clone();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let status = answers.get(number).copied().unwrap_or(418);
                answer(stream.unwrap(), status, &kept);
            }
        });
        Self { address, bodies }
    }

    fn url(&self) -> String {
        format!("http://user:word@{}/s3cret-path?key=s3cret", self.address)
    }

    fn bodies(&self) -> Vec<(String, Value)> {
        self.bodies.lock().unwrap().clone()
    }
}

fn answer(stream: TcpStream, status: u16, kept: &Mutex<Vec<(String, Value)>>) {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "a whole request");
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    // Before the answer: the program may be gone after it.
    kept.lock().unwrap().push((head, body));
    let reply = format!("HTTP/1.1 {status} Word\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    (&stream).write_all(reply.as_bytes()).unwrap();
}

/// No file of the project tells what is secret.
fn keeps_the_secret(project: &Project, ended: &Ended) {
    assert!(!ended.said().contains("s3cret") && !ended.said().contains("word@"), "{}", ended.said());
    let report = fs::read_dir(project.path().join("report")).unwrap().map(|entry| entry.unwrap().path());
    for file in report.chain([project.path().join("ledger.sqlite")]) {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"s3cret"), "{} tells it", file.display());
    }
    let history = project.tinyfarm(&["history", "--format", "json"]);
    assert!(!history.out.contains("s3cret"), "{}", history.out);
}

#[test]
fn a_webhook_is_sent_the_summary_once() {
    let server = Server::new(&[200, 200]);
    let project = project("");
    let ended = on_host(&project, &["--webhook", &server.url()]);
    ended.expect(0, &[]);
    keeps_the_secret(&project, &ended);
    let bodies = server.bodies();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let (head, body) = &bodies[0];
    assert!(head.starts_with("POST /s3cret-path?key=s3cret HTTP/1.1"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    let expected = serde_json::json!({
        "run": wave::latest(&project),
        "state": "finished",
        "error": null,
        "commit": null,
        "branch": null,
        "exit_code": 0,
        "verdicts": { "pass": 2, "inconclusive": 0, "blocked": 0, "infra": 0, "fail": 0 },
        "compared_with": null,
        "worse": 0,
        "newly_failing": [],
        "newly_passing": [],
        "retried": 0,
    });
    assert_eq!(*body, expected);
    // The next one, from the configuration, tells of a model that got worse.
    let config = fs::read_to_string(project.path().join("tinyfarm.toml")).unwrap();
    project.file("tinyfarm.toml", format!("{config}[nightly]\nwebhook = \"{}\"\n", server.url()));
    project.file("models/wave/wave.tflite", wave::worse_model());
    let ended = on_host(&project, &[]);
    ended.expect(1, &[]);
    keeps_the_secret(&project, &ended);
    let (_, body) = server.bodies().remove(1);
    assert_eq!((&body["exit_code"], &body["compared_with"]), (&1.into(), &expected["run"]), "{body}");
    assert!(body["worse"].as_u64() >= Some(2), "{body}");
}

#[test]
fn a_webhook_that_fails_is_tried_three_times_and_told_by_its_host() {
    let server = Server::new(&[500, 503, 500]);
    let project = project("");
    let ended = on_host(&project, &["--webhook", &server.url()]);
    ended.expect(3, &[&format!("the webhook at {} did not take the summary: it answered 500", server.address)]);
    keeps_the_secret(&project, &ended);
    assert_eq!(server.bodies().len(), 3);
    let bodies: BTreeSet<String> = server.bodies().iter().map(|(_, body)| body.to_string()).collect();
    assert_eq!(bodies.len(), 1, "the same each time");
    // It is not told as a run that failed.
    assert_eq!(
        (runs(&project)[0]["state"].as_str(), &server.bodies()[0].1["exit_code"]),
        (Some("finished"), &0.into())
    );
}

#[test]
fn a_webhook_that_takes_it_at_the_second_try_is_no_trouble() {
    let server = Server::new(&[500, 204]);
    on_host(&project(""), &["--webhook", &server.url()]).expect(0, &[]);
    assert_eq!(server.bodies().len(), 2);
}

#[test]
fn a_webhook_that_refuses_is_tried_once_and_one_that_redirects_is_not_followed() {
    for status in [&[404_u16][..], &[302]] {
        let server = Server::new(status);
        let ended = on_host(&project(""), &["--webhook", &server.url()]);
        ended.expect(3, &[&server.address, &format!("it answered {}", status[0])]);
        assert_eq!(server.bodies().len(), 1);
    }
    // Nobody listens there any more.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let project = project("");
    let ended = on_host(&project, &["--webhook", &format!("http://{address}/s3cret")]);
    ended.expect(3, &[&address.to_string(), "refused"]);
    keeps_the_secret(&project, &ended);
}

#[test]
fn an_address_that_is_none_ends_it_before_anything_runs() {
    let project = project("");
    for wrong in
        ["example.org/s3cret", "ftp://example.org/s3cret", "https://", "http://exa mple/s3cret", "http://a:b/x"]
    {
        let ended = on_host(&project, &["--webhook", wrong]);
        ended.expect(2, &["the address of the webhook is no http or https address", "https://example.org/hook"]);
        assert!(!ended.said().contains("s3cret"), "{}", ended.said());
    }
    assert!(!project.path().join("ledger.sqlite").exists() && !project.path().join("report").exists());
}
