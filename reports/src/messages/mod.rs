//! `messages.ndjson`: the run as Cucumber Messages, for the tools of the Cucumber ecosystem, such as its HTML formatter.
//!
//! The format is that of <https://github.com/cucumber/messages>, version 34: each line an envelope. A feature is told when
//! it is read, a scenario as a whole when it has its verdict, so that a killed run leaves whole lines and whole scenarios.
//! Identifiers are counted, and times are those of events: the same events give the same bytes.
//!
//! Cucumber knows other results than the farm:
//!
//! | verdict | status | message |
//! |---|---|---|
//! | pass | `PASSED` | |
//! | fail | `FAILED` | `fail: …` |
//! | infra | `FAILED` | `infra: …`, so that it is not taken for the model's fault |
//! | blocked | `SKIPPED` | `blocked: …` |
//! | inconclusive | `PENDING`: it is not decided yet, and is no pass | `inconclusive: …` |
//! | not reached | `SKIPPED` | |
//! | not passed, in quarantine | `SKIPPED`, as in JUnit | `quarantined by OWNER until DATE (REASON): fail: …` |
//!
//! A scenario in quarantine says so at its first step, also where it passed or the quarantine expired.
//! What a step found (jobs, attempts, criteria) is attached to it as a log, and so is the log of a job that did not pass.

mod gherkin_document;
mod outcome;
#[cfg(test)]
mod tests;

use crate::{Account, ReportError, ReportFolder, Reporter, account::JobAccount, text::escape};
use farm::{
    FarmEvent, JobId, Judgement, Origin, Quarantine, Stamped,
    events::{CriterionReport, ScenarioId, StepReport},
};
use gherkin_document::{Blueprint, Document};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

/// The file's name in the report folder.
pub const FILE: &str = "messages.ndjson";

/// The version of Cucumber Messages that is written.
const PROTOCOL: &str = "34.2.1";

/// Hands out identifiers.
#[derive(Debug, Default)]
struct Ids(u64);

impl Ids {
    fn next(&mut self) -> String {
        self.0 += 1;
        self.0.to_string()
    }
}

/// Writes [`FILE`].
#[derive(Debug)]
pub struct Messages {
    path: PathBuf,
    /// Held for its lock.
    _folder: ReportFolder,
    file: Option<File>,
    /// Length of the whole lines in the file.
    whole: u64,
    ids: Ids,
    run: String,
    documents: BTreeMap<String, Document>,
    open: BTreeMap<ScenarioId, Open>,
}

/// A scenario under way.
#[derive(Debug)]
struct Open {
    started: Timestamp,
    steps: Vec<Step>,
    /// What belongs to the step that is not finished yet.
    found: Found,
}

/// A step that ended or was not reached.
#[derive(Debug)]
struct Step {
    report: StepReport,
    began: Timestamp,
    ended: Timestamp,
    found: Found,
}

/// What a step found.
#[derive(Debug, Default)]
struct Found {
    /// A line for each job and criterion.
    lines: Vec<String>,
    /// The end of the log of each job that did not pass.
    logs: Vec<(JobId, String)>,
}

impl Messages {
    /// Into `folder`. The file of an earlier run stays until this one starts.
    pub fn new(folder: &ReportFolder) -> Self {
        Self {
            path: folder.path().join(FILE),
            _folder: folder.clone(),
            file: None,
            whole: 0,
            ids: Ids::default(),
            run: String::new(),
            documents: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    fn open(&mut self) -> io::Result<()> {
        self.whole = 0;
        // Append: after a cut the next line must not leave a hole.
        let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        if file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        self.file = Some(file);
        Ok(())
    }

    fn append(&mut self, envelopes: &[Value]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let lines: String = envelopes.iter().map(|envelope| plain(&envelope.to_string()) + "\n").collect();
        let written = file.write_all(lines.as_bytes());
        match &written {
            Ok(()) => self.whole += lines.len() as u64,
            // Half a scenario would mislead whoever reads it; what is whole stays. Later ones may fit again.
            Err(_) => drop(file.set_len(self.whole)),
        }
        written
    }

    fn take_in(&mut self, stamped: &Stamped, account: &Account) -> io::Result<()> {
        let at = stamped.at;
        match &stamped.event {
            FarmEvent::RunStarted { version, origin, .. } => {
                self.run = self.ids.next();
                self.open()?;
                let started = json!({ "testRunStarted": { "id": self.run, "timestamp": timestamp(at) } });
                self.append(&[meta(version, origin), started])
            }
            FarmEvent::RunResumed { .. } => {
                // What had begun begins anew.
                self.open.clear();
                Ok(())
            }
            FarmEvent::FeatureRead { path, text } => self.read(path, text),
            FarmEvent::ScenarioStarted { scenario, .. } => {
                let open = Open { started: at, steps: Vec::new(), found: Found::default() };
                self.open.insert(scenario.clone(), open);
                Ok(())
            }
            FarmEvent::JobUsed { scenario, job } => {
                self.used(scenario, account.jobs.get(job));
                Ok(())
            }
            FarmEvent::CriterionJudged { scenario, report } => {
                let place = account.label(&report.target);
                if let Some(open) = self.open.get_mut(scenario) {
                    open.found.lines.push(criterion(report, &place));
                }
                Ok(())
            }
            FarmEvent::StepFinished { scenario, report } => {
                if let Some(open) = self.open.get_mut(scenario) {
                    let before = open.steps.last().map_or(open.started, |step| step.ended);
                    let began = at.checked_sub(report.took).unwrap_or(before).clamp(before.min(at), at);
                    let found = std::mem::take(&mut open.found);
                    open.steps.push(Step { report: report.clone(), began, ended: at, found });
                }
                Ok(())
            }
            FarmEvent::ScenarioFinished { scenario, judgement, quarantine, .. } => {
                let Some(open) = self.open.remove(scenario) else { return Ok(()) };
                let envelopes = self.scenario(scenario, open, judgement, quarantine.as_ref(), at);
                self.append(&envelopes)
            }
            FarmEvent::RunFinished { .. } => self.end(stamped.at, account),
            _ => Ok(()),
        }
    }

    fn end(&mut self, at: Timestamp, account: &Account) -> io::Result<()> {
        let mut finished = json!({
            "testRunStartedId": self.run,
            "timestamp": timestamp(at),
            "success": outcome::succeeded(&account.tally),
        });
        if let Some(message) = outcome::run_message(&account.tally) {
            finished["message"] = message.into();
        }
        self.append(&[json!({ "testRunFinished": finished })])
    }

    fn read(&mut self, path: &str, text: &str) -> io::Result<()> {
        if self.documents.get(path).is_some_and(|known| known.text == text) {
            return Ok(());
        }
        let Some(mut document) = Document::parse(path, text, &mut self.ids) else { return Ok(()) };
        let source = json!({ "uri": path, "data": text, "mediaType": "text/x.cucumber.gherkin+plain" });
        let written = self.append(&[json!({ "source": source }), std::mem::take(&mut document.envelope)]);
        self.documents.insert(path.to_owned(), document);
        written
    }

    /// A scenario uses a job's evidence.
    fn used(&mut self, scenario: &ScenarioId, job: Option<&JobAccount>) {
        let (Some(open), Some(note)) = (self.open.get_mut(scenario), job) else { return };
        let reason = note.judgement.as_ref().map_or("", |judgement| judgement.reason.as_str());
        let mut line = format!(
            "{}: {} over {} on {}",
            note.own_word(),
            escape(&note.series().model),
            escape(&note.dataset),
            note.place
        );
        if !reason.is_empty() {
            line += &format!(": {}", escape(reason));
        }
        if note.attempts.len() > 1 {
            line += &format!(" (needed {} attempts)", note.attempts.len());
        }
        open.found.lines.push(line);
        if !note.tail().is_empty() {
            open.found.logs.push((note.id, note.tail().join("\n")));
        }
    }

    /// All messages of a scenario that has its verdict.
    fn scenario(
        &mut self,
        id: &ScenarioId,
        mut open: Open,
        judgement: &Judgement,
        quarantine: Option<&Quarantine>,
        ended: Timestamp,
    ) -> Vec<Value> {
        let mut envelopes = Vec::new();
        let known = self.documents.get(&id.path).and_then(|document| document.scenarios.get(&id.line));
        let blueprint = match known.filter(|blueprint| blueprint.is_of(open.steps.iter().map(|step| &step.report))) {
            Some(blueprint) => blueprint.clone(),
            None => {
                // The feature's text was not told, or is not what ran: what is known of the scenario stands for it.
                let (envelope, blueprint) =
                    Document::of_reports(id, open.steps.iter().map(|step| &step.report), &mut self.ids);
                envelopes.push(envelope);
                blueprint
            }
        };
        let Case { pickle, case, steps } = self.case(id, &blueprint);
        envelopes.extend([json!({ "pickle": pickle }), json!({ "testCase": case })]);
        let started = self.ids.next();
        let begun =
            json!({ "id": started, "testCaseId": case["id"], "attempt": 0, "timestamp": timestamp(open.started) });
        envelopes.push(json!({ "testCaseStarted": begun }));
        let reports: Vec<Option<&Judgement>> = open.steps.iter().map(|step| step.report.judgement.as_ref()).collect();
        let results = outcome::results(&reports, steps.len(), judgement, quarantine);
        if let (Some(it), Some(first)) = (quarantine, open.steps.first_mut()) {
            first.found.lines.insert(0, outcome::in_quarantine(it));
        }
        let mut told = open.steps.into_iter();
        for (step, result) in steps.into_iter().zip(results) {
            let of_step =
                |at: Timestamp| json!({ "testCaseStartedId": started, "testStepId": step, "timestamp": timestamp(at) });
            let told = told.next();
            let (began, finished) = told.as_ref().map_or((ended, ended), |step| (step.began, step.ended));
            envelopes.push(json!({ "testStepStarted": of_step(began) }));
            for attachment in told.iter().flat_map(|step| attachments(&step.found)) {
                let mut envelope = of_step(finished);
                envelope.as_object_mut().into_iter().for_each(|all| all.extend(attachment.clone()));
                envelopes.push(json!({ "attachment": envelope }));
            }
            let took = told.map_or_else(Default::default, |step| step.report.took);
            let mut end = of_step(finished);
            let (seconds, nanos) = (took.as_secs(), took.subsec_nanos());
            end["testStepResult"] =
                json!({ "status": result.status, "duration": { "seconds": seconds, "nanos": nanos } });
            if let Some(message) = result.message {
                end["testStepResult"]["message"] = message.into();
            }
            envelopes.push(json!({ "testStepFinished": end }));
        }
        let end = json!({ "testCaseStartedId": started, "timestamp": timestamp(ended), "willBeRetried": false });
        envelopes.push(json!({ "testCaseFinished": end }));
        envelopes
    }

    fn case(&mut self, id: &ScenarioId, blueprint: &Blueprint) -> Case {
        let (mut pickle_steps, mut test_steps, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        for step in &blueprint.steps {
            let (pickle_step, test_step) = (self.ids.next(), self.ids.next());
            let mut pickle =
                json!({ "id": pickle_step, "astNodeIds": step.nodes, "text": step.text, "type": step.kind });
            if let Some(argument) = &step.argument {
                pickle["argument"] = argument.clone();
            }
            pickle_steps.push(pickle);
            test_steps.push(json!({ "id": test_step, "pickleStepId": pickle_step, "stepDefinitionIds": [], "stepMatchArgumentsLists": [] }));
            steps.push(test_step);
        }
        let tag = |(name, node): &(String, String)| json!({ "name": name, "astNodeId": node });
        let pickle = json!({
            "id": self.ids.next(),
            "uri": id.path,
            "location": { "line": id.line },
            "name": escape(&id.name),
            "language": blueprint.language,
            "steps": pickle_steps,
            "tags": blueprint.tags.iter().map(tag).collect::<Vec<_>>(),
            "astNodeIds": blueprint.nodes,
        });
        let case = json!({
            "id": self.ids.next(),
            "pickleId": pickle["id"],
            "testRunStartedId": self.run,
            "testSteps": test_steps,
        });
        Case { pickle, case, steps }
    }
}

/// A pickle, its test case, and the identifiers of the latter's steps.
struct Case {
    pickle: Value,
    case: Value,
    steps: Vec<String>,
}

impl Reporter for Messages {
    fn name(&self) -> &str {
        "Cucumber Messages"
    }

    fn on(&mut self, event: &Stamped, account: &Account) -> Result<(), ReportError> {
        self.take_in(event, account).map_err(|cause| ReportError::write(&self.path, cause))
    }

    fn finish(&mut self, account: &Account) -> Result<(), ReportError> {
        // Of a run that was cut short; whoever reads must not take the silence for success.
        let ended = if account.tally.finished { Ok(()) } else { self.end(account.run.now, account) };
        ended.map_err(|cause| ReportError::write(&self.path, cause))?;
        match self.file.take() {
            Some(file) => file.sync_all().map_err(|cause| ReportError::write(&self.path, cause)),
            None => Ok(()),
        }
    }
}

fn meta(version: &str, origin: &Origin) -> Value {
    let product = |name: &str| json!({ "name": if name.is_empty() { "unknown".into() } else { escape(name) } });
    json!({ "meta": {
        "protocolVersion": PROTOCOL,
        "implementation": { "name": "tinyfarm", "version": version },
        "runtime": { "name": "Rust" },
        "os": product(&origin.machine.os),
        "cpu": product(&origin.machine.cpu),
    } })
}

fn criterion(report: &CriterionReport, place: &str) -> String {
    let Judgement { verdict, reason } = &report.judgement;
    let line =
        format!("{}: {} on {place}: found {}", verdict.word(), escape(&report.criterion), escape(&report.measured));
    if reason.is_empty() { line } else { format!("{line}; {}", escape(reason)) }
}

fn attachments(found: &Found) -> Vec<serde_json::Map<String, Value>> {
    let attachment = |body: &str, name: Option<String>| {
        let kind = if name.is_some() { "text/plain" } else { "text/x.cucumber.log+plain" };
        let mut all = json!({ "body": body, "contentEncoding": "IDENTITY", "mediaType": kind });
        if let Some(name) = name {
            all["fileName"] = name.into();
        }
        all.as_object().cloned().unwrap_or_default()
    };
    let lines = (!found.lines.is_empty()).then(|| attachment(&found.lines.join("\n"), None));
    let logs = found.logs.iter().map(|(job, log)| attachment(log, Some(format!("job-{}.log", job.0))));
    lines.into_iter().chain(logs).collect()
}

fn timestamp(at: Timestamp) -> Value {
    json!({ "seconds": at.as_second(), "nanos": at.subsec_nanosecond() })
}

/// JSON says control characters by number, but neither DEL nor what turns the direction of writing: a feature's text may
/// have them, and who prints the file would see something else than what is there.
fn plain(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    let mut buffer = [0; 4];
    for c in json.chars() {
        let harmless = c.is_ascii() && c != '\u{7f}' || escape(c.encode_utf8(&mut buffer)).len() == c.len_utf8();
        if harmless { line.push(c) } else { line += &format!("\\u{:04x}", u32::from(c)) }
    }
    line
}
