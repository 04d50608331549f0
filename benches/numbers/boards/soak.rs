//! A thousand jobs on boards with random faults: `boards/stage/tests/soak/`, at full length and with faults that only a
//! power cycle ends.

use super::campaign::{Came, Campaign, FAULTS, SEEDS, Subject};
use crate::{
    Result,
    figures::verdict,
    project::{Project, builder, library},
};
use simulated_board::Fault;
use std::{path::Path, sync::Arc, time::Duration};

const JOBS: usize = 1000;
const BOARDS: usize = 8;

pub fn measure() -> Result {
    let faults: Vec<Fault> = FAULTS.into_iter().chain([Fault::NeedsPowerCycle]).collect();
    let library = library()?;
    let project = Project::new()?;
    let sines = project.sines(4, "nowhere")?;
    let hello_world = library.model("hello_world", project.path())?;
    let mut inputs = Vec::new();
    for name in sines {
        inputs.extend(library.dataset(&name, project.path(), &hello_world)?.inputs().iter().cloned());
    }
    let magic_wand = library.model("magic_wand", project.path())?;
    let gestures = library.dataset("gestures", project.path(), &magic_wand)?.inputs().to_vec();
    let subjects = [
        Subject { model: hello_world, inputs, samples: 100 },
        Subject { model: magic_wand, inputs: gestures, samples: 12 },
    ];
    let power = |bench: &Path, place: &str| {
        let words = [env!("CARGO_BIN_EXE_tinyfarm"), "sim-board", "control", place, "power-cycle", "--bench"];
        Some(words.into_iter().map(str::to_owned).chain([bench.display().to_string()]).collect())
    };
    println!("  {JOBS} jobs in {} campaigns on {BOARDS} boards, a fault for each fourth job", SEEDS.len());
    let mut took = Duration::ZERO;
    for seed in SEEDS {
        let campaign = Campaign {
            seed,
            jobs: JOBS / SEEDS.len(),
            boards: BOARDS,
            jobs_per_fault: 4,
            faults: &faults,
            subjects: &subjects,
            builder: &Arc::new(builder()?),
            power: &power,
        };
        let came: Came = campaign.run().map_err(|error| format!("seed {seed:#x}: {error}"))?;
        println!("  seed {seed:#x}: {came}");
        took += came.took;
    }
    println!(
        "  {JOBS} jobs in {:.0} s, each with a verdict that its board's log explains; nothing was left over",
        took.as_secs_f64()
    );
    verdict("nothing lost, nothing twice, nothing left over", true);
    Ok(())
}
