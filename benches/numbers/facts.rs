//! On which machine, and when: what a figure is worth nothing without.

use std::{fs, process::Command};

/// Date, processor, cores, load, QEMU and profile, a line each.
pub fn facts() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    [
        format!("date      {}", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC")),
        format!("machine   {cores} cores, {}, {memory}", field("/proc/cpuinfo", "model name").unwrap_or_default()),
        format!("load      {} (1, 5 and 15 minutes, before the first benchmark)", load.join(" ")),
        format!("emulator  {}", first_line("qemu-system-arm", "--version")),
        format!("tinyfarm  {}, {profile} profile", env!("CARGO_PKG_VERSION")),
    ]
    .join("\n")
}

/// The value of the first `name: value` in a file of the kernel's.
pub fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let (_, value) = text.lines().filter_map(|line| line.split_once(':')).find(|(found, _)| found.trim() == name)?;
    Some(value.trim().to_owned())
}

fn first_line(program: &str, argument: &str) -> String {
    match Command::new(program).arg(argument).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("silent").to_owned(),
        Err(error) => format!("{program}: {error}"),
    }
}
