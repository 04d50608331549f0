//! `tinyfarm check`: everything that can be known before anything runs.

use super::say;
use crate::{cli::CheckArgs, config::Config, targets};
use reports::text::count;

/// Plans what the command line selects, and says what it would run.
pub fn run(config: &Config, arguments: &CheckArgs) -> miette::Result<u8> {
    let infos = targets::infos(&targets::gather(config, "check", |_| {})?);
    let plan = match super::plan(config, &arguments.selection, &infos)? {
        Ok(plan) => plan,
        Err(code) => return Ok(code),
    };
    for remark in plan.remarks() {
        say(remark)?;
    }
    let names: Vec<String> = plan.targets().iter().map(ToString::to_string).collect();
    let scenarios = count(plan.scenarios().len(), "scenario");
    let files = count(plan.files(), "file");
    say(format_args!("sound: {scenarios} in {files}, to run on: {}", names.join(", ")))?;
    Ok(0)
}
