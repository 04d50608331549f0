//! External Control where things go wrong: values, ends, dropped futures, answers of clients before; and ADC,
//! which no recording has.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use renode_rs::external_control::{
    Capabilities, Event, ExternalControl, ExternalControlError, MachineId, WRITE_CHUNK, Width,
};
use renode_rs::version::Version;
use support::raw_replay::{RawReplay, Step};
use support::transcript::hex;
use tokio::sync::Notify;

const NEWEST: Version = Version::new(1, 16, 1);
const HANDSHAKE: &str = "0600010002000300040005010600";
const GET_TIME: &str = "52450200000000";
const TIME_1: &str = "0302080000000100000000000000";
const RUN_1: &str = "524501080000000100000000000000";
const EVENT: &str = "06054d000000100000004c040000000000000100000000000000";

fn expect(digits: &str) -> Step {
    Step::Expect(hex(digits))
}

fn send(digits: &str) -> Step {
    Step::Send(hex(digits))
}

/// A server after the handshake, and a client of it.
async fn connected(rest: Vec<Step>) -> (RawReplay, ExternalControl) {
    let server = RawReplay::start(vec![[vec![expect(HANDSHAKE), send("05")], rest].concat()]).await;
    let control = connect(server.address).await.expect("connect");
    (server, control)
}

async fn connect(address: SocketAddr) -> Result<ExternalControl, ExternalControlError> {
    ExternalControl::connect(address, &NEWEST, Capabilities::ALL).await
}

async fn machine(control: &ExternalControl) -> MachineId {
    control.machine("stm").await.expect("machine")
}

fn get_machine() -> [Step; 2] {
    [expect("524503070000000300000073746d"), send("03030400000000000000")]
}

fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

#[tokio::test]
async fn a_busy_server_is_told_so() {
    let server = RawReplay::start(vec![vec![expect(HANDSHAKE)]]).await;
    let patience = Duration::from_millis(50);
    let result = ExternalControl::connect_within(server.address, &NEWEST, Capabilities::ALL, patience).await;
    let error = result.expect_err("silent");
    assert!(matches!(error, ExternalControlError::Silent { .. }), "{error:?}");
    assert!(error.to_string().contains("one client at a time"), "{error}");
    server.finish().await;
}

#[tokio::test]
async fn another_protocol_is_told_as_such() {
    for (answer, end) in [("485454502f312e31", false), ("0402", false), ("", true)] {
        let server = RawReplay::start(vec![vec![expect(HANDSHAKE), send(answer), Step::Close]]).await;
        let error = connect(server.address).await.expect_err("no handshake");
        assert_eq!(matches!(error, ExternalControlError::Closed { .. }), end, "{error:?}");
        assert_eq!(matches!(error, ExternalControlError::Protocol(_)), !end, "{error:?}");
        server.finish().await;
    }
}

#[tokio::test]
async fn answers_to_the_client_before_are_skipped() {
    // Before the handshake, while nothing is asked, and before an answer: events and the end of its RunFor.
    let told = Arc::new(Notify::new());
    let server = RawReplay::start(vec![vec![
        expect(HANDSHAKE),
        send(EVENT),
        send("0401"),
        send("05"),
        send(EVENT),
        send("00010300000062616e"),
        expect(GET_TIME),
        send(EVENT),
        send("0401"),
        send(TIME_1),
        Step::Tell(Arc::clone(&told)),
    ]])
    .await;
    let control = connect(server.address).await.expect("connect");
    assert_eq!(control.time().await.expect("time"), us(1));
    told.notified().await;
    control.close().await;
    server.finish().await;
}

#[tokio::test]
async fn a_dropped_run_keeps_its_reply_and_events_to_itself() {
    let (asked, late) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (server, control) = connected(vec![
        expect(RUN_1),
        send(EVENT),
        Step::Tell(Arc::clone(&asked)),
        Step::Hold(Arc::clone(&late)),
        send("0401"),
        expect(GET_TIME),
        send(TIME_1),
        expect(RUN_1),
        send(EVENT),
        send("0401"),
    ])
    .await;
    tokio::select! {
        biased;
        () = asked.notified() => {},
        result = control.run_for(us(1)) => panic!("{result:?}"),
    }
    let time = tokio::spawn({
        let control = control.clone();
        async move { control.time().await }
    });
    late.notify_one();
    assert_eq!(time.await.expect("task").expect("time"), us(1));
    // Its events are not lost.
    let events = control.run_for(us(1)).await.expect("run");
    let levels: Vec<_> =
        events.iter().map(|Event { descriptor, time, high, .. }| (*descriptor, *time, *high)).collect();
    assert_eq!(levels, [(77, us(0x44C), true); 2]);
    control.close().await;
    server.finish().await;
}

#[tokio::test]
async fn events_survive_a_run_that_fails_or_is_dropped_with_its_reply() {
    let told = Arc::new(Notify::new());
    let (server, control) = connected(vec![
        expect(RUN_1),
        send(EVENT),
        send("00010300000062616e"),
        expect(RUN_1),
        send(EVENT),
        send("0401"),
        expect(GET_TIME),
        send(TIME_1),
        Step::Tell(Arc::clone(&told)),
        expect(RUN_1),
        send("0401"),
    ])
    .await;
    let error = control.run_for(us(1)).await.expect_err("failed");
    assert!(matches!(&error, ExternalControlError::CommandFailed { message, .. } if message == "ban"), "{error:?}");
    // Polled once, which sends it; its reply comes before that of the time, and is dropped unread.
    let mut run = Box::pin(control.run_for(us(1)));
    tokio::select! {
        biased;
        result = &mut run => panic!("{result:?}"),
        () = std::future::ready(()) => {},
    }
    assert_eq!(control.time().await.expect("time"), us(1));
    drop(run);
    told.notified().await;
    assert_eq!(control.run_for(us(1)).await.expect("run").len(), 2);
    control.close().await;
    server.finish().await;
}

#[tokio::test]
async fn a_request_dropped_before_its_turn_is_not_sent() {
    let (asked, late) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (server, control) =
        connected(vec![expect(RUN_1), Step::Tell(Arc::clone(&asked)), Step::Hold(Arc::clone(&late)), send("0401")])
            .await;
    let run = tokio::spawn({
        let control = control.clone();
        async move { control.run_for(us(1)).await }
    });
    asked.notified().await;
    tokio::select! {
        biased;
        result = control.time() => panic!("{result:?}"),
        () = std::future::ready(()) => {},
    }
    late.notify_one();
    assert_eq!(run.await.expect("task").expect("run"), []);
    control.close().await;
    server.finish().await;
}

#[tokio::test]
async fn dropping_the_client_waits_for_the_reply() {
    let (asked, late) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (server, control) =
        connected(vec![expect(RUN_1), Step::Tell(Arc::clone(&asked)), Step::Hold(Arc::clone(&late)), send("0401")])
            .await;
    tokio::select! {
        biased;
        () = asked.notified() => {},
        result = control.run_for(us(1)) => panic!("{result:?}"),
    }
    drop(control);
    late.notify_one();
    server.finish().await;
}

#[tokio::test]
async fn pieces_of_a_reply_are_put_together() {
    let reply = [hex(EVENT), hex("0401")].concat();
    for at in 1..reply.len() {
        let gate = Arc::new(Notify::new());
        let (server, control) = connected(vec![
            expect(RUN_1),
            Step::Send(reply[..at].to_vec()),
            Step::Hold(Arc::clone(&gate)),
            Step::Send(reply[at..].to_vec()),
        ])
        .await;
        let (events, ()) = tokio::join!(control.run_for(us(1)), async {
            tokio::task::yield_now().await;
            gate.notify_one();
        });
        assert_eq!(events.expect("run").len(), 1, "{at}");
        control.close().await;
        server.finish().await;
    }
}

#[tokio::test]
async fn half_a_reply_and_an_end_is_closed() {
    for end in [Step::Close, Step::Reset] {
        let (server, control) = connected(vec![expect(GET_TIME), send("030208000000"), end]).await;
        let error = control.time().await.expect_err("closed");
        assert!(matches!(&error, ExternalControlError::Closed { during } if during == "GetTime"), "{error:?}");
        let error = control.run_for(us(1)).await.expect_err("dead");
        assert!(matches!(&error, ExternalControlError::Dead { reason } if reason.contains("GetTime")), "{error:?}");
        server.finish().await;
    }
}

#[tokio::test]
async fn answers_that_do_not_fit_end_the_client() {
    for answer in ["ff", "0405", "03030400000000000000", "05", "0202", "030604000000ffffffff"] {
        let (server, control) = connected(vec![expect(GET_TIME), send(answer)]).await;
        let error = control.time().await.expect_err(answer);
        assert!(matches!(error, ExternalControlError::Protocol(_)), "{answer}: {error:?}");
        let error = control.time().await.expect_err("dead");
        assert!(matches!(error, ExternalControlError::Dead { .. }), "{answer}: {error:?}");
        server.finish().await;
    }
    // Too short, but a whole frame: the connection goes on.
    let (server, control) =
        connected(vec![expect(GET_TIME), send("03020100000000"), expect(GET_TIME), send(TIME_1)]).await;
    assert!(matches!(control.time().await.expect_err("short"), ExternalControlError::Protocol(_)));
    assert_eq!(control.time().await.expect("time"), us(1));
    control.close().await;
    server.finish().await;
}

#[tokio::test]
async fn what_cannot_be_sent_unchanged_is_refused() {
    let steps = [&get_machine()[..], &[expect(SYSBUS), send("03060400000000000000")]].concat();
    let (server, control) = connected(steps).await;
    for duration in [Duration::from_nanos(1), Duration::from_nanos(1001), Duration::MAX, us(u64::MAX / 1000)] {
        let error = control.run_for(duration).await.expect_err("refused");
        assert!(matches!(error, ExternalControlError::Duration { .. }), "{error:?}");
    }
    assert!(matches!(control.machine("").await, Err(ExternalControlError::EmptyName)));
    let machine = machine(&control).await;
    assert!(matches!(control.gpio(machine, "", 1).await, Err(ExternalControlError::EmptyName)));
    let bus = control.system_bus(machine, "sysbus").await.expect("bus");
    let unit = bus.write(0, Width::U32, &[0; 6]).await;
    assert!(matches!(unit, Err(ExternalControlError::Unit { length: 6, width: 4 })), "{unit:?}");
    assert!(matches!(bus.read(0, Width::U64, 4).await, Err(ExternalControlError::Unit { .. })));
    assert!(matches!(bus.read_u32(u64::MAX - 2).await, Err(ExternalControlError::AddressRange { .. })));
    control.close().await;
    server.finish().await;
}

const SYSBUS: &str = "52450612000000ffffffff0000000006000000737973627573";

#[tokio::test]
async fn writes_go_in_pieces() {
    let data: Vec<u8> = (0..=255).cycle().take(WRITE_CHUNK + 4).collect();
    let first = [hex("52450612020000000000000104000000200000000080000000"), data[..WRITE_CHUNK].to_vec()];
    let second = [hex("52450616000000000000000104000200200000000001000000"), data[WRITE_CHUNK..].to_vec()];
    let steps = [
        &get_machine()[..],
        &[
            expect(SYSBUS),
            send("03060400000000000000"),
            Step::Expect(first.concat()),
            send("0406"),
            Step::Expect(second.concat()),
            send("0406"),
        ],
    ];
    let (server, control) = connected(steps.concat()).await;
    let bus = control.system_bus(machine(&control).await, "sysbus").await.expect("bus");
    bus.write(0x2000_0000, Width::U32, &data).await.expect("write");
    drop((bus, control));
    server.finish().await;
}

#[tokio::test]
async fn adc_speaks_as_the_sources_say() {
    let steps = [
        &get_machine()[..],
        &[
            expect("52450418000000ffffffff000000000c0000007379736275732e6164633031"),
            send("03040400000007000000"),
            expect("524504050000000700000000"),
            send("03040400000002000000"),
            expect("5245040d000000070000000201000000a0860100"),
            send("0404"),
            expect("52450409000000070000000101000000"),
            send("030404000000a0860100"),
        ],
    ];
    let (server, control) = connected(steps.concat()).await;
    let adc = control.adc(machine(&control).await, "sysbus.adc01").await.expect("adc");
    assert_eq!(adc.channels(), 2);
    adc.set(1, 100_000).await.expect("set");
    assert_eq!(adc.get(1).await.expect("get"), 100_000);
    for result in [adc.get(2).await.map(drop), adc.set(2, 0).await] {
        assert!(
            matches!(result, Err(ExternalControlError::ChannelOutOfRange { channel: 2, channels: 2, .. })),
            "{result:?}"
        );
    }
    drop((adc, control));
    server.finish().await;
}

#[tokio::test]
async fn a_closed_client_says_so() {
    let (server, control) = connected(vec![]).await;
    let clone = control.clone();
    control.close().await;
    let error = clone.time().await.expect_err("closed");
    assert!(error.to_string().contains("closed by its owner"), "{error}");
    clone.close().await;
    server.finish().await;
}
