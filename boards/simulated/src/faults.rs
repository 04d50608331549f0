//! The plan of faults: what a simulated board is to do wrong, how often, and what of it is still to come.

use crate::event::{Event, Events};
use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Something that goes wrong on real benches. Each is shown as often as the plan says, and then is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A byte that was programmed reads back differently.
    FlashVerify,
    /// The probe goes away in the middle of programming the flash.
    ProbeLeavesFlashing,
    /// The probe goes away while the runner runs.
    ProbeLeavesRunning,
    /// The debug port answers FAULT to a transfer.
    SwdFault,
    /// The debug port answers WAIT to a transfer, again and again.
    SwdWait,
    /// Another chip than the definition says is soldered on.
    WrongChip,
    /// Bytes on the UART that nobody sent.
    UartGarbage,
    /// The UART falls silent in the middle of a line.
    UartStops,
    /// The serial port goes away and comes back under another name.
    UartRenamed,
    /// The core locks up.
    Lockup,
    /// The firmware loops for ever.
    Hang,
    /// The firmware takes a HardFault.
    HardFault,
    /// Everything takes much longer than it should.
    Slow,
    /// The board answers nothing. Not counted: it stays until the power has been off.
    NeedsPowerCycle,
}

impl Fault {
    /// All there are, in the order in which they are listed to users.
    pub const ALL: [Self; 14] = [
        Self::FlashVerify,
        Self::ProbeLeavesFlashing,
        Self::ProbeLeavesRunning,
        Self::SwdFault,
        Self::SwdWait,
        Self::WrongChip,
        Self::UartGarbage,
        Self::UartStops,
        Self::UartRenamed,
        Self::Lockup,
        Self::Hang,
        Self::HardFault,
        Self::Slow,
        Self::NeedsPowerCycle,
    ];

    /// How users write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::FlashVerify => "flash-verify",
            Self::ProbeLeavesFlashing => "probe-leaves-flashing",
            Self::ProbeLeavesRunning => "probe-leaves-running",
            Self::SwdFault => "swd-fault",
            Self::SwdWait => "swd-wait",
            Self::WrongChip => "wrong-chip",
            Self::UartGarbage => "uart-garbage",
            Self::UartStops => "uart-stops",
            Self::UartRenamed => "uart-renamed",
            Self::Lockup => "lockup",
            Self::Hang => "hang",
            Self::HardFault => "hardfault",
            Self::Slow => "slow",
            Self::NeedsPowerCycle => "needs-power-cycle",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word or a count that no plan can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No such fault.
    #[error("there is no fault `{0}`; there are {all}", all = Fault::ALL.map(Fault::word).join(", "))]
    Unknown(String),
    /// Not a number of times.
    #[error("`{0}` is not how often a fault is shown: write `{1}=3`, a whole number from 1 on")]
    Times(String, Fault),
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(word: &str) -> Result<Self, FaultError> {
        let found = Self::ALL.into_iter().find(|fault| fault.word() == word);
        found.ok_or_else(|| FaultError::Unknown(word.to_owned()))
    }
}

impl serde::Serialize for Fault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> serde::Deserialize<'de> for Fault {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A fault and how often it is shown: `hang`, `uart-garbage=3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedFault {
    /// What.
    pub fault: Fault,
    /// How often; at least 1.
    pub times: u32,
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.fault, self.times)
    }
}

impl FromStr for PlannedFault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let Some((word, times)) = text.split_once('=') else { return Ok(Self { fault: text.parse()?, times: 1 }) };
        let fault = word.parse()?;
        match times.parse() {
            Ok(times) if times > 0 => Ok(Self { fault, times }),
            _ => Err(FaultError::Times(times.to_owned(), fault)),
        }
    }
}

/// What is still to be shown. Clones share one plan, which the probe, the core and the UART take from.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    events: Events,
}

#[derive(Debug, Default)]
struct Plan {
    left: BTreeMap<Fault, u32>,
    /// [`Fault::NeedsPowerCycle`] was told of, which is asked for with every transfer.
    power_told: bool,
}

impl Faults {
    /// An empty plan, which tells `events` of each fault that is shown.
    pub fn new(events: Events) -> Self {
        Self { plan: Arc::default(), events }
    }

    /// Plans a fault, `times` more often than it already is.
    pub fn add(&self, fault: Fault, times: u32) {
        if times == 0 {
            return;
        }
        let mut plan = self.plan();
        let count = plan.left.entry(fault).or_default();
        *count = count.saturating_add(times);
    }

    /// Whether the fault is to be shown now. It then counts as shown once, and is told of.
    /// [`Fault::NeedsPowerCycle`] is not counted down: [`Faults::power_cycled`] ends it.
    pub fn take(&self, fault: Fault) -> bool {
        let mut plan = self.plan();
        let Some(count) = plan.left.get_mut(&fault) else { return false };
        let tell = if fault == Fault::NeedsPowerCycle {
            !std::mem::replace(&mut plan.power_told, true)
        } else {
            *count -= 1;
            if *count == 0 {
                plan.left.remove(&fault);
            }
            true
        };
        drop(plan);
        if tell {
            self.events.send(Event::FaultShown { fault });
        }
        true
    }

    /// How often the fault is still to be shown.
    pub fn pending(&self, fault: Fault) -> u32 {
        self.plan().left.get(&fault).copied().unwrap_or_default()
    }

    /// Everything that is still to be shown.
    pub fn all(&self) -> Vec<PlannedFault> {
        self.plan().left.iter().map(|(&fault, &times)| PlannedFault { fault, times }).collect()
    }

    /// The power has been off: ends what only that ends.
    pub fn power_cycled(&self) {
        let mut plan = self.plan();
        plan.left.remove(&Fault::NeedsPowerCycle);
        plan.power_told = false;
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // The plan is sound after every statement, so that a panic elsewhere spoils nothing.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_fault_is_shown_as_often_as_planned_and_told_each_time() {
        let (events, told) = Events::channel();
        let faults = Faults::new(events);
        assert!(!faults.take(Fault::Hang));
        faults.add(Fault::Hang, 2);
        faults.clone().add(Fault::Hang, 1);
        assert_eq!(faults.pending(Fault::Hang), 3);
        assert_eq!(faults.all(), ["hang=3".parse().unwrap()]);
        let shown = (0..5).filter(|_| faults.take(Fault::Hang)).count();
        assert_eq!(shown, 3);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), vec![Event::FaultShown { fault: Fault::Hang }; 3]);
        assert_eq!(faults.all(), []);
    }

    #[test]
    fn only_a_power_cycle_ends_what_needs_one_and_it_is_told_once() {
        let (events, told) = Events::channel();
        let faults = Faults::new(events);
        faults.add(Fault::NeedsPowerCycle, 1);
        assert!((0..100).all(|_| faults.take(Fault::NeedsPowerCycle)));
        assert_eq!(told.try_iter().count(), 1);
        faults.power_cycled();
        assert!(!faults.take(Fault::NeedsPowerCycle));
        faults.add(Fault::NeedsPowerCycle, 1);
        assert!(faults.take(Fault::NeedsPowerCycle));
        assert_eq!(told.try_iter().count(), 1, "another time is told again");
    }

    #[test]
    fn a_count_that_cannot_be_more_stays() {
        let faults = Faults::default();
        faults.add(Fault::Slow, u32::MAX);
        faults.add(Fault::Slow, 7);
        assert_eq!(faults.pending(Fault::Slow), u32::MAX);
        faults.add(Fault::Hang, 0);
        assert!(!faults.take(Fault::Hang));
    }

    #[test]
    fn words_that_are_wrong_are_told_with_the_mend() {
        for fault in Fault::ALL {
            assert_eq!(fault.word().parse(), Ok(fault));
        }
        let wrong = |text: &str| text.parse::<PlannedFault>().unwrap_err().to_string();
        assert!(wrong("hung").starts_with("there is no fault `hung`; there are flash-verify, "));
        for text in ["hang=", "hang=0", "hang=-1", "hang=x", "hang=1.5", "hang=99999999999"] {
            assert!(wrong(text).contains("write `hang=3`"), "{}", wrong(text));
        }
    }
}
