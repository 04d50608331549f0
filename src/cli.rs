//! What can be said on the command line.

use crate::config::Span;
use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use farm::Stage;
use reports::Format;
use std::path::PathBuf;

/// A hardware-in-the-loop test farm and acceptance-test harness for TinyML.
#[derive(Debug, Parser)]
#[command(name = "tinyfarm", version, propagate_version = true, max_term_width = 120, after_help = EXIT_CODES)]
pub struct Cli {
    /// Configuration file; without it, the nearest `tinyfarm.toml` from here upwards
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say more on standard error: -v what the farm does, -vv how, -vvv everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How the log on standard error is written
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes:\n  0    every scenario passed\n  1    a scenario failed: the model or its firmware is at fault\n  \
    2    the features, the configuration or the command line are wrong; nothing was run\n  \
    3    nothing failed, but something is infra, blocked or inconclusive, or a report could not be written\n  \
    130  interrupted";

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run features and judge them
    Run(RunArgs),
    /// Check features, models and datasets without running anything
    Check(CheckArgs),
    /// Print the vocabulary that features may use
    Steps(StepsArgs),
    /// Show the targets: what is there, what is not and why
    Targets,
    /// Show the models and datasets that features may name
    Models,
    /// Build the runner for targets, without running anything
    Build(BuildArgs),
}

/// Which scenarios.
#[derive(Debug, Args)]
pub struct Selection {
    /// Feature files, or folders of them [default: `features` of the configuration]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only scenarios whose tags satisfy this expression: `@smoke and not @slow`
    #[arg(long, value_name = "EXPRESSION")]
    pub tags: Option<String>,
    /// Only scenarios whose name matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub name: Option<String>,
    /// Only these stages, with commas between
    #[arg(long, value_name = "STAGES", value_delimiter = ',', value_parser = stage_parser())]
    pub stages: Vec<Stage>,
    /// Only these targets; may be given several times
    #[arg(long, value_name = "TARGET")]
    pub target: Vec<String>,
}

/// `tinyfarm run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which scenarios.
    #[command(flatten)]
    pub selection: Selection,
    /// How many emulators run at once; 0: one for each core [default: 0]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<usize>,
    /// How long the inferences of one job may take: `90 s`
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<Span>,
    /// How many more attempts a job gets after an infra fault
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,
    /// Write JUnit and JSON reports into this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// How progress and results are shown on standard output
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Auto, value_parser = format_parser())]
    pub format: Format,
    /// Where there is no container engine, let the host's own process stand in, named `host`
    #[arg(long)]
    pub stand_in_host: bool,
}

fn stage_parser() -> impl TypedValueParser<Value = Stage> {
    let stages = [Stage::Container, Stage::Emulator, Stage::Board];
    let find = move |word: String| stages.into_iter().find(|stage| stage.word() == word).ok_or("no such stage");
    PossibleValuesParser::new(stages.map(|stage| PossibleValue::new(stage.word()))).try_map(find)
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    let values = Format::ALL.map(|(format, meaning)| PossibleValue::new(format.word()).help(meaning));
    PossibleValuesParser::new(values).try_map(|word| word.parse())
}

/// `tinyfarm check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Which scenarios.
    #[command(flatten)]
    pub selection: Selection,
}

/// `tinyfarm steps`.
#[derive(Debug, Args)]
pub struct StepsArgs {
    /// Print the page docs/writing-features.md, in Markdown
    #[arg(long)]
    pub markdown: bool,
}

/// `tinyfarm build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Which targets [default: all]
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
