//! What can be said on the command line.

use crate::config::Span;
use clap::{
    ArgGroup, Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use farm::Stage;
use reports::Format;
use simulated_board::{PlannedFault, chips::CHIPS};
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
    /// Run every model over every dataset that fits it on every target, boards checked first, and tell what changed since
    /// the last nightly; one that was cut short goes on where it was
    Nightly(NightlyArgs),
    /// Write the reports of a past run again, from the ledger
    Report(ReportArgs),
    /// The runs in the ledger, or what a metric was over them
    History(HistoryArgs),
    /// What changed between two runs, or between the baseline and a run; exit code 1 where something is worse
    Compare(CompareArgs),
    /// The accepted figures that runs are compared with
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Jobs that needed another attempt, and scenarios whose verdict changed though the commit did not
    Flaky(FlakyArgs),
    /// The file that keeps the history of runs
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Show the targets: what is there, what is not and why
    Targets,
    /// Show the models and datasets that features may name
    Models,
    /// Build the runner for targets, without running anything
    Build(BuildArgs),
    /// The boards: what is there, who has it, what is wrong with it
    #[command(subcommand)]
    Boards(BoardsCommand),
    /// Start simulated boards on a simulated bench, until Ctrl-C: QEMU behind a debug probe made of software
    #[command(args_conflicts_with_subcommands = true)]
    SimBoard(SimBoardArgs),
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
    /// Only scenarios that a change since this Git revision can have touched; what is left out is said, with the reason.
    /// Where that is all of them, nothing runs, and the exit code is 0
    #[arg(long, value_name = "REV")]
    pub since: Option<String>,
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
    /// For gates: only real boards count as boards; where none is there, or one is absent, it is blocked
    #[arg(long)]
    pub require_boards: bool,
    /// Keep this run out of the ledger, and compare it with nothing
    #[arg(long)]
    pub no_ledger: bool,
}

/// `tinyfarm nightly`.
#[derive(Debug, Args)]
pub struct NightlyArgs {
    /// Only these targets; may be given several times
    #[arg(long, value_name = "TARGET")]
    pub target: Vec<String>,
    /// Write reports, and what changed, into this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// How progress and results are shown on standard output
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Auto, value_parser = format_parser())]
    pub format: Format,
    /// Only real boards count as boards
    #[arg(long)]
    pub require_boards: bool,
    /// Begin anew, though the last nightly was cut short
    #[arg(long)]
    pub fresh: bool,
    /// Send a summary to this address at the end, as a POST of JSON [default: `nightly.webhook` of the configuration]
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,
}

const RUN_HELP: &str = "A run: its name or the beginning of it, `latest`, `latest~1` (the one before), or a commit";

/// `tinyfarm report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run: its name or the beginning of it, `latest`, `latest~1` (the one before), or a commit
    #[arg(default_value = "latest")]
    pub run: String,
    /// Write its reports into this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// How it is shown on standard output
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Plain, value_parser = format_parser())]
    pub format: Format,
}

/// Which series.
#[derive(Debug, Args)]
pub struct SeriesArgs {
    /// Only this model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Only this dataset
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Only this target
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
}

impl SeriesArgs {
    /// The same for the ledger.
    pub fn filter(&self) -> ledger::SeriesFilter {
        let target = self.target.as_deref().map(farm::TargetId::from);
        ledger::SeriesFilter { model: self.model.clone(), dataset: self.dataset.clone(), target }
    }
}

/// `tinyfarm history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// What this metric was, run after run: `instructions p99`
    #[arg(long, value_name = "METRIC")]
    pub metric: Option<String>,
    /// Which series; only with `--metric`.
    #[command(flatten)]
    pub series: SeriesArgs,
    /// So many runs at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// How it is shown on standard output
    #[arg(long, value_enum, default_value_t = Show::Text)]
    pub format: Show,
}

/// How a comparison is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowChanges {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For merge requests.
    Markdown,
}

/// `tinyfarm compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// What was before: a run, a commit, or `baseline`
    #[arg(help = format!("What was before: `baseline`, or a run. {RUN_HELP}"))]
    pub before: String,
    /// What is after: a run, or a commit
    #[arg(default_value = "latest")]
    pub after: String,
    /// Only these series.
    #[command(flatten)]
    pub series: SeriesArgs,
    /// So much worse still counts as the same: `2 %`
    #[arg(long, value_name = "SHARE", default_value = "0 %", value_parser = share)]
    pub tolerance: f64,
    /// Show what did not change as well
    #[arg(long)]
    pub all: bool,
    /// How it is shown on standard output
    #[arg(long, value_enum, default_value_t = ShowChanges::Text)]
    pub format: ShowChanges,
}

/// A share as people write it: `2 %`, `0.02`.
fn share(text: &str) -> Result<f64, String> {
    use farm::quantity::{Quantity, Unit};
    let wanted = || format!("`{text}` is no share: write it like `2 %` or `0.02`");
    let share = Quantity::parse(text).map_err(|_| wanted())?;
    let fits = matches!(share.unit(), Unit::Share | Unit::Number) && (0.0..=1.0).contains(&share.value());
    if fits { Ok(share.value()) } else { Err(wanted()) }
}

/// `tinyfarm baseline`.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Accept what a run measured: later runs are compared with it
    Accept(AcceptArgs),
    /// The figures that are accepted now
    Show(BaselineShowArgs),
    /// Everything that was ever accepted, by whom and why, the newest first
    List(BaselineShowArgs),
}

/// `tinyfarm baseline accept`.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// A run: its name or the beginning of it, `latest`, `latest~1` (the one before), or a commit
    #[arg(default_value = "latest")]
    pub run: String,
    /// Only these series.
    #[command(flatten)]
    pub series: SeriesArgs,
    /// Only this metric, or `outputs`
    #[arg(long, value_name = "METRIC")]
    pub metric: Option<String>,
    /// Why, for those who wonder later
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: String,
}

/// `tinyfarm baseline show`, `list`.
#[derive(Debug, Args)]
pub struct BaselineShowArgs {
    /// Only these series.
    #[command(flatten)]
    pub series: SeriesArgs,
    /// How it is shown on standard output
    #[arg(long, value_enum, default_value_t = Show::Text)]
    pub format: Show,
}

/// `tinyfarm flaky`.
#[derive(Debug, Args)]
pub struct FlakyArgs {
    /// Only the last so many days
    #[arg(long, value_name = "N")]
    pub days: Option<u16>,
    /// How it is shown on standard output
    #[arg(long, value_enum, default_value_t = Show::Text)]
    pub format: Show,
}

/// `tinyfarm ledger`.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Take out what is old; a run that a baseline stands on stays
    Prune(PruneArgs),
    /// Write runs as JSON lines
    Export(ExportArgs),
    /// Take in what was exported, all or nothing; runs that are there already are left as they are
    Import {
        /// The file; `-`: standard input
        file: PathBuf,
    },
    /// Look whether the file is whole, and whether its rows are what its events amount to; exit code 3 where not
    Verify,
}

/// `tinyfarm ledger prune`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["older_than", "keep"]))]
pub struct PruneArgs {
    /// Only runs that started more than so many days ago
    #[arg(long, value_name = "DAYS")]
    pub older_than: Option<u32>,
    /// The latest so many runs stay
    #[arg(long, value_name = "N")]
    pub keep: Option<usize>,
    /// Only the events: figures and verdicts stay, and `tinyfarm report` can no longer show the run
    #[arg(long)]
    pub events_only: bool,
    /// Only say what would be taken out
    #[arg(long)]
    pub dry_run: bool,
}

/// `tinyfarm ledger export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Runs, as elsewhere by name, `latest~1` or commit [default: all]
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,
    /// Write into this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
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

/// `tinyfarm boards`.
#[derive(Debug, Subcommand)]
pub enum BoardsCommand {
    /// Every board that is defined: whether it is there, who has it, how it is; and what is attached besides
    List(AllBoards),
    /// What is plugged in and unplugged, until Ctrl-C
    Watch(AllBoards),
    /// Look for what keeps boards from working, and say the mend; exit code 3 where something is wrong
    Doctor(SomeBoards),
    /// Flash hello_world on boards, check its answers, and remember the outcome; exit code 3 where a board is not well
    Health(SomeBoards),
    /// Take a board out of use until it is released; remembered over runs
    Quarantine(QuarantineArgs),
    /// Give a board back that is in quarantine
    Release {
        /// Which board
        name: String,
    },
    /// Say why a run would have to wait for a board, or cannot have it at all
    WhyWaiting(SomeBoards),
    /// What happened on a board
    History(OneBoard),
}

/// How something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Show {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// All boards.
#[derive(Debug, Args)]
pub struct AllBoards {
    /// How it is shown on standard output
    #[arg(long, value_enum, default_value_t = Show::Text)]
    pub format: Show,
}

/// Some boards.
#[derive(Debug, Args)]
pub struct SomeBoards {
    /// Which boards [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// How it is shown on standard output
    #[arg(long, value_enum, default_value_t = Show::Text)]
    pub format: Show,
}

/// One board.
#[derive(Debug, Args)]
pub struct OneBoard {
    /// Which board
    pub name: String,
    /// How it is shown on standard output
    #[arg(long, value_enum, default_value_t = Show::Text)]
    pub format: Show,
}

/// `tinyfarm boards quarantine`.
#[derive(Debug, Args)]
pub struct QuarantineArgs {
    /// Which board
    pub name: String,
    /// Why, for those who wonder
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: String,
}

/// `tinyfarm sim-board`.
#[derive(Debug, Args)]
pub struct SimBoardArgs {
    /// Tell a board that runs what to do.
    #[command(subcommand)]
    pub control: Option<SimBoardCommand>,
    /// What to start.
    #[command(flatten)]
    pub start: StartSimBoard,
}

/// Boards to start.
#[derive(Debug, Args)]
pub struct StartSimBoard {
    /// QEMU's machine that it is
    #[arg(long, value_name = "MACHINE", default_value = "netduinoplus2", value_parser = machine_parser())]
    pub machine: String,
    /// Serial number of its probe
    #[arg(long, value_name = "SERIAL", default_value = "SIM-1")]
    pub serial: String,
    /// Where on the bench it stands
    #[arg(long, value_name = "PLACE", default_value = "port-1")]
    pub place: String,
    /// The bench's folder [default: `boards.bench` of the configuration]
    #[arg(long, value_name = "DIR")]
    pub bench: Option<PathBuf>,
    /// File that keeps what is flashed [default: SERIAL.flash in the bench's folder]
    #[arg(long, value_name = "FILE")]
    pub flash: Option<PathBuf>,
    /// What goes wrong, and how often; may be given several times: `hang`, `uart-garbage=3`
    #[arg(long = "fault", value_name = "WORD[=N]")]
    pub faults: Vec<PlannedFault>,
    /// Rate of its serial port
    #[arg(long, value_name = "BAUD", default_value_t = 115_200)]
    pub baud: u32,
    /// The probe can be had on this TCP port of 127.0.0.1, too; 0: any that is free
    #[arg(long, value_name = "PORT")]
    pub tcp: Option<u16>,
    /// How many boards: serial numbers, places and TCP ports count up
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub count: u16,
    /// How definitions and events are shown on standard output
    #[arg(long, value_enum, default_value_t = Show::Text)]
    pub format: Show,
}

/// `tinyfarm sim-board control`.
#[derive(Debug, Subcommand)]
pub enum SimBoardCommand {
    /// Tell a board that runs what to do: `fault WORD[=N]`, `power-cycle`, `swap PLACE`, `unplug`, `plug`, `status`
    Control(ControlSimBoard),
}

/// A command for a board that runs.
#[derive(Debug, Args)]
pub struct ControlSimBoard {
    /// Where on the bench it stands
    #[arg(value_name = "PLACE")]
    pub place: String,
    /// What it is to do
    #[arg(value_name = "COMMAND", required = true)]
    pub words: Vec<String>,
    /// The bench's folder [default: `boards.bench` of the configuration]
    #[arg(long, value_name = "DIR")]
    pub bench: Option<PathBuf>,
    /// How the board's state is shown on standard output
    #[arg(long, value_enum, default_value_t = Show::Text)]
    pub format: Show,
}

fn machine_parser() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(CHIPS.each_ref().map(|chip| PossibleValue::new(chip.machine)))
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
