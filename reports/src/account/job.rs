//! What is kept of a job.

use crate::{
    figures::Figures,
    text::{self, escape},
};
use farm::{
    AttemptReport, Fault, Inference, JobId, JobReport, Judgement, Provenance, TargetId, Verdict,
    history::{FollowedFigure, MetricHistory, Series, figures},
    metrics::Summary,
    target::label,
};
use jiff::Timestamp;
use std::sync::Arc;

/// How many lines of the log of a job that did not pass are kept.
const TAIL: usize = 40;

/// How many of these fit into a line-by-line report.
const SHORT_TAIL: usize = 12;

/// How many buckets a histogram has at most.
const BUCKETS: u64 = 64;

/// An attempt, and when it was.
#[derive(Debug, Clone)]
pub(crate) struct AttemptAccount {
    /// How it ended.
    pub report: AttemptReport,
    /// When it had its target.
    pub started: Timestamp,
    /// When it gave it back.
    pub ended: Timestamp,
}

/// The outputs for one sample, as far as they can be told equal or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Hash of the output tensors' bytes. Only to be compared within a run.
    pub hash: u64,
}

/// How many inferences took so many ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// The fewest ticks that fall into it.
    pub from: u64,
    /// The most.
    pub to: u64,
    /// How many inferences.
    pub count: u64,
}

/// How ticks are distributed; small, for there are ten thousands of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    from: u64,
    to: u64,
    width: u64,
    counts: Box<[u32]>,
}

impl Histogram {
    /// Counts the ticks of `inferences` in buckets of equal width.
    pub fn of(inferences: &[Inference]) -> Self {
        let ticks = || inferences.iter().map(|inference| inference.ticks);
        let (Some(from), Some(to)) = (ticks().min(), ticks().max()) else { return Self::default() };
        let width = (to - from) / BUCKETS + 1;
        let mut counts = vec![0_u32; ((to - from) / width) as usize + 1];
        ticks().for_each(|ticks| counts[((ticks - from) / width) as usize] += 1);
        Self { from, to, width, counts: counts.into() }
    }

    /// Its buckets, from the fewest ticks to the most.
    pub fn buckets(&self) -> Vec<Bucket> {
        let bucket = |(index, count): (u64, &u32)| {
            let from = self.from.saturating_add(index * self.width);
            Bucket { from, to: from.saturating_add(self.width - 1).min(self.to), count: u64::from(*count) }
        };
        (0..).zip(&self.counts).map(bucket).collect()
    }
}

/// A job.
#[derive(Debug, Clone)]
pub(crate) struct JobAccount {
    /// Its number.
    pub id: JobId,
    /// Model by name.
    pub model: String,
    /// Dataset by name.
    pub dataset: String,
    /// Where its last attempt ran, or its first would have.
    pub target: TargetId,
    /// The same as people are to read it, escaped: `nucleo-1`, `sim-1 (simulated)`; while it may still run on several,
    /// `any of nucleo-1, nucleo-2`.
    pub place: String,
    /// Whether that only plays a board.
    pub simulated: bool,
    /// How many samples it has, where that was told.
    pub planned: Option<usize>,
    /// How it ended by itself; `None` until it did.
    pub judgement: Option<Judgement>,
    /// The heaviest of its own verdict and those of the criteria judged on its evidence.
    pub verdict: Option<Verdict>,
    /// Whether the target has no room for the model: a fail by itself, and often what a scenario wants or allows.
    pub no_room: bool,
    /// Every attempt that ended, in order.
    pub attempts: Vec<AttemptAccount>,
    /// The figures drawn from its evidence; `None` where none came back.
    pub summary: Option<Arc<Summary>>,
    /// What made its evidence.
    pub provenance: Option<Provenance>,
    /// The core it ran on, in the runner's words.
    pub core: Option<String>,
    /// The figures that are followed from run to run.
    pub followed: Vec<FollowedFigure>,
    /// What was known of them before.
    pub history: Vec<MetricHistory>,
    /// How ticks are distributed: no more than 64 buckets between smallest and largest, none empty left out.
    pub ticks: Histogram,
    /// The log's last 40 lines, escaped; only where it is no pass.
    pub log_tail: Vec<String>,
    /// The outputs, sample by sample; none where no evidence came back.
    pub samples: Arc<[Answer]>,
    /// Whether it ran on the model's own firmware.
    pub own_firmware: bool,
    /// Which measurement it was of those that are otherwise the same; 0 for the first.
    pub rerun: u32,
}

impl JobAccount {
    /// A job of which nothing but this is known.
    pub fn new(id: JobId, model: &str, dataset: &str, target: &TargetId, simulated: bool) -> Self {
        Self {
            id,
            model: model.to_owned(),
            dataset: dataset.to_owned(),
            target: target.clone(),
            place: escape(&label(target, simulated)).into_owned(),
            simulated,
            planned: None,
            judgement: None,
            verdict: None,
            no_room: false,
            attempts: Vec::new(),
            summary: None,
            provenance: None,
            core: None,
            followed: Vec::new(),
            history: Vec::new(),
            ticks: Histogram::default(),
            log_tail: Vec::new(),
            samples: Arc::default(),
            own_firmware: false,
            rerun: 0,
        }
    }

    /// What is followed from run to run that it belongs to; as [`Series::of`] has it.
    pub fn series(&self) -> Series {
        let own = if self.own_firmware { " (own firmware)" } else { "" };
        let model = format!("{}{own}", self.model);
        Series { model, dataset: self.dataset.clone(), target: self.target.clone() }
    }

    /// How many attempts it needed, where more than one.
    pub fn needed(&self) -> Option<usize> {
        Some(self.attempts.len()).filter(|attempts| *attempts > 1)
    }

    /// What was known before of `metric`.
    pub fn known(&self, metric: &str) -> Option<&MetricHistory> {
        self.history.iter().find(|history| history.metric == metric)
    }

    /// The few figures that a line of text has room for; `None` where no evidence came back.
    pub fn figures(&self) -> Option<Figures> {
        self.summary.as_deref().map(Figures::of)
    }

    /// How it ended, in a word or three.
    pub fn word(&self) -> &'static str {
        match self.verdict {
            None => "not finished",
            Some(_) if self.no_room => "does not fit",
            Some(verdict) => verdict.word(),
        }
    }

    /// The same of itself alone: what criteria of other scenarios made of its evidence is not theirs who use it, too.
    pub fn own_word(&self) -> &'static str {
        match &self.judgement {
            None => "not finished",
            Some(_) if self.no_room => "does not fit",
            Some(judgement) => judgement.verdict.word(),
        }
    }

    /// The end of its log, short enough for a console.
    pub fn tail(&self) -> &[String] {
        &self.log_tail[self.log_tail.len().saturating_sub(SHORT_TAIL)..]
    }

    /// Whether it passed by itself.
    pub fn passed(&self) -> bool {
        self.judgement.as_ref().is_some_and(|judgement| judgement.verdict == Verdict::Pass)
    }

    /// A criterion was judged on its evidence, or it was judged by itself.
    pub fn weigh(&mut self, verdict: Verdict) {
        self.verdict = self.verdict.max(Some(verdict));
    }

    /// It is finished; `samples` are its outputs.
    pub fn finish(
        &mut self,
        report: &JobReport,
        summary: Option<&Arc<Summary>>,
        samples: Arc<[Answer]>,
        at: Timestamp,
    ) {
        self.target = report.target.clone();
        self.simulated = report.simulated;
        if !report.attempts.is_empty() {
            self.place = escape(&label(&report.target, report.simulated)).into_owned();
        }
        self.judgement = Some(report.judgement.clone());
        self.weigh(report.judgement.verdict);
        self.no_room = report.fault.as_ref().is_some_and(Fault::is_lack_of_room);
        // An attempt whose end was not told is known from here.
        for attempt in report.attempts.iter().skip(self.attempts.len()) {
            self.attempts.push(AttemptAccount { report: attempt.clone(), started: at, ended: at });
        }
        self.followed = summary.map(|summary| figures(summary, report.simulated)).unwrap_or_default();
        self.summary = summary.cloned();
        if let Some(evidence) = &report.evidence {
            self.provenance = Some(evidence.provenance.clone());
            self.core = Some(evidence.handshake.core.clone());
            self.ticks = Histogram::of(&evidence.inferences);
        }
        if report.judgement.verdict != Verdict::Pass {
            self.log_tail = text::tail(&report.log, TAIL);
        }
        self.samples = samples;
        (self.own_firmware, self.rerun) = (report.own_firmware, report.rerun);
    }
}
