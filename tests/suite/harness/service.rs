// SPDX-License-Identifier: Apache-2.0
//! A service made of shell commands: it runs while a file stands, and writes down what it is told.

use std::fs;
use std::path::PathBuf;

use super::Machine;

/// The service of one install.
pub(crate) struct Service {
    up: PathBuf,
    log: PathBuf,
}

impl Service {
    /// Puts the service of an install into its settings, and starts it. Each command first writes a line
    /// with its name and the content of the file `agent`; `start` and `alive` then do what is given. A
    /// `stop` whose caller was killed does nothing: it would race with the recovery, as the operator's
    /// guide says.
    pub(crate) fn running(machine: &Machine, install: &str, start: &str, alive: &str) -> Self {
        let service = Self {
            up: machine.path("up"),
            log: machine.path("service.log"),
        };
        let (up, log) = (service.up.display(), service.log.display());
        let say = |verb: &str| format!("echo {verb} $(cat {install}/agent) >> {log}");
        let text = format!(
            "[service]\n\
             stop = [\"sh\", \"-c\", '[ $PPID -ne 1 ] && kill -0 $PPID || exit 0; {}; rm -f {up}']\n\
             start = [\"sh\", \"-c\", '{}; touch {up}; {start}']\n\
             alive = [\"sh\", \"-c\", 'test -e {up} && {alive}']\n\
             stop-timeout = \"20s\"\nstart-timeout = \"20s\"\nsettle = \"1ms\"\n",
            say("stop"),
            say("start"),
        );
        machine.settings(install, &text);
        service.start();
        service
    }

    /// Somebody else starts it.
    pub(crate) fn start(&self) {
        fs::write(&self.up, "").unwrap();
    }

    /// Somebody else stops it.
    pub(crate) fn stop(&self) {
        fs::remove_file(&self.up).unwrap();
    }

    /// Whether it runs.
    pub(crate) fn runs(&self) -> bool {
        self.up.exists()
    }

    /// What it was told, in order, with the version that stood there at that time.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
