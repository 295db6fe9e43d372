// SPDX-License-Identifier: Apache-2.0
//! Which interfaces a component asks for, and the gate that refuses all but those on offer.
//!
//! This is the first thing that happens to a component's bytes: they are parsed, never compiled and
//! never run, so the answer is cheap and the same on every machine. The list is by name and closed:
//! an interface that a later version of WASI adds is refused until somebody adds it here.
//!
//! | trick | defence |
//! |---|---|
//! | import of sockets, HTTP, anything unknown | refused by name, all of them listed |
//! | another version of our own interfaces | refused by name, with the version on offer |
//! | more functions, or other types, in an interface on offer | refused when it is linked, before anything runs: `link.rs` |
//! | a bare function, module or component as import | refused: only whole interfaces are on offer |
//! | a core module, or text, instead of a component | refused before anything is parsed further |
//! | a feature of WebAssembly that is off, also in a function's body | refused by name: `features.rs` |
//! | huge or deeply nested input | the size is capped; the parser bounds nesting and counts |

use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use thiserror::Error;
use wasmparser::BinaryReaderError;
use wasmparser::Encoding;
use wasmparser::FuncValidatorAllocations;
use wasmparser::Parser;
use wasmparser::Payload;
use wasmparser::ValidPayload;
use wasmparser::Validator;
use wasmparser::component_types::ComponentAnyTypeId;
use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::Types;

use crate::features;
use crate::limits::COMPONENT_BYTES;

/// An interface that a component imports, and what it uses of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Import {
    /// The interface as the component names it: `wasi:filesystem/types@0.2.6`.
    pub interface: String,
    /// The functions it uses, by name.
    pub functions: Vec<String>,
    /// Whether the interface is on offer to steps.
    pub offered: bool,
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.interface)?;
        if !self.functions.is_empty() {
            write!(f, " ({})", self.functions.join(", "))?;
        }
        Ok(())
    }
}

/// Why a component cannot be a step.
#[derive(Debug, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CompileError {
    /// More bytes than a component may have.
    #[error("the component has {found} bytes; at most {allowed} are allowed")]
    TooLarge {
        /// Its size.
        found: usize,
        /// The limit.
        allowed: usize,
    },
    /// Not WebAssembly, or damaged.
    #[error("not a valid WebAssembly component: {0}")]
    Invalid(String),
    /// The component is made with features that no step may use.
    #[error("the component uses what is off in WebAssembly for steps: {}", quoted(.0))]
    Features(Vec<String>),
    /// A core module rather than a component.
    #[error("found a core WebAssembly module where a component was expected")]
    CoreModule,
    /// The component asks for more than is on offer.
    #[error("the component imports what no step may have: {}", quoted(.0))]
    Imports(Vec<Import>),
    /// The interfaces are on offer, what it asks for in them is not.
    #[error("the component imports what these interfaces do not have: {0}")]
    Unlinked(String),
    /// Compiling it takes more time or memory than any component may take.
    #[error("the component costs too much to compile: {0}")]
    TooCostly(String),
    /// The component does not export what a step exports.
    #[error("the component does not export `run` of `cofferdam:step@0.1.0`: {0}")]
    Exports(String),
}

impl CompileError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "component-too-large",
            Self::Invalid(_) => "component-invalid",
            Self::Features(_) => "component-features",
            Self::CoreModule => "component-core-module",
            Self::Imports(_) | Self::Unlinked(_) => "component-imports",
            Self::TooCostly(_) => "component-too-costly",
            Self::Exports(_) => "component-exports",
        }
    }
}

fn quoted(names: &[impl fmt::Display]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The interfaces on offer, without version. WASI's are offered at any 0.2 version: they only grow.
const OFFERED: [&str; 21] = [
    "cofferdam:step/config",
    "cofferdam:step/log",
    "cofferdam:step/progress",
    "cofferdam:step/types",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
];

/// Random interfaces are on offer too, seeded: kept apart so that a reviewer sees them as such.
const OFFERED_RANDOM: [&str; 3] = [
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// The interfaces that a step may import, without version.
pub fn offered() -> impl Iterator<Item = &'static str> {
    OFFERED.iter().chain(&OFFERED_RANDOM).copied()
}

fn is_offered(interface: &str) -> bool {
    let Some((name, version)) = interface.split_once('@') else {
        return false;
    };
    if !offered().any(|offered| offered == name) {
        return false;
    }
    if name.starts_with("cofferdam:") {
        return version == "0.1.0";
    }
    version.strip_prefix("0.2.").is_some_and(|patch| {
        !patch.is_empty() && patch.len() < 4 && patch.bytes().all(|b| b.is_ascii_digit())
    })
}

/// What a reviewer reads from a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imports {
    /// What it asks of the host, sorted by name.
    pub asked: Vec<Import>,
    /// Interfaces that its inner components ask of each other and that it does not import itself, sorted.
    /// Nothing of them reaches the host: a runtime that was made for sockets has its answers here.
    pub inside: Vec<String>,
    /// Why it could not be run all the same: it exports nothing to run.
    pub fault: Option<String>,
}

/// What a component imports, also when it would be refused for that.
///
/// # Errors
/// When the bytes are no valid component, made with features that are off, or too many.
pub fn imports(component: &[u8]) -> Result<Imports, CompileError> {
    let found = examine(component)?;
    Ok(Imports {
        asked: found.imports,
        inside: found.inside.into_iter().collect(),
        fault: run_fault(&found.types).map(|fault| fault.to_string()),
    })
}

/// The gate: the imports of a component that may be a step.
pub(crate) fn gate(component: &[u8]) -> Result<Vec<Import>, CompileError> {
    let Examined { imports, types, .. } = examine(component)?;
    let refused: Vec<Import> = imports.iter().filter(|i| !i.offered).cloned().collect();
    if !refused.is_empty() {
        return Err(CompileError::Imports(refused));
    }
    match run_fault(&types) {
        Some(fault) => Err(fault),
        None => Ok(imports),
    }
}

/// Why there is nothing to run.
fn run_fault(types: &Types) -> Option<CompileError> {
    let found = match types.component_item_for_export("run").map(|item| item.ty) {
        Some(ComponentEntityType::Func(_)) => return None,
        Some(_) => "its `run` is not a function",
        None => "there is no such export",
    };
    Some(CompileError::Exports(found.to_owned()))
}

struct Examined {
    imports: Vec<Import>,
    inside: BTreeSet<String>,
    types: Types,
}

fn examine(component: &[u8]) -> Result<Examined, CompileError> {
    if component.len() > COMPONENT_BYTES {
        return Err(CompileError::TooLarge {
            found: component.len(),
            allowed: COMPONENT_BYTES,
        });
    }
    let invalid = |error: BinaryReaderError| {
        let missing = features::missing(component);
        if missing.is_empty() {
            // The parser quotes bytes over many lines.
            let message: Vec<&str> = error.message().split_whitespace().collect();
            CompileError::Invalid(format!(
                "{} (at byte {})",
                message.join(" "),
                error.offset()
            ))
        } else {
            CompileError::Features(missing)
        }
    };
    let mut validator = Validator::new_with_features(features::ALLOWED);
    let mut bodies = FuncValidatorAllocations::default();
    let mut names = Vec::new();
    let mut inside = BTreeSet::new();
    let mut nested = 0_usize;
    let mut types = None;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(invalid)?;
        match &payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if nested == 0 => {
                return Err(CompileError::CoreModule);
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => nested += 1,
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    let name = import.map_err(invalid)?.name.name;
                    if nested == 0 {
                        names.push(name.to_owned());
                    } else if is_interface(name) {
                        inside.insert(name.to_owned());
                    }
                }
            }
            Payload::End(_) => nested = nested.saturating_sub(1),
            _ => {}
        }
        match validator.payload(&payload).map_err(invalid)? {
            ValidPayload::Func(function, body) => {
                let mut function = function.into_validator(bodies);
                function.validate(&body).map_err(invalid)?;
                bodies = function.into_allocations();
            }
            ValidPayload::End(found) => types = Some(found),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
    }
    let types = types.ok_or_else(|| CompileError::Invalid("it is incomplete".to_owned()))?;
    for name in &names {
        inside.remove(name);
    }
    let mut imports: Vec<Import> = names
        .into_iter()
        .filter_map(|name| describe(name, &types))
        .collect();
    imports.sort();
    Ok(Examined {
        imports,
        inside,
        types,
    })
}

/// Whether a name is an interface's, such as `wasi:io/poll@0.2.6`, and not one of an encoder's own making.
fn is_interface(name: &str) -> bool {
    name.split_once(':')
        .is_some_and(|(_, path)| path.contains('/'))
}

/// An import in the reviewer's words; none for a plain type, which is a name and gives nothing.
fn describe(interface: String, types: &Types) -> Option<Import> {
    let mut functions = Vec::new();
    let mut whole = false;
    match types
        .component_item_for_import(&interface)
        .map(|item| item.ty)
    {
        Some(ComponentEntityType::Instance(id)) => {
            whole = true;
            for (name, item) in &types[id].exports {
                if matches!(item.ty, ComponentEntityType::Func(_)) {
                    functions.push(name.clone());
                }
            }
            functions.sort();
        }
        Some(ComponentEntityType::Type {
            created: ComponentAnyTypeId::Defined(_),
            ..
        }) => {
            return None;
        }
        _ => {}
    }
    let offered = whole && is_offered(&interface);
    Some(Import {
        interface,
        functions,
        offered,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_interfaces_on_offer_pass_and_only_at_their_versions() {
        for name in [
            "wasi:filesystem/types@0.2.6",
            "wasi:io/streams@0.2.12",
            "wasi:random/random@0.2.0",
            "cofferdam:step/config@0.1.0",
        ] {
            assert!(is_offered(name), "{name}");
        }
        for name in [
            "wasi:sockets/tcp@0.2.6",
            "wasi:http/outgoing-handler@0.2.6",
            "wasi:filesystem/types@0.3.0",
            "wasi:filesystem/types@0.2.",
            "wasi:filesystem/types@0.2.6-rc1",
            "wasi:filesystem/types",
            "cofferdam:step/config@0.2.0",
            "cofferdam:step/config@0.1.1",
            "cofferdam:step/secrets@0.1.0",
            "acme:thing/types@0.2.0",
            "run",
        ] {
            assert!(!is_offered(name), "{name}");
        }
    }

    #[test]
    fn what_is_not_a_component_is_refused_by_kind() {
        assert_eq!(imports(b"").unwrap_err().code(), "component-invalid");
        assert_eq!(
            imports(b"#!/bin/sh\n").unwrap_err().code(),
            "component-invalid"
        );
        assert_eq!(
            imports(b"(component)").unwrap_err().code(),
            "component-invalid"
        );
        assert_eq!(
            imports(b"\0asm\x01\0\0\0").unwrap_err().code(),
            "component-core-module"
        );
        assert_eq!(
            gate(b"\0asm\x0d\0\x01\0").unwrap_err().code(),
            "component-exports"
        );
    }
}
