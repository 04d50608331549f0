//! The loop that hands every event to every reporter, and what it ends with.

use crate::{Account, ReportError, Reporter, Tally};
use farm::{FarmEvent, Stamped, Verdict};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};
use tokio::{runtime::Handle, sync::mpsc::UnboundedReceiver, time::timeout};

/// How long without news until reporters may write what they put off.
const IDLE: Duration = Duration::from_millis(500);

/// What reporting ended with.
#[derive(Debug, Default)]
pub struct ReportOutcome {
    /// The scenarios by verdict.
    pub tally: Tally,
    /// The first failure of each reporter that had one. With any in it, the program must not exit with 0.
    pub failures: Vec<ReportFailure>,
}

/// A reporter's failure.
#[derive(Debug)]
pub struct ReportFailure {
    /// What happened, to which file, and the mend.
    pub error: ReportError,
    /// Whether another reporter (the console) has told it already.
    pub told: bool,
}

impl ReportOutcome {
    /// The program's exit code after a run: 0 all passed, 1 a fail, 3 no fail but something infra, blocked,
    /// inconclusive, not run or not reported, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self.tally.worst() {
            _ if self.tally.interrupted => 130,
            Some(Verdict::Fail) => 1,
            Some(Verdict::Pass) if self.failures.is_empty() && self.tally.not_run() == 0 => 0,
            // Known before anything runs.
            None if (self.tally.nothing_to_run() || self.tally.nothing_gates()) && self.failures.is_empty() => 0,
            _ => 3,
        }
    }
}

/// Hands each event to each of `reporters`, in their order, until the run has finished or no one is left to send;
/// then finishes them, in the same order: the console belongs at the end, so that it knows how the others fared.
///
/// Runs on a thread of its own, because a slow disk or a pager that does not read must not hold up the jobs.
pub async fn collect(receiver: UnboundedReceiver<Stamped>, reporters: Vec<Box<dyn Reporter>>) -> ReportOutcome {
    let runtime = Handle::current();
    let desk = Desk::new(reporters);
    match tokio::task::spawn_blocking(move || desk.serve(&runtime, receiver)).await {
        Ok(outcome) => outcome,
        Err(error) => {
            let error = ReportError::Panicked { reporter: "event".to_owned(), message: error.to_string() };
            ReportOutcome { failures: vec![ReportFailure { error, told: false }], ..Default::default() }
        }
    }
}

/// A reporter, and what is known of its health.
struct Place {
    reporter: Box<dyn Reporter>,
    failed: bool,
    panicked: bool,
}

struct Desk {
    places: Vec<Place>,
    account: Account,
    failures: Vec<ReportFailure>,
}

impl Desk {
    fn new(reporters: Vec<Box<dyn Reporter>>) -> Self {
        let places = reporters.into_iter().map(|reporter| Place { reporter, failed: false, panicked: false });
        Self { places: places.collect(), account: Account::default(), failures: Vec::new() }
    }

    fn serve(mut self, runtime: &Handle, mut receiver: UnboundedReceiver<Stamped>) -> ReportOutcome {
        loop {
            let event = match receiver.try_recv() {
                Ok(event) => Some(event),
                Err(_) => match runtime.block_on(async { timeout(IDLE, receiver.recv()).await }) {
                    Ok(event) => event,
                    Err(_) => {
                        self.each(|reporter, account| reporter.idle(account));
                        continue;
                    }
                },
            };
            let Some(event) = event else { break };
            self.account.on(&event);
            self.each(|reporter, account| reporter.on(&event, account));
            if matches!(event.event, FarmEvent::RunFinished { .. }) {
                break;
            }
        }
        self.each(|reporter, account| reporter.finish(account));
        ReportOutcome { tally: self.account.tally, failures: self.failures }
    }

    fn each(&mut self, act: impl Fn(&mut dyn Reporter, &Account) -> Result<(), ReportError>) {
        for index in 0..self.places.len() {
            let place = &mut self.places[index];
            if place.panicked {
                continue;
            }
            let result = catch_unwind(AssertUnwindSafe(|| act(place.reporter.as_mut(), &self.account)));
            let result = result.unwrap_or_else(|panic| {
                place.panicked = true;
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let message = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                Err(ReportError::Panicked { reporter: place.reporter.name().to_owned(), message })
            });
            // Only the first failure of each: a full disk would otherwise be told with every event.
            if let Err(error) = result
                && !std::mem::replace(&mut place.failed, true)
            {
                tracing::debug!(reporter = place.reporter.name(), %error, "a reporter failed");
                self.keep(index, error);
            }
        }
    }

    fn keep(&mut self, index: usize, error: ReportError) {
        let mut told = false;
        for (other, place) in self.places.iter_mut().enumerate() {
            if other != index && !place.panicked {
                told |= catch_unwind(AssertUnwindSafe(|| place.reporter.tell(&error))).unwrap_or(false);
            }
        }
        self.failures.push(ReportFailure { error, told });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        Console, Documents, GitHub, ReportFolder,
        json::{EvidenceLines, Report, ReportJson},
        junit::JUnit,
        script,
    };
    use farm::EventSink;
    use std::{
        fs::File,
        sync::{Arc, Mutex},
    };
    use tokio::sync::mpsc;

    /// Writes down what it is called for; may fail or panic on the way.
    struct Witness {
        seen: Arc<Mutex<Vec<String>>>,
        fail: bool,
        panic: bool,
    }

    impl Witness {
        fn boxed(fail: bool, panic: bool) -> (Arc<Mutex<Vec<String>>>, Box<dyn Reporter>) {
            let seen = Arc::new(Mutex::new(Vec::new()));
            (seen.clone(), Box::new(Self { seen, fail, panic }))
        }

        fn note(&self, what: impl Into<String>) {
            self.seen.lock().unwrap().push(what.into());
        }
    }

    impl Reporter for Witness {
        fn name(&self) -> &str {
            "witness"
        }

        fn on(&mut self, _: &Stamped, _: &Account) -> Result<(), ReportError> {
            self.note("on");
            assert!(!self.panic, "as it was told to");
            if self.fail { Err(ReportError::Output(std::io::ErrorKind::BrokenPipe.into())) } else { Ok(()) }
        }

        fn idle(&mut self, _: &Account) -> Result<(), ReportError> {
            self.note("idle");
            Ok(())
        }

        fn finish(&mut self, _: &Account) -> Result<(), ReportError> {
            self.note("finish");
            Ok(())
        }

        fn tell(&mut self, error: &ReportError) -> bool {
            self.note(error.to_string());
            true
        }
    }

    fn play(events: Vec<Stamped>) -> UnboundedReceiver<Stamped> {
        let (sender, receiver) = mpsc::unbounded_channel();
        events.into_iter().for_each(|event| sender.send(event).unwrap());
        receiver
    }

    #[tokio::test]
    async fn one_that_fails_or_panics_stops_no_other_and_is_told_once() {
        let events = script::every_verdict();
        let count = events.len();
        let (good_seen, good) = Witness::boxed(false, false);
        let (bad_seen, bad) = Witness::boxed(true, false);
        let (mad_seen, mad) = Witness::boxed(false, true);
        let outcome = collect(play(events), vec![bad, mad, good]).await;
        let calls =
            |seen: &Mutex<Vec<String>>, what: &str| seen.lock().unwrap().iter().filter(|it| *it == what).count();
        assert_eq!((calls(&good_seen, "on"), calls(&good_seen, "finish")), (count, 1));
        assert_eq!((calls(&bad_seen, "on"), calls(&bad_seen, "finish")), (count, 1));
        assert_eq!((calls(&mad_seen, "on"), calls(&mad_seen, "finish")), (1, 0));
        let told: Vec<String> = outcome.failures.iter().map(|failure| failure.error.to_string()).collect();
        assert!(told[0].starts_with("cannot write to standard output"), "{told:?}");
        assert!(told[1].starts_with("the witness reporter panicked: as it was told to"), "{told:?}");
        assert!(outcome.failures.iter().all(|failure| failure.told));
        assert!(told.iter().all(|text| calls(&good_seen, text) == 1));
    }

    #[tokio::test]
    async fn it_ends_with_the_run_though_someone_could_still_send() {
        let (sink, receiver) = EventSink::channel();
        script::every_verdict().into_iter().for_each(|event| sink.send(event.event));
        let outcome = collect(receiver, Vec::new()).await;
        let tally = outcome.tally;
        assert_eq!((tally.planned, tally.judged(), tally.not_run()), (7, 7, 0));
        assert_eq!([tally.pass, tally.inconclusive, tally.blocked, tally.infra, tally.fail], [1, 1, 2, 1, 2]);
        assert_eq!(tally.worst(), Some(Verdict::Fail));
        drop(sink);
    }

    #[tokio::test]
    async fn it_ends_when_no_one_is_left_to_send_and_knows_that_the_run_did_not() {
        let mut events = script::every_verdict();
        events.truncate(20);
        let (seen, witness) = Witness::boxed(false, false);
        let outcome = collect(play(events), vec![witness]).await;
        assert!(!outcome.tally.finished);
        assert_eq!(seen.lock().unwrap().last().unwrap(), "finish");
        assert_eq!(outcome.exit_code(), 3);
    }

    #[tokio::test]
    async fn reporters_may_write_while_nothing_happens() {
        let (sink, receiver) = EventSink::channel();
        let (seen, witness) = Witness::boxed(false, false);
        let collecting = tokio::spawn(collect(receiver, vec![witness]));
        while seen.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        drop(sink);
        collecting.await.unwrap();
        assert_eq!(seen.lock().unwrap()[0], "idle");
    }

    #[tokio::test]
    async fn a_full_disk_for_one_file_leaves_the_others_whole() {
        let dir = tempfile::tempdir().unwrap();
        let folder = ReportFolder::create(dir.path()).unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.path().join("evidence.jsonl")).unwrap();
        let reporters: Vec<Box<dyn Reporter>> =
            vec![Box::new(JUnit::new(&folder)), Box::new(EvidenceLines::new(&folder))];
        let outcome = collect(play(script::every_verdict()), reporters).await;
        let [failure] = &outcome.failures[..] else { panic!("{:?}", outcome.failures) };
        let text = failure.error.to_string();
        assert!(text.contains("evidence.jsonl: No space left on device"), "{text}");
        assert!(text.ends_with("free some space, or choose another folder with `--report`"), "{text}");
        let junit = std::fs::read_to_string(dir.path().join("junit.xml")).unwrap();
        assert!(!junit.contains("run was cut short"));
    }

    /// Ten thousand scenarios through all reporters that write files, and the console.
    #[tokio::test]
    async fn ten_thousand_scenarios_are_reported_whole() {
        let dir = tempfile::tempdir().unwrap();
        let folder = ReportFolder::create(dir.path()).unwrap();
        let reporters: Vec<Box<dyn Reporter>> = vec![
            Box::new(JUnit::new(&folder)),
            Box::new(EvidenceLines::new(&folder)),
            Box::new(ReportJson::new(&folder)),
            Box::new(crate::messages::Messages::new(&folder)),
            Box::new(Documents::new(&folder)),
            Box::new(GitHub::new(Box::new(File::create(dir.path().join("github")).unwrap()), |out| {
                Console::new(out, false, 0)
            })),
            Box::new(Console::new(Box::new(File::create(dir.path().join("console")).unwrap()), false, 0)),
        ];
        let before = std::time::Instant::now();
        let (sender, receiver) = mpsc::unbounded_channel();
        let sending = std::thread::spawn(move || script::long(10_000).for_each(|event| sender.send(event).unwrap()));
        let outcome = collect(receiver, reporters).await;
        sending.join().unwrap();
        assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
        assert_eq!((outcome.tally.pass, outcome.tally.fail, outcome.tally.not_run()), (9_000, 1_000, 0));
        let read = |name| std::fs::read_to_string(dir.path().join(name)).unwrap();
        let report: Report = serde_json::from_str(&read("report.json")).unwrap();
        assert_eq!((report.scenarios.len(), report.jobs.len()), (10_000, 10_000));
        assert_eq!(read("evidence.jsonl").lines().count(), 10_000);
        let console = read("console");
        assert!(console.contains("qemu:mps2-an386 (10,000 jobs)  fail"));
        assert!(console.ends_with("10,000 scenarios: 9,000 pass, 1,000 fail, in 12.3 s\n"));
        // Told for people, each stays short; for programs, each is whole.
        assert!(
            read("report.md").len() < 20_000 && read("github").lines().filter(|it| it.starts_with("::")).count() == 10
        );
        assert!(read("metrics.csv").lines().count() > 100_000);
        assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&read("codequality.json")).unwrap().len(), 1_000);
        // It takes a few seconds; what grew with the square of scenarios would take minutes.
        assert!(before.elapsed() < Duration::from_secs(60), "{:?}", before.elapsed());
    }

    #[tokio::test]
    async fn a_quarantined_fail_does_not_count_and_an_expired_quarantine_does() {
        let outcome = collect(play(script::rich()), Vec::new()).await;
        let tally = &outcome.tally;
        assert_eq!((tally.fail, tally.in_quarantine(), tally.judged(), tally.not_run()), (2, 1, 7, 0));
        assert_eq!(tally.quarantined[&Verdict::Fail], 1);
        assert_eq!(outcome.exit_code(), 1);
    }

    #[test]
    fn exit_codes_are_those_of_the_design() {
        let tally = |pass, infra, fail| Tally { planned: 3, pass, infra, fail, finished: true, ..Default::default() };
        let code = |tally| ReportOutcome { tally, failures: Vec::new() }.exit_code();
        assert_eq!(code(tally(3, 0, 0)), 0);
        assert_eq!(code(tally(2, 0, 1)), 1);
        assert_eq!(code(tally(1, 1, 1)), 1);
        assert_eq!(code(tally(2, 1, 0)), 3);
        assert_eq!(code(tally(2, 0, 0)), 3, "one was not run");
        assert_eq!(code(tally(0, 0, 0)), 3, "no output is never a pass");
        let exempt = |count| [(Verdict::Fail, count)].into_iter().collect();
        assert_eq!(code(Tally { quarantined: exempt(1), ..tally(2, 0, 0) }), 0);
        assert_eq!(code(Tally { quarantined: exempt(3), ..tally(0, 0, 0) }), 3, "nothing that gates was run");
        assert_eq!(code(Tally { quarantined: exempt(3), left_out: 1, ..tally(0, 0, 0) }), 0, "of a change");
        assert_eq!(code(Tally { quarantined: exempt(2), left_out: 1, ..tally(0, 0, 0) }), 3, "one was not run");
        assert_eq!(code(Tally { interrupted: true, ..tally(2, 0, 1) }), 130);
        let error = ReportError::Output(std::io::ErrorKind::StorageFull.into());
        let failures = vec![ReportFailure { error, told: true }];
        assert_eq!(ReportOutcome { tally: tally(3, 0, 0), failures }.exit_code(), 3);
    }
}
