// SPDX-License-Identifier: Apache-2.0
//! A component that asks for more than is on offer is refused by name, before any of it is compiled.

use crate::guests;
use crate::guests::ENGINE;
use cofferdam_sandbox::SandboxError;
use cofferdam_sandbox::imports;

fn refused(wat: &str) -> SandboxError {
    let bytes = wat::parse_str(wat).unwrap();
    ENGINE.compile(&bytes).expect_err("a refusal")
}

#[test]
fn sockets_http_and_unknown_interfaces_are_refused_by_name() {
    let error = refused(
        r#"(component
            (import "wasi:sockets/tcp-create-socket@0.2.9" (instance
                (export "create-tcp-socket" (func))))
            (import "wasi:http/outgoing-handler@0.2.10" (instance (export "handle" (func))))
            (import "wasi:cli/stdout@0.2.6" (instance))
            (import "acme:backdoor/shell@1.0.0" (instance (export "exec" (func)))))"#,
    );
    assert_eq!(error.code(), "component-imports");
    assert_eq!(
        error.to_string(),
        "the component imports what no step may have: `acme:backdoor/shell@1.0.0 (exec)`, \
         `wasi:http/outgoing-handler@0.2.10 (handle)`, \
         `wasi:sockets/tcp-create-socket@0.2.9 (create-tcp-socket)`"
    );
}

#[test]
fn another_version_of_our_interfaces_is_refused_by_name() {
    let error = refused(
        r#"(component (import "cofferdam:step/log@0.2.0" (instance (export "write" (func)))))"#,
    );
    assert_eq!(error.code(), "component-imports");
    assert!(
        error
            .to_string()
            .contains("`cofferdam:step/log@0.2.0 (write)`"),
        "{error}"
    );
}

#[test]
fn bare_functions_and_offered_names_of_other_kinds_are_refused() {
    let error = refused(r#"(component (import "run" (func)))"#);
    assert_eq!(error.code(), "component-imports");
    let error = refused(r#"(component (import "wasi:cli/stdout@0.2.6" (func)))"#);
    assert_eq!(error.code(), "component-imports");
}

#[test]
fn what_offers_no_step_is_refused() {
    assert_eq!(refused("(component)").code(), "component-exports");
    assert_eq!(refused("(module)").code(), "component-core-module");
    let other = refused(
        r#"(component
            (core module $m (func (export "run")))
            (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#,
    );
    assert_eq!(other.code(), "component-exports");
}

#[test]
fn a_damaged_component_is_refused() {
    let whole = guests::bytes("script");
    for cut in [0, 1, 7, 9, 100, whole.len() / 2, whole.len() - 1] {
        let code = ENGINE.compile(&whole[..cut]).expect_err("a refusal").code();
        assert_eq!(code, "component-invalid", "cut to {cut}");
    }
    let mut large = whole;
    large.resize(cofferdam_sandbox::COMPONENT_BYTES + 1, 0);
    assert_eq!(
        ENGINE.compile(&large).expect_err("a refusal").code(),
        "component-too-large"
    );
}

#[test]
fn nothing_of_a_component_runs_while_it_is_judged() {
    let bytes = wat::parse_str(
        r"(component
            (core module $m (func $spin (loop br 0)) (start $spin))
            (core instance (instantiate $m)))",
    )
    .unwrap();
    assert_eq!(
        ENGINE.compile(&bytes).expect_err("a refusal").code(),
        "component-exports"
    );
}

#[test]
fn the_list_of_imports_tells_what_is_used_also_of_what_is_refused() {
    let list = imports(&guests::bytes("script")).unwrap().asked;
    assert!(list.iter().all(|import| import.offered), "{list:?}");
    let config = list
        .iter()
        .find(|i| i.interface == "cofferdam:step/config@0.1.0")
        .unwrap();
    assert_eq!(config.functions, ["get", "list", "remove", "rename", "set"]);
    assert_eq!(guests::guest("script").imports(), list);

    let bytes = wat::parse_str(
        r#"(component (import "wasi:sockets/udp@0.2.0" (instance (export "f" (func)))))"#,
    )
    .unwrap();
    let list = imports(&bytes).unwrap().asked;
    assert_eq!((list.len(), list[0].offered), (1, false));
}

/// Two components in one, a text handed from one to the other: what a tool that composes makes.
#[test]
fn a_component_made_of_components_is_judged_like_any_other() {
    let bytes = wat::parse_str(
        r#"(component
            (component $inner
                (core module $m
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
                    (func (export "take") (param i32 i32)))
                (core instance $i (instantiate $m))
                (func (export "take") (param "text" string)
                    (canon lift (core func $i "take") (memory (core memory $i "memory"))
                        (realloc (core func $i "realloc")))))
            (component $outer
                (import "take" (func $take (param "text" string)))
                (core module $libc (memory (export "memory") 1))
                (core instance $libc (instantiate $libc))
                (core func $take (canon lower (func $take) (memory (core memory $libc "memory"))))
                (core module $m
                    (import "host" "take" (func $take (param i32 i32)))
                    (func (export "run") (call $take (i32.const 0) (i32.const 1))))
                (core instance $i (instantiate $m
                    (with "host" (instance (export "take" (func $take))))))
                (func (export "run") (canon lift (core func $i "run"))))
            (instance $taker (instantiate $inner))
            (instance $giver (instantiate $outer (with "take" (func $taker "take"))))
            (export "run" (func $giver "run")))"#,
    )
    .unwrap();
    let error = ENGINE.compile(&bytes).expect_err("a refusal");
    assert_eq!(error.code(), "component-exports", "{error}");
}

#[test]
fn what_a_component_answers_itself_is_told_apart_from_what_it_asks_of_the_host() {
    let bytes = wat::parse_str(
        r#"(component
            (import "wasi:cli/stdout@0.2.6" (instance $stdout))
            (component $closed)
            (component $runtime
                (import "wasi:cli/stdout@0.2.6" (instance))
                (import "wasi:sockets/tcp@0.2.9" (instance))
                (import "import-type-context" (func)))
            (instance $tcp (instantiate $closed)))"#,
    )
    .unwrap();
    let imports = imports(&bytes).unwrap();
    assert_eq!(imports.inside, ["wasi:sockets/tcp@0.2.9"]);
    assert_eq!(imports.asked.len(), 1);
}
