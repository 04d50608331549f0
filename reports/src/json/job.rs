//! A job with its figures, as `report.json` has it, and with all its evidence, as `evidence.jsonl` has it.

use super::{Attempt, Clock, MetricHistory, SCHEMA, Verdict};
use farm::{Evidence, JobReport, metrics};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// One model over one dataset on one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// Its number within the run, from 1.
    pub id: u64,
    /// Model by name.
    pub model: String,
    /// Dataset by name.
    pub dataset: String,
    /// Where its last attempt ran, or its first would have.
    pub target: String,
    /// Whether that only plays a board.
    pub simulated: bool,
    /// Pass: evidence came back. Criteria are judged with the scenarios.
    pub verdict: Verdict,
    /// The heaviest of that and of the criteria that were judged on its evidence so far, of whatever scenario.
    pub judged: Verdict,
    /// The cause, where it is no pass; on a pass a remark or nothing.
    pub reason: String,
    /// The fault behind a fail.
    pub fault: Option<Fault>,
    /// Every attempt, in order.
    pub attempts: Vec<Attempt>,
    /// What was measured; null where no evidence came back.
    pub figures: Option<Figures>,
    /// What made the evidence; null where none came back.
    pub provenance: Option<Provenance>,
    /// Whether it ran on the model's own firmware.
    #[serde(default)]
    pub own_firmware: bool,
    /// Which measurement it was of those that are otherwise the same; 0 for the first.
    #[serde(default)]
    pub rerun: u32,
    /// What was known of its figures before; left out where nothing was, and in the event that tells its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<MetricHistory>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// Samples.
    pub samples: usize,
    /// The clock of `ticks`.
    pub clock: Clock,
    /// Ticks of an inference.
    pub ticks: Ticks,
    /// Top-1 accuracy; null where the dataset has no labels.
    pub accuracy: Option<Accuracy>,
    /// Errors; null where the dataset has no expected values.
    pub errors: Option<Errors>,
    /// The tensor arena.
    pub arena: Arena,
    /// The firmware's sizes; null where there is no firmware.
    pub firmware: Option<Firmware>,
}

/// A distribution over inferences, in ticks of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ticks {
    /// Smallest.
    pub min: u64,
    /// Median.
    pub median: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Largest.
    pub max: u64,
}

/// How well labels were met. Shares are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Accuracy {
    /// Samples whose class is the label.
    pub correct: u64,
    /// Samples.
    pub total: u64,
    /// `correct / total`.
    pub top1: Option<f64>,
    /// Lower end of the 95 % Wilson interval of `top1`.
    pub wilson_low: Option<f64>,
    /// Its upper end.
    pub wilson_high: Option<f64>,
    /// Mean precision over the classes that occur.
    pub macro_precision: Option<f64>,
    /// Mean recall over the classes that occur.
    pub macro_recall: Option<f64>,
    /// Mean F1 over the classes that occur.
    pub macro_f1: Option<f64>,
}

/// Errors against expected values, in real units; null: not a number, because an output was none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Errors {
    /// Mean of the absolute differences.
    pub mean_absolute: Option<f64>,
    /// Square root of the mean of the squared differences.
    pub root_mean_square: Option<f64>,
    /// Largest absolute difference.
    pub maximum: Option<f64>,
}

/// The tensor arena, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arena {
    /// What the model uses.
    pub used: u64,
    /// What there is.
    pub size: u64,
}

/// The firmware's sizes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Firmware {
    /// Code and constants.
    pub text: u64,
    /// Initialised data.
    pub data: u64,
    /// Zeroed data, the arena not counted.
    pub bss: u64,
    /// The model, which lies beside the firmware.
    pub model: u64,
}

/// What a model or its firmware did wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Its kind: `arena-too-small`, `hard-fault`, `hung`.
    pub kind: String,
    /// In words, with details.
    pub message: String,
}

/// Which things made the evidence: digests (SHA-256, hexadecimal) and versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// Digest of the model file.
    pub model: String,
    /// Digest of the dataset as encoded for the model.
    pub dataset: String,
    /// Version of the runner.
    pub runner: String,
    /// Digest of the runner's build.
    pub runner_digest: String,
    /// Version of TFLM in the runner.
    pub tflm: String,
    /// The core, in the runner's words.
    pub core: String,
    /// Name and version of the tool that ran the target.
    pub tool: String,
}

/// A line of `evidence.jsonl`: a job with all that it brought back. Lines come in the order in which jobs end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceLine {
    /// Version of this document: `tinyfarm-report/1`.
    pub schema: String,
    /// Which run.
    pub run: String,
    /// The job.
    pub job: Job,
    /// Each sample's output tensors as stored by the model, concatenated in its order, in hexadecimal.
    pub outputs: Vec<String>,
    /// Each sample's inference in ticks of the job's clock.
    pub ticks: Vec<u64>,
    /// How samples were classified; null where the dataset has no labels.
    pub confusion: Option<Confusion>,
    /// What the runner and its tool wrote in the last attempt.
    pub log: String,
}

/// How samples were classified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Confusion {
    /// The classes, in the order of the model's output elements.
    pub classes: Vec<Class>,
    /// `counts[label][answer]`; the last column counts samples without an answer.
    pub counts: Vec<Vec<u64>>,
}

/// A class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Of the samples answered so, the share that is so; null where none was.
    pub precision: Option<f64>,
    /// Of the samples that are so, the share answered so; null where none is.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
    /// Samples of this class.
    pub support: u64,
}

impl Job {
    pub(super) fn of(report: &JobReport, summary: Option<&metrics::Summary>) -> Self {
        Self {
            id: report.id.0,
            model: report.model.clone(),
            dataset: report.dataset.clone(),
            target: report.target.0.clone(),
            simulated: report.simulated,
            verdict: report.judgement.verdict.into(),
            judged: report.judgement.verdict.into(),
            reason: report.judgement.reason.clone(),
            fault: report.fault.as_ref().map(Fault::of),
            attempts: report.attempts.iter().map(Attempt::from).collect(),
            figures: summary.map(Figures::of),
            provenance: report.evidence.as_deref().map(Provenance::of),
            own_firmware: report.own_firmware,
            rerun: report.rerun,
            history: Vec::new(),
        }
    }
}

impl Figures {
    fn of(summary: &metrics::Summary) -> Self {
        let metrics::Distribution { min, median, p90, p99, max } = summary.ticks;
        Self {
            samples: summary.samples,
            clock: summary.clock.into(),
            ticks: Ticks { min, median, p90, p99, max },
            accuracy: summary.classification.as_ref().map(|seen| Accuracy {
                correct: seen.correct,
                total: seen.total,
                top1: finite(seen.accuracy),
                wilson_low: finite(seen.wilson.0),
                wilson_high: finite(seen.wilson.1),
                macro_precision: finite(seen.macro_precision),
                macro_recall: finite(seen.macro_recall),
                macro_f1: finite(seen.macro_f1),
            }),
            errors: summary.errors.as_ref().map(|errors| Errors {
                mean_absolute: finite(errors.mean_absolute),
                root_mean_square: finite(errors.root_mean_square),
                maximum: finite(errors.maximum),
            }),
            arena: Arena { used: summary.arena_used, size: summary.arena_size },
            firmware: summary.footprint.map(|size| Firmware {
                text: size.text,
                data: size.data,
                bss: size.bss,
                model: summary.model_bytes,
            }),
        }
    }
}

impl Fault {
    fn of(fault: &farm::Fault) -> Self {
        // The domain's own tag, so that a new fault needs no second list of names.
        let tagged = serde_json::to_value(fault).unwrap_or_default();
        let kind = tagged.get("fault").and_then(|kind| kind.as_str()).unwrap_or("unknown").to_owned();
        Self { kind, message: fault.to_string() }
    }
}

impl Provenance {
    fn of(evidence: &Evidence) -> Self {
        let provenance = &evidence.provenance;
        Self {
            model: provenance.model.to_string(),
            dataset: provenance.dataset.to_string(),
            runner: evidence.handshake.runner.clone(),
            runner_digest: provenance.runner.clone(),
            tflm: provenance.tflm.clone(),
            core: evidence.handshake.core.clone(),
            tool: provenance.tool.clone(),
        }
    }
}

impl EvidenceLine {
    pub(super) fn of(run: &str, report: &JobReport, summary: Option<&metrics::Summary>) -> Self {
        let inferences = report.evidence.as_deref().map_or(&[][..], |evidence| &evidence.inferences);
        Self {
            schema: SCHEMA.to_owned(),
            run: run.to_owned(),
            job: Job::of(report, summary),
            outputs: inferences.iter().map(|inference| hex(&inference.output)).collect(),
            ticks: inferences.iter().map(|inference| inference.ticks).collect(),
            confusion: summary.and_then(|summary| summary.classification.as_ref()).map(Confusion::of),
            log: report.log.clone(),
        }
    }
}

impl Confusion {
    fn of(seen: &metrics::Classification) -> Self {
        let class = |class: &metrics::ClassFigures| Class {
            name: class.name.clone(),
            precision: class.precision,
            recall: class.recall,
            f1: class.f1,
            support: class.support,
        };
        Self { classes: seen.classes.iter().map(class).collect(), counts: seen.confusion.clone() }
    }
}

/// JSON has no NaN and no infinity.
fn finite(number: f64) -> Option<f64> {
    Some(number).filter(|number| number.is_finite())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
