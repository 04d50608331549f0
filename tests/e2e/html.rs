//! The HTML report in a browser: headless Chromium opens what a real run wrote.

use crate::support::Project;
use std::{path::Path, process::Command};

/// What Chromium made of a page.
struct Opened {
    dom: String,
    /// What it said on its console.
    console: Vec<String>,
    /// A picture of it.
    png: Vec<u8>,
}

/// Opens `page` as wide as `width`, in a profile of its own.
fn open(page: &Path, width: u32) -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("page.png");
    let run = |wanted: &str| {
        let output = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(format!("--window-size={width},900"))
            .arg(wanted)
            .arg(format!("file://{}", page.canonicalize().unwrap().display()))
            .output()
            .expect("this test wants Chromium: scripts/setup installs it");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        (String::from_utf8_lossy(&output.stdout).into_owned(), said)
    };
    let complaints =
        |said: &str| said.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect::<Vec<_>>();
    let (dom, said) = run("--dump-dom");
    let mut console = complaints(&said);
    console.extend(complaints(&run(&format!("--screenshot={}", picture.display())).1));
    Opened { dom, console, png: std::fs::read(picture).unwrap() }
}

/// Width and height, from a picture's header.
fn size(png: &[u8]) -> (u32, u32) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn the_report_of_a_real_run_opens_in_a_browser_without_a_complaint() {
    let project = Project::new();
    project.file(
        "features/sine.feature",
        "Feature: a sine\n\n  Scenario: it fits <b>nicely</b> & \"well\"\n    Given the model \"hello_world\" and the dataset \"sine\"\n    \
         When it runs on the emulator \"qemu:mps2-an386\"\n    Then the mean absolute error is at most 0.05\n\n  \
         Scenario: it is too slow \u{1f422} </style><img src=x onerror=alert(1)> \u{202e}\u{1b}[2J\n    Given the model \"hello_world\" and the dataset \"sine\"\n    \
         When it runs on the emulator \"qemu:mps2-an386\"\n    Then the instructions p99 are at most 100\n",
    );
    project.tinyfarm(&["run", "features/sine.feature", "--report", "report"]).expect(1, &[]);
    let page = project.path().join("report/report.html");
    let opened = open(&page, 1280);
    assert_eq!(opened.console, Vec::<String>::new());
    let dom = &opened.dom;
    for wanted in [
        "<title>tinyfarm: fail, run ",
        "<h2 id=\"troubles\">What did not pass</h2>",
        "Then the instructions p99 are at most 100",
        "expected instructions p99 &lt;= 100, found 4,933",
        "<h2 id=\"matrix\">",
        "<h2 id=\"timings\">",
        "<h2 id=\"schedule\">",
        "<h2 id=\"provenance\">",
        "it fits &lt;b&gt;nicely&lt;/b&gt; &amp; \"well\"",
    ] {
        assert!(dom.contains(wanted), "{wanted} is not in\n{dom}");
    }
    let troubles = dom.find("id=\"troubles\"").unwrap();
    assert!(troubles < dom.find("id=\"matrix\"").unwrap(), "what failed comes first");
    // The names above are text and no elements.
    assert!(!dom.contains("<img") && !dom.contains("<b>nicely") && !dom.contains("<script"));
    assert!(dom.contains("too slow \u{1f422} &lt;/style&gt;") && !dom.contains('\u{202e}') && !dom.contains('\u{1b}'));
    assert_eq!(size(&opened.png), (1280, 900));
    let phone = open(&page, 500);
    assert_eq!((phone.console, size(&phone.png)), (Vec::new(), (500, 900)));
    assert!(opened.png.len() > 10_000, "an empty page makes a small picture: {} bytes", opened.png.len());
}
