//! The ledger among the reporters: it sees the same events, and where it fails the run goes on.

use farm::Stamped;
use ledger::{LedgerError, Recorder};
use reports::{ReportError, Reporter};

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

    fn on(&mut self, event: &Stamped) -> Result<(), ReportError> {
        told(self.0.on(event))
    }

    fn idle(&mut self) -> Result<(), ReportError> {
        told(self.0.idle())
    }

    fn finish(&mut self) -> Result<(), ReportError> {
        told(self.0.finish())
    }
}
