//! The published schema is that of the types, and what is written keeps to it.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    ReportFolder,
    json::{EVIDENCE_FILE, EvidenceLines, REPORT_FILE, ReportJson},
    script::{self, Played},
};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

#[test]
fn the_published_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/report.schema.json");
    let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("TINYFARM_UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(&path, &current).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == current,
        "docs/report.schema.json is not what the types say; rewrite it with TINYFARM_UPDATE_DOCS=1 and look whether \
         the version in `SCHEMA` has to grow"
    );
}

#[test]
fn all_that_is_written_keeps_to_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    let folder = ReportFolder::create(dir.path()).unwrap();
    let (mut report, mut evidence) = (Played::new(ReportJson::new(&folder)), Played::new(EvidenceLines::new(&folder)));
    let checker = Checker::new();
    for event in script::every_verdict() {
        report.on(&event).unwrap();
        evidence.on(&event).unwrap();
        let line = serde_json::to_value(EventLine::of(&event)).unwrap();
        checker.check("#/$defs/EventLine", &line).unwrap();
        // Whole at every moment.
        let text = fs::read_to_string(dir.path().join(REPORT_FILE)).unwrap();
        checker.check("#", &serde_json::from_str(&text).unwrap()).unwrap();
    }
    report.finish().unwrap();
    evidence.finish().unwrap();
    let text = fs::read_to_string(dir.path().join(REPORT_FILE)).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    checker.check("#", &value).unwrap();
    assert_eq!(value["scenarios"].as_array().unwrap().len(), 7);
    let lines = fs::read_to_string(dir.path().join(EVIDENCE_FILE)).unwrap();
    assert_eq!(lines.lines().count(), 9);
    for line in lines.lines() {
        checker.check("#/$defs/EvidenceLine", &serde_json::from_str(line).unwrap()).unwrap();
    }
    // And it is read back as it was.
    let back: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&back).unwrap(), value);
}

#[test]
fn quarantine_and_history_keep_to_the_schema_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut report = Played::new(ReportJson::new(&ReportFolder::create(dir.path()).unwrap()));
    let checker = Checker::new();
    for event in script::rich() {
        report.on(&event).unwrap();
        checker.check("#/$defs/EventLine", &serde_json::to_value(EventLine::of(&event)).unwrap()).unwrap();
    }
    report.finish().unwrap();
    let text = fs::read_to_string(dir.path().join(REPORT_FILE)).unwrap();
    checker.check("#", &serde_json::from_str(&text).unwrap()).unwrap();
    let report: Report = serde_json::from_str(&text).unwrap();
    let known = |id| report.jobs.iter().find(|job| job.id == id).unwrap().history.len();
    assert_eq!((known(2), known(4), report.tally.quarantined.fail), (3, 0, 1));
}

#[test]
fn the_checker_goes_red() {
    let checker = Checker::new();
    let tally = json!({"planned": 1, "pass": 1, "inconclusive": 0, "blocked": 0, "infra": 0, "fail": 0, "not_run": 0,
        "quarantined": {"pass": 0, "inconclusive": 0, "blocked": 0, "infra": 0, "fail": 0}});
    checker.check("#/$defs/Tally", &tally).unwrap();
    let mut missing = tally.clone();
    missing.as_object_mut().unwrap().remove("fail");
    assert_eq!(checker.check("#/$defs/Tally", &missing).unwrap_err(), "#/$defs/Tally: no `fail`");
    let mut negative = tally.clone();
    negative["fail"] = json!(-1);
    assert!(checker.check("#/$defs/Tally", &negative).is_err());
    let mut text = tally;
    text["fail"] = json!("1");
    assert!(checker.check("#/$defs/Tally", &text).is_err());
    checker.check("#/$defs/Verdict", &json!("pass")).unwrap();
    assert!(checker.check("#/$defs/Verdict", &json!("passed")).is_err());
    assert!(checker.check("#/$defs/Clock", &json!({"kind": "board-cycles"})).is_err());
}

/// Checks a value against as much of JSON schema as the published one uses; a keyword it does not know is an error.
struct Checker(Value);

impl Checker {
    fn new() -> Self {
        Self(schema().to_value())
    }

    fn check(&self, reference: &str, value: &Value) -> Result<(), String> {
        let schema = self.0.pointer(reference.trim_start_matches('#')).ok_or_else(|| format!("no {reference}"))?;
        self.against(schema, value).map_err(|error| format!("{reference}: {error}"))
    }

    fn against(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let Value::Object(keywords) = schema else {
            return if schema == true { Ok(()) } else { Err(format!("nothing is allowed, found {value}")) };
        };
        keywords.iter().try_for_each(|(keyword, wanted)| self.keyword(keyword, wanted, value))
    }

    fn keyword(&self, keyword: &str, wanted: &Value, value: &Value) -> Result<(), String> {
        let empty = Map::new();
        let object = value.as_object().unwrap_or(&empty);
        let all =
            |schemas: &Value| schemas.as_array().unwrap().iter().map(|schema| self.against(schema, value)).collect();
        match keyword {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => Ok(()),
            "$ref" => self.check(wanted.as_str().unwrap(), value),
            "type" => {
                let words = wanted.as_array().map_or_else(|| vec![wanted.clone()], Clone::clone);
                let fits = words.iter().any(|word| is_of(word.as_str().unwrap(), value));
                fits.then_some(()).ok_or_else(|| format!("{value} is not of type {wanted}"))
            }
            "const" => (wanted == value).then_some(()).ok_or_else(|| format!("{value} is not {wanted}")),
            "enum" => wanted
                .as_array()
                .unwrap()
                .contains(value)
                .then_some(())
                .ok_or_else(|| format!("{value} is not one of {wanted}")),
            "minimum" => match value.as_f64() {
                Some(number) if number < wanted.as_f64().unwrap() => Err(format!("{value} is less than {wanted}")),
                _ => Ok(()),
            },
            "maximum" => match value.as_f64() {
                Some(number) if number > wanted.as_f64().unwrap() => Err(format!("{value} is more than {wanted}")),
                _ => Ok(()),
            },
            "required" => {
                let missing =
                    wanted.as_array().unwrap().iter().find(|name| !object.contains_key(name.as_str().unwrap()));
                missing.map_or(Ok(()), |name| Err(format!("no `{}`", name.as_str().unwrap())))
            }
            "properties" => wanted.as_object().unwrap().iter().try_for_each(|(name, schema)| {
                let found = object.get(name).map_or(Ok(()), |inner| self.against(schema, inner));
                found.map_err(|error| format!("{name}: {error}"))
            }),
            "items" => {
                value.as_array().map_or(Ok(()), |items| items.iter().try_for_each(|item| self.against(wanted, item)))
            }
            "anyOf" | "oneOf" => {
                let results: Vec<Result<(), String>> = all(wanted);
                let fitting = results.iter().filter(|result| result.is_ok()).count();
                let enough = fitting == 1 || keyword == "anyOf" && fitting > 1;
                enough.then_some(()).ok_or_else(|| format!("{value} fits {fitting} of {keyword}: {results:?}"))
            }
            _ => Err(format!("the checker does not know `{keyword}`")),
        }
    }
}

fn is_of(word: &str, value: &Value) -> bool {
    match word {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    }
}

#[test]
fn the_documents_look_like_this() {
    let dir = tempfile::tempdir().unwrap();
    let folder = ReportFolder::create(dir.path()).unwrap();
    let (mut report, mut evidence) = (Played::new(ReportJson::new(&folder)), Played::new(EvidenceLines::new(&folder)));
    // The first scenario and the last.
    let events = script::every_verdict();
    let keep = |event: &&farm::Stamped| match &event.event {
        farm::FarmEvent::JobFinished { report, .. } => [2, 4, 6].contains(&report.id.0),
        farm::FarmEvent::ScenarioFinished { scenario, .. } => [15, 55].contains(&scenario.line),
        _ => true,
    };
    for event in events.iter().filter(keep) {
        report.on(event).unwrap();
        evidence.on(event).unwrap();
    }
    report.finish().unwrap();
    evidence.finish().unwrap();
    let mut value: Value = serde_json::from_str(&fs::read_to_string(dir.path().join(REPORT_FILE)).unwrap()).unwrap();
    value["targets"].as_array_mut().unwrap().retain(|target| target["id"] != "board:nucleo");
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap(), @r#"
        {
          "jobs": [
            {
              "attempts": [
                {
                  "number": 1,
                  "reason": "QEMU was killed by signal 9",
                  "target": "qemu:mps2-an386",
                  "took_s": 0.8,
                  "verdict": "infra"
                },
                {
                  "number": 2,
                  "reason": "",
                  "target": "qemu:mps2-an386",
                  "took_s": 0.8,
                  "verdict": "pass"
                }
              ],
              "dataset": "sine",
              "fault": null,
              "figures": {
                "accuracy": null,
                "arena": {
                  "size": 65536,
                  "used": 1472
                },
                "clock": {
                  "kind": "qemu-instructions"
                },
                "errors": {
                  "maximum": 0.1302,
                  "mean_absolute": 0.033612,
                  "root_mean_square": 0.0403344
                },
                "firmware": {
                  "bss": 70000,
                  "data": 2400,
                  "model": 2512,
                  "text": 175600
                },
                "samples": 1001,
                "ticks": {
                  "max": 6950,
                  "median": 6812,
                  "min": 6700,
                  "p90": 6850,
                  "p99": 6901
                }
              },
              "id": 2,
              "judged": "fail",
              "model": "hello_world",
              "own_firmware": false,
              "provenance": {
                "core": "Cortex-M4F",
                "dataset": "b277fd623676a525c29b9eb155afc8c9010681814ceafb2d7627f47b9a232576",
                "model": "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4",
                "runner": "0.1.0",
                "runner_digest": "c0ffee",
                "tflm": "2.2.0",
                "tool": "QEMU 7.2.22"
              },
              "reason": "after 1 infra retry",
              "rerun": 0,
              "simulated": false,
              "target": "qemu:mps2-an386",
              "verdict": "pass"
            },
            {
              "attempts": [
                {
                  "number": 1,
                  "reason": "crashed: core locked up \u001b[32mpass\u001b[0m",
                  "target": "qemu:mps2-an386",
                  "took_s": 0.8,
                  "verdict": "fail"
                }
              ],
              "dataset": "sine",
              "fault": {
                "kind": "crash",
                "message": "crashed: crashed: core locked up \u001b[32mpass\u001b[0m"
              },
              "figures": null,
              "id": 4,
              "judged": "fail",
              "model": "evil\u0007",
              "own_firmware": false,
              "provenance": null,
              "reason": "crashed: core locked up \u001b[32mpass\u001b[0m",
              "rerun": 0,
              "simulated": false,
              "target": "qemu:mps2-an386",
              "verdict": "fail"
            },
            {
              "attempts": [
                {
                  "number": 1,
                  "reason": "",
                  "target": "qemu:mps2-an386",
                  "took_s": 0.8,
                  "verdict": "pass"
                }
              ],
              "dataset": "words",
              "fault": null,
              "figures": {
                "accuracy": {
                  "correct": 30,
                  "macro_f1": 1.0,
                  "macro_precision": 1.0,
                  "macro_recall": 1.0,
                  "top1": 1.0,
                  "total": 30,
                  "wilson_high": 1.0,
                  "wilson_low": 0.8864866068260312
                },
                "arena": {
                  "size": 65536,
                  "used": 1472
                },
                "clock": {
                  "kind": "qemu-instructions"
                },
                "errors": null,
                "firmware": {
                  "bss": 70000,
                  "data": 2400,
                  "model": 2512,
                  "text": 175600
                },
                "samples": 30,
                "ticks": {
                  "max": 6950,
                  "median": 6812,
                  "min": 6700,
                  "p90": 6850,
                  "p99": 6901
                }
              },
              "id": 6,
              "judged": "inconclusive",
              "model": "micro_speech",
              "own_firmware": false,
              "provenance": {
                "core": "Cortex-M4F",
                "dataset": "b277fd623676a525c29b9eb155afc8c9010681814ceafb2d7627f47b9a232576",
                "model": "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4",
                "runner": "0.1.0",
                "runner_digest": "c0ffee",
                "tflm": "2.2.0",
                "tool": "QEMU 7.2.22"
              },
              "reason": "",
              "rerun": 0,
              "simulated": false,
              "target": "qemu:mps2-an386",
              "verdict": "pass"
            }
          ],
          "run": {
            "command": [
              "tinyfarm",
              "run",
              "features"
            ],
            "id": "20261122T134600Z-5eed",
            "origin": {
              "branch": null,
              "commit": null,
              "cores": 0,
              "cpu": "",
              "dirty": false,
              "left_out": 0,
              "machine": "",
              "memory": 0,
              "nightly": false,
              "os": "",
              "since": null
            },
            "started": "2026-11-22T13:46:00.000Z",
            "state": "finished",
            "took_s": 12.345,
            "version": "0.1.0"
          },
          "scenarios": [
            {
              "criteria": [
                {
                  "criterion": "mean absolute error <= 0.03",
                  "job": 2,
                  "measured": "0.0336",
                  "reason": "expected mean absolute error <= 0.03, found 0.0336: 0.0036 too much",
                  "target": "qemu:mps2-an386",
                  "value": 0.033612,
                  "verdict": "fail"
                }
              ],
              "feature": "hello_world predicts a sine",
              "jobs": [
                2
              ],
              "line": 15,
              "name": "It is better than it is",
              "path": "features/hello_world.feature",
              "quarantine": null,
              "reason": "qemu:mps2-an386: expected mean absolute error <= 0.03, found 0.0336: 0.0036 too much",
              "steps": [
                {
                  "keyword": "Given",
                  "line": 16,
                  "reason": "",
                  "text": "the model \"hello_world\" and the dataset \"sine\"",
                  "took_s": 0.25,
                  "verdict": "pass"
                },
                {
                  "keyword": "When",
                  "line": 17,
                  "reason": "",
                  "text": "it runs on the emulator \"qemu:mps2-an386\"",
                  "took_s": 0.25,
                  "verdict": "pass"
                },
                {
                  "keyword": "Then",
                  "line": 18,
                  "reason": "qemu:mps2-an386: expected mean absolute error <= 0.03, found 0.0336: 0.0036 too much",
                  "text": "the mean absolute error is at most 0.03",
                  "took_s": 0.25,
                  "verdict": "fail"
                },
                {
                  "keyword": "When",
                  "line": 19,
                  "reason": "",
                  "text": "it runs on the board",
                  "took_s": 0.25,
                  "verdict": null
                }
              ],
              "tags": [],
              "took_s": 1.25,
              "verdict": "fail"
            },
            {
              "criteria": [
                {
                  "criterion": "top-1 accuracy >= 99 %",
                  "job": 6,
                  "measured": "100.0 % (30 of 30)",
                  "reason": "30 samples are too few to show top-1 accuracy >= 99 %: even a perfect score shows no more than 88.6 %",
                  "target": "qemu:mps2-an386",
                  "value": 0.033612,
                  "verdict": "inconclusive"
                }
              ],
              "feature": "hello_world predicts a sine",
              "jobs": [
                6,
                7
              ],
              "line": 55,
              "name": "It needs more samples",
              "path": "features/hello_world.feature",
              "quarantine": null,
              "reason": "qemu:mps2-an386: 30 samples are too few to show top-1 accuracy >= 99 %: even a perfect score shows no more than 88.6 %",
              "steps": [
                {
                  "keyword": "Then",
                  "line": 56,
                  "reason": "qemu:mps2-an386: 30 samples are too few to show top-1 accuracy >= 99 %: even a perfect score shows no more than 88.6 %",
                  "text": "the top-1 accuracy is at least 99 %",
                  "took_s": 0.25,
                  "verdict": "inconclusive"
                }
              ],
              "tags": [],
              "took_s": 1.25,
              "verdict": "inconclusive"
            }
          ],
          "schema": "tinyfarm-report/1",
          "tally": {
            "blocked": 0,
            "fail": 1,
            "inconclusive": 1,
            "infra": 0,
            "not_run": 5,
            "pass": 0,
            "planned": 7,
            "quarantined": {
              "blocked": 0,
              "fail": 0,
              "inconclusive": 0,
              "infra": 0,
              "pass": 0
            }
          },
          "targets": [
            {
              "clock": {
                "kind": "host"
              },
              "core": "x86-64",
              "id": "container",
              "kind": null,
              "simulated": false,
              "stage": "container",
              "state": "ready",
              "tags": [],
              "tool": "Docker 20.10.24"
            },
            {
              "clock": {
                "kind": "qemu-instructions"
              },
              "core": "Cortex-M4F",
              "id": "qemu:mps2-an386",
              "kind": null,
              "simulated": false,
              "stage": "emulator",
              "state": "ready",
              "tags": [],
              "tool": "QEMU 7.2.22"
            },
            {
              "clock": {
                "kind": "qemu-instructions"
              },
              "core": "Cortex-M4F",
              "id": "qemu:mps3-an547",
              "kind": null,
              "reason": "qemu-system-arm has no such machine; install it with scripts/setup",
              "simulated": false,
              "stage": "emulator",
              "state": "absent",
              "tags": []
            }
          ]
        }
        "#);
    insta::assert_snapshot!(fs::read_to_string(dir.path().join(EVIDENCE_FILE)).unwrap(), @r#"
        {"schema":"tinyfarm-report/1","run":"20261122T134600Z-5eed","job":{"id":2,"model":"hello_world","dataset":"sine","target":"qemu:mps2-an386","simulated":false,"verdict":"pass","judged":"pass","reason":"after 1 infra retry","fault":null,"attempts":[{"number":1,"target":"qemu:mps2-an386","verdict":"infra","reason":"QEMU was killed by signal 9","took_s":0.8},{"number":2,"target":"qemu:mps2-an386","verdict":"pass","reason":"","took_s":0.8}],"figures":{"samples":1001,"clock":{"kind":"qemu-instructions"},"ticks":{"min":6700,"median":6812,"p90":6850,"p99":6901,"max":6950},"accuracy":null,"errors":{"mean_absolute":0.033612,"root_mean_square":0.0403344,"maximum":0.1302},"arena":{"used":1472,"size":65536},"firmware":{"text":175600,"data":2400,"bss":70000,"model":2512}},"provenance":{"model":"9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4","dataset":"b277fd623676a525c29b9eb155afc8c9010681814ceafb2d7627f47b9a232576","runner":"0.1.0","runner_digest":"c0ffee","tflm":"2.2.0","core":"Cortex-M4F","tool":"QEMU 7.2.22"},"own_firmware":false,"rerun":0},"outputs":["0000803f","000000bf"],"ticks":[6812,6901],"confusion":null,"log":"TFLM: arena allocated\n"}
        {"schema":"tinyfarm-report/1","run":"20261122T134600Z-5eed","job":{"id":4,"model":"evil\u0007","dataset":"sine","target":"qemu:mps2-an386","simulated":false,"verdict":"fail","judged":"fail","reason":"crashed: core locked up \u001b[32mpass\u001b[0m","fault":{"kind":"crash","message":"crashed: crashed: core locked up \u001b[32mpass\u001b[0m"},"attempts":[{"number":1,"target":"qemu:mps2-an386","verdict":"fail","reason":"crashed: core locked up \u001b[32mpass\u001b[0m","took_s":0.8}],"figures":null,"provenance":null,"own_firmware":false,"rerun":0},"outputs":[],"ticks":[],"confusion":null,"log":"one\n]]> \u001b[1A two\r\n\u0000three\n"}
        {"schema":"tinyfarm-report/1","run":"20261122T134600Z-5eed","job":{"id":6,"model":"micro_speech","dataset":"words","target":"qemu:mps2-an386","simulated":false,"verdict":"pass","judged":"pass","reason":"","fault":null,"attempts":[{"number":1,"target":"qemu:mps2-an386","verdict":"pass","reason":"","took_s":0.8}],"figures":{"samples":30,"clock":{"kind":"qemu-instructions"},"ticks":{"min":6700,"median":6812,"p90":6850,"p99":6901,"max":6950},"accuracy":{"correct":30,"total":30,"top1":1.0,"wilson_low":0.8864866068260312,"wilson_high":1.0,"macro_precision":1.0,"macro_recall":1.0,"macro_f1":1.0},"errors":null,"arena":{"used":1472,"size":65536},"firmware":{"text":175600,"data":2400,"bss":70000,"model":2512}},"provenance":{"model":"9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4","dataset":"b277fd623676a525c29b9eb155afc8c9010681814ceafb2d7627f47b9a232576","runner":"0.1.0","runner_digest":"c0ffee","tflm":"2.2.0","core":"Cortex-M4F","tool":"QEMU 7.2.22"},"own_firmware":false,"rerun":0},"outputs":["0000803f","000000bf"],"ticks":[6812,6901],"confusion":{"classes":[{"name":"yes","precision":1.0,"recall":1.0,"f1":1.0,"support":15},{"name":"no","precision":1.0,"recall":1.0,"f1":1.0,"support":15}],"counts":[[15,0,0],[0,15,0]]},"log":"TFLM: arena allocated\n"}
        "#);
}
