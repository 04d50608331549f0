//! The summary of a nightly, sent to whoever wants it.

use ::ledger::Verdicts;
use miette::{IntoDiagnostic as _, miette};
use serde::Serialize;
use std::time::Duration;
use ureq::http::Uri;

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is tried.
const TRIES: usize = 3;

/// What is sent, as JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The run's name; empty where none was begun.
    pub run: String,
    /// `finished` or `interrupted`; `none` where nothing is known of a run.
    pub state: String,
    /// What kept the nightly from being run or compared; null: nothing did.
    pub error: Option<String>,
    /// The Git commit; null outside a repository.
    pub commit: Option<String>,
    /// The branch.
    pub branch: Option<String>,
    /// The program's exit code, as it would be without this.
    pub exit_code: u8,
    /// Scenarios by verdict.
    pub verdicts: Verdicts,
    /// The nightly it was compared with; null: none.
    pub compared_with: Option<String>,
    /// How many figures are worse than then.
    pub worse: usize,
    /// Scenarios that passed then and do not now.
    pub newly_failing: Vec<String>,
    /// Scenarios that did not pass then and do now.
    pub newly_passing: Vec<String>,
    /// Jobs that needed another attempt.
    pub retried: usize,
}

impl Summary {
    /// That nothing is known but the exit code.
    pub fn of_none(exit_code: u8) -> Self {
        Self {
            run: String::new(),
            state: "none".to_owned(),
            error: None,
            commit: None,
            branch: None,
            exit_code,
            verdicts: Verdicts::default(),
            compared_with: None,
            worse: 0,
            newly_failing: Vec::new(),
            newly_passing: Vec::new(),
            retried: 0,
        }
    }
}

/// Whether an address can be one.
///
/// # Errors
/// It is none of http or https.
pub fn check(url: &str) -> miette::Result<()> {
    // What stands behind the host may be a secret, and is never told.
    let sound = url.parse::<Uri>().is_ok_and(|uri| {
        let named = uri.host().is_some_and(|host| !host.is_empty());
        let place = uri.authority().map_or("", |all| all.as_str());
        // An address of IPv6 has colons of its own, in brackets.
        let place = place.rsplit(['@', ']']).next().unwrap_or_default();
        named && place.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok())
    });
    match host(url).filter(|_| sound) {
        Some(_) => Ok(()),
        None => Err(miette!(
            help = "write it like `https://example.org/hook`",
            "the address of the webhook is no http or https address"
        )),
    }
}

/// The words of a command, without the address that follows `--webhook`: reports and the ledger keep them.
pub fn without_address(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut follows = false;
    let hidden = |word: String| {
        let hide = std::mem::replace(&mut follows, word == "--webhook");
        match word {
            _ if hide => "***".to_owned(),
            word if word.starts_with("--webhook=") => "--webhook=***".to_owned(),
            word => word,
        }
    };
    words.into_iter().map(hidden).collect()
}

fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    Some(host).filter(|host| !host.is_empty())
}

/// Sends `summary` to `url`; what fails on the way, or for the server's own fault, is tried again.
///
/// # Errors
/// It did not arrive; names the host only.
pub async fn send(url: &str, summary: Summary) -> miette::Result<()> {
    let (address, place) = (url.to_owned(), host(url).unwrap_or_default().to_owned());
    let body = serde_json::to_string(&summary).into_diagnostic()?;
    let sent = tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        let mut trouble = String::new();
        for _ in 0..TRIES {
            match agent.post(&address).header("content-type", "application/json").send(&body) {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => {
                    trouble = format!("it answered {}", answer.status());
                    if !answer.status().is_server_error() {
                        break;
                    }
                }
                // An error may name the address, and with it a secret.
                Err(ureq::Error::Timeout(_)) => trouble = format!("no answer within {} s", PATIENCE.as_secs()),
                Err(ureq::Error::Io(error)) => trouble = error.to_string(),
                Err(_) => trouble = "it could not be asked".to_owned(),
            }
        }
        Err(trouble)
    });
    let sent = sent.await.into_diagnostic()?;
    sent.map_err(|trouble| miette!("the webhook at {place} did not take the summary: {trouble}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_of_an_address_is_told() {
        assert_eq!(host("https://user:secret@example.org:8443/token?x=1"), Some("example.org:8443"));
        assert_eq!(host("http://example.org"), Some("example.org"));
        for wrong in ["", "example.org/hook", "ftp://example.org", "https:///hook"] {
            assert_eq!(host(wrong), None, "{wrong}");
            assert!(check(wrong).is_err());
        }
        for wrong in ["http://exa mple/x", "http://a:b/x", "http://a:/x", "http://a:70000/x", "http://:1/x"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
        for right in ["https://user:secret@example.org:8443/token?x=1", "http://[::1]:80/", "http://127.0.0.1"] {
            assert!(check(right).is_ok(), "{right}");
        }
    }

    #[test]
    fn a_command_is_kept_without_the_address() {
        let kept = |words: &[&str]| without_address(words.iter().map(|word| (*word).to_owned())).join(" ");
        assert_eq!(kept(&["nightly", "--webhook", "https://a/b", "--fresh"]), "nightly --webhook *** --fresh");
        assert_eq!(kept(&["nightly", "--webhook=https://a/b", "-v"]), "nightly --webhook=*** -v");
    }
}
