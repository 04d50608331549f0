//! The ledger among the reporters: it sees the same events, and where it fails the run goes on.

use farm::Stamped;
use ledger::{LedgerError, Recorder};
use reports::{Account, ReportError, Reporter};

/// Records a run in the ledger.
#[derive(Debug)]
pub struct LedgerReporter(pub Recorder);

fn told(result: Result<(), LedgerError>) -> Result<(), ReportError> {
    result.map_err(|error| ReportError::Other(Box::new(error)))
}

impl Reporter for LedgerReporter {
    fn name(&self) -> &str {
        "ledger"
    }

    fn on(&mut self, event: &Stamped, _: &Account) -> Result<(), ReportError> {
        told(self.0.on(event))
    }

    fn idle(&mut self, _: &Account) -> Result<(), ReportError> {
        told(self.0.idle())
    }

    fn finish(&mut self, _: &Account) -> Result<(), ReportError> {
        told(self.0.finish())
    }
}
