//! The state machine, held against properties; histories in files, torn ones too; and looking after a board.
#![allow(clippy::unwrap_used)]

use super::{
    Event, Health, History, Policy, Quarantine, Record, State, Step, Tally,
    care::{Patient, look_after},
    derive, next_step,
    reference::{BOUND, reference},
};
use async_trait::async_trait;
use farm::{Fault, Inference, TargetError, dataset::Truth};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::{
    fs,
    sync::{Mutex, PoisonError},
    time::Duration,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn records(events: impl IntoIterator<Item = Event>) -> Vec<Record> {
    let record = |(second, event)| Record { at: at(second as i64), user: "ann".to_owned(), event };
    events.into_iter().enumerate().map(record).collect()
}

fn state_of(events: impl IntoIterator<Item = Event>) -> State {
    derive(&records(events))
}

fn infra() -> Event {
    Event::Infra { reason: "the probe is gone".to_owned() }
}

fn by_hand() -> Event {
    Event::Quarantined { reason: "the cable is loose".to_owned() }
}

fn recovered() -> Event {
    Event::Recovered { how: "power-cycled".to_owned() }
}

fn check_failed() -> Event {
    Event::CheckFailed { reason: "no answer".to_owned() }
}

/// Anything that can happen to a board, but for summaries.
fn event() -> impl Strategy<Value = Event> {
    let reason = || ".{0,20}";
    prop_oneof![
        Just(Event::Served),
        Just(Event::ModelFailed),
        reason().prop_map(|reason| Event::Infra { reason }),
        reason().prop_map(|how| Event::Recovered { how }),
        Just(Event::CheckPassed),
        reason().prop_map(|reason| Event::CheckFailed { reason }),
        reason().prop_map(|reason| Event::Quarantined { reason }),
        Just(Event::Released),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(), 0..40)
}

#[test]
fn a_bench_that_fails_is_recovered_and_checked_and_then_taken_out_of_use() {
    let policy = Policy::default();
    let step = |events: &[Event]| next_step(&state_of(events.to_vec()), &policy, at(100));
    assert_eq!(step(&[infra(), infra()]), Step::Nothing);
    assert_eq!(step(&[infra(), infra(), infra()]), Step::Recover);
    assert_eq!(step(&[infra(), infra(), infra(), recovered()]), Step::Check);
    assert_eq!(step(&[infra(), infra(), infra(), recovered(), Event::CheckPassed]), Step::Nothing);
    let quarantined = [infra(), infra(), infra(), recovered(), check_failed()];
    assert_eq!(step(&quarantined), Step::Check, "96 seconds later it is due");
    let state = state_of(quarantined);
    assert_eq!(next_step(&state, &policy, at(5)), Step::StayQuarantined { until: Some(at(64)) });
    assert_eq!(
        state.quarantine(),
        Some(&Quarantine {
            reason: "no answer".to_owned(),
            since: at(4),
            by: None,
            failed_checks: 1,
            checked: Some(at(4)),
        })
    );
}

#[test]
fn a_job_that_is_served_ends_a_row_of_infra_faults() {
    assert_eq!(state_of([infra(), infra(), Event::Served, infra()]).word(), "suspect");
    assert!(matches!(state_of([infra(), infra(), Event::Served, infra()]), State::Suspect { infra: 1, .. }));
    assert!(matches!(state_of([infra(), infra()]), State::Suspect { infra: 2, .. }));
}

#[test]
fn a_quarantine_by_hand_outlasts_every_check_and_takes_the_place_of_one_by_the_farm() {
    let state = state_of([check_failed(), by_hand(), Event::CheckPassed, Event::Served, check_failed()]);
    let quarantine = state.quarantine().unwrap();
    assert_eq!((quarantine.by.as_deref(), &*quarantine.reason), (Some("ann"), "the cable is loose"));
    assert_eq!(quarantine.failed_checks, 2);
    assert_eq!(next_step(&state, &Policy::default(), Timestamp::MAX), Step::StayQuarantined { until: None });
    assert_eq!(state_of([check_failed(), by_hand(), Event::Released]), State::Healthy);
}

#[test]
fn a_clock_that_was_wrong_holds_nobody_up() {
    let state = derive(&[Record { at: at(1_000_000), user: "ann".to_owned(), event: check_failed() }]);
    assert_eq!(next_step(&state, &Policy::default(), at(10)), Step::Check);
}

#[test]
fn what_an_attempt_says_of_the_board() {
    let fault = TargetError::Fault(Fault::Crash { detail: "signal 11".to_owned() });
    assert_eq!(Event::of_attempt(Ok(())), Some(Event::Served));
    assert_eq!(Event::of_attempt(Err(&fault)), Some(Event::ModelFailed));
    assert_eq!(Event::of_attempt(Err(&TargetError::Bench("the probe is gone".to_owned()))), Some(infra()));
    assert_eq!(Event::of_attempt(Err(&TargetError::Blocked("held".to_owned()))), None);
    // The reference model is sound: where it crashes, it is the board.
    assert!(matches!(Event::of_check(Err(&fault)), Some(Event::CheckFailed { .. })));
    assert_eq!(Event::of_check(Err(&TargetError::Blocked("not attached".to_owned()))), None);
}

#[test]
fn states_are_told_in_a_line() {
    let told = |events: &[Event]| state_of(events.to_vec()).to_string();
    assert_eq!(told(&[]), "healthy");
    assert_eq!(told(&[infra()]), "suspect after an infra fault: the probe is gone");
    assert_eq!(told(&[infra(), infra()]), "suspect after 2 infra faults in a row: the probe is gone");
    assert_eq!(told(&[infra(), recovered()]), "recovering: the probe is gone");
    assert!(told(&[by_hand()]).starts_with("quarantined by ann since "));
    assert!(told(&[check_failed()]).ends_with("its health check did not pass: no answer"));
    let tally = History { records: records([infra(), infra(), Event::Served]), damaged: Vec::new() }.tally();
    assert_eq!(tally.to_string(), "served 1, infra 2");
    assert_eq!(Tally::default().to_string(), "nothing yet");
}

proptest! {
    #[test]
    fn only_a_release_ends_a_quarantine_by_hand(before in events(), after in events()) {
        let released = after.contains(&Event::Released);
        let state = state_of(before.into_iter().chain([by_hand()]).chain(after));
        prop_assert!(released || state.quarantine().is_some_and(|quarantine| quarantine.by.is_some()));
    }

    #[test]
    fn a_fail_of_a_model_never_makes_a_board_worse(before in events()) {
        let worth = |state: &State| match state {
            State::Healthy => 0,
            State::Suspect { infra, .. } => *infra,
            State::Recovering { .. } => 1000,
            State::Quarantined(_) => 2000,
        };
        let without = state_of(before.clone());
        let with = state_of(before.into_iter().chain([Event::ModelFailed]));
        prop_assert!(worth(&with) <= worth(&without));
    }

    #[test]
    fn suspicion_counts_the_infra_faults_at_the_end_and_no_other(before in events(), faults in 1..20_u32) {
        let before = state_of(before);
        let counted = match before {
            State::Suspect { infra, .. } => infra,
            State::Healthy | State::Recovering { .. } => 0,
            State::Quarantined(_) => return Ok(()),
        };
        let after = records((0..faults).map(|_| infra())).iter().fold(before, State::after);
        let as_many = matches!(after, State::Suspect { infra, .. } if infra == counted + faults);
        prop_assert!(as_many, "{after:?}");
    }

    #[test]
    fn a_passed_check_lets_every_board_back_that_nobody_took_out_by_hand(before in events()) {
        let by_somebody = state_of(before.clone()).quarantine().is_some_and(|quarantine| quarantine.by.is_some());
        let after = state_of(before.into_iter().chain([Event::CheckPassed]));
        prop_assert_eq!(after == State::Healthy, !by_somebody);
    }

    #[test]
    fn only_a_failed_check_or_a_hand_quarantines(before in events(), last in event()) {
        let state = state_of(before.clone());
        let after = state_of(before.into_iter().chain([last.clone()]));
        if state.quarantine().is_none() && after.quarantine().is_some() {
            let led = matches!(last, Event::CheckFailed { .. } | Event::Quarantined { .. });
            prop_assert!(led);
        }
    }

    #[test]
    fn every_board_that_nobody_took_out_by_hand_comes_to_be_checked(before in events(), more in events()) {
        let policy = Policy::default();
        let state = state_of(before.into_iter().chain(more));
        let by_hand = state.quarantine().is_some_and(|quarantine| quarantine.by.is_some());
        let in_a_day = at(100) + SignedDuration::from_hours(24);
        let stuck = matches!(next_step(&state, &policy, in_a_day), Step::StayQuarantined { .. });
        prop_assert_eq!(stuck, by_hand);
    }

    #[test]
    fn the_pause_before_a_check_doubles_within_bounds(failed in 1..200_u32) {
        let policy = Policy::default();
        let pause = |failed: u32| {
            let state = state_of((0..failed).map(|_| check_failed()));
            let quarantine = state.quarantine().unwrap();
            quarantine.due(&policy).unwrap().duration_since(quarantine.checked.unwrap()).unsigned_abs()
        };
        prop_assert!(pause(failed) >= policy.recheck_after && pause(failed) <= policy.recheck_most);
        prop_assert_eq!(pause(failed + 1), (pause(failed) * 2).min(policy.recheck_most));
    }

    #[test]
    fn a_shortened_history_means_the_same(events in proptest::collection::vec(event(), 0..1600), more in events()) {
        let long = History { records: records(events), damaged: Vec::new() };
        let short = long.clone().shortened(at(0), "ann");
        prop_assert!(short.records.len() <= 501);
        prop_assert_eq!(short.state(), long.state());
        prop_assert_eq!(short.tally(), long.tally());
        let later = |history: &History| records(more.clone()).iter().fold(history.state(), State::after);
        prop_assert_eq!(later(&short), later(&long));
        // And as text, again and again.
        let again = History::read(short.write().unwrap().as_bytes()).shortened(at(0), "ann");
        prop_assert_eq!(again.tally(), long.tally());
    }

    #[test]
    fn a_history_comes_back_as_it_was_written(events in events()) {
        let history = History { records: records(events), damaged: Vec::new() };
        prop_assert_eq!(History::read(history.write().unwrap().as_bytes()), history);
    }

    #[test]
    fn a_history_torn_anywhere_loses_one_line_and_goes_on(events in events(), cut in 0..4000_usize) {
        let whole = History { records: records(events), damaged: Vec::new() };
        let text = whole.write().unwrap();
        let cut = cut.min(text.len());
        let folder = tempfile::tempdir().unwrap();
        let health = Health::open(folder.path(), "SIM-1").unwrap();
        fs::write(health.path(), &text.as_bytes()[..cut]).unwrap();
        let state = health.record(by_hand()).unwrap();
        prop_assert!(state.quarantine().is_some());
        let found = health.history().unwrap();
        let lines = text.as_bytes()[..cut].iter().filter(|byte| **byte == b'\n').count();
        prop_assert!(found.damaged.len() <= 1);
        // All that was whole is there; the line whose end alone is missing as well.
        prop_assert!(found.records.len() > lines);
        prop_assert_eq!(&found.records[..lines], &whole.records[..lines]);
        prop_assert_eq!(found.state(), state);
    }

    #[test]
    fn no_bytes_whatever_break_a_history(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let folder = tempfile::tempdir().unwrap();
        let health = Health::open(folder.path(), "SIM-1").unwrap();
        fs::write(health.path(), bytes).unwrap();
        prop_assert!(health.record(by_hand()).unwrap().quarantine().is_some());
        prop_assert!(health.state().unwrap().quarantine().is_some());
    }
}

#[test]
fn a_history_filled_with_zeros_by_a_power_cut_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let health = Health::open(folder.path(), "SIM-1").unwrap();
    health.record(infra()).unwrap();
    let mut bytes = fs::read(health.path()).unwrap();
    bytes.extend_from_slice(&[0; 20]);
    fs::write(health.path(), bytes).unwrap();
    health.record(infra()).unwrap();
    let history = health.history().unwrap();
    assert_eq!(history.records.len(), 2);
    assert_eq!((history.damaged.len(), history.damaged[0].line), (1, 2));
    assert_eq!(history.tally().damaged, 1);
}

#[test]
fn every_writer_s_line_is_kept_while_the_file_is_shortened_under_them() {
    let folder = tempfile::tempdir().unwrap();
    const WRITERS: u64 = 4;
    const LINES: u64 = 600;
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            let health = Health::open(folder.path(), "SIM/1").unwrap();
            scope.spawn(move || {
                for _ in 0..LINES {
                    health.record(Event::Served).unwrap();
                }
            });
        }
    });
    let history = Health::open(folder.path(), "SIM/1").unwrap().history().unwrap();
    assert_eq!(history.tally(), Tally { served: WRITERS * LINES, ..Tally::default() });
    assert!(history.records.len() <= 1000, "{}", history.records.len());
}

#[test]
fn a_state_folder_that_cannot_be_used_is_told_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Health::open(&file, "SIM-1").unwrap_err().to_string();
    assert!(error.contains("make the state folder") && error.contains("`state` under [boards]"), "{error}");
    let health = Health::open(folder.path(), "SIM-1").unwrap();
    fs::create_dir(health.path()).unwrap();
    let error = health.record(infra()).unwrap_err().to_string();
    assert!(error.contains("write the history") && error.contains("SIM-1.jsonl"), "{error}");
}

/// A board whose health checks end as told, one after the other, and pass then.
#[derive(Default)]
struct Told {
    checks: Mutex<Vec<TargetError>>,
    heard: Mutex<Vec<String>>,
}

impl Told {
    fn hear(&self, word: &str) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(word.to_owned());
    }
}

#[async_trait]
impl Patient for Told {
    async fn recover(&self) -> String {
        self.hear("recover");
        "power-cycled".to_owned()
    }

    async fn check_health(&self) -> Result<(), TargetError> {
        self.hear("check");
        self.checks.lock().unwrap().pop().map_or(Ok(()), Err)
    }

    fn state_changed(&self, state: &State, re_admitted: bool) {
        self.hear(if re_admitted { "re-admitted" } else { state.word() });
    }
}

async fn looked_after(checks: Vec<TargetError>, policy: &Policy, events: Vec<Event>) -> (State, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let health = Health::open(folder.path(), "SIM-1").unwrap();
    let board = Told { checks: Mutex::new(checks), ..Told::default() };
    let mut state = State::Healthy;
    for event in events {
        state = look_after(&board, &health, policy, Some(event)).await.unwrap();
    }
    assert_eq!(health.state().unwrap(), state);
    (state, board.heard.into_inner().unwrap())
}

#[tokio::test]
async fn a_board_is_recovered_and_goes_on() {
    let (state, heard) = looked_after(vec![], &Policy::default(), vec![infra(), infra(), infra()]).await;
    assert_eq!(state, State::Healthy);
    assert_eq!(heard, ["suspect", "suspect", "suspect", "recover", "recovering", "check", "healthy"]);
}

#[tokio::test]
async fn a_board_that_cannot_be_recovered_is_quarantined_and_let_back_when_it_is_due_and_sound() {
    let policy = Policy { quarantine_after: 1, recheck_after: Duration::ZERO, ..Policy::default() };
    let checks = || vec![TargetError::Bench("no answer".to_owned())];
    let (state, heard) = looked_after(checks(), &policy, vec![infra()]).await;
    assert!(state.quarantine().is_some());
    assert_eq!(heard, ["suspect", "recover", "recovering", "check", "quarantined"]);

    let (state, heard) = looked_after(checks(), &policy, vec![infra(), Event::Served]).await;
    assert_eq!(state, State::Healthy);
    assert_eq!(heard[5..], ["check", "re-admitted"]);

    let policy = Policy { recheck_after: Duration::from_secs(60), ..policy };
    let (state, heard) = looked_after(checks(), &policy, vec![infra(), Event::Served]).await;
    assert!(state.quarantine().is_some(), "not due yet");
    assert_eq!(heard.len(), 5);
}

#[tokio::test]
async fn a_check_that_cannot_be_made_says_nothing_of_the_board() {
    let policy = Policy { quarantine_after: 1, ..Policy::default() };
    let checks = vec![TargetError::Blocked("no compiler".to_owned())];
    let (state, _) = looked_after(checks, &policy, vec![infra()]).await;
    assert_eq!(state.word(), "recovering");
}

#[test]
fn the_reference_model_is_there_and_right_answers_are_told_from_wrong_ones() {
    let reference = reference().unwrap();
    assert_eq!((reference.model.input_bytes(), reference.model.output_bytes()), (4, 4));
    let Truth::Expected(expected) = reference.dataset.truth() else { panic!("no answers") };
    let answers = |off: f64| -> Vec<Inference> {
        let output = |sine: &Vec<f64>| ((sine[0] + off) as f32).to_le_bytes().to_vec();
        expected.iter().map(|sine| Inference { output: output(sine), ticks: 1 }).collect()
    };
    reference.check(&answers(0.0)).unwrap();
    reference.check(&answers(BOUND * 0.99)).unwrap();
    assert!(reference.check(&answers(BOUND * 1.01)).unwrap_err().contains("x = 0.0000"));
    assert!(reference.check(&answers(f64::NAN)).is_err());
    assert!(reference.check(&answers(0.0)[1..]).unwrap_err().contains("15 answers"));
    let mut short = answers(0.0);
    short[3].output.clear();
    assert!(reference.check(&short).is_err());
}
