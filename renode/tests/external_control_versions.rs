//! External Control of every version that is spoken, and of those that are not.

mod support;

use renode_rs::external_control::{Capabilities, Command, ExternalControl, ExternalControlError};
use renode_rs::version::Version;
use support::raw_replay::{RawReplay, Step};
use support::transcript::hex;

const HANDSHAKE: &str = "0600010002000300040005010600";

fn expect(digits: &str) -> Step {
    Step::Expect(hex(digits))
}

fn send(digits: &str) -> Step {
    Step::Send(hex(digits))
}

#[tokio::test]
async fn other_versions_are_refused_before_a_byte() {
    let server = RawReplay::start(vec![]).await;
    for (version, capabilities) in [
        (Version::new(1, 15, 0), Capabilities::TIME),
        (Version::new(1, 16, 2), Capabilities::TIME),
        (Version::new(1, 17, 0), Capabilities::NONE),
        (Version::new(2, 0, 0), Capabilities::ALL),
    ] {
        let error = ExternalControl::connect(server.address, &version, capabilities).await.expect_err("refused");
        assert!(matches!(&error, ExternalControlError::Version { .. }), "{error:?}");
        assert!(error.to_string().contains("1.15.1 to 1.16.1"), "{error}");
        assert_eq!(Capabilities::of_version(&version), Capabilities::NONE);
    }
    for (version, capabilities, expected) in [
        (Version::new(1, 15, 1), Capabilities::GPIO, Command::Gpio),
        (Version::new(1, 16, 0), Capabilities::SYSTEM_BUS, Command::SystemBus),
    ] {
        let error = ExternalControl::connect(server.address, &version, capabilities).await.expect_err("refused");
        assert!(
            matches!(&error, ExternalControlError::NotInVersion { command, .. } if *command == expected),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn every_version_gets_its_own_handshake() {
    for (version, handshake) in [
        (Version::new(1, 15, 1), "04000100020003000400"),
        (Version::new(1, 15, 2), "050001000200030004000500"),
        (Version::new(1, 15, 3), "050001000200030004000501"),
        (Version::new(1, 16, 0), "050001000200030004000501"),
        (Version::new(1, 16, 1), HANDSHAKE),
    ] {
        let server = RawReplay::start(vec![vec![expect(handshake), send("05")]]).await;
        let all = Capabilities::of_version(&version);
        ExternalControl::connect(server.address, &version, all).await.expect("connect").close().await;
        server.finish().await;
    }
    assert_eq!(Capabilities::of_version(&Version::new(1, 16, 1)), Capabilities::ALL);
}

#[tokio::test]
async fn events_need_their_version() {
    let server = RawReplay::start(vec![vec![
        expect("020003000500"),
        send("05"),
        expect("524503070000000300000073746d"),
        send("03030400000000000000"),
        expect("5245050d000000ffffffff000000000100000070"),
        send("03050400000000000000"),
    ]])
    .await;
    let old = Version::new(1, 15, 2);
    let control = ExternalControl::connect(server.address, &old, Capabilities::GPIO).await.expect("connect");
    let port = control.gpio(control.machine("stm").await.expect("machine"), "p", 1).await.expect("port");
    let error = port.subscribe(0, 1).await.expect_err("no events");
    assert!(matches!(error, ExternalControlError::NoEvents), "{error:?}");
    drop((control, port));
    server.finish().await;
}
