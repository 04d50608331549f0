//! The figures of a job that are followed from run to run.

use crate::{Clock, Digest, Evidence, metrics::Summary, quantity::Unit};
use serde::{Deserialize, Serialize};

/// Which way a figure gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// The lower the better: errors, instructions, bytes.
    Lower,
    /// The higher the better: shares of right answers.
    Higher,
}

/// How a figure of two runs may be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// Deterministic: any difference is a change.
    Exact,
    /// Measured on a real clock: only a difference beyond the spread of earlier runs may be a change.
    Noisy,
    /// On a clock that no criterion may rest on: told, never compared.
    Informational,
}

/// What is known of a followed metric by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowedInfo {
    /// Its name; that of a criterion's metric wherever there is one.
    pub metric: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Which way it gets better.
    pub better: Better,
    /// How it may be compared. Of a simulated board a time is informational, whatever stands here.
    pub comparison: Comparison,
}

impl FollowedInfo {
    /// The figure that has this `value`.
    pub fn figure(&self, value: f64) -> FollowedFigure {
        let Self { metric, unit, better, comparison } = *self;
        FollowedFigure { metric, value, unit, better, comparison }
    }
}

const fn row(metric: &'static str, unit: Unit, better: Better, comparison: Comparison) -> FollowedInfo {
    FollowedInfo { metric, unit, better, comparison }
}

/// Every metric that is followed, in the order of reports.
static FOLLOWED: [FollowedInfo; 29] = {
    use Better::{Higher, Lower};
    use Comparison::{Exact, Informational, Noisy};
    use Unit::{Bytes, Instructions, Number, Samples, Seconds, Share};
    [
        row("top-1 accuracy", Share, Higher, Exact),
        row("misclassified samples", Samples, Lower, Exact),
        row("precision", Share, Higher, Exact),
        row("recall", Share, Higher, Exact),
        row("F1", Share, Higher, Exact),
        row("mean absolute error", Number, Lower, Exact),
        row("root mean square error", Number, Lower, Exact),
        row("maximum error", Number, Lower, Exact),
        row("instructions min", Instructions, Lower, Exact),
        row("instructions median", Instructions, Lower, Exact),
        row("instructions p90", Instructions, Lower, Exact),
        row("instructions p99", Instructions, Lower, Exact),
        row("instructions max", Instructions, Lower, Exact),
        row("latency min", Seconds, Lower, Noisy),
        row("latency median", Seconds, Lower, Noisy),
        row("latency p90", Seconds, Lower, Noisy),
        row("latency p99", Seconds, Lower, Noisy),
        row("latency max", Seconds, Lower, Noisy),
        row("host time min", Seconds, Lower, Informational),
        row("host time median", Seconds, Lower, Informational),
        row("host time p90", Seconds, Lower, Informational),
        row("host time p99", Seconds, Lower, Informational),
        row("host time max", Seconds, Lower, Informational),
        row("arena used", Bytes, Lower, Exact),
        row("firmware text", Bytes, Lower, Exact),
        row("firmware data", Bytes, Lower, Exact),
        row("firmware bss", Bytes, Lower, Exact),
        row("flash", Bytes, Lower, Exact),
        row("RAM", Bytes, Lower, Exact),
    ]
};

/// Every metric that is followed, in the order of reports.
pub fn all_followed() -> &'static [FollowedInfo] {
    &FOLLOWED
}

/// What is known of the metric of this name; `None` where it is not followed.
pub fn followed(metric: &str) -> Option<&'static FollowedInfo> {
    FOLLOWED.iter().find(|info| info.metric == metric)
}

/// One figure of a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FollowedFigure {
    /// The name of its metric; that of a criterion's metric wherever there is one.
    pub metric: &'static str,
    /// The value in the base unit: a share of 1, seconds, bytes, instructions, or the output's own unit.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
    /// Which way it gets better.
    pub better: Better,
    /// How it may be compared.
    pub comparison: Comparison,
}

/// The figures of a job, in the order of reports. One that is undefined (of no sample, or after an output that was not a
/// number) is not among them.
pub fn figures(summary: &Summary, simulated: bool) -> Vec<FollowedFigure> {
    let mut all = Vec::new();
    let mut put = |metric: &str, value: f64| {
        if let Some(info) = followed(metric)
            && value.is_finite()
        {
            all.push(info.figure(value));
        }
    };
    if let Some(seen) = &summary.classification {
        put("top-1 accuracy", seen.accuracy);
        put("misclassified samples", (seen.total - seen.correct) as f64);
        put("precision", seen.macro_precision);
        put("recall", seen.macro_recall);
        put("F1", seen.macro_f1);
    }
    if let Some(errors) = &summary.errors {
        put("mean absolute error", errors.mean_absolute);
        put("root mean square error", errors.root_mean_square);
        put("maximum error", errors.maximum);
    }
    let (clock, ticks) = (&summary.clock, &summary.ticks);
    let kind = match clock {
        clock if clock.counts_instructions() => "instructions",
        Clock::Host => "host time",
        _ => "latency",
    };
    let statistics =
        [("min", ticks.min), ("median", ticks.median), ("p90", ticks.p90), ("p99", ticks.p99), ("max", ticks.max)];
    for (statistic, ticks) in statistics {
        let metric = format!("{kind} {statistic}");
        if clock.counts_instructions() {
            put(&metric, ticks as f64);
        } else if let Some(time) = clock.duration(ticks) {
            put(&metric, time.as_secs_f64());
        }
    }
    put("arena used", summary.arena_used as f64);
    if let Some(size) = summary.footprint {
        put("firmware text", size.text as f64);
        put("firmware data", size.data as f64);
        put("firmware bss", size.bss as f64);
    }
    for (metric, bytes) in [("flash", summary.flash()), ("RAM", summary.ram())] {
        if let Some(bytes) = bytes {
            put(metric, bytes as f64);
        }
    }
    // A simulated board's seconds are made up; see `Kind::Latency` in the criteria.
    for figure in all.iter_mut().filter(|figure| simulated && figure.comparison == Comparison::Noisy) {
        figure.comparison = Comparison::Informational;
    }
    all
}

/// The digest of all outputs, in the order of the samples.
pub fn outputs_digest(evidence: &Evidence) -> Digest {
    Digest::of_parts(evidence.inferences.iter().map(|inference| inference.output.as_slice()))
}
