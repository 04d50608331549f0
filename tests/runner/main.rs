//! A runner that misbehaves as its first word says, started by the target `host` in place of the farm's own: for the
//! end-to-end tests. It answers hello_world's inputs with themselves.

use firmware::testing::{Behaviour, FakeRunner};

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
        _ => return Err("usage: misbehaving-runner BEHAVIOUR --version | --fd N".into()),
    }
    Ok(())
}
