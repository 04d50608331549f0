//! `tinyfarm check`: everything that can be known before anything runs.

use crate::{cli::CheckArgs, config::Config, targets};

/// Plans what the command line selects, and says what it would run.
pub fn run(config: &Config, arguments: &CheckArgs) -> miette::Result<u8> {
    let infos = targets::infos(&targets::gather(config, "check", |_| {})?);
    let plan = match super::plan(config, &arguments.selection, &infos)? {
        Ok(plan) => plan,
        Err(code) => return Ok(code),
    };
    for remark in plan.remarks() {
        println!("{remark}");
    }
    let names: Vec<String> = plan.targets().iter().map(ToString::to_string).collect();
    println!(
        "{} scenarios in {} files are sound; they would run on: {}",
        plan.scenarios().len(),
        plan.files(),
        names.join(", ")
    );
    Ok(0)
}
