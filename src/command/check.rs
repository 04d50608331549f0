//! `tinyfarm check`: everything that can be known before anything runs.

use super::say;
use crate::{cli::CheckArgs, config::Config, targets};
use farm::TargetInfo;
use reports::text::{count, escape};

/// Plans what the command line selects, and says what it would run.
pub fn run(config: &Config, arguments: &CheckArgs) -> miette::Result<u8> {
    let infos = targets::infos(&targets::gather(config, "check", |_| {})?);
    let plan = match super::plan(config, &arguments.selection, false, &infos)? {
        Ok(plan) => plan,
        Err(code) => return Ok(code),
    };
    for remark in plan.remarks() {
        say(escape(remark))?;
    }
    let wanted = plan.targets();
    let names: Vec<String> = infos.iter().filter(|info| wanted.contains(&info.id)).map(TargetInfo::label).collect();
    let scenarios = count(plan.scenarios().len(), "scenario");
    let files = count(plan.files(), "file");
    let names = if names.is_empty() { "nothing that is there".to_owned() } else { names.join(", ") };
    say(format_args!("sound: {scenarios} in {files}, to run on: {names}"))?;
    Ok(0)
}
