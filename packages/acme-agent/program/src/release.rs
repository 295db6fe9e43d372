// SPDX-License-Identifier: Apache-2.0
//! What distinguishes the releases of the agent, in one table.

/// One release: its name and the formats that it speaks.
pub struct Release {
    /// The version that `/version` answers.
    pub version: &'static str,
    /// The table of `conf/agent.toml` that says where to listen.
    pub section: Section,
    /// The schema of the records that it reads and writes; it reads no other.
    pub schema: u64,
    /// The defect that this release was shipped with, if any.
    pub defect: Option<&'static str>,
}

/// The name of the table that says where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `[net]`: `host`, `port`.
    Net,
    /// `[server]`: `host`, `port`, `ipv6`.
    Server,
}

impl Section {
    /// The table's name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Server => "server",
        }
    }
}

/// The first release: `[net]`, records of schema 1.
pub const V1_0_0: Release = Release {
    version: "1.0.0",
    section: Section::Net,
    schema: 1,
    defect: None,
};

/// Listens on IPv6 too, reads `[server]`, records have numbers and units.
pub const V1_1_0: Release = Release {
    version: "1.1.0",
    section: Section::Server,
    schema: 2,
    defect: None,
};

/// As 1.1.0: what misbehaves is a step of its package, not the program.
pub const V1_1_1: Release = Release {
    version: "1.1.1",
    section: Section::Server,
    schema: 2,
    defect: None,
};

/// A hotfix that went wrong: it starts, it answers, and it cannot store a record.
pub const V1_1_2: Release = Release {
    version: "1.1.2",
    section: Section::Server,
    schema: 2,
    defect: Some("the record store is read-only: lock `data/.index` was never released"),
};

/// Records keep their history.
pub const V1_2_0: Release = Release {
    version: "1.2.0",
    section: Section::Server,
    schema: 3,
    defect: None,
};
