//! Jobs compared with their baselines. A time that seems worse is measured again before it counts.

use super::{
    judge::nothing_is_no_pass,
    seat::{Ran, Seat},
    words,
};
use crate::baseline::NotWorse;
use farm::{
    JobSpec, Judgement, Verdict,
    history::{Baseline, Change, Compared, HistoryError, Measured, OUTPUTS, Series, compare, shown},
};
use std::{collections::BTreeMap, sync::Arc};

/// Values of a noisy metric in the runs that the baseline may stand among.
type Among = BTreeMap<String, Vec<f64>>;

/// A judgement, and the figure where it is of one.
struct Found {
    measured: String,
    value: Option<f64>,
    judgement: Judgement,
}

impl Found {
    fn nothing(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { measured: "nothing".to_owned(), value: None, judgement: Judgement::new(verdict, reason) }
    }
}

impl Seat {
    /// Compares every job of the latest run with its baseline. One that was left out because the model does not fit there
    /// is only told, unless it once did.
    pub(super) async fn not_worse(&mut self, wanted: &NotWorse) -> Judgement {
        let mut judgements = Vec::new();
        let left_out = self.left_out.clone();
        for ran in self.latest.clone().iter().chain(&left_out) {
            let found = match self.known(ran).await {
                Err(found) => found,
                Ok((None, _)) if ran.result.summary.is_none() => {
                    judgements.push(Judgement::new(Verdict::Pass, ""));
                    continue;
                }
                Ok((None, series)) => Found {
                    measured: "no baseline".to_owned(),
                    ..Found::nothing(Verdict::Inconclusive, no_baseline(&series, ""))
                },
                Ok((Some((baseline, among)), series)) => self.compared(wanted, ran, &series, &baseline, &among).await,
            };
            let Found { measured, value, judgement } = found;
            let remark = judgement.reason.clone();
            let judged = self.judged(ran, wanted.to_string(), measured, value, judgement);
            // Unlike other criteria, this one may pass with a remark, and that is to be seen.
            judgements.push(match judged.verdict {
                Verdict::Pass => words::of_target(ran, &Judgement::new(Verdict::Pass, remark)),
                _ => judged,
            });
        }
        nothing_is_no_pass(judgements)
    }

    /// The baseline of a job's series, and what its noisy figures were.
    async fn known(&self, ran: &Ran) -> Result<(Option<(Baseline, Among)>, Series), Found> {
        let Some(history) = self.shared.history.clone() else {
            let reason = "there is no ledger to look the baseline up in: run without `--no-ledger`";
            return Err(Found::nothing(Verdict::Blocked, reason));
        };
        let series = Series::of(&ran.result.report);
        let of = series.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let Some(baseline) = history.baseline(&of)? else { return Ok(None) };
            let mut among = Among::new();
            for (metric, accepted) in &baseline.figures {
                if farm::history::followed(metric)
                    .is_some_and(|info| info.comparison == farm::history::Comparison::Noisy)
                {
                    among.insert(metric.clone(), history.among(&of, metric, &accepted.standing())?);
                }
            }
            Ok(Some((baseline, among)))
        });
        match asked.await {
            Ok(Ok(known)) => Ok((known, series)),
            Ok(Err(HistoryError(reason))) => Err(Found::nothing(Verdict::Blocked, HistoryError(reason).to_string())),
            Err(panic) => Err(Found::nothing(Verdict::Infra, format!("tinyfarm bug: reading the ledger: {panic}"))),
        }
    }

    async fn compared(
        &self,
        wanted: &NotWorse,
        ran: &Ran,
        series: &Series,
        baseline: &Baseline,
        among: &Among,
    ) -> Found {
        let of_metric = |compared: &Compared| wanted.metric.is_none_or(|metric| compared.metric == metric);
        let against = |measured: &Measured| -> Vec<Compared> {
            let among = |metric: &str| among.get(metric).cloned().unwrap_or_default();
            compare(baseline, measured, wanted.tolerance(), &among).into_iter().filter(of_metric).collect()
        };
        let (Some(summary), Some(evidence)) = (&ran.result.summary, &ran.result.report.evidence) else {
            let reason = format!(
                "it ran when the baseline was accepted{}, and now: {}",
                of_run(baseline),
                ran.result.report.judgement.reason
            );
            return Found {
                measured: "no evidence".to_owned(),
                value: None,
                judgement: Judgement::new(Verdict::Fail, reason),
            };
        };
        let mut all = against(&Measured::of(summary, evidence));
        let mut remarks: Vec<String> = Vec::new();
        let mut unconfirmed = None;
        if all.iter().any(|one| one.noisy && one.change.is_worse()) {
            let again = self.again(ran).await;
            match (&again.result.summary, &again.result.report.evidence) {
                (Some(summary), Some(evidence)) => {
                    confirm(&mut all, &against(&Measured::of(summary, evidence)), &mut remarks)
                }
                _ => unconfirmed = Some(again.result.report.judgement.clone()),
            }
        }
        let worse = named(&all, Change::is_worse);
        let judgement = if let Some(again) = unconfirmed {
            let sure = all.iter().any(|one| one.change.is_worse() && !one.noisy);
            let verdict = if sure { Verdict::Fail } else { again.verdict };
            let reason =
                format!("{}; measured again to be sure, it brought no evidence: {}", worse.join("; "), again.reason);
            Judgement::new(verdict, reason)
        } else if !worse.is_empty() {
            Judgement::new(Verdict::Fail, format!("worse than the baseline{}: {}", of_run(baseline), worse.join("; ")))
        } else if let Some(why) = undecided(wanted, series, &all) {
            Judgement::new(Verdict::Inconclusive, why)
        } else {
            remarks.extend(asides(&all));
            Judgement::new(Verdict::Pass, remarks.join("; "))
        };
        let (measured, value) = match (wanted.metric, all.first()) {
            (Some(_), Some(Compared { after: Some(value), unit, .. })) => (shown(*value, *unit), Some(*value)),
            (Some(_), Some(one)) => (one.words.clone(), None),
            _ => (counted(&all), None),
        };
        Found { measured, value, judgement }
    }

    /// Measures a job again, where it ran.
    async fn again(&self, ran: &Ran) -> Ran {
        let spec =
            JobSpec { target: ran.target.clone(), alternates: Vec::new(), rerun: 1, ..JobSpec::clone(&ran.spec) };
        self.ask(Arc::new(spec)).await
    }
}

/// What is noisy is worse only if it is so `again`.
fn confirm(all: &mut [Compared], again: &[Compared], remarks: &mut Vec<String>) {
    for one in all.iter_mut().filter(|one| one.noisy && one.change.is_worse()) {
        let second = again.iter().find(|second| second.metric == one.metric);
        let value = second.and_then(|second| second.after).map_or("nothing".to_owned(), |value| shown(value, one.unit));
        if second.is_some_and(|second| second.change.is_worse()) {
            one.words = format!("{}, and {value} when measured again", one.words);
        } else {
            remarks.push(format!(
                "{} seemed worse than the baseline, {}, and was not when measured again: {value}",
                one.metric, one.words
            ));
            one.change = Change::Same;
        }
    }
}

/// Those whose change is as wanted, in words.
fn named(all: &[Compared], wanted: fn(Change) -> bool) -> Vec<String> {
    let words = |one: &Compared| match one.metric.as_str() {
        OUTPUTS => format!("the outputs are {}", one.words),
        metric => format!("{metric} {}", one.words),
    };
    all.iter().filter(|one| wanted(one.change)).map(words).collect()
}

/// What a pass is to say beside: what was not compared, though one may think so.
fn asides(all: &[Compared]) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(outputs) = all.iter().find(|one| one.metric == OUTPUTS && one.change == Change::Informational) {
        told.push(format!("the outputs are {}", outputs.words));
    }
    let new: Vec<&str> = all.iter().filter(|one| one.change == Change::New).map(|one| one.metric.as_str()).collect();
    if !new.is_empty() {
        told.push(format!("not in the baseline: {}", new.join(", ")));
    }
    told
}

/// Why it cannot be said that nothing is worse, where nothing is known to be.
fn undecided(wanted: &NotWorse, series: &Series, all: &[Compared]) -> Option<String> {
    let open = named(all, Change::is_open);
    if all.iter().any(|one| one.change == Change::Incomparable) {
        return Some(format!(
            "the baseline was measured with other data than `{}` holds now: accept a run with these with `tinyfarm baseline accept --reason TEXT`",
            series.dataset
        ));
    }
    if !open.is_empty() {
        return Some(open.join("; "));
    }
    if all.iter().any(is_compared) {
        return None;
    }
    Some(match (all.iter().all(|one| one.change == Change::New), wanted.metric) {
        (true, Some(metric)) => no_baseline(series, &format!(" of {metric}")),
        (true, None) => no_baseline(series, " of anything that was measured"),
        (false, _) => named(all, |_| true).join("; "),
    })
}

fn is_compared(one: &Compared) -> bool {
    matches!(one.change, Change::Same | Change::Better | Change::Worse | Change::Different)
}

/// How many were compared, in words.
fn counted(all: &[Compared]) -> String {
    let count = |wanted: fn(&Compared) -> bool| all.iter().filter(|one| wanted(one)).count();
    let (compared, worse) = (count(is_compared), count(|one| one.change.is_worse()));
    let open = count(|one| one.change.is_open());
    let worse = if worse == 0 { "none".to_owned() } else { worse.to_string() };
    let open = if open == 0 { String::new() } else { format!(", {open} undecided") };
    match compared {
        0 => "nothing that can be compared".to_owned(),
        _ => format!("{compared} compared, {worse} worse{open}"),
    }
}

/// What is missing, and the mend.
fn no_baseline(series: &Series, of: &str) -> String {
    let Series { model, dataset, .. } = series;
    format!(
        "there is no baseline{of} for `{model}` over `{dataset}` here: accept one with `tinyfarm baseline accept --reason TEXT`"
    )
}

/// The run that the baseline is of, if it is of one.
fn of_run(baseline: &Baseline) -> String {
    let figures = baseline.figures.values().map(|accepted| (&accepted.run, &accepted.commit));
    let mut runs: Vec<_> =
        figures.chain(baseline.outputs.iter().map(|accepted| (&accepted.run, &accepted.commit))).collect();
    runs.dedup();
    match runs.as_slice() {
        [(run, Some(commit))] => format!(" (run {run}, commit {})", commit.get(..12).unwrap_or(commit)),
        [(run, None)] => format!(" (run {run})"),
        _ => String::new(),
    }
}
