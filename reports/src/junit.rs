//! `junit.xml`: one test case for each scenario. Fail is a failure, infra and inconclusive are errors, blocked is
//! skipped, and so is what is in quarantine, whatever came of it; attempts, figures and criteria are in `system-out`.
//!
//! The file is replaced as a whole while the run goes on, so a killed run leaves a sound one. Until the run has ended it
//! holds an error, `run was cut short`, so that no CI takes half a run for a passed one.

use crate::{
    Account, ReportError, ReportFolder, Reporter,
    account::{Course, ScenarioAccount},
    describe,
    folder::{ReportFile, Throttle},
    text::escape,
};
use farm::{FarmEvent, Stamped, Verdict, events::ScenarioId};
use jiff::Timestamp;
use junit_report::{Duration, OffsetDateTime, Report, TestCase, TestResult, TestSuite};
use std::{collections::HashMap, io};

/// The file's name in the report folder.
pub const FILE: &str = "junit.xml";

/// Writes [`FILE`].
#[derive(Debug)]
pub struct JUnit {
    file: ReportFile,
    throttle: Throttle,
    /// When the last event happened; the run's clock for the throttle.
    now: Timestamp,
    suites: Vec<TestSuite>,
    /// Index into `suites` by the feature's path.
    places: HashMap<String, usize>,
}

impl JUnit {
    /// Into `folder`.
    pub fn new(folder: &ReportFolder) -> Self {
        Self {
            file: folder.file(FILE),
            throttle: Throttle::default(),
            now: Timestamp::UNIX_EPOCH,
            suites: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn add(&mut self, id: &ScenarioId, mut case: TestCase) {
        case.set_classname(&attribute(id.path.trim_end_matches(".feature")));
        case.set_filepath(&attribute(&id.path));
        let now = self.now;
        let index = *self.places.entry(id.path.clone()).or_insert_with(|| {
            let name = if id.feature.trim().is_empty() { &id.path } else { &id.feature };
            self.suites.push(suite(name, now));
            self.suites.len() - 1
        });
        self.suites[index].add_testcase(case);
    }

    fn write(&mut self, account: &Account, last: bool) -> Result<(), ReportError> {
        let mut report = Report::new();
        report.add_testsuites(self.suites.iter().cloned());
        if let Some(case) = shortfall(account, last) {
            let mut suite = suite("tinyfarm", self.now);
            suite.add_testcase(case);
            report.add_testsuite(suite);
        }
        let result = self.file.replace(last, |out| {
            report.write_xml(&mut *out).map_err(|error| match error {
                junit_report::Error::Io(error) => error,
                error => io::Error::other(error.to_string()),
            })?;
            out.write_all(b"\n")
        });
        self.throttle.written(self.now, *result.as_ref().unwrap_or(&0));
        result.map(drop)
    }
}

impl Reporter for JUnit {
    fn name(&self) -> &str {
        "JUnit"
    }

    fn on(&mut self, event: &Stamped, account: &Account) -> Result<(), ReportError> {
        self.now = event.at;
        if let Some(scenario) = account.ended(&event.event) {
            self.add(&scenario.id, case(scenario, account));
            self.throttle.note();
        }
        // At once when the run starts: the file of an earlier run must not stand for this one.
        let started = matches!(event.event, FarmEvent::RunStarted { .. });
        if started || self.throttle.due(event.at) { self.write(account, false) } else { Ok(()) }
    }

    fn idle(&mut self, account: &Account) -> Result<(), ReportError> {
        if self.throttle.due(Timestamp::now()) { self.write(account, false) } else { Ok(()) }
    }

    fn finish(&mut self, account: &Account) -> Result<(), ReportError> {
        for (id, course) in &account.open {
            let message = "the run ended before this scenario did";
            let mut case = TestCase::error(&name(id), Duration::ZERO, "not-run", message);
            case.set_system_out(&cdata(&output(course, None, account)));
            self.add(id, case);
        }
        self.write(account, true)
    }
}

/// The test case that stands for what has not been run; without it those scenarios would count as passed.
fn shortfall(account: &Account, last: bool) -> Option<TestCase> {
    let tally = &account.tally;
    if last && tally.nothing_to_run() {
        let message = "no scenario can have been touched by the change";
        let mut case = TestCase::skipped_with_cause("nothing had to run", "not-run", message);
        case.set_classname("tinyfarm");
        return Some(case);
    }
    let name = match () {
        () if !last || !tally.finished => "run was cut short",
        () if tally.not_run() > 0 || tally.stopped > 0 => "scenarios were not run",
        () if tally.judged() == 0 => "no scenario was run",
        () if tally.interrupted => "run was interrupted",
        () => "nothing that gates was run",
    };
    let mut case = TestCase::error(name, Duration::ZERO, "not-run", &attribute(&account.shortfall()?));
    case.set_classname("tinyfarm");
    Some(case)
}

fn case(scenario: &ScenarioAccount, account: &Account) -> TestCase {
    let name = name(&scenario.id);
    let message = attribute(&scenario.judgement.reason);
    let verdict = scenario.judgement.verdict;
    let time = Duration::try_from(scenario.took).unwrap_or(Duration::MAX);
    let quarantine = scenario.quarantine.as_ref().map(describe::quarantine);
    let exempt = scenario.quarantine.as_ref().filter(|quarantine| !quarantine.gates());
    let mut case = match verdict {
        _ if exempt.is_some() => {
            let message = format!("{}: {}", quarantine.as_deref().unwrap_or_default(), scenario.judgement);
            TestCase::skipped_with_cause(&name, "quarantined", &attribute(&message))
        }
        Verdict::Pass if account.is_idle(scenario) => TestCase::skipped_with_cause(&name, "no-room", &message),
        Verdict::Pass => TestCase::success(&name, time),
        Verdict::Fail => TestCase::failure(&name, time, verdict.word(), &message),
        Verdict::Infra | Verdict::Inconclusive => TestCase::error(&name, time, verdict.word(), &message),
        Verdict::Blocked => TestCase::skipped_with_cause(&name, verdict.word(), &message),
    };
    case.time = time;
    if let TestResult::Failure { cause, .. }
    | TestResult::Error { cause, .. }
    | TestResult::SkippedWithCause { cause, .. } = &mut case.result
    {
        *cause = Some(cdata(&describe::trouble(scenario, account).join("\n")));
    }
    let remark = Some(&scenario.judgement.reason).filter(|_| verdict == Verdict::Pass);
    let mut out = output(&scenario.course, remark, account);
    if let Some(quarantine) = quarantine {
        out = format!("{quarantine}\n{out}");
    }
    case.set_system_out(&cdata(&out));
    case
}

fn output(course: &Course, remark: Option<&String>, account: &Account) -> String {
    let mut lines = Vec::new();
    if !course.tags.is_empty() {
        lines.push(course.tags.iter().map(|tag| format!("@{}", escape(tag))).collect::<Vec<_>>().join(" "));
    }
    lines.extend(remark.filter(|remark| !remark.is_empty()).map(|remark| escape(remark).into_owned()));
    for step in &course.steps {
        let verdict = step.judgement.as_ref().map_or("not reached", |judgement| judgement.verdict.word());
        lines.push(format!("{verdict}: {}", describe::step(step)));
    }
    lines.extend(course.criteria.iter().map(|report| describe::criterion(report, account)));
    for job in course.jobs.iter().filter_map(|id| account.jobs.get(id)) {
        lines.extend(describe::job_lines(job, "", account));
    }
    lines.join("\n")
}

/// A scenario's name. The plan has seen to it that no two are alike, which GitLab needs; a line would change with every
/// edit above it, and CI would lose the scenario's history.
fn name(id: &ScenarioId) -> String {
    attribute(&id.name)
}

fn suite(name: &str, at: Timestamp) -> TestSuite {
    let mut suite = TestSuite::new(&attribute(name));
    suite.set_timestamp(OffsetDateTime::from_unix_timestamp(at.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH));
    suite
}

/// Text for an attribute. junit-report escapes what XML gives a meaning, and passes on characters that XML forbids in
/// any form; a reader would refuse the whole file for one of them.
fn attribute(text: &str) -> String {
    escape(text).into_owned()
}

/// Text for a CDATA section, from lines that are escaped. junit-report writes it as it is, so that `]]>` in it would end
/// the section: it is spread over two.
fn cdata(text: &str) -> String {
    text.replace("]]>", "]]]]><![CDATA[>")
}

#[cfg(test)]
#[path = "junit_tests.rs"]
mod tests;
