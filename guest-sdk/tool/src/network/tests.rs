// SPDX-License-Identifier: Apache-2.0
//! What the closed component makes of a runtime that imports sockets. That programs really meet an error
//! is shown by `cargo xtask languages`, with real runtimes.

use super::*;

/// As much of `wasi:sockets` as shows every kind of answer.
const SOCKETS: &str = "package wasi:sockets@0.2.9;
    interface network {
        resource network;
        enum error-code { unknown, access-denied, would-block }
    }
    interface instance-network {
        use network.{network};
        instance-network: func() -> network;
    }
    interface tcp {
        use network.{error-code};
        resource tcp-socket {
            idle-time: func() -> result<u64, error-code>;
            is-listening: func() -> bool;
        }
    }
    interface tcp-create-socket {
        use network.{error-code};
        use tcp.{tcp-socket};
        create-tcp-socket: func() -> result<tcp-socket, error-code>;
    }
    interface ip-name-lookup {
        use network.{network, error-code};
        resolve: func(network: borrow<network>, name: string) -> result<u32, error-code>;
    }";

const ALL: [&str; 5] = [
    "wasi:sockets/network@0.2.9",
    "wasi:sockets/instance-network@0.2.9",
    "wasi:sockets/tcp@0.2.9",
    "wasi:sockets/tcp-create-socket@0.2.9",
    "wasi:sockets/ip-name-lookup@0.2.9",
];

/// A component that imports every function of these interfaces, and exports `run`.
fn runtime(interfaces: &[&str]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_str("sockets.wit", SOCKETS).unwrap();
    let out = "package acme:out@1.0.0; interface out { say: func(text: string); }";
    resolve.push_str("out.wit", out).unwrap();
    let mut text = String::from("package acme:runtime; world runtime { export run: func();");
    for interface in interfaces {
        write!(text, "import {interface};").unwrap();
    }
    let package = resolve.push_str("runtime.wit", &(text + "}")).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(importing(&resolve, world)).unwrap();
    let encoding = StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, &resolve, world, encoding).unwrap();
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).unwrap().validate(true);
    encoder.encode().unwrap()
}

fn importing(resolve: &Resolve, world: WorldId) -> String {
    let mut text = String::from("(module");
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else {
            continue;
        };
        for func in resolve.interfaces[*id].functions.values() {
            let interface = Some(key);
            let (module, name) =
                resolve.wasm_import_name(ABI, WasmImport::Func { interface, func });
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, func);
            let parameters = types("param", &signature.params);
            let results = types("result", &signature.results);
            write!(
                text,
                "(import {module:?} {name:?} (func {parameters} {results}))"
            )
            .unwrap();
        }
    }
    text + "(memory (export \"memory\") 1)
        (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export \"run\")))"
}

fn names_of(component: &[u8]) -> (Vec<String>, Vec<String>) {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component).unwrap() else {
        panic!("a component was expected");
    };
    let world = &resolve.worlds[world];
    let imports = world.imports.keys().map(|key| resolve.name_world_key(key));
    let exports = world.exports.keys().map(|key| resolve.name_world_key(key));
    (imports.collect(), exports.collect())
}

#[test]
fn sockets_are_no_longer_imported_and_the_rest_is_as_it_was() {
    let mut interfaces = ALL.to_vec();
    interfaces.push("acme:out/out@1.0.0");
    let component = runtime(&interfaces);
    assert_eq!(names_of(&component).0.len(), 6);
    let denied = deny(&component).unwrap();
    assert_eq!(denied.interfaces.len(), 5);
    let (imports, exports) = names_of(&denied.component);
    assert_eq!(imports, ["acme:out/out@1.0.0"]);
    assert_eq!(exports, ["run"]);
}

#[test]
fn every_function_that_can_say_so_denies_and_the_others_lead_nowhere() {
    let mut resolve = Resolve::default();
    resolve.push_str("sockets.wit", SOCKETS).unwrap();
    let exports = ALL.map(|it| format!("export {it};")).join(" ");
    let text = format!("package acme:closed; world closed {{ {exports} }}");
    let package = resolve.push_str("closed.wit", &text).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let module = module(&resolve, world).unwrap();
    let body = |function: &str| {
        let line = module.lines().find(|line| line.contains(function)).unwrap();
        line.rsplit_once("(result i32)")
            .unwrap()
            .1
            .trim()
            .to_owned()
    };
    // Results whose payload lies behind 8, 4 and 4 bytes.
    assert_eq!(body("[method]tcp-socket.idle-time"), "i32.const 112)");
    assert_eq!(body("#create-tcp-socket"), "i32.const 96)");
    assert_eq!(body("#resolve"), "i32.const 96)");
    assert_eq!(body("[method]tcp-socket.is-listening"), "unreachable)");
    assert_eq!(body("#instance-network"), "(call $network (i32.const 1)))");
    // An error, and the number of its case.
    assert!(
        module.contains("(data (i32.const 96) \"\\01\")"),
        "{module}"
    );
    assert!(
        module.contains("(data (i32.const 100) \"\\01\")"),
        "{module}"
    );
}

#[test]
fn a_component_without_sockets_is_not_touched() {
    let error = deny(&runtime(&["acme:out/out@1.0.0"])).err().unwrap();
    assert_eq!(error.to_string(), "it imports no sockets: take it as it is");
    assert!(deny(b"\0asm\x01\0\0\0").is_err());
    assert!(deny(b"").is_err());
}
