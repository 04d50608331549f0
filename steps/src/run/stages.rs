//! A run's stages in order: which targets are there, what they bring back, and whether the next stage may start.

use super::{
    seat::{Ran, Seat, Wanted},
    words,
};
use crate::{
    acceptance::Acceptance,
    action::{Place, Run},
    lineup::Group,
    plan::PlannedRun,
};
use farm::{Availability, Fault, Judgement, Stage, TargetId, TargetInfo, Verdict};
use std::collections::BTreeMap;

/// The targets of a stage that are used, and what there is to say of the others.
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub targets: Vec<TargetInfo>,
    pub remarks: Vec<String>,
    /// Why none is there.
    pub blocked: Option<String>,
}

impl Seat {
    /// Runs the subject stage by stage. A stage is judged before the next one starts, and only one that passed lets it.
    pub(super) async fn run(&mut self, run: &Run, planned: &PlannedRun) -> Judgement {
        self.latest.clear();
        self.left_out.clear();
        let (mut judgements, mut remarks) = (Vec::new(), Vec::new());
        let mut stopped: Option<String> = None;
        for group in &planned.groups {
            if let Some(before) = &stopped {
                if !group.targets.is_empty() || !self.optional(run, group) {
                    remarks.push(format!("{} stage blocked: {before}", group.stage));
                }
                continue;
            }
            let ended = self.stage(run, planned, group, &mut remarks).await;
            if let Some(verdict) = ended.iter().map(|judgement| judgement.verdict).max()
                && verdict != Verdict::Pass
            {
                stopped = Some(words::stage_ended(group.stage, verdict));
            }
            judgements.extend(ended);
        }
        if judgements.is_empty() && self.latest.is_empty() && self.left_out.is_empty() {
            judgements.push(Judgement::new(Verdict::Blocked, "nothing ran"));
        }
        if let Some(table) = &run.accepted_by
            && judgements.iter().all(|judgement| judgement.verdict == Verdict::Pass)
            && !self.latest.iter().any(|ran| self.info(ran).is_some_and(|info| table.judged_on(info).next().is_some()))
        {
            judgements.push(Judgement::new(Verdict::Inconclusive, "no bound of the table is for what ran"));
        }
        words::together(&judgements, &remarks)
    }

    async fn stage(
        &mut self,
        run: &Run,
        planned: &PlannedRun,
        group: &Group,
        remarks: &mut Vec<String>,
    ) -> Vec<Judgement> {
        let mut judgements = Vec::new();
        if group.targets.is_empty() && group.stage != Stage::Container {
            if self.optional(run, group) {
                remarks.push(format!("this farm knows no {}", group.stage));
            } else {
                judgements.push(Judgement::new(Verdict::Blocked, group.nothing()));
            }
            return judgements;
        }
        remarks
            .extend(group.simulated.iter().map(|info| format!("left out: {}: real boards are required", info.label())));
        let ready = match group.stage {
            Stage::Container => self.container().await,
            // Whichever can be used: the scheduler finds out.
            _ if group.any => Ready { targets: group.targets.clone(), ..Ready::default() },
            _ => self.there(run, &group.targets).await,
        };
        remarks.extend(ready.remarks);
        let (model, dataset, targets) = (&planned.model, &planned.dataset, &ready.targets);
        let wanted = Wanted { model, dataset, targets, any: group.any };
        let ran = self.job(wanted).await;
        if let Some(reason) = ready.blocked {
            // The jobs are blocked one by one, for the reports; the reason is one.
            judgements.push(Judgement::new(Verdict::Blocked, reason));
            return judgements;
        }
        let mut too_large: Vec<String> = Vec::new();
        let mut kept: Vec<Ran> = Vec::new();
        for ran in ran {
            let report = &ran.result.report;
            // A choice of targets that never came to one says itself why.
            let nowhere = group.any && report.attempts.is_empty();
            let judgement = if nowhere { report.judgement.clone() } else { words::of_target(&ran, &report.judgement) };
            match report.judgement.verdict {
                Verdict::Fail
                    if run.place.fitting()
                        && report.fault.as_ref().is_some_and(Fault::is_lack_of_room)
                        && !run.names(&ran.target) =>
                {
                    too_large.push(judgement.reason);
                    self.left_out.push(ran);
                }
                Verdict::Fail if run.tried => kept.push(ran),
                _ => {
                    kept.push(ran);
                    judgements.push(judgement);
                }
            }
        }
        // Of one target by name, that it does not fit there is an answer; of several, that it fits none is a fail.
        let named = matches!(run.place, Place::Target { .. });
        if kept.is_empty() && !too_large.is_empty() && !named {
            judgements.push(Judgement::new(
                Verdict::Fail,
                format!("it fits none of the {} stage: {}", group.stage, too_large.join("; ")),
            ));
        } else {
            remarks.extend(too_large.into_iter().map(|reason| format!("left out: {reason}")));
        }
        if let Some(table) = &run.accepted_by {
            let accepted = self.accept(table, &kept).await;
            judgements.extend(accepted);
        }
        self.latest.extend(kept);
        judgements
    }

    async fn accept(&mut self, table: &Acceptance, ran: &[Ran]) -> Vec<Judgement> {
        let mut judgements = Vec::new();
        for ran in ran {
            let Some(info) = self.info(ran).cloned() else { continue };
            for criterion in table.judged_on(&info) {
                judgements.extend(self.judge(criterion, ran).await);
            }
        }
        judgements
    }

    /// Whether a run does without a stage that this farm knows no target of.
    fn optional(&self, run: &Run, group: &Group) -> bool {
        let required = self.shared.require_boards && group.stage == Stage::Board;
        matches!(run.place, Place::Stages { .. }) && !run.binds(group.stage) && !required
    }

    fn info(&self, ran: &Ran) -> Option<&TargetInfo> {
        self.shared.targets.iter().find(|info| info.id == ran.target)
    }

    /// The container; the host where the run lets it stand in and the container is not there.
    pub(super) async fn container(&self) -> Ready {
        let (container, absent) = match self.first(Stage::Container).await {
            Some((info, None)) => return Ready { targets: vec![info], ..Ready::default() },
            Some((info, Some(reason))) => (Some(info), reason),
            None => (None, "this farm knows no container".to_owned()),
        };
        if self.shared.stand_in_host
            && let Some((info, None)) = self.first(Stage::Host).await
        {
            let remark = format!("{} stands in for the container: {absent}", info.id);
            return Ready { targets: vec![info], remarks: vec![remark], blocked: None };
        }
        Ready {
            targets: container.into_iter().collect(),
            remarks: Vec::new(),
            blocked: Some(format!("container: {absent}")),
        }
    }

    /// The first target of a stage, and why it is not there if it is not.
    async fn first(&self, stage: Stage) -> Option<(TargetInfo, Option<String>)> {
        let info = self.shared.targets.iter().find(|info| info.stage == stage)?;
        Some((info.clone(), self.absence(&info.id).await))
    }

    async fn absence(&self, id: &TargetId) -> Option<String> {
        match self.shared.scheduler.availability(id).await {
            Some(Availability::Ready { .. }) => None,
            Some(Availability::Absent { reason }) => Some(reason),
            None => Some("this run does not have it".to_owned()),
        }
    }

    /// Which of `targets` are there. If some are, the others are remarked on; if none is, all are kept, to be blocked. So
    /// is one that the table names, and a board where boards are required.
    async fn there(&self, run: &Run, targets: &[TargetInfo]) -> Ready {
        let asked = targets.iter().map(|info| async { (info.clone(), self.absence(&info.id).await) });
        let asked = futures::future::join_all(asked).await;
        let mut absent: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut ready = Vec::new();
        for (info, reason) in asked {
            match reason {
                None => ready.push(info),
                Some(_) if run.names(&info.id) => ready.push(info),
                Some(_) if self.shared.require_boards && info.stage == Stage::Board => ready.push(info),
                Some(reason) => absent.entry(reason).or_default().push(info.id.0),
            }
        }
        let reasons: Vec<String> =
            absent.into_iter().map(|(reason, names)| format!("{}: {reason}", names.join(", "))).collect();
        if ready.is_empty() {
            return Ready { targets: targets.to_vec(), remarks: Vec::new(), blocked: Some(reasons.join("; ")) };
        }
        Ready {
            targets: ready,
            remarks: reasons.into_iter().map(|reason| format!("not there: {reason}")).collect(),
            blocked: None,
        }
    }
}
