//! What is told at the end: the table of model by target, the counts, the reasons, what was left out.

use super::{Table, style::Style};
use crate::{
    Account, Tally,
    account::JobAccount,
    describe,
    text::{self, escape},
};
use farm::{Judgement, TargetId, Verdict, events::ScenarioId};
use std::collections::BTreeMap;

/// How many rows the table may have; a table of thousands helps no one.
const ROWS: usize = 200;

/// How many lines tell what did not pass; each was told when it happened, and the report has them all.
const REASONS: usize = 100;

/// How many jobs that needed another attempt are named.
const RETRIED: usize = 20;

/// The table of model by target. Jobs of the same model, dataset and target share a row, which shows the heaviest; those
/// for which the target has no room have a row of their own, and do not hide the others.
pub(crate) fn table(account: &Account, order: &[TargetId], style: Style) -> Vec<String> {
    let place = |target: &TargetId| order.iter().position(|known| known == target).unwrap_or(order.len());
    let mut groups: BTreeMap<_, Vec<&JobAccount>> = BTreeMap::new();
    for note in account.jobs.values() {
        let key = (note.series().model, &note.dataset, place(&note.target), &note.place, note.no_room);
        groups.entry(key).or_default().push(note);
    }
    let mut rows: Vec<(&JobAccount, usize)> = groups
        .into_values()
        .filter_map(|notes| {
            let count = notes.len();
            notes.into_iter().max_by_key(|note| (note.verdict, std::cmp::Reverse(note.id))).map(|note| (note, count))
        })
        .collect();
    let all = rows.len();
    if all > ROWS {
        // What did not pass stays, as far as there is room, in its place.
        let mut weights: Vec<_> = rows.iter().enumerate().map(|(at, (note, _))| (note.verdict, at)).collect();
        weights.sort_by_key(|(verdict, at)| (std::cmp::Reverse(*verdict), *at));
        let mut kept: Vec<usize> = weights.into_iter().take(ROWS).map(|(_, at)| at).collect();
        kept.sort_unstable();
        rows = kept.into_iter().map(|at| rows[at]).collect();
    }
    let mut lines = grouped(&rows, style);
    if all > ROWS {
        let rest = text::thousands((all - ROWS) as u64);
        lines.push(format!("… and {rest} more, the passes first to be left out; the report has them all"));
    }
    lines
}

/// Rows under a heading for each model and dataset, all in the same columns.
fn grouped(rows: &[(&JobAccount, usize)], style: Style) -> Vec<String> {
    let mut table = Table::new(&[
        ("target", false),
        ("verdict", false),
        ("accuracy", true),
        ("median", true),
        ("p99", true),
        ("clock", false),
        ("arena", true),
        ("flash", true),
        ("RAM", true),
    ]);
    for (note, count) in rows {
        let target = note.place.clone();
        let target = if *count > 1 { format!("{target} ({})", text::count(*count, "job")) } else { target };
        let mut cells = vec![target, note.word().to_owned()];
        if let Some(figures) = note.figures() {
            cells.push(figures.quality.short());
            cells.push(text::ticks(&figures.clock, figures.median));
            cells.push(text::ticks(&figures.clock, figures.p99));
            cells.push(text::clock(&figures.clock).to_owned());
            cells.push(text::bytes(figures.arena_used));
            let size = |size: Option<u64>| size.map_or("-".to_owned(), text::bytes);
            cells.extend([size(figures.flash), size(figures.ram)]);
        }
        table.row(cells);
    }
    let (head, cells) = table.lines(|row, column, cell| match (column, rows[row].0.verdict) {
        // Whether that was wanted is the scenario's to say.
        (1, Some(_)) if rows[row].0.no_room => style.verdict(Verdict::Blocked, cell),
        (1, Some(verdict)) => style.verdict(verdict, cell),
        _ => cell.to_owned(),
    });
    let mut lines = Vec::new();
    let mut group = None;
    for ((note, _), line) in rows.iter().zip(cells) {
        let pair = (note.series().model, &note.dataset);
        if group.as_ref() != Some(&pair) {
            let samples = note.planned.or(note.figures().map(|figures| figures.samples));
            let samples = samples.map_or(String::new(), |samples| format!(" ({})", text::count(samples, "sample")));
            lines.push(String::new());
            lines.push(style.bold(&format!("{} over {}{samples}", escape(&pair.0), escape(&note.dataset))));
            lines.push(format!("  {}", style.dim(&head)));
            group = Some(pair);
        }
        lines.push(format!("  {line}"));
    }
    lines
}

/// The scenarios by verdict, in a line.
pub(crate) fn counts(tally: &Tally, style: Style) -> String {
    let mut parts: Vec<String> = tally
        .counts()
        .into_iter()
        .filter(|(verdict, count)| *count > 0 || *verdict == Verdict::Pass)
        .map(|(verdict, count)| style.verdict(verdict, &format!("{} {verdict}", text::thousands(count as u64))))
        .collect();
    if tally.idle > 0 {
        let idle = text::thousands(tally.idle as u64);
        parts[0] = format!("{} ({idle} of them ran nothing: no room for the model)", parts[0]);
    }
    if tally.in_quarantine() > 0 {
        let each = tally.quarantined.iter().rev().map(|(verdict, count)| format!("{count} {verdict}"));
        let each: Vec<String> = each.collect();
        parts.push(format!("{} quarantined ({})", tally.in_quarantine(), each.join(", ")));
    }
    if tally.not_run() > 0 {
        parts.push(style.red(&format!("{} not run", text::thousands(tally.not_run() as u64))));
    }
    let took = tally.took.map_or(String::new(), |took| format!(", in {}", text::time(took)));
    let left_out = match tally.left_out {
        0 => String::new(),
        left => format!("; {} left out, which the change cannot have touched", text::count(left, "scenario")),
    };
    format!("{}: {}{took}{left_out}", text::count(tally.planned.max(tally.judged()), "scenario"), parts.join(", "))
}

/// Jobs that needed more than one attempt, by number.
pub(crate) fn retried(account: &Account) -> Vec<String> {
    let notes: Vec<&JobAccount> = account.retried().collect();
    let line =
        |note: &&JobAccount| Some(format!("  {} {}", describe::job(note), describe::needed(note.attempts.len())?));
    let mut lines: Vec<String> = notes.iter().take(RETRIED).filter_map(line).collect();
    if notes.len() > RETRIED {
        lines
            .push(format!("  … and {} more; the report has them all", text::thousands((notes.len() - RETRIED) as u64)));
    }
    lines
}

/// Why scenarios did not pass, the heaviest verdict first; those of one reason together.
pub(crate) fn reasons(scenarios: &[(ScenarioId, Judgement)], style: Style) -> Vec<String> {
    let mut groups: Vec<(&Judgement, Vec<&ScenarioId>)> = Vec::new();
    let mut known: std::collections::HashMap<(Verdict, &str), usize> = Default::default();
    for (id, judgement) in scenarios {
        let index = *known.entry((judgement.verdict, &judgement.reason)).or_insert_with(|| {
            groups.push((judgement, Vec::new()));
            groups.len() - 1
        });
        groups[index].1.push(id);
    }
    groups.sort_by_key(|(judgement, _)| std::cmp::Reverse(judgement.verdict));
    let mut lines = Vec::new();
    for (judgement, ids) in groups {
        // The first line of a compiler's message is enough here; the whole was told when it happened.
        let first = judgement.reason.lines().next().unwrap_or_default();
        let word = style.verdict(judgement.verdict, judgement.verdict.word());
        lines.push(format!("  {word}: {}", text::short(first)));
        lines.extend(ids.iter().map(|id| format!("    {}  {}", describe::place(id), escape(&id.name))));
    }
    if lines.len() > REASONS {
        let more = lines.len() - REASONS;
        lines.truncate(REASONS);
        lines.push(format!("  … and {}: see above", text::count(more, "more line")));
    }
    lines
}
