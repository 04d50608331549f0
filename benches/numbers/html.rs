//! The HTML report of ten thousand scenarios, a tenth of which did not pass: how long `tinyfarm report` takes to write it, and
//! how long a browser takes from the beginning of the navigation until the page is parsed and laid out.

use crate::{
    Result,
    figures::{Rounds, verdict},
    project::Project,
};
use std::{fs, path::Path, process::Command, time::Instant};

const SCENARIOS: usize = 10_000;
const ROUNDS: usize = 5;

pub fn measure() -> Result {
    let project = Project::new()?;
    project.sines(SCENARIOS, "on the host")?;
    let feature = project.path().join("test.feature");
    let text = fs::read_to_string(&feature)?;
    // A bound that the model misses, in each tenth scenario.
    let mut row = 0;
    let harder = text.replace("at most 0.1", "at most <bound>").replace("| dataset |", "| dataset | bound |");
    let harder = harder.lines().map(|line| match line.trim_start().starts_with("| data/") {
        true => {
            row += 1;
            format!("{line} {} |\n", if row % 10 == 0 { "0.0000001" } else { "0.1" })
        }
        false => format!("{line}\n"),
    });
    fs::write(&feature, harder.collect::<String>())?;
    let ran = project.tinyfarm(&["run", "test.feature", "--report", "report", "--format", "json"]).output()?;
    if ran.status.code() != Some(1) {
        return Err(format!("the run ended with {}: {}", ran.status, String::from_utf8_lossy(&ran.stderr)).into());
    }
    let page = project.path().join("report/report.html");
    println!("  report.html: {} KiB", fs::metadata(&page)?.len() / 1024);

    let mut written = Rounds::default();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let ended = project.tinyfarm(&["report", "latest", "--report", "again", "--format", "json"]).output()?;
        if !ended.status.success() {
            return Err(format!("the report ended with {}", ended.status).into());
        }
        written.add(start.elapsed().as_secs_f64());
    }
    println!("  all reports of the run written again, s: {written:.2}");

    let timed = timed(&project, &page)?;
    let mut opened = Rounds::default();
    for _ in 0..ROUNDS {
        opened.add(open(&project, &timed)?);
    }
    println!("  opened in Chromium, parsed and laid out, s: {opened:.2}");
    verdict("opens in under 1 s", opened.median() < 1.0);
    Ok(())
}

/// The page with a script that tells how long it took; its own policy forbids scripts and is taken out.
fn timed(project: &Project, page: &Path) -> Result<std::path::PathBuf> {
    let text = fs::read_to_string(page)?;
    let start = text.find("<meta http-equiv").ok_or("the page has no policy")?;
    let end = start + text[start..].find('>').ok_or("the page's policy does not end")? + 1;
    let script =
        "<script>onload = () => { document.body.offsetHeight; document.title = 'took ' + performance.now(); }</script>";
    let path = project.path().join("timed.html");
    fs::write(&path, format!("{}{script}{}", &text[..start], &text[end..]))?;
    Ok(path)
}

/// Seconds until the page is laid out.
fn open(project: &Project, page: &Path) -> Result<f64> {
    let output = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900", "--dump-dom"])
        .arg(format!("--user-data-dir={}", project.path().join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()?;
    let dom = String::from_utf8_lossy(&output.stdout);
    let took = dom.split("<title>took ").nth(1).and_then(|rest| rest.split('<').next());
    let millis: f64 = took.ok_or("the page did not tell how long it took")?.parse()?;
    Ok(millis / 1000.0)
}
