// SPDX-License-Identifier: Apache-2.0
//! The `install.toml` that `adopt` writes: what was asked for, and everything else as comments to
//! start from.

use cofferdam_package::keyring::Role;
use cofferdam_package::keyring::TrustedKey;
use cofferdam_package::manifest::PackageId;

/// The text of a new `install.toml`; it parses to exactly what is given, and defaults.
pub fn render(id: &PackageId, roles: &[String], trust: &[TrustedKey], live: &[String]) -> String {
    let roles: Vec<String> = roles.iter().map(|role| quoted(role)).collect();
    let mut text = format!(
        "# This install, as its operator wants it. Every command reads this file; none writes it.\n\
         # A mistake stops every command but `status`, `history` and `recover`, and names its line.\n\
         \n\
         id = {id}\n\
         # What this machine is for: packages may carry files for some roles only.\n\
         roles = [{roles}]\n\
         # How many generations are kept, the live one among them.\n\
         generations = {generations}\n",
        id = quoted(id.as_str()),
        roles = roles.join(", "),
        generations = super::DEFAULT_GENERATIONS,
    );
    text.push_str("\n# Whose signatures count. Each key has one role, vendor or reviewer.\n");
    for trusted in trust {
        let role = match trusted.role {
            Role::Vendor => "vendor",
            Role::Reviewer => "reviewer",
        };
        let (key, name) = (quoted(trusted.key.as_str()), quoted(&trusted.name));
        let entry = [
            "[[trust]]\nkey = ",
            &key,
            "\nrole = \"",
            role,
            "\"\nname = ",
            &name,
            "\n\n",
        ];
        text.extend(entry);
    }
    text.push_str(REST);
    let patterns: Vec<String> = live.iter().map(|pattern| quoted(pattern)).collect();
    let patterns = patterns.join(", ");
    if patterns.is_empty() {
        text.push_str("# [state]\n# live = [\"logs/**\"]\n");
    } else {
        text.extend(["[state]\nlive = [", &patterns, "]\n"]);
    }
    text
}

/// A TOML string, with whatever it needs escaped.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

const REST: &str = r#"[policy]
# Signatures that a package needs, by distinct keys.
vendor-signatures = 1
reviewer-signatures = 0
# Steps may change files that the vendor signed as payload, where their manifest asks for it.
# allow-managed-writes = true
# No step runs where the kernel lacks a wall (landlock, seccomp) around its process.
# require-confinement = true

# The most that any step may use, whatever its manifest asks.
# [policy.limits]
# time = "60s"
# memory = "256MiB"
# written = "1GiB"
# files = 10000
# log = "1MiB"
# CPU time that compiling one step may take.
# compile = "2m"

# Where a config file really is. Relative to the install, or absolute.
# [config.agent]
# file = "/etc/acme/agent.toml"
# format = "toml"
# secret = ["auth.*"]

# Argument lists, run as they stand, without a shell. `stop` returns once the service has stopped,
# `alive` exits with 0 while it runs.
# [service]
# stop = ["systemctl", "stop", "acme-agent"]
# start = ["systemctl", "start", "acme-agent"]
# alive = ["systemctl", "is-active", "--quiet", "acme-agent"]
# stop-timeout = "90s"
# start-timeout = "90s"
# settle = "3s"

# Append-only files that all generations share: no step, digest or rollback touches them.
"#;
