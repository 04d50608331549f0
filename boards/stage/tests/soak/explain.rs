//! Whether what the farm told of boards agrees with what the boards tell of themselves.

use super::yard::Result;
use farm::{JobId, JobReport, TargetId, Verdict};
use jiff::Timestamp;
use simulated_board::{Event, Fault};
use std::{collections::BTreeMap, sync::Arc};

/// One attempt of a job.
pub struct Attempt {
    /// Of which.
    pub job: JobId,
    /// From 1.
    pub number: u32,
    /// Where.
    pub target: TargetId,
    /// When.
    pub began: Timestamp,
    /// When, how and why it ended.
    pub ended: Option<(Timestamp, Verdict, String)>,
}

/// Attempts, in the order in which they began.
pub type Attempts = Vec<Attempt>;

type Log = [(Timestamp, Event)];

/// All that is known of a campaign.
pub struct Tale<'a> {
    /// What happened to the boards.
    pub logs: &'a BTreeMap<TargetId, Vec<(Timestamp, Event)>>,
    /// Which faults were planned, and when.
    pub planned: &'a [(Timestamp, TargetId, Fault)],
    /// The farm's attempts.
    pub attempts: &'a Attempts,
    /// The farm's reports.
    pub reports: &'a BTreeMap<JobId, Arc<JobReport>>,
    /// Boards that the farm put into quarantine.
    pub quarantined: &'a [TargetId],
}

/// Looks whether each attempt ended as it did for a reason, alone on its board.
///
/// # Errors
/// The first that did not.
pub fn explain(Tale { logs, planned, attempts, reports, quarantined }: Tale<'_>) -> Result {
    for (target, log) in logs {
        one_at_a_time(target, log)?;
    }
    for (index, attempt) in attempts.iter().enumerate() {
        let Attempt { job, number, target, began, ended } = attempt;
        let (ended, verdict, reason) = ended.as_ref().ok_or_else(|| format!("{job}, attempt {number}, never ended"))?;
        let overlaps = |other: &Attempt| {
            let over = other.ended.as_ref().is_none_or(|(ended, ..)| ended > began);
            over && (other.target == *target || other.job == *job)
        };
        if let Some(other) = attempts[..index].iter().find(|other| overlaps(other)) {
            return Err(
                format!("{job} and {} were under way at once on {target} and {}", other.job, other.target).into()
            );
        }
        let log = logs.get(target).ok_or_else(|| format!("{job} ran on {target}, which is no board"))?;
        let shown = shown(log, *began, *ended);
        let (core, bench): (Vec<Fault>, Vec<Fault>) = shown.iter().partition(|fault| is_the_cores(**fault));
        let explained = match verdict {
            // One that was planned while the job ran may come when its answers are there already.
            Verdict::Pass => core.iter().all(|fault| {
                let late = |(at, board, what): &(Timestamp, TargetId, Fault)| {
                    (board, what) == (target, fault) && (began..=ended).contains(&at)
                };
                *fault == Fault::Slow || planned.iter().any(late)
            }),
            Verdict::Fail => core.iter().any(|fault| *fault != Fault::Slow),
            Verdict::Infra => !bench.is_empty() || is_away(log, *began),
            Verdict::Blocked | Verdict::Inconclusive => false,
        };
        if !explained {
            return Err(format!(
                "{job}, attempt {number} on {target}: {verdict} ({reason}); shown meanwhile: {shown:?}"
            )
            .into());
        }
    }
    for report in reports.values() {
        let verdict = report.judgement.verdict;
        let explained = match (verdict, report.attempts.last()) {
            (verdict, Some(last)) => verdict == last.verdict,
            (Verdict::Blocked, None) => quarantined.contains(&report.target),
            (_, None) => false,
        };
        if !explained {
            return Err(format!("{}: {}, after {:?}", report.id, report.judgement, report.attempts).into());
        }
    }
    Ok(())
}

/// A debugger comes only when the one before has left, and nobody else tries.
fn one_at_a_time(target: &TargetId, log: &Log) -> Result {
    let mut connected = false;
    for (at, event) in log {
        let sound = match event {
            Event::Connected => !std::mem::replace(&mut connected, true),
            Event::Disconnected => std::mem::replace(&mut connected, false),
            Event::Refused | Event::Broken { .. } => false,
            _ => true,
        };
        if !sound {
            return Err(format!("{target} at {at}: {event}, with a debugger there: {connected}").into());
        }
    }
    if connected { Err(format!("{target} still has a debugger").into()) } else { Ok(()) }
}

/// Faults shown within a time; with those that began before and were not over.
fn shown(log: &Log, from: Timestamp, to: Timestamp) -> Vec<Fault> {
    let needs_power = |upto: Timestamp| {
        let until = log.iter().take_while(|(at, _)| *at <= upto);
        until.fold(false, |ill, (_, event)| match event {
            Event::FaultShown { fault: Fault::NeedsPowerCycle } => true,
            Event::PowerCycled => false,
            _ => ill,
        })
    };
    let within = log.iter().filter(|(at, _)| (from..=to).contains(at));
    let within = within.filter_map(|(_, event)| match event {
        Event::FaultShown { fault } => Some(*fault),
        _ => None,
    });
    within.chain(needs_power(from).then_some(Fault::NeedsPowerCycle)).collect()
}

/// Whether the probe had left the bus at a time.
fn is_away(log: &Log, at: Timestamp) -> bool {
    let until = log.iter().take_while(|(when, _)| *when <= at);
    until.fold(false, |away, (_, event)| match event {
        Event::Unplugged => true,
        Event::Plugged => false,
        _ => away,
    })
}

/// Whether it is the firmware that fails, so far as anybody can see.
fn is_the_cores(fault: Fault) -> bool {
    matches!(fault, Fault::Lockup | Fault::Hang | Fault::HardFault | Fault::Slow)
}
