//! UARTs as byte streams: every recorded connection, and the ends of them.

mod support;

use renode_rs::Uart;
use support::raw_replay::{RawReplay, Step, script};
use support::transcript::{Direction, Line, read};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Does what the client did on one connection, and expects what it got.
async fn drive(mut uart: Uart, lines: &[Line], connection: u32) {
    for line in lines.iter().filter(|line| line.connection == Some(connection)) {
        match (line.direction, &line.bytes) {
            (Direction::Out, Some(bytes)) => {
                uart.write_all(bytes).await.expect("write");
                uart.flush().await.expect("flush");
            }
            (Direction::In, Some(bytes)) => {
                let mut got = vec![0; bytes.len()];
                uart.read_exact(&mut got).await.expect("read");
                assert_eq!(&got, bytes, "{line:?}");
            }
            _ if line.event.as_deref() == Some("closed by server") => {
                assert_eq!(uart.read(&mut [0]).await.expect("end"), 0);
            }
            _ => {}
        }
    }
}

async fn replay(name: &str) {
    let lines = read(name);
    let last = lines.iter().filter_map(|line| line.connection).max().expect("connections");
    for connection in 0..=last {
        let server = RawReplay::start(vec![script(&lines, connection)]).await;
        let uart = Uart::connect(server.address).await.expect("connect");
        assert_eq!(uart.address().expect("address"), server.address);
        drive(uart, &lines, connection).await;
        server.finish().await;
    }
}

#[tokio::test]
async fn recorded_terminals_are_replayed() {
    replay("uart-telnet").await;
}

#[tokio::test]
async fn recorded_runners_are_replayed() {
    replay("uart-stm32f4-hello").await;
    replay("uart-stm32f4-hello-wfi").await;
    replay("uart-nrf52840-hello").await;
}

#[tokio::test]
async fn every_byte_goes_through_both_ways_at_once() {
    let all: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let server = RawReplay::start(vec![vec![Step::Send(all.clone()), Step::Expect(all.clone())]]).await;
    let (mut from, mut to) = tokio::io::split(Uart::connect(server.address).await.expect("connect"));
    let mut got = vec![0; all.len()];
    let (read, written) = tokio::join!(from.read_exact(&mut got), async {
        to.write_all(&all).await?;
        to.shutdown().await
    });
    read.expect("read");
    written.expect("write");
    assert!(got == all);
    server.finish().await;
}

#[tokio::test]
async fn an_end_is_told_as_such() {
    let server = RawReplay::start(vec![vec![Step::Send(b"READY".to_vec()), Step::Close], vec![Step::Reset]]).await;
    let mut text = String::new();
    Uart::connect(server.address).await.expect("connect").read_to_string(&mut text).await.expect("read");
    assert_eq!(text, "READY");
    let mut uart = Uart::connect(server.address).await.expect("connect");
    assert_eq!(uart.read(&mut [0]).await.expect_err("reset").kind(), std::io::ErrorKind::ConnectionReset);
    let address = server.address;
    server.finish().await;
    assert!(Uart::connect(address).await.is_err());
}
