//! The connection to the robot server when things go wrong: connections that end, answers that are none, callers that go
//! away.

#[path = "support/robot_replay.rs"]
mod robot_replay;
mod support;

use std::{sync::Arc, time::Duration};

use renode_rs::robot::{Robot, RobotError};
use robot_replay::{Exchange, Replay, VERSION, answer, command, connect, recorded, version};
use support::transcript::{self, Direction};
use tokio::sync::Notify;

#[tokio::test]
async fn a_connection_serves_at_most_a_hundred_requests() {
    let call = recorded("robot-keepalive", "request 1 on");
    let server = Replay::start(vec![call; 250]).await;
    let robot = connect(&server).await;
    for _ in 0..250 {
        assert_eq!(robot.execute("log \"k\"").await.expect("a log entry"), "");
    }
    server.finish();
    assert_eq!(server.seen().requests, [100, 100, 50]);
}

#[tokio::test]
async fn an_idle_connection_is_replaced_before_renode_closes_it() {
    let server = Replay::start(vec![version(); 3]).await;
    let robot = connect(&server).await;
    robot.version().await.expect("a version");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(9)).await;
    robot.version().await.expect("a version");
    tokio::time::advance(Duration::from_secs(11)).await;
    robot.version().await.expect("a version");
    server.finish();
    assert_eq!(server.seen().requests, [2, 1]);
}

#[tokio::test]
async fn a_connection_closed_between_calls_loses_none() {
    let mut first = version();
    first.close = true;
    let server = Replay::start(vec![first, version()]).await;
    let robot = connect(&server).await;
    robot.version().await.expect("a version");
    server.until(|seen| seen.ended == 1).await;
    robot.version().await.expect("a version");
    server.finish();
}

#[tokio::test]
async fn every_recorded_http_answer_is_understood() {
    for line in transcript::read("robot-http") {
        let (Direction::In, Some(http)) = (line.direction, line.http) else { continue };
        // One is the half of a page, one the first of two answers.
        if line.fields.contains_key("http_cut_bytes") || http.starts_with("HTTP/1.1 100") {
            continue;
        }
        let close = http.contains("Connection: close");
        let mut odd = Exchange::new("ExecuteCommand", &["version"], http.clone());
        odd.close = close;
        let server = Replay::start(vec![odd, version()]).await;
        let robot = connect(&server).await;
        let result = robot.version().await;
        match http.split(' ').nth(1) {
            Some("200") if http.contains("faultCode") => {
                assert!(matches!(result, Err(RobotError::Fault { code: 0, .. })))
            }
            Some("200") => assert_eq!(result.expect("a version"), VERSION, "{http}"),
            Some(status) => assert!(matches!(result, Err(RobotError::Http(code)) if code.to_string() == status)),
            None => panic!("{http}"),
        }
        assert_eq!(robot.version().await.expect("the next call"), VERSION);
        server.finish();
    }
}

#[tokio::test]
async fn a_call_that_was_sent_and_not_answered_is_not_repeated() {
    let whole = version().response.expect("an answer");
    for length in [0, 1, 20, whole.len() / 2, whole.len() - 1] {
        let mut cut = Exchange::new("ExecuteCommand", &["emulation RunFor \"1\""], &whole[..length]);
        cut.close = true;
        let server = Replay::start(vec![cut, version()]).await;
        let robot = connect(&server).await;
        match robot.run_for(Duration::from_secs(1)).await {
            Err(RobotError::Closed { during }) => assert!(during.contains("RunFor"), "{during}"),
            other => panic!("{length}: {other:?}"),
        }
        assert_eq!(robot.version().await.expect("the next call"), VERSION);
        server.finish();
    }
}

#[tokio::test]
async fn answers_of_something_else_are_refused() {
    let page = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>".to_vec();
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe".to_vec();
    let empty = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
    let text = answer("<params><param><value><string>hello</string></value></param></params>");
    let status = answer(
        "<params><param><value><struct><member><name>status</name><value><string>MAYBE</string></value></member>\
         </struct></value></param></params>",
    );
    for response in [page, bytes, empty, text, status] {
        let server = Replay::start(vec![Exchange::new("ExecuteCommand", &["version"], response), version()]).await;
        let robot = connect(&server).await;
        assert!(matches!(robot.version().await, Err(RobotError::Protocol(_))));
        robot.version().await.expect("the next call");
        server.finish();
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_neither_drops_the_connection_nor_gets_the_next_answer() {
    let gate = Arc::new(Notify::new());
    let mut slow = command("sleep 3", "slow");
    slow.gate = Some(gate.clone());
    let server = Replay::start(vec![slow, version()]).await;
    let robot = connect(&server).await;
    {
        let call = robot.execute("sleep 3");
        tokio::select! {
            _ = call => panic!("answered"),
            _ = server.until(|seen| seen.left == 1) => {}
        }
    }
    let never_sent = robot.execute("never sent");
    tokio::select! {
        biased;
        _ = never_sent => panic!("answered"),
        () = std::future::ready(()) => {}
    }
    let (result, ()) = tokio::join!(robot.version(), async { gate.notify_one() });
    assert_eq!(result.expect("the next call"), VERSION);
    server.finish();
    assert_eq!(server.seen().requests, [2]);
}

#[tokio::test]
async fn the_task_sees_a_call_through_when_every_handle_is_gone() {
    let gate = Arc::new(Notify::new());
    let mut slow = command("sleep 3", "slow");
    slow.gate = Some(gate.clone());
    let server = Replay::start(vec![slow]).await;
    let robot = connect(&server).await;
    let call = tokio::spawn(async move { robot.execute("sleep 3").await });
    server.until(|seen| seen.left == 0).await;
    call.abort();
    gate.notify_one();
    server.until(|seen| seen.ended == 1).await;
    server.finish();
}

#[tokio::test]
async fn a_command_that_never_returns_keeps_its_connection() {
    let stuck = recorded("robot-errors", "cpu Step while");
    assert!(stuck.response.is_none());
    let server = Replay::start(vec![stuck]).await;
    let robot = connect(&server).await;
    tokio::select! {
        _ = robot.execute("cpu Step") => panic!("answered"),
        _ = server.until(|seen| seen.left == 0) => {}
    }
    let waiting = tokio::spawn(async move { robot.version().await });
    tokio::task::yield_now().await;
    assert_eq!(server.seen().ended, 0);
    assert_eq!(server.seen().faults, Vec::<String>::new());
    server.die().await;
    // The connection of the stuck call ended; the call after it finds nobody.
    assert!(matches!(waiting.await.expect("no panic"), Err(RobotError::Io(_) | RobotError::Closed { .. })));
}

#[tokio::test]
async fn a_renode_that_ended_is_an_error() {
    let server = Replay::start(vec![recorded("robot-shutdown", "")]).await;
    let address = server.address;
    let robot = connect(&server).await;
    robot.create_machine("stm").await.expect("a machine");
    server.die().await;
    assert!(matches!(robot.version().await, Err(RobotError::Closed { .. } | RobotError::Io(_))));
    assert!(matches!(robot.version().await, Err(RobotError::Io(_))));
    assert!(matches!(Robot::connect(address).await, Err(RobotError::Io(_))));
}

#[tokio::test]
async fn calls_of_several_handles_are_served_one_at_a_time() {
    let gate = Arc::new(Notify::new());
    let mut slow = recorded("robot-concurrent", "2 s keyword");
    slow.gate = Some(gate.clone());
    let server = Replay::start(vec![slow, recorded("robot-concurrent", "connection 1")]).await;
    let robot = connect(&server).await;
    let other = robot.clone();
    let first = tokio::spawn(async move { robot.execute("sleep 2").await });
    server.until(|seen| seen.left == 1).await;
    let (second, ()) = tokio::join!(other.version(), async {
        assert_eq!(server.seen().left, 1);
        gate.notify_one();
    });
    assert_eq!(second.expect("a version"), VERSION);
    assert_eq!(first.await.expect("no panic").expect("a pause"), "");
    server.finish();
    assert_eq!(server.seen().requests, [2]);
}
