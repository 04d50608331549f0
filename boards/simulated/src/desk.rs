//! Where everything about one board comes together: who arrives at its sockets, what it is told to do, whether it is on
//! the bus. One task, which never blocks.

use crate::{
    bench::{Bench, BenchError, Lock, Plugged, Record, Spot},
    control::{Answer, Status},
    device::{Left, News, Work},
    doors::{accept, accept_tcp, blocking, listen},
    event::{Event, Events},
    faults::{Faults, PlannedFault},
    orders::Orders,
    stream::Stream,
    uart::Port,
};
use std::{future::pending, io, sync::mpsc, time::Duration};
use tokio::{
    net::{TcpListener, UnixListener, UnixStream},
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender},
        oneshot,
    },
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// How long a probe that left by itself stays away: about what a USB hub takes to find a device again.
const REPLUG: Duration = Duration::from_millis(500);

/// How long a debugger may take to be gone that closed its connection: a process that its process starts at that moment
/// holds the connection open, too, until it has become another program.
const LEAVING: Duration = Duration::from_secs(1);

/// Something a board is to do, and where it says that it is done.
#[derive(Debug)]
pub struct Request {
    /// What.
    pub what: What,
    /// Where the answer goes. Nobody may be waiting any more.
    pub reply: oneshot::Sender<Answer>,
}

/// What a board can be told to do at its desk: commands, but for those that take two boards.
#[derive(Debug)]
pub enum What {
    /// Tell how it is.
    Status,
    /// Plan a fault.
    Fault(PlannedFault),
    /// Switch the power off and on again.
    PowerCycle,
    /// Leave the bus.
    Unplug,
    /// Come back.
    Plug,
    /// Leave the place.
    Leave,
    /// Stand at another place. The folder's lock is held by this, or by who asks for it.
    Enter(String, Option<Lock>),
}

/// Who a board is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its probe's serial number.
    pub serial: String,
    /// The machine it simulates.
    pub machine: String,
    /// Its chip.
    pub chip: String,
    /// The chip's own id, in hexadecimal.
    pub unique_id: String,
}

/// What a desk works with.
#[derive(Debug)]
pub struct Setup {
    /// Whose it is.
    pub identity: Identity,
    /// Takes commands, also those for two boards.
    pub orders: Orders,
    /// The plan of faults.
    pub faults: Faults,
    /// Where events go.
    pub events: Events,
    /// Takes debuggers over TCP as well.
    pub tcp: Option<TcpListener>,
    /// What the machine's thread is to do.
    pub work: mpsc::Sender<Work>,
    /// Where serial ports go.
    pub ports: UnboundedSender<Option<Port>>,
}

/// The place that a board has.
#[derive(Debug)]
struct Standing {
    control: UnixListener,
    spot: Spot,
}

/// A board on the bus.
#[derive(Debug)]
struct OnBus {
    probe: UnixListener,
    plugged: Plugged,
}

/// The debugger that has the probe.
#[derive(Debug)]
struct Client {
    number: u64,
    stream: Stream,
}

/// The desk of one board.
#[derive(Debug)]
pub struct Desk {
    setup: Setup,
    bench: Bench,
    /// The place it has, or had last.
    place: String,
    standing: Option<Standing>,
    on_bus: Option<OnBus>,
    client: Option<Client>,
    clients: u64,
    /// Debuggers that came before the one that has the probe was seen to have left.
    early: JoinSet<Stream>,
    /// Whether it is to be on the bus, so far as its user is concerned.
    wanted: bool,
    /// The power is being switched, and who waits for that.
    cycling: Option<Vec<oneshot::Sender<Answer>>>,
    /// When a probe that left by itself comes back.
    back: Option<Instant>,
}

enum Next {
    News(News),
    Request(Request),
    Debugger(io::Result<Stream>),
    Early(Stream),
    Conversation(UnixStream),
    Back,
}

impl Desk {
    /// A board at its place, on the bus.
    ///
    /// # Errors
    /// What of that cannot be made.
    pub fn open(setup: Setup, bench: Bench, spot: Spot) -> Result<(Self, Record), BenchError> {
        let place = spot.place().to_owned();
        let mut desk = Self {
            setup,
            bench,
            place,
            standing: None,
            on_bus: None,
            client: None,
            clients: 0,
            early: JoinSet::new(),
            wanted: true,
            cycling: None,
            back: None,
        };
        desk.stand(spot)?;
        let record = desk.plug()?;
        desk.setup.events.send(Event::Started);
        Ok((desk, record))
    }

    /// Serves the board until `stop` is done or dropped; then it is off the bus, and its place free.
    pub async fn run(
        mut self,
        mut requests: UnboundedReceiver<Request>,
        mut news: UnboundedReceiver<News>,
        mut stop: oneshot::Receiver<()>,
    ) {
        let mut conversations = JoinSet::new();
        loop {
            let next = tokio::select! {
                biased;
                _ = &mut stop => break,
                // Before a debugger that arrives: by then it is known that the one before has left.
                Some(news) = news.recv() => Next::News(news),
                Some(request) = requests.recv() => Next::Request(request),
                stream = accept(self.on_bus.as_ref().map(|bus| &bus.probe)) => Next::Debugger(blocking(stream)),
                stream = accept_tcp(self.setup.tcp.as_ref()) => Next::Debugger(stream),
                Some(Ok(stream)) = self.early.join_next() => Next::Early(stream),
                stream = accept(self.standing.as_ref().map(|standing| &standing.control)) => Next::Conversation(stream),
                () = until(self.back) => Next::Back,
                Some(_) = conversations.join_next() => continue,
            };
            match next {
                Next::News(News::Free(number, left)) => self.freed(number, left),
                Next::News(News::Cycled(result)) => self.cycled(result),
                Next::News(News::ReplaceUart) => self.replace_uart(),
                Next::Request(request) => self.act(request),
                Next::Debugger(Ok(stream)) => self.arrive(stream),
                Next::Debugger(Err(_)) => {}
                Next::Early(stream) => self.let_in(stream),
                Next::Conversation(stream) => drop(conversations.spawn(self.setup.orders.clone().take(stream))),
                Next::Back => self.come_back(),
            }
        }
        self.unplug();
    }

    fn act(&mut self, Request { what, reply }: Request) {
        match what {
            What::Status => {}
            What::Fault(PlannedFault { fault, times }) => self.setup.faults.add(fault, times),
            What::PowerCycle => return self.cycle(reply),
            What::Unplug => {
                self.wanted = false;
                self.unplug();
            }
            What::Plug => {
                self.wanted = true;
                if self.on_bus.is_none() {
                    return self.cycle(reply);
                }
            }
            What::Leave => {
                self.unplug();
                self.standing = None;
            }
            What::Enter(place, _lock) => match self.bench.take(&place).and_then(|spot| self.stand(spot)) {
                Ok(()) if self.wanted => return self.cycle(reply),
                Ok(()) => {}
                Err(error) => return answer(reply, Err(self.broken(error))),
            },
        }
        answer(reply, Ok(self.status()));
    }

    fn status(&self) -> Status {
        let Identity { serial, machine, .. } = self.setup.identity.clone();
        Status {
            serial,
            machine,
            place: self.place.clone(),
            plugged: self.on_bus.is_some(),
            in_use: self.client.as_ref().is_some_and(|client| !client.stream.has_left(Duration::ZERO)),
            faults: self.setup.faults.all().into_iter().map(|planned| (planned.fault, planned.times)).collect(),
        }
    }

    /// Takes the power away, and with it the board from the bus, until the machine has started anew.
    fn cycle(&mut self, reply: oneshot::Sender<Answer>) {
        self.unplug();
        let waiting = self.cycling.get_or_insert_with(|| {
            // A thread that has ended has told why.
            let _ = self.setup.work.send(Work::PowerCycle);
            Vec::new()
        });
        waiting.push(reply);
    }

    fn cycled(&mut self, result: Result<(), String>) {
        let waiting = self.cycling.take().unwrap_or_default();
        let result = result.and_then(|()| self.return_to_bus()).map(|()| self.status());
        waiting.into_iter().for_each(|reply| answer(reply, result.clone()));
    }

    fn come_back(&mut self) {
        self.back = None;
        // Whether that worked is in the events: nobody waits for it.
        if self.cycling.is_none() {
            let _ = self.return_to_bus();
        }
    }

    /// Puts the board on the bus, if that is where it is wanted and it is not.
    fn return_to_bus(&mut self) -> Result<(), String> {
        if self.wanted && self.standing.is_some() && self.on_bus.is_none() {
            self.plug().map_err(|error| self.broken(error))?;
            self.setup.events.send(Event::Plugged);
        }
        Ok(())
    }

    /// Tells of something that the simulation failed at.
    fn broken(&self, error: impl ToString) -> String {
        let reason = error.to_string();
        self.setup.events.send(Event::Broken { reason: reason.clone() });
        reason
    }

    fn stand(&mut self, spot: Spot) -> Result<(), BenchError> {
        let control = listen(spot.control()).map_err(BenchError::Listen)?;
        let moved = self.place != spot.place();
        spot.place().clone_into(&mut self.place);
        self.standing = Some(Standing { control, spot });
        if moved {
            self.setup.events.send(Event::Moved { place: self.place.clone() });
        }
        Ok(())
    }

    fn plug(&mut self) -> Result<Record, BenchError> {
        let Some(Standing { spot, .. }) = &self.standing else { return Err(BenchError::NoPlace) };
        let port = Port::new().map_err(BenchError::Uart)?;
        let record = record(&self.setup.identity, spot, &port);
        let plugged = spot.plug(&record)?;
        let probe = listen(plugged.probe()).map_err(BenchError::Listen)?;
        self.on_bus = Some(OnBus { probe, plugged });
        self.hand_over(Some(port));
        Ok(record)
    }

    /// Takes the board off the bus, if it is there.
    fn unplug(&mut self) {
        self.back = None;
        if self.on_bus.take().is_some() {
            self.hand_over(None);
            self.setup.events.send(Event::Unplugged);
        }
        if let Some(client) = &self.client {
            client.stream.stop_reading();
        }
    }

    fn hand_over(&self, port: Option<Port>) {
        // Where the UART's task has ended, the machine is gone, which was told.
        let _ = self.setup.ports.send(port);
    }

    fn replace_uart(&mut self) {
        let (Some(bus), Some(standing)) = (&mut self.on_bus, &self.standing) else { return };
        let replaced = Port::new().map_err(BenchError::Uart).and_then(|port| {
            let record = record(&self.setup.identity, &standing.spot, &port);
            bus.plugged.update(&record).map(|()| port)
        });
        match replaced {
            Ok(port) => {
                let uart = port.path().to_owned();
                self.hand_over(Some(port));
                self.setup.events.send(Event::UartRenamed { uart });
            }
            Err(error) => drop(self.broken(error)),
        }
    }

    /// Lets a debugger in, at once or when the one that has the probe had time to be gone.
    fn arrive(&mut self, stream: Stream) {
        match self.client.as_ref().filter(|client| !client.stream.has_left(Duration::ZERO)) {
            None => self.let_in(stream),
            Some(client) => {
                let Ok(other) = client.stream.try_clone() else { return };
                self.early.spawn_blocking(move || {
                    other.has_left(LEAVING);
                    stream
                });
            }
        }
    }

    /// A real probe serves one debugger at a time.
    fn let_in(&mut self, stream: Stream) {
        if self.on_bus.is_none() {
            return;
        }
        let handle = match stream.try_clone() {
            Ok(handle) if self.client.as_ref().is_none_or(|client| client.stream.has_left(Duration::ZERO)) => handle,
            _ => return self.setup.events.send(Event::Refused),
        };
        self.clients += 1;
        self.client = Some(Client { number: self.clients, stream: handle });
        // A thread that has ended has told why.
        let _ = self.setup.work.send(Work::Serve(self.clients, stream));
    }

    fn freed(&mut self, number: u64, left: Left) {
        let client = self.client.take_if(|client| client.number == number);
        if left == Left::Probe {
            if self.on_bus.is_some() {
                self.unplug();
                self.back = Some(Instant::now() + REPLUG);
            }
            if let Some(client) = client {
                client.stream.shutdown();
            }
        }
    }
}

fn record(identity: &Identity, spot: &Spot, port: &Port) -> Record {
    let Identity { serial, machine, chip, unique_id } = identity.clone();
    Record {
        serial,
        machine,
        chip,
        selector: spot.selector(),
        uart: port.path().to_owned(),
        control: spot.control_path().to_owned(),
        pid: std::process::id(),
        unique_id,
    }
}

fn answer(reply: oneshot::Sender<Answer>, result: Result<Status, String>) {
    let answer = result.map_or_else(|reason| Answer::Refused { reason }, Answer::Done);
    // Who asked may have left.
    let _ = reply.send(answer);
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
