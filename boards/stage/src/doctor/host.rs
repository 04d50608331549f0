//! Findings of this machine: what every board needs.

use super::{Bench, Finding};
use crate::{
    bus::{
        Environment,
        environment::{Problem, ProblemKind},
    },
    definition::Definition,
};
use rustix::fs::{Access, AtFlags, CWD};
use std::{fs, path::Path};

impl Bench {
    /// What there is to say of this machine: leases, histories, and what `environment` shows of its USB.
    pub fn examine_host(&self, environment: &Environment) -> Vec<Finding> {
        let mut findings = vec![self.leases_folder(), self.state_folder()];
        findings.extend(environment.problems.iter().map(|problem| self.problem(problem)));
        if environment.usb && environment.problems.is_empty() {
            let (probes, ports) = (environment.probes.len(), environment.ports.len());
            findings.push(Finding::fine(
                None,
                format!("USB with {probes} probe(s) and {ports} serial port(s), usable by you"),
            ));
        }
        findings
    }

    fn leases_folder(&self) -> Finding {
        let folder = self.leases.folder().display();
        match self.leases.check() {
            Ok(()) => Finding::fine(None, format!("leases are taken in {folder}")),
            Err(error) => Finding::error(None, error),
        }
    }

    fn state_folder(&self) -> Finding {
        let folder = &self.state;
        let usable = fs::create_dir_all(folder).and_then(|()| may_write(folder));
        match usable {
            Ok(()) => Finding::fine(None, format!("what happens on boards is kept in {}", folder.display())),
            Err(error) => Finding::wrong(
                None,
                format!("what happens on boards cannot be kept in {}: {error}", folder.display()),
                "let `state` under [boards] of tinyfarm.toml name a folder that you may write",
            ),
        }
    }

    /// A problem is wrong where it keeps a board that is defined from working, else worth knowing.
    fn problem(&self, problem: &Problem) -> Finding {
        let any = |needs: fn(&Definition) -> bool| self.definitions.boards.iter().any(needs);
        let matters = match problem.kind {
            ProblemKind::NoUsb => any(|board| !board.is_simulated()),
            ProblemKind::ProbeDenied | ProblemKind::ProbeHidden => true,
            ProblemKind::PortDenied | ProblemKind::PortHeld | ProblemKind::NoDriver => {
                any(|board| board.serial().is_some() && !board.is_simulated())
            }
        };
        if matters {
            Finding::wrong(None, &problem.what, &problem.mend)
        } else {
            Finding::note(None, &problem.what, Some(problem.mend.clone()))
        }
    }
}

fn may_write(folder: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?)
}
