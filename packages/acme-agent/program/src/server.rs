// SPDX-License-Identifier: Apache-2.0
//! The running agent: what is asked for, and what is answered.

use crate::config::Config;
use crate::http;
use crate::http::Request;
use crate::journal::Journal;
use crate::probes::Probes;
use crate::records;
use crate::records::Records;
use crate::release::Release;
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;

struct Agent {
    release: &'static Release,
    config: Config,
    probes: Probes,
    records: Records,
    journal: Journal,
}

/// Serves the install at `root` until the process is ended. `pid_file` appears once the port answers.
pub(crate) fn serve(root: &Path, pid_file: &Path, release: &'static Release) -> Result<(), String> {
    let journal = Journal::open(root).map_err(|e| format!("logs/agent.log: {e}"))?;
    let (agent, listeners) = start(root, release, journal)?;
    let agent = Arc::new(agent);
    fs::write(pid_file, format!("{}\n", std::process::id()))
        .map_err(|e| format!("{}: {e}", pid_file.display()))?;
    let threads: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let agent = Arc::clone(&agent);
            thread::spawn(move || agent.accept(&listener))
        })
        .collect();
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

fn start(
    root: &Path,
    release: &'static Release,
    journal: Journal,
) -> Result<(Agent, Vec<TcpListener>), String> {
    let config = Config::read(root, release)?;
    let probes = Probes::load(root)?;
    for name in &probes.orphans {
        journal.say(&format!(
            "warning: plugins/local/{name}.probe overrides no probe"
        ));
    }
    let records = Records::open(root, release, config.keep).map_err(|e| format!("data: {e}"))?;
    let mut listeners = Vec::new();
    for address in &config.listen {
        let listener = TcpListener::bind(address).map_err(|e| format!("{address}: {e}"))?;
        journal.say(&format!(
            "acme-agent {} listens on {address}",
            release.version
        ));
        listeners.push(listener);
    }
    Ok((
        Agent {
            release,
            config,
            probes,
            records,
            journal,
        },
        listeners,
    ))
}

impl Agent {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming().flatten() {
            let agent = Arc::clone(&self);
            thread::spawn(move || agent.converse(&stream));
        }
    }

    fn converse(&self, stream: &TcpStream) {
        if let Ok(request) = http::receive(stream) {
            let (status, body) = self.respond(&request);
            self.journal
                .say(&format!("{} {} {status}", request.method, request.path));
            let _ = http::answer(stream, status, &body);
        }
    }

    fn respond(&self, request: &Request) -> (&'static str, String) {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/version") => ("200 OK", format!("acme-agent {}\n", self.release.version)),
            ("GET", "/health") => self.health(),
            ("GET", "/probes") => ("200 OK", format!("{}\n", json!(self.probes.read()))),
            ("GET", "/records") => match self.records.all() {
                Ok(all) => ("200 OK", format!("{}\n", json!(all))),
                Err(e) => ("500 Internal Server Error", format!("{e}\n")),
            },
            ("POST", path) => self.post(path, request),
            _ => ("404 Not Found", "no such thing\n".to_owned()),
        }
    }

    fn health(&self) -> (&'static str, String) {
        let trouble = match (self.release.defect, self.records.trouble()) {
            (Some(defect), _) => Some(defect.to_owned()),
            (None, Ok(trouble)) => trouble,
            (None, Err(e)) => Some(format!("data/records: {e}")),
        };
        let health = json!({
            "status": if trouble.is_some() { "degraded" } else { "ok" },
            "reason": trouble,
            "name": self.config.name,
            "version": self.release.version,
            "schema": self.release.schema,
            "records": self.records.all().map_or(0, |all| all.len()),
            "probes": self.probes.len(),
        });
        let status = if trouble.is_some() {
            "503 Service Unavailable"
        } else {
            "200 OK"
        };
        (status, format!("{health}\n"))
    }

    fn post(&self, path: &str, request: &Request) -> (&'static str, String) {
        let name = path
            .strip_prefix("/records/")
            .filter(|name| records::is_name(name));
        let Some(name) = name else {
            return ("404 Not Found", "no such thing\n".to_owned());
        };
        if request.token.as_deref() != Some(self.config.token.as_str()) {
            return ("401 Unauthorized", "the token is not ours\n".to_owned());
        }
        if let Some(defect) = self.release.defect {
            return ("503 Service Unavailable", format!("{defect}\n"));
        }
        match self.records.post(name, &request.body) {
            Ok(()) => ("200 OK", format!("{name} stored\n")),
            Err(e) => ("500 Internal Server Error", format!("{e}\n")),
        }
    }
}
