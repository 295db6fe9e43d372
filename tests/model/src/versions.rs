// SPDX-License-Identifier: Apache-2.0
//! The versions of the program: what each brings, and what its steps do. Descriptions only; `machine` makes
//! packages of them, and the model foretells from them.

use std::collections::BTreeMap;

/// Where the program's state is that the operator and the steps change.
pub(crate) const STATE: [&str; 4] = ["data/a", "data/b", "data/migrated", SEED];
/// A file that is the vendor's where none stands, and then the operator's.
pub(crate) const SEED: &str = "conf/seed";
/// Managed files of every version that accidents happen to.
pub(crate) const MANAGED: [&str; 3] = ["agent", "share/same", "share/changed"];

/// One version.
#[derive(Debug)]
pub(crate) struct Version {
    /// As in its package.
    pub(crate) number: &'static str,
    /// As in its package.
    pub(crate) data_format: u64,
    /// The lowest version that it updates from; none: any.
    pub(crate) from: Option<&'static str>,
    /// Its step of `migrate` writes its number to `data/migrated`, and this as the key `port`.
    pub(crate) port: Option<&'static str>,
    /// How it ends when it is applied.
    pub(crate) end: End,
}

/// How a version ends when it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It works.
    Works,
    /// Its step of `migrate` refuses.
    Refuses,
    /// Its step of `health` finds it unhealthy.
    Unhealthy,
}

const fn version(number: &'static str, data_format: u64) -> Version {
    Version {
        number,
        data_format,
        from: None,
        port: None,
        end: End::Works,
    }
}

/// Every version, in order. The first is the one that is adopted.
pub(crate) const VERSIONS: [Version; 7] = [
    version("1.0.0", 1),
    version("1.1.0", 1),
    Version {
        port: Some("1200"),
        ..version("1.2.0", 2)
    },
    Version {
        port: Some("1300"),
        end: End::Unhealthy,
        ..version("1.3.0", 2)
    },
    Version {
        from: Some("1.2.0"),
        port: Some("1400"),
        ..version("1.4.0", 2)
    },
    Version {
        end: End::Refuses,
        ..version("1.5.0", 2)
    },
    version("2.0.0", 1),
];

/// A managed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Its permission bits.
    pub(crate) mode: u32,
    /// What is in it.
    pub(crate) content: String,
}

impl Version {
    /// The managed files that it brings.
    pub(crate) fn brings(&self) -> BTreeMap<String, File> {
        let number = self.number;
        let mut files = BTreeMap::new();
        let mut file = |path: &str, mode: u32, content: String| {
            files.insert(path.to_owned(), File { mode, content });
        };
        file("agent", 0o644, number.to_owned());
        file("bin/run", 0o755, PROGRAM.to_owned());
        file("share/same", 0o644, "always the same\n".to_owned());
        file("share/changed", 0o644, format!("of {number}\n"));
        file(&format!("only/{number}"), 0o644, String::new());
        if let Some(script) = self.migration() {
            file("script-migrate", 0o644, script);
        }
        if self.end == End::Unhealthy {
            file("script-health", 0o644, "answer unhealthy\n".to_owned());
        }
        files
    }

    /// What its seed says.
    pub(crate) fn seed(&self) -> String {
        format!("seed of {}\n", self.number)
    }

    /// What its step of `migrate` does, if it has one.
    pub(crate) fn migration(&self) -> Option<String> {
        let number = self.number;
        match (self.end, self.port) {
            (End::Refuses, _) => Some("write data/migrated gone\nanswer refuse\n".to_owned()),
            (End::Works | End::Unhealthy, Some(port)) => Some(format!(
                "strict\nwrite data/migrated {number}\nset port {port}\n"
            )),
            (End::Works | End::Unhealthy, None) => None,
        }
    }
}

/// The program: it runs in its install, and writes down which version it is, again and again.
const PROGRAM: &str = "#!/bin/sh
exec >> logs/ran
while :; do
    cat agent
    echo
    sleep 0.1
done
";
