//! `tinyfarm check` of a thousand feature files: copies of the shipped ones, so that each has models, datasets, acceptance
//! tables and criteria to be checked. The bare loop reads and parses the same files, on as many cores, and does no more.

use crate::{
    Result,
    figures::{Rounds, seconds, verdict},
    project::{Project, REPOSITORY, cores, pass},
};
use gherkin::{Feature, GherkinEnv};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

const FILES: usize = 1000;
const ROUNDS: usize = 11;

pub fn measure() -> Result {
    let project = Project::new()?;
    let mut shipped: Vec<PathBuf> =
        fs::read_dir(Path::new(REPOSITORY).join("features"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    shipped.retain(|path| path.extension().is_some_and(|extension| extension == "feature"));
    shipped.sort();
    let texts = shipped.iter().map(fs::read_to_string).collect::<std::io::Result<Vec<String>>>()?;
    let (mut files, mut bytes) = (Vec::new(), 0);
    for (index, text) in texts.iter().cycle().take(FILES).enumerate() {
        let name = format!("features/{}/{index:04}.feature", index / 100);
        project.file(&name, text)?;
        files.push(project.path().join(name));
        bytes += text.len();
    }
    println!("  {FILES} files, copies of {} shipped ones, {} KB in all", shipped.len(), bytes / 1000);

    let check = || seconds(|| pass(project.tinyfarm(&["check", "features"])));
    check()?;
    let (mut bares, mut checks, mut ratios) = (Rounds::default(), Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let bare = seconds(|| parse_all(&files))?;
        let checked = check()?;
        bares.add(bare);
        checks.add(checked);
        ratios.add(bare / checked);
    }
    println!("  median of {ROUNDS}: parsing alone {bares:.3} s, tinyfarm check {checks:.3} s, ratio {ratios:.2}");
    verdict("under 0.5 s", checks.median() < 0.5);
    Ok(())
}

fn parse_all(files: &[PathBuf]) -> Result {
    thread::scope(|scope| {
        let parse = |files: &[PathBuf]| -> Result {
            files.iter().try_for_each(|file| Ok(Feature::parse_path(file, GherkinEnv::default()).map(drop)?))
        };
        let workers: Vec<_> =
            files.chunks(files.len().div_ceil(cores())).map(|files| scope.spawn(move || parse(files))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked")?)
    })
}
