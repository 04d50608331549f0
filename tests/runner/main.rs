//! A runner that misbehaves as its first word says, started by the target `host` in place of the farm's own: for the
//! end-to-end tests. It answers hello_world's inputs with themselves; or, as `flip SAMPLE RUNNER`, it lets the real runner
//! answer and turns one bit of one sample's output over.

use firmware::{
    protocol::{Decoded, Decoder, Frame, Kind},
    testing::{Behaviour, FakeRunner},
};
use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::Command,
    thread,
};

/// The build that it says it is.
const BUILD: &str = "played";

/// Bytes of hello_world's input, and of its output: one float32 each.
const TENSOR: usize = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "--version"] => println!("runner 0 {BUILD} TFLM none"),
        [behaviour, "--fd", fd] => {
            let behaviour: Behaviour = behaviour.parse()?;
            FakeRunner::new(behaviour, BUILD, TENSOR, TENSOR).serve_fd(fd.parse()?).await?;
        }
        ["flip", _, runner, "--version"] => {
            std::process::Command::new(runner).arg("--version").status()?;
        }
        ["flip", sample, runner, "--fd", fd] => flip(sample.parse()?, runner, fd.parse()?)?,
        _ => return Err("usage: misbehaving-runner BEHAVIOUR|flip SAMPLE RUNNER --version|--fd N".into()),
    }
    Ok(())
}

/// Stands between the farm, at `fd`, and the real runner, and turns the lowest bit of `sample`'s output over.
fn flip(mut sample: usize, runner: &str, fd: i32) -> io::Result<()> {
    // SAFETY: the farm gave this descriptor to this process, which has no other use of it.
    let mut farm = unsafe { UnixStream::from_raw_fd(fd) };
    let (mut real, theirs) = UnixStream::pair()?;
    // The runner finds its connection at its standard input.
    let mut child = Command::new(runner).args(["--fd", "0"]).stdin(OwnedFd::from(theirs)).spawn()?;
    let (mut from_farm, mut to_real) = (farm.try_clone()?, real.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_farm, &mut to_real);
        // The farm hung up.
        let _ = to_real.shutdown(std::net::Shutdown::Both);
    });
    let (mut decoder, mut buffer) = (Decoder::new(), [0; 4096]);
    loop {
        match real.read(&mut buffer)? {
            0 => break,
            count => decoder.push(&buffer[..count]),
        }
        while let Some(decoded) = decoder.next() {
            let Decoded::Frame(Frame { kind, sequence, mut payload, .. }) = decoded else { continue };
            let is_result = kind == Kind::Result as u8;
            if is_result && sample == 0 {
                // Behind the ticks: the least significant bit of a little-endian float.
                payload[8] ^= 1;
            }
            sample = sample.wrapping_sub(usize::from(is_result));
            let kind = Kind::of(kind).ok_or_else(|| io::Error::other("a kind of frame that is not known"))?;
            farm.write_all(&Frame::new(kind, sequence, payload).encode())?;
        }
    }
    child.wait().map(drop)
}
