//! Findings for which a board is touched: its chip is read through the probe, its serial port is opened and its runner
//! asked who it is. Nothing is written, and nobody else's board is touched.

use super::{Bench, Finding, Presence, Seen};
use crate::{
    bus::Attached,
    definition::{Definition, SerialPort},
    lease::{self, Holder},
    probe::{Access, ProbeThread, identify},
    raw_log::RawLog,
    serial::{self, SerialLink},
};
use farm::TargetError;
use firmware::protocol::{Decoded, Decoder, Frame, Kind};
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long attaching may take.
const ATTACH: Duration = Duration::from_secs(15);
/// How long reading a few words may take, or letting the probe go.
const READ: Duration = Duration::from_secs(10);
/// How long a runner may take to say who it is.
const ANSWER: Duration = Duration::from_secs(2);
/// Bytes of the serial port that are kept.
const KEPT: usize = 1 << 10;

impl Bench {
    /// What there is to say of a board that is there by touching it; nothing of one that is not.
    pub async fn touch(&self, board: &Seen) -> Vec<Finding> {
        let name = Some(board.definition.name.as_str());
        if !board.presence.is_there() || !lease::is_shared(&board.definition) {
            return Vec::new();
        }
        let lease = match self.leases.try_take(&board.identity, &Holder::this_process(None)) {
            Ok(Some(lease)) => lease,
            Ok(None) => return vec![Finding::note(name, "its chip was not looked at: another process has it", None)],
            // The folder of the leases has a finding of its own.
            Err(_) => return Vec::new(),
        };
        let mut findings = Vec::new();
        if let Presence::Attached(attached) = &board.presence {
            findings.push(match self.identify(&board.definition, attached).await {
                Ok(unique_id) => {
                    let its = unique_id.map_or(String::new(), |id| format!("; its unique id is {id}"));
                    Finding::fine(name, format!("the chip is {}, as it should be{its}", board.definition.chip))
                }
                Err(error) => Finding::wrong(name, error.to_string(), other_board(&board.definition)),
            });
        }
        if let Some(port) = board.definition.serial() {
            findings.extend(listen(name, port).await);
        }
        drop(lease);
        findings
    }

    /// Attaches and compares; gives the chip's own number in hex, as definitions have it.
    async fn identify(&self, definition: &Definition, attached: &Attached) -> Result<Option<String>, TargetError> {
        let chip = self.definitions.chips.target(&definition.chip);
        let chip = chip.map_err(|error| TargetError::Blocked(error.to_string()))?;
        let access = Access { board: definition.name.clone(), selector: attached.selector.clone(), chip };
        let (mut over, opening) = ProbeThread::start(access, ATTACH);
        let asked = async {
            let (thread, definition) = (opening.await?, definition.clone());
            let identified =
                thread.call("identifying the board", READ, move |device| device.identify(&definition)).await;
            thread.end(READ).await;
            identified
        };
        let identified = asked.await;
        // The lease is kept for as long as the probe is in use.
        over.within(READ).await;
        Ok(identified?.unique_id.as_deref().map(identify::hex))
    }
}

/// What to do where the chip is not the one that it should be, or does not answer.
fn other_board(definition: &Definition) -> String {
    let file = definition.file.as_ref().map_or("its definition".to_owned(), |file| file.display().to_string());
    format!("attach the board that is meant, or correct `probe`, `chip` and `unique_id` in {file}")
}

/// Opens the port and asks the runner behind it who it is.
async fn listen(name: Option<&str>, port: &SerialPort) -> Option<Finding> {
    let identity = port.identity.as_ref()?;
    let mut link = match serial::open(identity, port.baud, RawLog::both(KEPT)) {
        Ok(link) => link,
        Err(error) => return Some(Finding::error(name, error)),
    };
    let mut decoder = Decoder::new();
    let answered = tokio::time::timeout(ANSWER, ask(&mut link, &mut decoder)).await;
    let (at, baud) = (link.path().display(), port.baud);
    Some(match answered {
        Ok(Ok(true)) => Finding::fine(name, format!("a runner answers on {at} at {baud} baud")),
        Ok(Err(error)) => {
            let what = format!("the serial port {at} failed: {error}");
            Finding::wrong(name, what, "unplug the board and plug it in again")
        }
        Ok(Ok(false)) => {
            let what = format!("the serial port {at} went away while it was listened to");
            Finding::wrong(name, what, "look at its cable, or give it a power supply of its own")
        }
        Err(_) if decoder.garbage().bytes > 0 => {
            let garbage = decoder.garbage();
            let what =
                format!("on {at} at {baud} baud came {} bytes that make no sense: {}", garbage.bytes, garbage.shown());
            let mend = "correct `baud` in the board's definition: its firmware sends at another rate, or is none that \
                        speaks firmware/PROTOCOL.md";
            Finding::wrong(name, what, mend)
        }
        Err(_) => {
            let mend = "if a runner should be on it, reset it; if it stays silent, look at `interface` and `baud` in \
                        the board's definition";
            Finding::note(name, format!("nothing is heard on {at} at {baud} baud"), Some(mend.to_owned()))
        }
    })
}

/// Whether a frame came; `false`: the port went away.
async fn ask(link: &mut SerialLink, decoder: &mut Decoder) -> io::Result<bool> {
    link.write_all(&Frame::new(Kind::HelloRequest, 0, Vec::new()).encode()).await?;
    link.flush().await?;
    let mut bytes = [0; 256];
    loop {
        let count = link.read(&mut bytes).await?;
        if count == 0 {
            return Ok(false);
        }
        decoder.push(&bytes[..count]);
        if let Some(Decoded::Frame(_) | Decoded::OtherVersion(_)) = decoder.next() {
            return Ok(true);
        }
    }
}
