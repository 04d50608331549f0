//! `--format github`: plain lines for the log, and GitHub's workflow commands, which become annotations at the line of the
//! feature: fail is an error; infra, inconclusive, blocked and whatever is in quarantine a warning; a retried job a notice.
//!
//! GitHub shows ten annotations of each kind for a step and drops the others without a word. So of more than ten the worst
//! nine are annotations, and the tenth names the others.
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use crate::{
    Account, Console, ReportError, Reporter,
    account::{JobAccount, ScenarioAccount},
    describe,
    text::{self, escape},
};
use farm::{Stamped, Verdict};
use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// How many annotations of a kind GitHub shows for a step.
const MOST: usize = 10;

/// How many lines an annotation has at most.
const LINES: usize = 12;

/// How many are named in the annotation that stands for those that have none.
const NAMES: usize = 40;

/// Tells a run to GitHub Actions.
pub struct GitHub {
    out: Shared,
    console: Console,
}

impl GitHub {
    /// To `out`, which is standard output; `console` makes a console of the writer that it is given.
    pub fn new(out: Box<dyn Write + Send>, console: impl FnOnce(Box<dyn Write + Send>) -> Console) -> Self {
        let out = Shared(Arc::new(Mutex::new(out)));
        let console = console(Box::new(Tame(out.clone())));
        Self { out, console }
    }
}

impl Reporter for GitHub {
    fn name(&self) -> &str {
        "GitHub"
    }

    fn on(&mut self, event: &Stamped, account: &Account) -> Result<(), ReportError> {
        self.console.on(event, account)
    }

    fn idle(&mut self, account: &Account) -> Result<(), ReportError> {
        self.console.idle(account)
    }

    fn finish(&mut self, account: &Account) -> Result<(), ReportError> {
        let told = self.console.finish(account);
        let mut text = String::new();
        for command in annotations(account) {
            text.push_str(&command);
            text.push('\n');
        }
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        told.and(written.map_err(ReportError::Output))
    }

    fn tell(&mut self, error: &ReportError) -> bool {
        self.console.tell(error)
    }
}

/// An annotation to be.
pub(crate) struct Note {
    /// File and line.
    pub place: Option<(String, usize)>,
    pub title: String,
    pub text: String,
    /// What it is called where it is only named.
    pub name: String,
}

/// The workflow commands for a run.
fn annotations(account: &Account) -> Vec<String> {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    errors.extend(account.shortfall().map(|missing| {
        let name = format!("not a whole run: {missing}");
        Note { place: None, title: "run was cut short".to_owned(), text: missing, name }
    }));
    for scenario in account.worst_first() {
        match scenario.judgement.verdict {
            Verdict::Pass => {}
            Verdict::Fail if scenario.gates() => errors.push(of_scenario(scenario, account)),
            _ => warnings.push(of_scenario(scenario, account)),
        }
    }
    let notices = account.retried().map(|job| of_retried(job, account)).collect();
    [("error", errors), ("warning", warnings), ("notice", notices)]
        .into_iter()
        .flat_map(|(kind, notes)| commands(kind, notes))
        .collect()
}

fn of_scenario(scenario: &ScenarioAccount, account: &Account) -> Note {
    let name = text::short(&scenario.id.name);
    let mut lines: Vec<String> = scenario.quarantine.iter().map(describe::quarantine).collect();
    lines.extend(describe::trouble(scenario, account));
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("… and {more} more lines"));
    }
    let text = lines.iter().map(|line| text::short(line)).collect::<Vec<_>>().join("\n");
    let place = Some((account.file(&scenario.id.path), scenario.line()));
    let word = if scenario.gates() { "" } else { " (in quarantine)" };
    let title = format!("{}{word}: {name}", scenario.judgement.verdict);
    Note { place, title, text, name: format!("{name} ({}:{})", escape(&scenario.id.path), scenario.line()) }
}

fn of_retried(job: &JobAccount, account: &Account) -> Note {
    let user = account.scenarios.iter().find(|scenario| scenario.course.jobs.contains(&job.id));
    let needed = describe::needed(job.attempts.len()).unwrap_or_default();
    let name = describe::job(job);
    let lost = job.attempts.iter().filter(|attempt| attempt.report.verdict != Verdict::Pass);
    let reasons = lost.map(|attempt| {
        format!("attempt {}: {}: {}", attempt.report.number, attempt.report.verdict, attempt.report.reason)
    });
    let reasons: Vec<String> = reasons.take(LINES).map(|reason| text::short(&reason)).collect();
    let text = format!("{} {needed}\n{}", text::short(&name), reasons.join("\n"));
    let place = user.map(|scenario| (account.file(&scenario.id.path), scenario.id.line));
    Note { place, title: needed, text, name: text::short(&name) }
}

/// The commands for `notes`, the worst of which comes first.
pub(crate) fn commands(kind: &str, mut notes: Vec<Note>) -> Vec<String> {
    if notes.len() > MOST {
        let rest = notes.split_off(MOST - 1);
        let mut names: Vec<String> = rest.iter().take(NAMES).map(|note| note.name.clone()).collect();
        if rest.len() > NAMES {
            names.push(format!("and {} others", text::thousands((rest.len() - NAMES) as u64)));
        }
        let title = format!("and {} more", text::thousands(rest.len() as u64));
        let text = format!("GitHub shows {MOST} of each kind. The others: {}", names.join("; "));
        notes.push(Note { place: None, title, text, name: String::new() });
    }
    notes.iter().map(|note| command(kind, note)).collect()
}

fn command(kind: &str, note: &Note) -> String {
    let place =
        note.place.as_ref().map_or(String::new(), |(path, line)| format!("file={},line={line},", property(path)));
    let text: Vec<String> = note.text.lines().map(|line| data(&escape(line))).collect();
    format!("::{kind} {place}title={}::{}", property(&note.title), text.join("%0A"))
}

/// The text of a command, as the runner reads it (actions/runner, `ActionCommand`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(&escape(text)).replace(':', "%3A").replace(',', "%2C")
}

/// Standard output, which the console and the commands share.
#[derive(Clone)]
struct Shared(Arc<Mutex<Box<dyn Write + Send>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

/// Lets through lines of the console, none of which is a command: the runner takes for one what begins with `::` after
/// spaces, and an old one what has `##[` anywhere. A device could otherwise set the annotations of the run that tests it.
/// The console writes whole lines.
struct Tame(Shared);

impl Write for Tame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let mut tamed = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let start = line.len() - line.trim_start().len();
            tamed.push_str(&line[..start]);
            if line[start..].starts_with("::") {
                tamed.push_str("| ");
            }
            tamed.push_str(&line[start..].replace("##[", "# #["));
        }
        self.0.write_all(tamed.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::script;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What standard output gets of `events`.
    pub(crate) fn told(events: impl IntoIterator<Item = Stamped>) -> String {
        let kept = Kept::default();
        let mut github = GitHub::new(Box::new(kept.clone()), |out| Console::new(out, false, 0));
        script::play(&mut github, &events.into_iter().collect::<Vec<_>>());
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// The lines that the runner takes for commands.
    pub(crate) fn taken(text: &str) -> Vec<&str> {
        text.lines().filter(|line| line.trim_start().starts_with("::") || line.contains("##[")).collect()
    }

    #[test]
    fn a_fail_is_an_error_at_its_step_and_a_quarantined_one_a_warning() {
        let text = told(script::rich());
        insta::assert_snapshot!(taken(&text).join("\n"));
    }

    #[test]
    fn of_more_than_ten_the_last_names_the_rest() {
        let text = told(script::long(200));
        let commands = taken(&text);
        assert_eq!(commands.len(), 10, "{commands:#?}");
        assert!(
            commands[9]
                .starts_with("::error title=and 11 more::GitHub shows 10 of each kind. The others: Scenario 100 ")
        );
        assert!(commands[9].ends_with("Scenario 200 (features/hello_world.feature:201)"), "{}", commands[9]);
        let ten = told(script::long(100));
        assert_eq!(taken(&ten).len(), 10);
        assert!(!ten.contains("more::"));
    }

    #[test]
    fn properties_and_text_are_escaped_as_the_runner_reads_them() {
        let place = Some(("a,b:c%.feature".to_owned(), 7));
        let note =
            Note { place, title: "x::y,z".to_owned(), text: "50 %\r::set-env\nb".to_owned(), name: String::new() };
        let wanted = "::error file=a%2Cb%3Ac%25.feature,line=7,title=x%3A%3Ay%2Cz::50 %25\\r::set-env%0Ab";
        assert_eq!(command("error", &note), wanted);
    }

    #[test]
    fn a_line_of_the_console_is_never_a_command() {
        let kept = Kept::default();
        let mut tame = Tame(Shared(Arc::new(Mutex::new(Box::new(kept.clone())))));
        tame.write_all(b"  ::error::x\n::add-mask::y\nfine :: ##[error]\n").unwrap();
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "  | ::error::x\n| ::add-mask::y\nfine :: # #[error]\n");
    }

    #[test]
    fn half_a_run_is_an_error() {
        let events: Vec<Stamped> = script::long(5).collect();
        let text = told(events[..20].to_vec());
        assert!(taken(&text)[0].starts_with("::error title=run was cut short::"), "{text}");
    }
}
