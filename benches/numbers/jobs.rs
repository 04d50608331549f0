//! hello_world jobs: a fresh emulator for each, 100 inferences, the whole path of the real program from Gherkin to verdict
//! and report, beside the bare loop with as many workers. Both start the same QEMU with the same model and inputs.

use crate::{
    Result,
    bare::{BareJob, run_all},
    figures::{Rounds, seconds, verdict},
    project::{Project, SAMPLES, cores, emulators, library, pass, runtime},
};
use std::sync::Arc;

const MACHINE: &str = "qemu:mps2-an386";
const JOBS: usize = 240;
const ROUNDS: usize = 5;

pub fn measure() -> Result {
    let project = Project::new()?;
    let names = project.sines(JOBS, &format!("on the emulator \"{MACHINE}\""))?;
    let library = library()?;
    let model = library.model("hello_world", project.path())?;
    let launch = runtime()?.block_on(emulators()?.get(MACHINE).ok_or("no such machine")?.launch())?;
    let launch = Arc::new(launch);
    let jobs = names
        .iter()
        .map(|name| Ok(BareJob::new(&launch, &model, library.dataset(name, project.path(), &model)?.as_ref())));
    let jobs = jobs.collect::<Result<Vec<BareJob>>>()?;

    let bare_loop = || seconds(|| run_all(&jobs, cores()));
    let farm = || seconds(|| pass(project.tinyfarm(&["run", "test.feature", "--report", "report"])));
    println!("  {JOBS} jobs a round, {SAMPLES} inferences each, {} at once, on {MACHINE}", cores());
    farm()?; // builds the runner, where it is not yet
    let (mut bares, mut farms, mut ratios) = (Rounds::default(), Rounds::default(), Rounds::default());
    for round in 1..=ROUNDS {
        // Each goes first in turn: whatever changes on the machine meanwhile is for both.
        let (bare, farmed) = if round % 2 == 1 {
            let bare = bare_loop()?;
            (bare, farm()?)
        } else {
            let farmed = farm()?;
            (bare_loop()?, farmed)
        };
        let rate = |seconds| JOBS as f64 / seconds;
        println!(
            "  round {round}: bare loop {:5.1} jobs/s, tinyfarm {:5.1} jobs/s, ratio {:.2}",
            rate(bare),
            rate(farmed),
            bare / farmed
        );
        bares.add(rate(bare));
        farms.add(rate(farmed));
        ratios.add(bare / farmed);
    }
    println!("  median: bare loop {bares:.1} jobs/s, tinyfarm {farms:.1} jobs/s, ratio {ratios:.2}");
    verdict("a ratio of 0.8", ratios.median() >= 0.8);
    Ok(())
}
