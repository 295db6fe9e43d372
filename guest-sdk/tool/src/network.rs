// SPDX-License-Identifier: Apache-2.0
//! Closes the way to the network that some runtimes import whatever a program does.
//!
//! `CPython`'s libraries import `wasi:sockets`, which no step may have. This puts the component together
//! with a second one that has these interfaces, and whose every function answers `access-denied`: then
//! the result imports no sockets at all, the gate needs no exception, and a program that tries to connect
//! gets an error that it can catch. The second component is made here, from the very types that the first
//! one imports; it has one page of memory and no code but constants.

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use std::fmt::Write as _;
use wac_graph::CompositionGraph;
use wac_graph::EncodeOptions;
use wac_graph::types::Package;
use wit_component::ComponentEncoder;
use wit_component::DecodedWasm;
use wit_component::StringEncoding;
use wit_parser::Function;
use wit_parser::Handle;
use wit_parser::Int;
use wit_parser::LiftLowerAbi;
use wit_parser::ManglingAndAbi;
use wit_parser::Resolve;
use wit_parser::ResourceIntrinsic;
use wit_parser::SizeAlign;
use wit_parser::Type;
use wit_parser::TypeDefKind;
use wit_parser::TypeId;
use wit_parser::TypeOwner;
use wit_parser::WasmExport;
use wit_parser::WasmExportKind;
use wit_parser::WasmImport;
use wit_parser::WorldId;
use wit_parser::WorldItem;
use wit_parser::WorldKey;
use wit_parser::abi::AbiVariant;
use wit_parser::abi::WasmType;

/// The package whose interfaces are answered inside.
const NETWORK: (&str, &str) = ("wasi", "sockets");

/// The answer, a case of the package's `error-code`.
const ANSWER: &str = "access-denied";

const ABI: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

/// Where the answers lie in memory: 16 bytes for each alignment of a result, 1, 2, 4 and 8.
const ANSWERS: u32 = 64;

/// Where the host puts the texts of a call, such as the name to look up. They are not read.
const TEXTS: u32 = 1024;

/// A component that imports no sockets any more.
pub(crate) struct Denied {
    /// Its bytes.
    pub(crate) component: Vec<u8>,
    /// The interfaces that are answered inside.
    pub(crate) interfaces: Vec<String>,
}

/// Answers a component's imports of sockets within itself.
///
/// # Errors
/// The bytes are no component, or it imports no sockets: then it needs nothing of this.
pub(crate) fn deny(component: &[u8]) -> Result<Denied> {
    let decoded = wit_component::decode(component).context("not a component")?;
    let DecodedWasm::Component(mut resolve, world) = decoded else {
        bail!("found a package of WIT where a component was expected");
    };
    let interfaces = imported(&resolve, world);
    if interfaces.is_empty() {
        bail!("it imports no sockets: take it as it is");
    }
    let closed = closed(&mut resolve, &interfaces).context("the answers")?;
    let component = joined(component, &closed).context("putting both components together")?;
    Ok(Denied {
        component,
        interfaces,
    })
}

/// The interfaces of the network that a component imports, by name and version.
fn imported(resolve: &Resolve, world: WorldId) -> Vec<String> {
    let imports = resolve.worlds[world].imports.keys();
    let interfaces = imports.filter(|key| match key {
        WorldKey::Interface(id) => resolve.interfaces[*id].package.is_some_and(|package| {
            let name = &resolve.packages[package].name;
            (name.namespace.as_str(), name.name.as_str()) == NETWORK
        }),
        WorldKey::Name(_) => false,
    });
    interfaces.map(|key| resolve.name_world_key(key)).collect()
}

/// The second component: exports the interfaces, and answers.
fn closed(resolve: &mut Resolve, interfaces: &[String]) -> Result<Vec<u8>> {
    let mut text = String::from("package cofferdam:closed;\nworld closed {\n");
    for interface in interfaces {
        writeln!(text, "export {interface};")?;
    }
    text.push('}');
    let package = resolve.push_str("closed.wit", &text)?;
    let world = resolve.select_world(&[package], None)?;
    let mut module = wat::parse_str(module(resolve, world)?)?;
    wit_component::embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default()
        .module(&module)?
        .validate(true)
        .encode()
}

/// Its core module, as text.
fn module(resolve: &Resolve, world: WorldId) -> Result<String> {
    let mut sizes = SizeAlign::default();
    sizes.fill(resolve);
    let mut imports = String::new();
    let mut functions = String::new();
    let mut answer = None;
    for (key, item) in &resolve.worlds[world].exports {
        let WorldItem::Interface { id, .. } = item else {
            continue;
        };
        for function in resolve.interfaces[*id].functions.values() {
            let name = resolve.wasm_export_name(
                ABI,
                WasmExport::Func {
                    interface: Some(key),
                    func: function,
                    kind: WasmExportKind::Normal,
                },
            );
            let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
            let body = match how(resolve, &sizes, function) {
                Some(Answer::Denied { at, case }) if signature.retptr => {
                    answer = Some(case);
                    format!("i32.const {at}")
                }
                Some(Answer::Handle { resource, maker }) => {
                    let _ = writeln!(imports, "{maker}");
                    format!("(call ${resource} (i32.const 1))")
                }
                // Methods of what nobody can have: every function that would make one is denied.
                _ => "unreachable".to_owned(),
            };
            writeln!(
                functions,
                "(func (export {name:?}){}{} {body})",
                types("param", &signature.params),
                types("result", &signature.results),
            )?;
        }
    }
    let Some(case) = answer else {
        bail!("none of its functions can say `{ANSWER}`");
    };
    let mut answers = String::new();
    for offset in [1, 2, 4, 8] {
        let at = answer_at(offset);
        writeln!(answers, "(data (i32.const {at}) \"\\01\")")?;
        writeln!(
            answers,
            "(data (i32.const {}) \"\\{case:02x}\")",
            at + offset
        )?;
    }
    let room = (64 << 10) - TEXTS;
    Ok(format!(
        "(module\n{imports}(memory (export \"memory\") 1)\n{answers}\
         (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)\n\
         (if (i32.gt_u (local.get 3) (i32.const {room})) (then unreachable))\n\
         i32.const {TEXTS})\n{functions})"
    ))
}

/// What a function answers.
enum Answer {
    /// An error that lies ready in memory.
    Denied { at: u32, case: usize },
    /// A new handle, for a resource that leads to nothing by itself.
    Handle { resource: String, maker: String },
}

fn how(resolve: &Resolve, sizes: &SizeAlign, function: &Function) -> Option<Answer> {
    let Some(Type::Id(result)) = function.result else {
        return None;
    };
    match &resolve.types[result].kind {
        TypeDefKind::Result(result) => {
            let case = case(resolve, result.err.as_ref()?)?;
            let cases = [result.ok.as_ref(), result.err.as_ref()];
            let offset = sizes.payload_offset(Int::U8, cases);
            let at = answer_at(u32::try_from(offset.size_wasm32()).ok()?);
            Some(Answer::Denied { at, case })
        }
        TypeDefKind::Handle(Handle::Own(id)) => {
            let id = meant(resolve, *id);
            let resource = &resolve.types[id];
            let TypeOwner::Interface(owner) = resource.owner else {
                return None;
            };
            let name = resource.name.clone()?;
            // A pollable is the host's: nobody here can make one.
            let package = resolve.interfaces[owner].package?;
            let package = &resolve.packages[package].name;
            if (package.namespace.as_str(), package.name.as_str()) != NETWORK {
                return None;
            }
            let (module, field) = resolve.wasm_import_name(
                ABI,
                WasmImport::ResourceIntrinsic {
                    interface: Some(&WorldKey::Interface(owner)),
                    resource: id,
                    intrinsic: ResourceIntrinsic::ExportedNew,
                },
            );
            Some(Answer::Handle {
                maker: format!(
                    "(import {module:?} {field:?} (func ${name} (param i32) (result i32)))"
                ),
                resource: name,
            })
        }
        _ => None,
    }
}

/// The number of the answer among the cases of an error type.
fn case(resolve: &Resolve, error: &Type) -> Option<usize> {
    let Type::Id(id) = error else {
        return None;
    };
    match &resolve.types[meant(resolve, *id)].kind {
        TypeDefKind::Enum(cases) => cases.cases.iter().position(|case| case.name == ANSWER),
        _ => None,
    }
}

/// The type behind names.
fn meant(resolve: &Resolve, mut id: TypeId) -> TypeId {
    while let TypeDefKind::Type(Type::Id(next)) = resolve.types[id].kind {
        id = next;
    }
    id
}

fn answer_at(offset: u32) -> u32 {
    ANSWERS + 16 * offset.trailing_zeros()
}

fn types(word: &str, types: &[WasmType]) -> String {
    let mut text = String::new();
    for one in types {
        let one = match one {
            WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
            WasmType::I64 | WasmType::PointerOrI64 => "i64",
            WasmType::F32 => "f32",
            WasmType::F64 => "f64",
        };
        let _ = write!(text, " ({word} {one})");
    }
    text
}

/// Both in one: the second answers the first, everything else is as it was.
fn joined(component: &[u8], closed: &[u8]) -> Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let package = Package::from_bytes("cofferdam:closed", None, closed, graph.types_mut())?;
    let closed = graph.register_package(package)?;
    let package = Package::from_bytes("cofferdam:step", None, component, graph.types_mut())?;
    let step = graph.register_package(package)?;
    wac_graph::plug(&mut graph, vec![closed], step)?;
    Ok(graph.encode(EncodeOptions::default())?)
}

#[cfg(test)]
mod tests;
