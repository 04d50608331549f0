//! The servers that a running Renode is asked to open, against programs that stand in for it.
#![allow(clippy::unwrap_used)]

#[path = "support/stand_in.rs"]
#[allow(dead_code, reason = "shared with the tests of the process")]
mod stand_in;

use renode_rs::{
    external_control::{Capabilities, ExternalControlError},
    process::ServerError,
};
use serde_json::json;
use stand_in::StandIn;
use std::time::Duration;

#[tokio::test]
async fn servers_are_opened_on_ports_of_their_own() {
    let stand_in = StandIn::new(json!({ "servers_taken": 3 }));
    let renode = stand_in.installation().start(&stand_in.options()).await.unwrap();
    let board = renode.robot().machine("board").unwrap();
    renode.uart(&board, "sysbus.usart2").await.unwrap();
    renode.uart(&board, "sysbus.usart2").await.unwrap();
    renode.external_control(Capabilities::ALL).await.unwrap();
    let error = renode.uart(&board, "sysbus.usart2; quit").await.unwrap_err();
    assert!(matches!(error, ServerError::Name(_)), "{error:?}");
    let error = renode.uart(&board, "sysbus.nosuch").await.unwrap_err();
    assert!(
        matches!(error, ServerError::Robot(_)) && error.to_string().contains("No such command or device"),
        "{error}"
    );
    renode.end().await;
}

#[tokio::test]
async fn no_server_is_opened_for_a_version_that_is_not_spoken() {
    // Nor one that would be refused: all ports are taken here.
    let stand_in = StandIn::new(json!({ "version": "Renode, version 1.17.0 (v1.17.0)", "servers_taken": 99 }));
    let renode = stand_in.installation().start(&stand_in.options()).await.unwrap();
    let error = renode.external_control(Capabilities::NONE).await.unwrap_err();
    assert!(matches!(error, ServerError::ExternalControl(_)) && error.to_string().contains("1.17.0"), "{error}");
    renode.end().await;
}

#[tokio::test]
async fn a_run_that_would_end_renode_within_a_quantum_is_refused() {
    let stand_in = StandIn::new(json!({}));
    let renode = stand_in.installation().start(&stand_in.options()).await.unwrap();
    let control = renode.external_control(Capabilities::ALL).await.unwrap();
    // Whether they are known here or not: something ran freely.
    let _ = renode.robot().start().await;
    let _ = renode.robot().pause().await;
    let error = control.run_for(Duration::from_micros(10)).await.unwrap_err();
    assert!(matches!(error, ExternalControlError::WithinQuantum { .. }), "{error:?}");
    renode.end().await;
}
