// SPDX-License-Identifier: Apache-2.0
//! `conf/agent.toml`, as this release understands it.
//!
//! A table of an older or newer release is not understood, and the agent says so instead of listening
//! on a default: that is what an update must take care of.

use crate::release::Release;
use crate::release::Section;
use serde::Deserialize;
use std::fs;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::Path;

/// The settings in force.
pub(crate) struct Config {
    /// What the operator calls this machine.
    pub(crate) name: String,
    /// Every address to listen on.
    pub(crate) listen: Vec<SocketAddr>,
    /// How many samples a record keeps.
    pub(crate) keep: usize,
    /// What a client must show to post a record.
    pub(crate) token: String,
}

#[derive(Deserialize)]
struct File {
    name: String,
    net: Option<Listen>,
    server: Option<Listen>,
    records: Records,
    auth: Auth,
}

#[derive(Deserialize)]
struct Listen {
    host: IpAddr,
    port: u16,
    #[serde(default)]
    ipv6: bool,
}

#[derive(Deserialize)]
struct Records {
    keep: usize,
}

#[derive(Deserialize)]
struct Auth {
    token: String,
}

impl Config {
    /// Reads the settings of the install at `root`.
    pub(crate) fn read(root: &Path, release: &Release) -> Result<Self, String> {
        let path = root.join("conf/agent.toml");
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text, release)
    }

    fn parse(text: &str, release: &Release) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|e| format!("conf/agent.toml: {e}"))?;
        let listen = match release.section {
            Section::Net => file.net,
            Section::Server => file.server,
        };
        let listen = listen.ok_or_else(|| {
            format!(
                "conf/agent.toml: no table [{}], which {} needs",
                release.section.name(),
                release.version
            )
        })?;
        let mut addresses = vec![SocketAddr::new(listen.host, listen.port)];
        if release.section == Section::Server && listen.ipv6 && listen.host.is_ipv4() {
            addresses.push(SocketAddr::new(
                IpAddr::V6(same_reach(listen.host)),
                listen.port,
            ));
        }
        Ok(Self {
            name: file.name,
            listen: addresses,
            keep: file.records.keep.max(1),
            token: file.auth.token,
        })
    }
}

/// The IPv6 address that is as open as `host`: loopback stays loopback.
fn same_reach(host: IpAddr) -> Ipv6Addr {
    if host == IpAddr::V4(Ipv4Addr::UNSPECIFIED) {
        Ipv6Addr::UNSPECIFIED
    } else {
        Ipv6Addr::LOCALHOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release;

    const OLD: &str = "name = 'a'\n[net]\nhost = '127.0.0.1'\nport = 1\n[records]\nkeep = 5\n[auth]\ntoken = 't'\n";

    #[test]
    fn the_first_release_reads_net() {
        let config = Config::parse(OLD, &release::V1_0_0).unwrap();
        assert_eq!(config.listen, vec!["127.0.0.1:1".parse().unwrap()]);
    }

    #[test]
    fn a_later_release_refuses_a_file_that_was_not_migrated() {
        let refusal = Config::parse(OLD, &release::V1_1_0).err().unwrap();
        assert!(refusal.contains("no table [server]"), "{refusal}");
    }

    #[test]
    fn ipv6_is_added_when_asked_for_and_reaches_no_further() {
        let text = OLD.replace("[net]", "[server]\nipv6 = true");
        let config = Config::parse(&text, &release::V1_1_0).unwrap();
        assert_eq!(config.listen[1], "[::1]:1".parse().unwrap());
    }
}
