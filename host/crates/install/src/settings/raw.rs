// SPDX-License-Identifier: Apache-2.0
//! `install.toml` as it is written, and how each value is judged.
//!
//! Every value that can be wrong carries its place in the text, so that a message can point there.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use cofferdam_package::glob::GlobSet;
use cofferdam_package::glob::KeyGlobSet;
use cofferdam_package::keyring::KeyError;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::keyring::PublicKey;
use cofferdam_package::keyring::Role;
use cofferdam_package::keyring::TrustedKey;
use cofferdam_package::manifest::ConfigFormat;
use cofferdam_package::manifest::PackageId;
use cofferdam_package::path::PayloadPath;
use cofferdam_package::signature::SignatureRule;
use serde::Deserialize;
use toml::Spanned;

use super::Ceilings;
use super::ConfigFileAt;
use super::ConfigPlace;
use super::Confinement;
use super::DEFAULT_GENERATIONS;
use super::ManagedWrites;
use super::Policy;
use super::Service;
use super::Settings;
use super::units;

/// A file with more is a mistake, and would cost a comparison with each on every path.
const MOST_ROLES: usize = 64;
/// The same for config files.
const MOST_CONFIG_FILES: usize = 64;

/// What is wrong, and where in the text.
pub(super) struct Mistake {
    pub(super) at: usize,
    pub(super) reason: String,
}

impl Mistake {
    fn at(span: &Range<usize>, reason: impl Into<String>) -> Self {
        Self {
            at: span.start,
            reason: reason.into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: Spanned<String>,
    #[serde(default)]
    roles: Vec<Spanned<String>>,
    generations: Option<Spanned<u32>>,
    #[serde(default)]
    trust: Vec<RawKey>,
    #[serde(default)]
    policy: RawPolicy,
    #[serde(default)]
    config: BTreeMap<Spanned<String>, RawConfig>,
    service: Option<RawService>,
    #[serde(default)]
    state: RawState,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    key: Spanned<String>,
    role: Spanned<String>,
    name: Spanned<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPolicy {
    vendor_signatures: Option<Spanned<u32>>,
    reviewer_signatures: Option<u32>,
    #[serde(default)]
    allow_managed_writes: bool,
    #[serde(default)]
    require_confinement: bool,
    #[serde(default)]
    limits: RawLimits,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    time: Option<Spanned<String>>,
    memory: Option<Spanned<String>>,
    written: Option<Spanned<String>>,
    files: Option<u64>,
    log: Option<Spanned<String>>,
    compile: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    file: Option<Spanned<String>>,
    format: Option<Spanned<String>>,
    #[serde(default)]
    secret: Vec<Spanned<String>>,
    #[serde(default)]
    release: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawService {
    stop: Spanned<Vec<String>>,
    start: Spanned<Vec<String>>,
    alive: Option<Spanned<Vec<String>>>,
    stop_timeout: Option<Spanned<String>>,
    start_timeout: Option<Spanned<String>>,
    settle: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawState {
    #[serde(default)]
    live: Vec<Spanned<String>>,
}

/// Parses and judges.
pub(super) fn parse(text: &str) -> Result<Settings, Mistake> {
    let raw: Raw = toml::from_str(text).map_err(|error| Mistake {
        at: error.span().map_or(0, |span| span.start),
        reason: error.message().to_owned(),
    })?;
    Ok(Settings {
        id: parsed(&raw.id, |id| {
            PackageId::parse(id).map_err(|error| error.to_string())
        })?,
        roles: roles(&raw.roles)?,
        generations: generations(raw.generations.as_ref())?,
        trust: trust(&raw.trust)?,
        policy: policy(&raw.policy)?,
        config: config(raw.config)?,
        service: raw
            .service
            .map(|service| judge_service(&service))
            .transpose()?,
        live: globs(&raw.state.live)?,
    })
}

/// Judges one text, and puts its place into the mistake.
fn parsed<T>(
    text: &Spanned<String>,
    judge: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, Mistake> {
    judge(text.get_ref()).map_err(|reason| Mistake::at(&text.span(), reason))
}

fn parsed_or<T>(
    text: Option<&Spanned<String>>,
    default: T,
    judge: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, Mistake> {
    text.map_or(Ok(default), |text| parsed(text, judge))
}

fn optional<T>(
    text: Option<&Spanned<String>>,
    judge: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, Mistake> {
    text.map(|text| parsed(text, judge)).transpose()
}

/// Roles and names of config files: they appear in messages, in digests and as file names.
fn plain_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) {
        return Err(format!(
            "name `{}`, expected 1 to 64 of `a-z`, `0-9`, `-` and `_`",
            text.escape_debug()
        ));
    }
    Ok(text.to_owned())
}

fn roles(raw: &[Spanned<String>]) -> Result<Vec<String>, Mistake> {
    let mut roles = Vec::new();
    for role in raw {
        let name = parsed(role, plain_name)?;
        if roles.contains(&name) {
            return Err(Mistake::at(
                &role.span(),
                format!("role `{name}` is listed twice"),
            ));
        }
        if roles.len() == MOST_ROLES {
            return Err(Mistake::at(
                &role.span(),
                format!("more than {MOST_ROLES} roles"),
            ));
        }
        roles.push(name);
    }
    roles.sort();
    Ok(roles)
}

fn generations(raw: Option<&Spanned<u32>>) -> Result<u32, Mistake> {
    match raw {
        None => Ok(DEFAULT_GENERATIONS),
        Some(number) if *number.get_ref() >= 2 => Ok(*number.get_ref()),
        Some(number) => Err(Mistake::at(
            &number.span(),
            format!(
                "generations is {}, expected at least 2: the live one and one to go back to",
                number.get_ref()
            ),
        )),
    }
}

fn trust(raw: &[RawKey]) -> Result<KeyRing, Mistake> {
    let mut ring = KeyRing::new();
    for entry in raw {
        let key = parsed(&entry.key, |text| {
            PublicKey::parse(text).map_err(|error| error.to_string())
        })?;
        let role = parsed(&entry.role, |text| match text {
            "vendor" => Ok(Role::Vendor),
            "reviewer" => Ok(Role::Reviewer),
            _ => Err(format!(
                "role `{}`, expected `vendor` or `reviewer`",
                text.escape_debug()
            )),
        })?;
        let name = entry.name.get_ref().clone();
        ring.add(TrustedKey { key, role, name }).map_err(|error| {
            let wrong = match error {
                KeyError::Name { .. } => &entry.name,
                _ => &entry.key,
            };
            Mistake::at(&wrong.span(), error.to_string())
        })?;
    }
    Ok(ring)
}

fn policy(raw: &RawPolicy) -> Result<Policy, Mistake> {
    let vendor = match &raw.vendor_signatures {
        None => 1,
        Some(number) if *number.get_ref() >= 1 => *number.get_ref(),
        Some(number) => {
            return Err(Mistake::at(
                &number.span(),
                "vendor-signatures is 0, expected at least 1",
            ));
        }
    };
    let limits = &raw.limits;
    Ok(Policy {
        signatures: SignatureRule {
            vendor,
            reviewer: raw.reviewer_signatures.unwrap_or(0),
        },
        managed_writes: if raw.allow_managed_writes {
            ManagedWrites::AllowedDespiteSignedPayload
        } else {
            ManagedWrites::Refused
        },
        confinement: if raw.require_confinement {
            Confinement::Required
        } else {
            Confinement::AsFarAsPossible
        },
        ceilings: Ceilings {
            time: optional(limits.time.as_ref(), units::parse_time)?,
            memory_bytes: optional(limits.memory.as_ref(), units::parse_bytes)?,
            written_bytes: optional(limits.written.as_ref(), units::parse_bytes)?,
            files: limits.files,
            log_bytes: optional(limits.log.as_ref(), units::parse_bytes)?,
        },
        compile_time: optional(limits.compile.as_ref(), units::parse_time)?,
    })
}

fn config(
    raw: BTreeMap<Spanned<String>, RawConfig>,
) -> Result<BTreeMap<String, ConfigPlace>, Mistake> {
    let mut places = BTreeMap::new();
    for (name, entry) in raw {
        let plain = parsed(&name, plain_name)?;
        if places.len() == MOST_CONFIG_FILES {
            return Err(Mistake::at(
                &name.span(),
                format!("more than {MOST_CONFIG_FILES} config files"),
            ));
        }
        let secret: Vec<String> = entry
            .secret
            .iter()
            .map(|text| text.get_ref().clone())
            .collect();
        let secret_span = entry.secret.first().map_or(name.span(), Spanned::span);
        let place = ConfigPlace {
            file: optional(entry.file.as_ref(), config_file)?,
            format: optional(entry.format.as_ref(), |text| {
                ConfigFormat::from_word(text).ok_or_else(|| {
                    format!(
                        "format `{}`, expected toml, json, ini, env or yaml",
                        text.escape_debug()
                    )
                })
            })?,
            secret: KeyGlobSet::parse(&secret)
                .map_err(|error| Mistake::at(&secret_span, error.to_string()))?,
            release: entry.release,
        };
        places.insert(plain, place);
    }
    Ok(places)
}

/// Absolute: outside, without `.` and `..`, so that it can be compared as text. Else a path of the
/// install.
fn config_file(text: &str) -> Result<ConfigFileAt, String> {
    if !text.starts_with('/') {
        return PayloadPath::parse(text)
            .map(ConfigFileAt::Inside)
            .map_err(|error| error.to_string());
    }
    let path = Path::new(text);
    let plain: PathBuf = path.components().collect();
    let climbs = text.split('/').any(|part| part == "." || part == "..");
    if climbs || text.contains('\0') || text.ends_with('/') || plain.file_name().is_none() {
        return Err(format!(
            "file `{}`, expected an absolute path without `.` and `..`",
            text.escape_debug()
        ));
    }
    Ok(ConfigFileAt::Outside(plain))
}

fn judge_service(raw: &RawService) -> Result<Service, Mistake> {
    Ok(Service {
        stop: command(&raw.stop)?,
        start: command(&raw.start)?,
        alive: raw.alive.as_ref().map(command).transpose()?,
        stop_timeout: parsed_or(
            raw.stop_timeout.as_ref(),
            Duration::from_secs(90),
            units::parse_time,
        )?,
        start_timeout: parsed_or(
            raw.start_timeout.as_ref(),
            Duration::from_secs(90),
            units::parse_time,
        )?,
        settle: parsed_or(
            raw.settle.as_ref(),
            Duration::from_secs(3),
            units::parse_time,
        )?,
    })
}

/// An argument list is run as it stands, without a shell.
fn command(raw: &Spanned<Vec<String>>) -> Result<Vec<String>, Mistake> {
    let words = raw.get_ref();
    if words.first().is_none_or(String::is_empty) || words.iter().any(|word| word.contains('\0')) {
        return Err(Mistake::at(
            &raw.span(),
            "a command is a list: the program, then its arguments",
        ));
    }
    Ok(words.clone())
}

fn globs(raw: &[Spanned<String>]) -> Result<GlobSet, Mistake> {
    for text in raw {
        parsed(text, |text| {
            GlobSet::parse(&[text.to_owned()])
                .map(|_| ())
                .map_err(|error| error.to_string())
        })?;
    }
    let all: Vec<String> = raw.iter().map(|text| text.get_ref().clone()).collect();
    let span = raw.first().map_or(0..0, Spanned::span);
    GlobSet::parse(&all).map_err(|error| Mistake::at(&span, error.to_string()))
}
