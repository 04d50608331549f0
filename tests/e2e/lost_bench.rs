//! The bench is lost in mid-job, or was never there: QEMU killed, missing, too old; the Docker engine stopped or missing.

use crate::support::{Ended, Project, Running};
use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

/// A scenario whose job takes long enough to be caught at it: `samples` seconds of silence for micro_speech.
fn long_job(project: &Project, samples: usize, place: &str) {
    let bytes = 49 * 40;
    project
        .file("features/silence/silence.bin", vec![0; bytes * samples])
        .file("features/silence/labels.csv", format!("silence.bin,4,0,{bytes},{bytes}\n"))
        .scenario(&format!(
            r#"Given the model "micro_speech" and the dataset "silence"
               When it runs on {place}"#
        ));
}

fn kill_qemu_in_mid_job(project: &Project, samples: usize) -> Ended {
    long_job(project, samples, r#"the emulator "qemu:mps2-an386""#);
    let mut running = Running::start(project, &["run", "--report", "report", "--format", "json"]);
    running.await_event("job-progress");
    running.kill_child("qemu-system-arm");
    running.ended(project)
}

#[test]
fn qemu_killed_in_mid_job_is_infra_that_names_the_signal() {
    let ended = kill_qemu_in_mid_job(&Project::configured("retries = 0"), 10_000);
    ended.judged("infra", &["qemu:mps2-an386", "SIGKILL"]);
}

#[test]
fn qemu_killed_in_mid_job_is_tried_again_and_the_pass_says_so() {
    // Some seconds each time: more than it takes to kill it.
    kill_qemu_in_mid_job(&Project::new(), 300).judged("pass", &["after 1 infra retry"]);
}

#[test]
fn qemu_that_aborts_on_a_lockup_of_the_core_is_a_fail_that_names_it() {
    let project = Project::configured("[qemu]\nprogram = \"./qemu\"\n");
    // The real one, with a program of zeros in place of the runner: its first instruction faults, and so does the fault.
    let zeros = project.file("zeros", [0; 1024]).path().join("zeros");
    let script = format!(
        "#!/bin/sh\nlast=\nfor word; do\nshift\n[ \"$last\" = -kernel ] && word='{}'\nset -- \"$@\" \"$word\"\n\
         last=$word\ndone\nexec qemu-system-arm \"$@\"\n",
        zeros.display()
    );
    firmware::testing::write_program(&project.path().join("qemu"), &script).unwrap();
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the emulator "qemu:mps2-an386""#,
    );
    project.run().judged("fail", &["qemu:mps2-an386", "core locked up", "HardFault", "pc 0x00000000"]);
}

fn with_qemu(program: &str) -> Ended {
    let project = Project::configured(&format!("[qemu]\nprogram = \"{program}\"\n"));
    let script = "#!/bin/sh\necho 'QEMU emulator version 5.2.0 (Debian 1:5.2+dfsg-11)'\n";
    firmware::testing::write_program(&project.path().join("old-qemu"), script).unwrap();
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the emulator "qemu:mps2-an386""#,
    );
    project.run()
}

#[test]
fn qemu_that_is_not_there_is_blocked_with_the_mend() {
    with_qemu("no-such-qemu").judged("blocked", &["no-such-qemu"]);
}

#[test]
fn qemu_that_is_too_old_is_blocked_with_both_versions() {
    with_qemu("./old-qemu").judged("blocked", &["5.2", "7.2"]);
}

#[test]
fn without_a_docker_engine_the_container_stage_is_blocked_with_the_reason() {
    let project = Project::new();
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the container"#,
    );
    let command = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        project.ended(command.output().unwrap())
    };
    command(&["run", "--report", "report"]).judged("blocked", &["/nowhere/docker.sock"]);
    let stood_in = command(&["run", "--report", "report", "--stand-in-host"]);
    stood_in.judged("pass", &[]);
    assert!(stood_in.out.contains(" on host: pass"), "{}", stood_in.out);
    assert!(!stood_in.out.contains("on container: pass"), "a stand-in is never called a container:\n{}", stood_in.out);
}

#[test]
fn a_docker_engine_that_stops_in_mid_run_is_infra_and_named() {
    let project = Project::configured("retries = 0");
    long_job(&project, 60_000, "the container");
    let engine = Engine::in_front_of(&docker_socket(), &project.path().join("docker.sock"));
    let mut command = project.command(&["run", "--report", "report", "--format", "json"]);
    command.env("DOCKER_HOST", format!("unix://{}", project.path().join("docker.sock").display()));
    let mut running = Running::spawn(command);
    running.await_event("job-progress");
    engine.stop(running.id());
    running.ended(&project).judged("infra", &["Docker engine stopped"]);
}

/// Where the engine listens that the tests use.
fn docker_socket() -> PathBuf {
    match std::env::var("DOCKER_HOST") {
        Ok(host) => host.strip_prefix("unix://").expect("tests want an engine with a Unix socket").into(),
        Err(_) => "/var/run/docker.sock".into(),
    }
}

/// A socket in front of the real engine, which can be closed without taking the engine from anybody else.
struct Engine {
    real: PathBuf,
    front: PathBuf,
    open: Arc<Mutex<Option<Vec<UnixStream>>>>,
}

impl Engine {
    fn in_front_of(real: &Path, front: &Path) -> Self {
        let listener = UnixListener::bind(front).unwrap();
        let engine = Self { real: real.into(), front: front.into(), open: Arc::new(Mutex::new(Some(Vec::new()))) };
        let (real, open) = (engine.real.clone(), engine.open.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let engine = UnixStream::connect(&real).unwrap();
                let Some(streams) = &mut *open.lock().unwrap() else { return };
                streams.extend([client.try_clone().unwrap(), engine.try_clone().unwrap()]);
                for (mut from, mut to) in [(client.try_clone(), engine.try_clone()), (Ok(engine), Ok(client))]
                    .map(|(from, to)| (from.unwrap(), to.unwrap()))
                {
                    thread::spawn(move || std::io::copy(&mut from, &mut to));
                }
            }
        });
        engine
    }

    /// An engine that stops takes its containers with it: here those of the program with this process number.
    fn stop(&self, program: u32) {
        fs::remove_file(&self.front).unwrap();
        for stream in self.open.lock().unwrap().take().unwrap() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        // Wakes the listener, which sees that it is closed.
        let containers: serde_json::Value = serde_json::from_str(&self.ask("GET", "/containers/json")).unwrap();
        let ours = |container: &&serde_json::Value| {
            let labels = container["Labels"].as_object().unwrap();
            let run = format!("Z-{program}");
            labels.values().any(|label| label.as_str().is_some_and(|label| label.ends_with(&run)))
        };
        let ids: Vec<_> =
            containers.as_array().unwrap().iter().filter(ours).map(|c| c["Id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 1, "one container of the program: {containers}");
        self.ask("POST", &format!("/containers/{}/kill", ids[0]));
    }

    fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = UnixStream::connect(&self.real).unwrap();
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}
