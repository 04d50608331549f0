//! For programs on the other end of a pipe (`--format json`): each event as a line of JSON, and nothing else.

use crate::{Account, ReportError, Reporter, json::EventLine};
use farm::Stamped;
use std::io::Write;

/// Writes [`EventLine`]s.
pub struct EventLines {
    out: Box<dyn Write + Send>,
}

impl EventLines {
    /// To `out`.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out }
    }
}

impl Reporter for EventLines {
    fn name(&self) -> &str {
        "JSON lines"
    }

    fn on(&mut self, event: &Stamped, _: &Account) -> Result<(), ReportError> {
        let mut line = serde_json::to_vec(&EventLine::of(event)).map_err(|error| ReportError::Output(error.into()))?;
        line.push(b'\n');
        // One write, so that a reader, or a kill, sees whole lines; flushed, so that it sees them now.
        self.out.write_all(&line).and_then(|()| self.out.flush()).map_err(ReportError::Output)
    }

    fn finish(&mut self, _: &Account) -> Result<(), ReportError> {
        self.out.flush().map_err(ReportError::Output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::script::{self, Played};
    use std::fs::File;

    #[test]
    fn each_event_is_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let events = script::every_verdict();
        script::play(&mut EventLines::new(Box::new(File::create(&path).unwrap())), &events);
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text.lines().count(), events.len());
        for (line, event) in text.lines().zip(&events) {
            assert_eq!(serde_json::from_str::<EventLine>(line).unwrap(), EventLine::of(event));
        }
        // One of each kind, in the order in which they first come.
        let mut kinds = Vec::new();
        let mut first = Vec::new();
        for line in text.lines() {
            let kind = serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].clone();
            if !kinds.contains(&kind) {
                kinds.push(kind);
                first.push(line);
            }
        }
        insta::assert_snapshot!(first.join("\n"), @r#"
        {"at":"2026-11-22T13:46:00.000Z","event":"run-started","schema":"tinyfarm-report/1","run":"20261122T134600Z-5eed","version":"0.1.0","command":["tinyfarm","run","features"],"scenarios":7,"origin":{"commit":null,"branch":null,"dirty":false,"machine":"","os":"","cpu":"","cores":0,"memory":0,"nightly":false,"since":null,"left_out":0}}
        {"at":"2026-11-22T13:46:00.100Z","event":"target-seen","target":{"id":"container","stage":"container","core":"x86-64","clock":{"kind":"host"},"simulated":false,"tags":[],"kind":null,"state":"ready","tool":"Docker 20.10.24"}}
        {"at":"2026-11-22T13:46:00.500Z","event":"preparing","target":"qemu:mps2-an386"}
        {"at":"2026-11-22T13:46:00.600Z","event":"building","target":"qemu:mps2-an386","done":1,"total":2}
        {"at":"2026-11-22T13:46:00.800Z","event":"prepared","target":"qemu:mps2-an386","took_s":11.2,"error":null}
        {"at":"2026-11-22T13:46:01.100Z","event":"scenario-started","scenario":{"path":"features/hello_world.feature","line":5,"feature":"hello_world predicts a sine","name":"It predicts a sine everywhere"},"tags":["smoke"]}
        {"at":"2026-11-22T13:46:01.200Z","event":"step-finished","scenario":{"path":"features/hello_world.feature","line":5,"feature":"hello_world predicts a sine","name":"It predicts a sine everywhere"},"step":{"keyword":"Given","text":"the model \"hello_world\" and the dataset \"sine\"","line":6,"verdict":"pass","reason":"","took_s":0.25}}
        {"at":"2026-11-22T13:46:01.300Z","event":"job-queued","job":1,"model":"hello_world","dataset":"sine","target":"container","alternates":[],"samples":1001}
        {"at":"2026-11-22T13:46:01.400Z","event":"attempt-started","job":1,"attempt":1,"target":"container"}
        {"at":"2026-11-22T13:46:01.500Z","event":"job-progress","job":1,"done":500}
        {"at":"2026-11-22T13:46:01.600Z","event":"attempt-finished","job":1,"attempt":{"number":1,"target":"container","verdict":"pass","reason":"","took_s":0.8}}
        {"at":"2026-11-22T13:46:01.700Z","event":"job-finished","job":{"id":1,"model":"hello_world","dataset":"sine","target":"container","simulated":false,"verdict":"pass","judged":"pass","reason":"","fault":null,"attempts":[{"number":1,"target":"container","verdict":"pass","reason":"","took_s":0.8}],"figures":{"samples":1001,"clock":{"kind":"host"},"ticks":{"min":6700,"median":6812,"p90":6850,"p99":6901,"max":6950},"accuracy":null,"errors":{"mean_absolute":0.033612,"root_mean_square":0.0403344,"maximum":0.1302},"arena":{"used":1472,"size":65536},"firmware":null},"provenance":{"model":"9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4","dataset":"b277fd623676a525c29b9eb155afc8c9010681814ceafb2d7627f47b9a232576","runner":"0.1.0","runner_digest":"c0ffee","tflm":"2.2.0","core":"x86-64","tool":"QEMU 7.2.22"},"own_firmware":false,"rerun":0}}
        {"at":"2026-11-22T13:46:01.800Z","event":"job-used","scenario":{"path":"features/hello_world.feature","line":5,"feature":"hello_world predicts a sine","name":"It predicts a sine everywhere"},"job":1}
        {"at":"2026-11-22T13:46:01.900Z","event":"criterion-judged","scenario":{"path":"features/hello_world.feature","line":5,"feature":"hello_world predicts a sine","name":"It predicts a sine everywhere"},"criterion":{"job":1,"target":"container","criterion":"mean absolute error <= 0.05","measured":"0.0336","value":0.033612,"verdict":"pass","reason":""}}
        {"at":"2026-11-22T13:46:03.700Z","event":"scenario-finished","scenario":{"path":"features/hello_world.feature","line":5,"feature":"hello_world predicts a sine","name":"It predicts a sine everywhere"},"verdict":"pass","reason":"after 1 infra retry","took_s":1.25,"quarantine":null}
        {"at":"2026-11-22T13:46:08.800Z","event":"run-finished","interrupted":false,"took_s":12.345}
        "#);
    }

    #[test]
    fn a_reader_that_has_gone_is_an_error() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut reporter = Played::new(EventLines::new(Box::new(full)));
        let error = reporter.on(&script::every_verdict()[0]).unwrap_err().to_string();
        assert!(error.starts_with("cannot write to standard output: No space left on device"), "{error}");
    }
}
