//! What the runner reports, as the domain's errors: which is the model's fault, which the bench's.

use crate::protocol::{ErrorCode, Exited, FaultRegisters, RunnerError};
use farm::{Fault, TargetError};

/// What an ERROR in answer to `request` means. `sample`: which sample was being inferred, from 0.
pub fn of_error(error: &RunnerError, request: &str, sample: u64) -> TargetError {
    let RunnerError { code, a, b, .. } = *error;
    let text = error.text.trim().to_owned();
    let rejected = |detail: String| Fault::Rejected { detail }.into();
    let said = if text.is_empty() { String::new() } else { format!(": {text}") };
    let Some(code) = ErrorCode::of(code) else {
        return TargetError::Bench(format!(
            "the runner answered {request} with error {code}, which the farm does not know{said}"
        ));
    };
    let bench = || TargetError::Bench(format!("the runner answered {request} with `{}`{said}", code.word()));
    match code {
        ErrorCode::Version => {
            TargetError::Bench(format!("the runner speaks version {b} of the protocol, the farm version {a}"))
        }
        ErrorCode::UnknownRequest | ErrorCode::NotPrepared | ErrorCode::NotHere => bench(),
        ErrorCode::NoModel => TargetError::Bench("the runner holds no model".to_owned()),
        ErrorCode::BadLength => rejected(format!("{request} had {a} bytes, and {b} are wanted")),
        ErrorCode::ModelCorrupt => {
            let field = if text.is_empty() { "image".to_owned() } else { text };
            // Of these the runner knows only the most there can be.
            let detail = match field.as_str() {
                "length" | "root" => format!("its {field} can be {a} at most and is {b}"),
                _ => format!("its {field} should be {a:#010x} and is {b:#010x}"),
            };
            Fault::ModelCorrupt { detail }.into()
        }
        ErrorCode::ModelMisaligned if text.is_empty() || text == "model" => {
            Fault::ModelMisaligned { address: a.into() }.into()
        }
        ErrorCode::ModelMisaligned => rejected(format!("its {text} lies misaligned, at offset {a:#x}")),
        ErrorCode::SchemaVersion => Fault::SchemaVersion { found: a, supported: b }.into(),
        ErrorCode::NotATfliteModel => {
            rejected(format!("no TensorFlow Lite model: its identifier is `{}`", text.escape_debug()))
        }
        ErrorCode::UnsupportedOp => Fault::UnsupportedOp { detail: text }.into(),
        ErrorCode::ArenaTooSmall => {
            Fault::ArenaTooSmall { available: a.into(), missing: b.into(), detail: text }.into()
        }
        ErrorCode::AllocateFailed => rejected(format!("its tensors could not be allocated{said}")),
        ErrorCode::InvokeFailed => {
            let detail = if text.is_empty() { format!("status {a}") } else { text };
            Fault::InvokeFailed { sample, detail }.into()
        }
        ErrorCode::OutOfMemory if request == "LOAD" => rejected(format!("no memory for a model of {a} bytes{said}")),
        // Said before anything was asked: the connection got no process, or its process no arena.
        ErrorCode::OutOfMemory => TargetError::Bench(format!("the runner has no memory for {a} bytes{said}")),
    }
}

/// What a FAULT means. `symbol` names the function that holds an address.
pub fn of_fault(registers: &FaultRegisters, symbol: impl Fn(u64) -> Option<String>) -> Fault {
    let name = match registers.vector {
        2 => "NMI".to_owned(),
        3 => "HardFault".to_owned(),
        4 => "MemManage".to_owned(),
        5 => "BusFault".to_owned(),
        6 => "UsageFault".to_owned(),
        7 => "SecureFault".to_owned(),
        other => format!("unexpected interrupt {other}"),
    };
    let mut detail = status(registers);
    let here = symbol(registers.pc.into());
    // A jump to where no code is: who jumped is still known, if it was by a call.
    if let (None, Some(caller)) = (&here, symbol(registers.lr.into())) {
        detail += &format!(", called from {caller}");
    }
    Fault::HardFault { name, pc: registers.pc, lr: registers.lr, symbol: here, detail }
}

/// The fault status registers in words. Bits: Arm v7-M Architecture Reference Manual, B3.2.15 to B3.2.18; v8-M adds STKOF.
fn status(registers: &FaultRegisters) -> String {
    const CFSR: [(u32, &str); 18] = [
        (0, "instruction access violation"),
        (1, "data access violation"),
        (3, "memory fault while unstacking"),
        (4, "memory fault while stacking"),
        (5, "memory fault while saving FPU state"),
        (8, "instruction bus error"),
        (9, "precise data bus error"),
        (10, "imprecise data bus error"),
        (11, "bus fault while unstacking"),
        (12, "bus fault while stacking"),
        (13, "bus fault while saving FPU state"),
        (16, "undefined instruction"),
        (17, "invalid state (no Thumb bit)"),
        (18, "invalid exception return"),
        (19, "no coprocessor"),
        (20, "stack overflow"),
        (24, "unaligned access"),
        (25, "division by zero"),
    ];
    let (cfsr, hfsr) = (registers.cfsr, registers.hfsr);
    let set = CFSR.iter().filter(|(bit, _)| cfsr >> bit & 1 == 1);
    let mut words: Vec<String> = set.map(|(_, word)| (*word).to_owned()).collect();
    if hfsr >> 1 & 1 == 1 {
        words.push("vector table read failed".to_owned());
    }
    if cfsr >> 7 & 1 == 1 {
        words.push(format!("address {:#010x}", registers.mmfar));
    }
    if cfsr >> 15 & 1 == 1 {
        words.push(format!("address {:#010x}", registers.bfar));
    }
    if words.is_empty() {
        words.push("no status from the core".to_owned());
    }
    format!("{} (CFSR {cfsr:#010x}, HFSR {hfsr:#010x})", words.join(", "))
}

/// What EXITED means: someone who kills the runner from outside is the bench; all else is the runner's own end.
pub fn of_exit(exited: &Exited) -> TargetError {
    let name = signal_name(exited.signal);
    match exited.signal {
        0 => Fault::Crash { detail: format!("the runner ended with status {}", exited.status) }.into(),
        9 => TargetError::Bench(format!("the runner was killed from outside ({name}; a memory limit does that too)")),
        1 | 2 | 15 => TargetError::Bench(format!("the runner was killed from outside ({name})")),
        signal => Fault::Crash { detail: format!("the runner got signal {signal} ({name})") }.into(),
    }
}

/// What Linux calls a signal on x86-64 and Arm.
pub fn signal_name(signal: u32) -> &'static str {
    match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => "no common signal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: u16, a: u32, b: u32, text: &str) -> String {
        let error = RunnerError { code, a, b, text: text.to_owned() };
        match of_error(&error, "PREPARE", 4) {
            TargetError::Fault(fault) => format!("fail: {fault}"),
            TargetError::Bench(reason) => format!("infra: {reason}"),
            TargetError::Blocked(reason) => format!("blocked: {reason}"),
        }
    }

    #[test]
    fn every_error_of_the_runner_is_named_with_its_details() {
        let shown: Vec<String> = (1..=16).map(|code| error(code, 0x20, 3, "words")).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        infra: the runner speaks version 3 of the protocol, the farm version 32
        infra: the runner answered PREPARE with `unknown-request`: words
        fail: rejected by the runner: PREPARE had 32 bytes, and 3 are wanted
        infra: the runner holds no model
        fail: model corrupt on the target: its words should be 0x00000020 and is 0x00000003
        fail: rejected by the runner: its words lies misaligned, at offset 0x20
        fail: schema version 32: the runner reads version 3
        fail: rejected by the runner: no TensorFlow Lite model: its identifier is `words`
        fail: unsupported operator: words
        fail: arena too small: of 32 bytes 3 more are needed (words)
        fail: rejected by the runner: its tensors could not be allocated: words
        fail: inference failed at sample 4: words
        infra: the runner answered PREPARE with `not-prepared`: words
        infra: the runner has no memory for 32 bytes: words
        infra: the runner answered PREPARE with `not-here`: words
        infra: the runner answered PREPARE with error 16, which the farm does not know: words
        "#);
    }

    #[test]
    fn what_an_errors_numbers_mean_depends_on_its_words() {
        let shown = [
            error(5, 5, 7, "length"),
            error(5, 5, 7, "crc"),
            error(6, 0x1004, 0, "model"),
            error(6, 0x1004, 0, "root table"),
        ];
        insta::assert_snapshot!(shown.join("\n"), @r#"
        fail: model corrupt on the target: its length can be 5 at most and is 7
        fail: model corrupt on the target: its crc should be 0x00000005 and is 0x00000007
        fail: model misaligned: it lies at 0x00001004, and 16-byte alignment is wanted
        fail: rejected by the runner: its root table lies misaligned, at offset 0x1004
        "#);
        let full = RunnerError { code: 14, a: 1 << 20, b: 0, text: String::new() };
        assert!(matches!(of_error(&full, "LOAD", 0), TargetError::Fault(Fault::Rejected { .. })));
        assert!(matches!(of_error(&full, "HELLO", 0), TargetError::Bench(_)));
    }

    #[test]
    fn a_fault_names_the_function_and_what_the_core_says() {
        let registers = FaultRegisters {
            vector: 3,
            pc: 0x1234,
            lr: 0x99,
            cfsr: 0x0100_8200,
            hfsr: 1 << 30,
            bfar: 0x6000_0000,
            ..Default::default()
        };
        let fault = of_fault(&registers, |pc| (pc == 0x1234).then(|| "Invoke".to_owned()));
        insta::assert_snapshot!(fault, @"HardFault at 0x00001234 (lr 0x00000099, in Invoke): precise data bus error, unaligned access, address 0x60000000 (CFSR 0x01008200, HFSR 0x40000000)");
        let lost = FaultRegisters { vector: 4, pc: 0x5F00_0000, lr: 0x99, cfsr: 1, ..Default::default() };
        let fault = of_fault(&lost, |pc| (pc == 0x99).then(|| "Invoke".to_owned()));
        insta::assert_snapshot!(fault, @"MemManage at 0x5f000000 (lr 0x00000099): instruction access violation (CFSR 0x00000001, HFSR 0x00000000), called from Invoke");
        insta::assert_snapshot!(of_fault(&FaultRegisters { vector: 40, ..Default::default() }, |_| None), @"unexpected interrupt 40 at 0x00000000 (lr 0x00000000): no status from the core (CFSR 0x00000000, HFSR 0x00000000)");
    }

    #[test]
    fn a_crash_is_the_runners_fault_and_a_kill_from_outside_is_not() {
        assert!(matches!(of_exit(&Exited { signal: 11, status: 0 }), TargetError::Fault(Fault::Crash { .. })));
        assert!(matches!(of_exit(&Exited { signal: 0, status: 3 }), TargetError::Fault(Fault::Crash { .. })));
        assert!(matches!(of_exit(&Exited { signal: 9, status: 0 }), TargetError::Bench(_)));
    }
}
