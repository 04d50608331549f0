//! What features, models and devices say is written by anyone: it is fed to every format, and what comes out is read by a
//! real parser of that format.

#![allow(clippy::unwrap_used)]

use crate::{
    Console, ReportFolder, Reporter,
    documents::{self, Documents},
    github,
    json::{EvidenceLines, ReportJson},
    junit::JUnit,
    lines::EventLines,
    messages::Messages,
    script,
};
use farm::{FarmEvent, Stamped, TargetId, events::ScenarioId};
use pulldown_cmark::{Event, Options, Parser, Tag};
use quick_xml::{Reader, events::Event as Xml};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Everything that some format gives a meaning, and more. None has a line break at its end: names have none either.
fn nasty() -> Vec<String> {
    let mut all: Vec<String> = [
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "]]> <![CDATA[ <!-- --> &amp; &#0; <?xml?>",
        "\"quoted\" 'twice' \"\"\"",
        "\u{0}\u{1}\u{7}\u{8}\u{b}\u{c}\u{1f}\u{7f}\u{9b}\u{fffe}\u{ffff}",
        "\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}[31mred",
        "\u{202e}ssap\u{2066}\u{200f}\u{2028}\u{2029}\u{feff}",
        "emoji \u{1f980}\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "lone\rCR and\r\nCRLF and\nLF\n  ::error file=x::injected\n::add-mask::x ##[error]y",
        "::error::first",
        "=HYPERLINK(\"http://x\")",
        "@everyone #1 !2 [a](javascript:alert(1)) ![b](http://x/y.png) **b** `c` | d \\| e <https://x> www.example.com",
        "# Heading\n> quote\n- list\n```\nfence\n```\n| a | b |\n|---|---|",
        "]]><failure/>",
        "</style></svg></title><svg onload=alert(1)>",
        "${{ secrets.X }} {{x}} %0A%0D %s",
        "{\"a\":1},[null]",
        " ",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push("long ".repeat(20_000));
    all.push("<b>&|".repeat(5_000));
    all
}

/// The events of `script::rich` with `text` wherever someone else has the say.
fn poisoned(text: &str) -> Vec<Stamped> {
    let mut events = script::rich();
    let id = |scenario: &mut ScenarioId| {
        // The path and the line keep scenarios apart.
        scenario.name = text.to_owned();
        scenario.feature = text.to_owned();
        scenario.path = format!("{text}/{}", scenario.path);
    };
    let target = |id: &mut TargetId| id.0 = format!("{text}{}", id.0);
    for stamped in &mut events {
        match &mut stamped.event {
            FarmEvent::RunStarted { run, version, command, origin, .. } => {
                [run, version, &mut origin.machine.name, &mut origin.machine.os, &mut origin.machine.cpu]
                    .into_iter()
                    .for_each(|it| *it = text.to_owned());
                command.push(text.to_owned());
                (origin.branch, origin.commit) = (Some(text.to_owned()), Some(text.to_owned()));
            }
            FarmEvent::FeatureRead { path, text: feature } => {
                *path = format!("{text}/{path}");
                *feature = format!("{feature}\n  # {text}\n");
            }
            FarmEvent::TargetSeen { info, availability } => {
                target(&mut info.id);
                info.core = text.to_owned();
                match availability {
                    farm::Availability::Ready { tool } => *tool = text.to_owned(),
                    farm::Availability::Absent { reason } => *reason = text.to_owned(),
                }
            }
            FarmEvent::Preparing { target: it } => target(it),
            FarmEvent::Prepared { target: it, error, .. } => {
                target(it);
                *error = Some(text.to_owned());
            }
            FarmEvent::ScenarioStarted { scenario, tags } => {
                id(scenario);
                tags.push(text.to_owned());
            }
            FarmEvent::JobQueued { model, dataset, target: it, .. } => {
                target(it);
                (*model, *dataset) = (text.to_owned(), text.to_owned());
            }
            FarmEvent::AttemptStarted { target: it, .. } => target(it),
            FarmEvent::AttemptFinished { report, .. } => {
                target(&mut report.target);
                report.reason = text.to_owned();
            }
            FarmEvent::BenchHealth { target: it, state, reason } => {
                target(it);
                (*state, *reason) = (text.to_owned(), text.to_owned());
            }
            FarmEvent::JobFinished { report, summary } => {
                let report = Arc::make_mut(report);
                (report.model, report.dataset, report.log) = (text.to_owned(), text.to_owned(), text.to_owned());
                target(&mut report.target);
                report.judgement.reason = text.to_owned();
                report.attempts.iter_mut().for_each(|attempt| {
                    target(&mut attempt.target);
                    attempt.reason = text.to_owned();
                });
                if let Some(evidence) = report.evidence.as_mut().map(Arc::make_mut) {
                    target(&mut evidence.target.id);
                    evidence.handshake.core = text.to_owned();
                    evidence.handshake.tflm = text.to_owned();
                    evidence.provenance.tool = text.to_owned();
                    evidence.provenance.tflm = text.to_owned();
                    evidence.log = text.to_owned();
                }
                if let Some(seen) = summary.as_mut().map(Arc::make_mut).and_then(|it| it.classification.as_mut()) {
                    seen.classes.iter_mut().for_each(|class| class.name = text.to_owned());
                }
            }
            FarmEvent::JobUsed { scenario, .. } => id(scenario),
            FarmEvent::CriterionJudged { scenario, report } => {
                id(scenario);
                target(&mut report.target);
                (report.criterion, report.measured) = (text.to_owned(), text.to_owned());
                report.judgement.reason = text.to_owned();
            }
            FarmEvent::StepFinished { scenario, report } => {
                id(scenario);
                (report.keyword, report.text) = (text.to_owned(), text.to_owned());
                if let Some(judgement) = &mut report.judgement {
                    judgement.reason = text.to_owned();
                }
            }
            FarmEvent::ScenarioFinished { scenario, judgement, quarantine, .. } => {
                id(scenario);
                judgement.reason = text.to_owned();
                if let Some(quarantine) = quarantine {
                    (quarantine.owner, quarantine.reason) = (text.to_owned(), text.to_owned());
                }
            }
            _ => {}
        }
    }
    events
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// All that is written of `events`, by file name; `console` and `lines` are standard output.
fn rendered(events: &[Stamped]) -> BTreeMap<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let folder = ReportFolder::create(dir.path()).unwrap();
    let [console, lines] = [Kept::default(), Kept::default()];
    let reporters: Vec<Box<dyn Reporter>> = vec![
        Box::new(JUnit::new(&folder)),
        Box::new(EvidenceLines::new(&folder)),
        Box::new(ReportJson::new(&folder)),
        Box::new(Messages::new(&folder)),
        Box::new(Documents::new(&folder)),
        Box::new(EventLines::new(Box::new(lines.clone()))),
        Box::new(Console::new(Box::new(console.clone()), false, 1)),
    ];
    for mut reporter in reporters {
        script::play(reporter.as_mut(), events);
    }
    let mut all = BTreeMap::from([("github".to_owned(), github::tests::told(events.to_vec()))]);
    for (name, kept) in [("console", console), ("lines", lines)] {
        all.insert(name.to_owned(), String::from_utf8(kept.0.lock().unwrap().clone()).unwrap());
    }
    for file in ["junit.xml", "report.json", "evidence.jsonl", "messages.ndjson"].into_iter().chain(documents::files())
    {
        all.insert(file.to_owned(), std::fs::read_to_string(dir.path().join(file)).unwrap());
    }
    all
}

/// What a terminal or a reader of text must never get.
fn is_tame(c: char) -> bool {
    c == '\n' || crate::text::escape(c.encode_utf8(&mut [0; 4])).chars().eq([c])
}

/// The elements of an XML document, in order.
fn elements(text: &str) -> Vec<String> {
    let mut reader = Reader::from_str(text);
    let mut names = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Xml::Start(tag) | Xml::Empty(tag) => {
                names.push(String::from_utf8(tag.name().as_ref().to_vec()).unwrap());
                tag.attributes().for_each(|attribute| drop(attribute.unwrap()));
            }
            Xml::Eof => return names,
            _ => {}
        }
    }
}

/// The markup of a page, without its text.
fn markup(text: &str) -> Vec<String> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_GFM | Options::ENABLE_MATH;
    let mut all = Vec::new();
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(tag) => {
                assert!(!matches!(tag, Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock), "{tag:?}");
                all.push(format!("{tag:?}"));
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                assert_eq!(&*html, "<br>");
                all.push("<br>".to_owned());
            }
            Event::InlineMath(math) | Event::DisplayMath(math) => panic!("{math}"),
            Event::Code(_) => all.push("code".to_owned()),
            _ => {}
        }
    }
    all
}

#[test]
fn nothing_that_anyone_wrote_is_live_anywhere() {
    // Names of one character change neither lengths nor counts of anything but themselves.
    let harmless = rendered(&poisoned("x"));
    for text in nasty() {
        let shown: String = text.chars().take(40).collect();
        let outputs = rendered(&poisoned(&text));
        for (name, output) in &outputs {
            let bad = output.chars().find(|c| !is_tame(*c));
            // JSON has its own escapes for control characters, and passes on what only changes the look.
            let json = name.contains("json") || name == "lines" || name == "report.html";
            assert!(json || bad.is_none(), "{name} has {bad:?} of {shown:?}");
            assert!(!output.contains('\u{1b}') && !output.contains('\0'), "{name} of {shown:?}");
        }
        assert_eq!(elements(&outputs["junit.xml"]), elements(&harmless["junit.xml"]), "{shown:?}");
        for file in ["report.json", "codequality.json"] {
            serde_json::from_str::<serde_json::Value>(&outputs[file]).unwrap();
        }
        for file in ["evidence.jsonl", "lines", "messages.ndjson"] {
            // A feature's text with other lines has other messages.
            let alike = outputs[file].lines().count() == harmless[file].lines().count();
            assert!(alike || file == "messages.ndjson", "{file} of {shown:?}");
            outputs[file].lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).unwrap()));
        }
        let rows =
            |text: &str| csv::Reader::from_reader(text.as_bytes()).into_records().map(|row| row.unwrap()).collect();
        let rows: Vec<csv::StringRecord> = rows(&outputs["metrics.csv"]);
        assert_eq!(rows.len() + 1, harmless["metrics.csv"].lines().count());
        let formula = |cell: &str| cell.trim_start().starts_with(['=', '+', '@', '|']);
        assert!(!rows.iter().flatten().any(formula), "{shown:?}");
        let commands = |text: &str| {
            github::tests::taken(text).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
        };
        let [found, wanted]: [Vec<String>; 2] = [&outputs, &harmless].map(|it| commands(&it["github"]));
        assert_eq!(found, wanted, "{shown:?}");
        assert!(outputs["report.md"].len() < 65_536, "{} bytes of {shown:?}", outputs["report.md"].len());
        if outputs["report.md"].len() < 50_000 {
            assert_eq!(markup(&outputs["report.md"]), markup(&harmless["report.md"]), "{shown:?}");
        }
        let blocks = |text: &str| text.lines().filter(|line| line.starts_with("-----")).count();
        assert_eq!(blocks(&outputs["results.txt"]), blocks(&harmless["results.txt"]), "{shown:?}");
    }
}

#[test]
fn the_same_events_give_the_same_bytes_in_every_format() {
    for events in [script::rich(), script::every_verdict(), script::boards()] {
        let [one, other] = [(), ()].map(|()| rendered(&events));
        for (name, text) in &one {
            assert!(text == &other[name], "{name} differs");
        }
    }
}

#[test]
fn a_retried_job_is_named_in_every_format_for_people() {
    let outputs = rendered(&script::rich());
    for file in ["console", "github", "junit.xml", "report.md", "results.txt"] {
        assert!(outputs[file].contains("needed 3 attempts"), "{file}");
    }
    for file in ["report.json", "lines", "evidence.jsonl"] {
        assert!(outputs[file].contains("\"number\":3"), "{file}");
    }
    let mut rows = csv::Reader::from_reader(outputs["metrics.csv"].as_bytes());
    assert!(rows.records().any(|row| &row.unwrap()[13] == "3"));
}

#[test]
fn a_quarantined_scenario_is_marked_in_every_format() {
    let outputs = rendered(&script::rich());
    for file in ["console", "github", "junit.xml", "report.md", "codequality.json"] {
        assert!(outputs[file].contains("quarantined by qa-team until 2026-12-24"), "{file}");
        assert!(outputs[file].contains("ended on 2026-10-31: it gates again"), "{file}");
    }
    let report: crate::json::Report = serde_json::from_str(&outputs["report.json"]).unwrap();
    assert_eq!((report.tally.quarantined.fail, report.tally.fail), (1, 2));
}
