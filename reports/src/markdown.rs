//! `report.md`: for merge requests and job summaries. Short, the worst first, in what GitHub and GitLab both understand.
//!
//! Its length is bounded: a comment on GitHub has 65,536 characters at most, and no one reads them.

use crate::{
    account::{Account, ScenarioAccount},
    console::counts,
    describe,
    documents::Document,
    text::{self, escape},
};
use farm::{
    Availability, Verdict,
    history::{Better, Comparison, FollowedFigure, MetricHistory, Spread, shown},
};
use std::{fmt::Write as _, io};

/// The file's name in the report folder.
pub(crate) const FILE: &str = "report.md";

/// How many rows a section has at most.
const ROWS: usize = 20;

/// From how many bytes on no row is added.
const ENOUGH: usize = 50_000;

/// Writes [`FILE`].
pub(crate) struct Markdown;

impl Document for Markdown {
    fn file(&self) -> &'static str {
        FILE
    }

    fn name(&self) -> &'static str {
        "Markdown"
    }

    fn write(&self, account: &Account, out: &mut dyn io::Write) -> io::Result<()> {
        let mut page = Page::default();
        head(account, &mut page.0);
        let scenarios = account.worst_first();
        let troubled = scenarios.into_iter().filter(|scenario| scenario.judgement.verdict != Verdict::Pass);
        let (gating, exempt): (Vec<_>, Vec<_>) = troubled.partition(|scenario| scenario.gates());
        page.table("Did not pass", ["verdict", "scenario", "why"], gating.iter().copied().map(trouble));
        page.table("In quarantine, not counted", ["verdict", "scenario", "why"], exempt.iter().copied().map(trouble));
        let changes = changes(account);
        let rows = changes.iter().map(|change| change.cells.clone());
        page.table("Against the baseline", ["", "series", "metric", "baseline", "now"], rows);
        let retried: Vec<_> = account.retried().collect();
        let rows = retried.iter().map(|job| {
            let lost = job.attempts.iter().find(|attempt| attempt.report.verdict != Verdict::Pass);
            let why = lost.map_or("", |attempt| attempt.report.reason.lines().next().unwrap_or_default());
            let needed = describe::needed(job.attempts.len()).unwrap_or_default();
            [code(&text::short(&series(job))), needed, plain(&text::short(why))]
        });
        page.table("Needed another attempt", ["job", "", "first reason"], rows);
        let absent = account.targets.iter().filter_map(|target| match &target.availability {
            Availability::Absent { reason } => {
                Some([code(&text::short(&target.info.label())), plain(&text::short(reason))])
            }
            Availability::Ready { .. } => None,
        });
        let absent: Vec<_> = absent.collect();
        page.table("Targets left out", ["target", "why"], absent.into_iter());
        out.write_all(page.0.as_bytes())
    }
}

/// The verdict, the counts and where the run comes from.
fn head(account: &Account, page: &mut String) {
    let (run, tally) = (&account.run, &account.tally);
    let missing = account.shortfall();
    let verdict = account.outcome();
    let _ = writeln!(page, "## tinyfarm: {verdict}\n");
    let _ = writeln!(page, "{}", plain(&counts(tally)));
    if let Some(missing) = missing {
        let _ = writeln!(page, "\n**{missing}**");
    }
    let mut from = format!("run {}", code(&text::short(&run.id)));
    let origin = &run.origin;
    if let Some(commit) = &origin.commit {
        let commit: String = commit.chars().take(12).collect();
        let dirty = if origin.dirty { " with changes that are not committed" } else { "" };
        let _ = write!(from, ", commit {}{dirty}", code(&escape(&commit)));
    }
    if let Some(branch) = &origin.branch {
        let _ = write!(from, ", branch {}", code(&text::short(branch)));
    }
    if run.resumed > 0 {
        let _ = write!(from, ", resumed {}", text::count(run.resumed, "time"));
    }
    let _ = writeln!(page, "\n{from}");
}

fn trouble(scenario: &ScenarioAccount) -> [String; 3] {
    let place = format!("{}:{}", escape(&scenario.id.path), scenario.line());
    let name = format!("{}<br>{}", plain(&text::short(&scenario.id.name)), code(&text::short(&place)));
    let mut why = plain(&text::short(scenario.judgement.reason.lines().next().unwrap_or_default()));
    if let Some(step) = scenario.stumbled() {
        why = format!("{}<br>{why}", code(&text::short(&describe::step(step))));
    }
    if let Some(quarantine) = &scenario.quarantine {
        why = format!("{why}<br>{}", plain(&text::short(&describe::quarantine(quarantine))));
    }
    [format!("**{}**", scenario.judgement.verdict), name, why]
}

/// `hello_world over sine on qemu:mps2-an386`.
fn series(job: &crate::account::JobAccount) -> String {
    let place = farm::target::label(&job.target, job.simulated);
    format!("{} over {} on {place}", job.series().model, job.dataset)
}

/// A figure that is not what its baseline is.
struct Change {
    worse: bool,
    cells: [String; 5],
}

/// What changed, the worse first.
fn changes(account: &Account) -> Vec<Change> {
    let mut all = Vec::new();
    for job in account.jobs.values().filter(|job| job.rerun == 0) {
        for figure in &job.followed {
            let Some((baseline, known)) = job.known(figure.metric).and_then(|known| Some((known.baseline?, known)))
            else {
                continue;
            };
            let Some(word) = changed(figure, baseline, known) else { continue };
            let share = (figure.value - baseline) / baseline.abs() * 100.0;
            let share = if share.is_finite() { format!(" ({share:+.2} %)") } else { String::new() };
            let cells = [
                word.to_owned(),
                code(&text::short(&series(job))),
                figure.metric.to_owned(),
                plain(&shown(baseline, figure.unit)),
                plain(&format!("{}{share}", shown(figure.value, figure.unit))),
            ];
            all.push(Change { worse: word == WORSE, cells });
        }
    }
    all.sort_by_key(|change| !change.worse);
    all
}

const WORSE: &str = "**worse**";

/// In which way it changed; `None` where it did not, or where its clock cannot tell.
fn changed(figure: &FollowedFigure, baseline: f64, known: &MetricHistory) -> Option<&'static str> {
    let difference = figure.value - baseline;
    let beyond = match figure.comparison {
        Comparison::Exact => difference != 0.0,
        Comparison::Noisy => Spread::of(&known.points).is_some_and(|spread| {
            let far = 3.0 * spread.deviation;
            difference.abs() > far && (figure.value - spread.median).abs() > far
        }),
        Comparison::Informational => false,
    };
    let better = (difference < 0.0) == (figure.better == Better::Lower);
    beyond.then_some(if better { "better" } else { WORSE })
}

/// A text that stays short enough for a comment: of a long table the first rows.
#[derive(Debug, Default)]
pub struct Page(pub String);

impl Page {
    /// A section with a table, if there are rows. Cells are Markdown.
    pub fn table<const N: usize>(
        &mut self,
        title: &str,
        head: [&str; N],
        rows: impl ExactSizeIterator<Item = [String; N]>,
    ) {
        let count = rows.len();
        if count == 0 {
            return;
        }
        let _ = write!(self.0, "\n### {title}\n\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(N));
        let mut told = 0;
        for row in rows.take(ROWS) {
            if self.0.len() > ENOUGH {
                break;
            }
            let _ = writeln!(self.0, "| {} |", row.join(" | "));
            told += 1;
        }
        if told < count {
            let _ = writeln!(self.0, "\nand {} more", text::thousands((count - told) as u64));
        }
    }
}

/// Text that stays text: no markup, no link, and no mention of people or issues, which GitHub and GitLab find in any text
/// that is not code. A space without width after their signs keeps them from it.
pub fn plain(text: &str) -> String {
    let text = escape(text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '#' | '!' | '{' | '}' => out.extend(['\\', c]),
            c => out.push(c),
        }
        let next = rest.peek().copied().unwrap_or(' ');
        let mention =
            matches!(c, '@' | '#' | '!' | '$' | '~' | '%') && (next.is_alphanumeric() || "\"_".contains(next));
        let link = (c == ':' && next == '/') || (matches!(c, 'w' | 'W') && next == '.');
        if mention || link {
            out.push('\u{200b}');
        }
    }
    out
}

/// Text as code, in a cell of a table.
fn code(text: &str) -> String {
    let text = escape(text).replace('`', "'").replace('|', "\\|");
    // Of nothing but spaces it would be no code.
    format!("`{}`", if text.trim().is_empty() { "-" } else { &text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{documents::tests::written, script};

    #[test]
    fn the_worst_comes_first_and_changes_are_told() {
        insta::assert_snapshot!(written(&Markdown, &script::rich()));
    }

    #[test]
    fn what_people_wrote_is_no_markup() {
        insta::assert_snapshot!(written(&Markdown, &script::every_verdict()));
    }

    #[test]
    fn a_thousand_failures_fit_into_a_comment() {
        let events: Vec<_> = script::long(10_000).collect();
        let text = written(&Markdown, &events);
        assert!(text.len() < 10_000, "{}", text.len());
        assert!(text.contains("\nand 980 more\n"), "{text}");
    }

    #[test]
    fn a_run_that_was_cut_short_is_not_called_a_pass() {
        let events: Vec<_> = script::long(9).collect();
        let cut = written(&Markdown, &events[..events.len() - 1]);
        assert!(cut.starts_with("## tinyfarm: incomplete\n"), "{cut}");
        assert!(written(&Markdown, &events).starts_with("## tinyfarm: pass\n"));
    }

    #[test]
    fn mentions_and_links_are_broken() {
        assert_eq!(
            plain("@qa #12 !3 http://x www.x 90 %"),
            "@\u{200b}qa \\#\u{200b}12 \\!\u{200b}3 http:\u{200b}//x www\u{200b}.x 90 %"
        );
        assert_eq!(plain("a|<b>`_*[x](y)"), "a\\|&lt;b&gt;\\`\\_\\*\\[x\\](y)");
        assert_eq!(code("a`|b"), "`a'\\|b`");
    }
}
