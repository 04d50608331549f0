//! `tinyfarm sim-board`: simulated boards that stand on a simulated bench, as real ones do on a real bench.

use super::{run::is_ignored, say};
use crate::{
    cli::{ControlSimBoard, Show, SimBoardArgs, SimBoardCommand, StartSimBoard},
    config::Config,
};
use miette::IntoDiagnostic as _;
use serde::Serialize;
use simulated_board::{Bench, Command, Event, Events, Options, SimulatedBoard, Status, control};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
};

/// Something that happened to a board.
type Told = (String, Event);

/// Starts boards, or tells one that runs what to do.
pub async fn run(config: &Config, arguments: SimBoardArgs) -> miette::Result<u8> {
    match arguments.control {
        Some(SimBoardCommand::Control(arguments)) => command(config, &arguments).await,
        None => start(config, &arguments.start).await,
    }
}

async fn command(config: &Config, arguments: &ControlSimBoard) -> miette::Result<u8> {
    let command = Command::parse(&arguments.words).into_diagnostic()?;
    let bench = Bench::open(&folder(config, arguments.bench.as_deref())).into_diagnostic()?;
    let status = control::send(&bench, &arguments.place, &command).await.into_diagnostic()?;
    match arguments.format {
        Show::Json => say(serde_json::to_string(&status).into_diagnostic()?)?,
        Show::Text => say(in_words(&status))?,
    }
    Ok(0)
}

fn folder(config: &Config, said: Option<&Path>) -> PathBuf {
    said.map_or_else(|| config.bench(), Path::to_owned)
}

fn in_words(status: &Status) -> String {
    let Status { serial, machine, place, plugged, in_use, faults } = status;
    let is = match (plugged, in_use) {
        (false, _) => "unplugged",
        (true, true) => "plugged in, its probe in use",
        (true, false) => "plugged in, its probe free",
    };
    let faults: Vec<String> = faults.iter().map(|(fault, times)| format!("{fault}={times}")).collect();
    let to_come = if faults.is_empty() { String::new() } else { format!("; faults to come: {}", faults.join(", ")) };
    format!("{serial} ({machine}, simulated) at {place}: {is}{to_come}")
}

async fn start(config: &Config, arguments: &StartSimBoard) -> miette::Result<u8> {
    let bench = folder(config, arguments.bench.as_deref());
    let (told, mut events) = unbounded_channel();
    // Before anything is started: a signal that comes early still has everything put away.
    let ended = ended()?;
    tokio::pin!(ended);
    let mut starting = JoinSet::new();
    for number in 0..arguments.count {
        let serial = counted(&arguments.serial, number);
        let (told, name) = (told.clone(), serial.clone());
        let options = Options {
            flash: arguments.flash.as_deref().map(|file| numbered(file, number)),
            baud: arguments.baud,
            faults: arguments.faults.clone(),
            tcp: arguments.tcp.map(|port| if port == 0 { 0 } else { port.saturating_add(number) }),
            qemu: config.qemu.program.clone(),
            // Nobody listens any more: then nobody wants to know.
            events: Events::new(move |event| told.send((name.clone(), event)).unwrap_or_default()),
            ..Options::new(arguments.machine.clone(), serial, counted(&arguments.place, number), bench.clone())
        };
        // It blocks while an emulator starts.
        starting.spawn_blocking(move || SimulatedBoard::start(options));
    }
    drop(told);

    let mut boards = Vec::new();
    let mut early = Early { format: arguments.format, started: HashSet::new(), held: Vec::new() };
    let stopped = loop {
        tokio::select! {
            biased;
            () = &mut ended => break Ok(()),
            Some(event) = events.recv() => early.tell(event)?,
            Some(board) = starting.join_next() => match board.into_diagnostic()? {
                Ok(board) => {
                    // What happened before it was ready is told before that.
                    while let Ok(event) = events.try_recv() {
                        early.tell(event)?;
                    }
                    early.release(&board.record().serial)?;
                    introduce(&board, arguments.format)?;
                    boards.push(board);
                }
                Err(error) => break Err(error),
            },
        }
    };
    put_away(boards, starting, &mut events, early).await?;
    stopped.into_diagnostic()?;
    Ok(0)
}

/// Holds back what happens to a board until it has started: of one that cannot be, only the reason is of use.
struct Early {
    format: Show,
    started: HashSet<String>,
    held: Vec<Told>,
}

impl Early {
    fn tell(&mut self, event: Told) -> miette::Result<()> {
        if self.started.contains(&event.0) {
            return show(&event, self.format);
        }
        self.held.push(event);
        Ok(())
    }

    /// The board has started.
    fn release(&mut self, serial: &str) -> miette::Result<()> {
        self.started.insert(serial.to_owned());
        let (its, others) = std::mem::take(&mut self.held).into_iter().partition(|(board, _)| board == serial);
        self.held = others;
        let its: Vec<Told> = its;
        its.iter().try_for_each(|event| show(event, self.format))
    }
}

/// Ends every board, and shows what is left to tell.
async fn put_away(
    boards: Vec<SimulatedBoard>,
    mut starting: JoinSet<Result<SimulatedBoard, simulated_board::StartError>>,
    events: &mut UnboundedReceiver<Told>,
    mut early: Early,
) -> miette::Result<()> {
    // It blocks until threads and emulators have ended.
    let ending = tokio::task::spawn_blocking(|| drop(boards));
    // One that comes late is dropped, and so ended, as well.
    while starting.join_next().await.is_some() {}
    ending.await.into_diagnostic()?;
    while let Some(event) = events.recv().await {
        early.tell(event)?;
    }
    Ok(())
}

/// Done when the program is to end: Ctrl-C, SIGTERM, or a terminal that is closed.
fn ended() -> miette::Result<impl Future<Output = ()>> {
    let mut signals = Vec::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        // Whoever starts this under `nohup` wants it left alone.
        if !is_ignored(kind) {
            signals.push(signal(kind).into_diagnostic()?);
        }
    }
    Ok(async move {
        let any = std::future::poll_fn(|context| {
            match signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        });
        any.await;
    })
}

/// The `number`-th name after `first`, which is the 0th: `SIM-1`, `SIM-2`; `board`, `board-2`.
fn counted(first: &str, number: u16) -> String {
    let stem = first.trim_end_matches(|letter: char| letter.is_ascii_digit());
    match (number, first[stem.len()..].parse::<u64>()) {
        (0, _) => first.to_owned(),
        (_, Ok(from)) => format!("{stem}{}", from.saturating_add(number.into())),
        (_, Err(_)) => format!("{first}-{}", number + 1),
    }
}

/// The same for a file, of which the extension stays.
fn numbered(file: &Path, number: u16) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut name = counted(&stem, number);
    if let Some(extension) = file.extension() {
        name = format!("{name}.{}", extension.to_string_lossy());
    }
    file.with_file_name(name)
}

/// How a user gets to a board that has started.
#[derive(Serialize)]
struct Introduction<'a> {
    event: &'static str,
    board: &'a str,
    place: &'a str,
    selector: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<String>,
    uart: PathBuf,
    definition: &'a str,
}

fn introduce(board: &SimulatedBoard, format: Show) -> miette::Result<()> {
    let record = board.record();
    // The control socket's name is the place's.
    let place = record.control.file_stem().unwrap_or_default().to_string_lossy();
    let uart = record.control.with_extension("uart");
    let tcp = board.tcp().map(|port| format!("{}:tcp:127.0.0.1:{port}", simulated_board::bench::PROBE_ID));
    let definition = definition(board, &place)?;
    match format {
        Show::Json => say(serde_json::to_string(&Introduction {
            event: "ready",
            board: &record.serial,
            place: &place,
            selector: &record.selector,
            tcp,
            uart,
            definition: &definition,
        })
        .into_diagnostic()?),
        Show::Text => {
            let name = record.serial.to_lowercase();
            let mut lines = format!("{} ({}, simulated) is ready at {place}\n", record.serial, record.machine);
            for (what, where_to) in [
                ("probe", Some(record.selector.clone())),
                ("probe", tcp),
                ("serial port", Some(uart.display().to_string())),
            ] {
                lines += &where_to.map(|where_to| format!("  {what}: {where_to}\n")).unwrap_or_default();
            }
            lines += &format!("To have it as the board `{name}`, write boards/{name}.toml:\n");
            lines += &definition.lines().map(|line| format!("  {line}\n")).collect::<String>();
            say(lines)
        }
    }
}

/// What a definition of this board says.
fn definition(board: &SimulatedBoard, place: &str) -> miette::Result<String> {
    let record = board.record();
    let bench = record.control.parent().unwrap_or(Path::new("/"));
    let program = std::env::current_exe().into_diagnostic()?;
    let cycle = [
        program.to_string_lossy(),
        "sim-board".into(),
        "control".into(),
        place.into(),
        "power-cycle".into(),
        "--bench".into(),
        bench.to_string_lossy(),
    ];
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let cycle: Vec<String> = cycle.iter().map(|word| quoted(word)).collect();
    let shipped = format!("sim-{}", record.machine);
    let kinds = boards::Definitions::load(&[]).into_diagnostic()?;
    let kind = if kinds.boards.iter().chain(&kinds.kinds).any(|kind| kind.name == shipped) {
        format!("kind = {}", quoted(&shipped))
    } else {
        let (machine, chip) = (quoted(&record.machine), quoted(&record.chip));
        format!("simulated = {machine}\nchip = {chip}\nport = {machine}")
    };
    Ok(format!("{kind}\nprobe = {}\npower.cycle = [{}]", quoted(&record.serial), cycle.join(", ")))
}

/// An event with the board that it is of.
#[derive(Serialize)]
struct Line<'a> {
    board: &'a str,
    #[serde(flatten)]
    event: &'a Event,
}

fn show((board, event): &Told, format: Show) -> miette::Result<()> {
    match format {
        Show::Json => say(serde_json::to_string(&Line { board, event }).into_diagnostic()?),
        Show::Text => say(format_args!("{board}: {event}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_up_from_the_first() {
        let four = |first: &str| [0, 1, 9].map(|number| counted(first, number)).join(" ");
        assert_eq!(four("SIM-1"), "SIM-1 SIM-2 SIM-10");
        assert_eq!(four("port"), "port port-2 port-10");
        assert_eq!(four("9"), "9 10 18");
        assert_eq!(
            four("a99999999999999999999999"),
            "a99999999999999999999999 a99999999999999999999999-2 a99999999999999999999999-10"
        );
        assert_eq!(numbered(Path::new("/x/one.flash"), 1), Path::new("/x/one-2.flash"));
    }
}
