// SPDX-License-Identifier: Apache-2.0
//! Which features of WebAssembly a step may use: WebAssembly 2.0 without references to the host's objects,
//! constants that are computed, and components that call each other synchronously. A closed list: what a later
//! parser or compiler knows more stays off until somebody adds it here.
//!
//! | feature | why it is off |
//! |---|---|
//! | `threads`, `relaxed-simd` | what a step does would depend on chance, or on the processor |
//! | `memory64`, `custom-page-sizes` | bounds are checked in code, where guard pages do it otherwise |
//! | `multi-memory`, `wide-arithmetic`, `tail-call`, `function-references` | nobody needs them, and each is code of a compiler that an attacker could aim at |
//! | `gc`, `exceptions`, `stack-switching`, `component-model-async` | the engines for them are not even built in |
//!
//! The gate has the last word, before anything is compiled, and says what was found. The compiler is set to
//! the same list, with one exception, [`COMPILED`].

use wasmparser::Validator;
use wasmparser::WasmFeatures;

/// What a component may use.
pub(crate) const ALLOWED: WasmFeatures = WasmFeatures::COMPONENT_MODEL
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SIMD);

/// What the compiler is made to take. wasmtime's own adapters between the inner components of a composed one
/// have two memories, and its compiler panics where that is not allowed.
pub(crate) const COMPILED: WasmFeatures = ALLOWED.union(WasmFeatures::MULTI_MEMORY);

/// The features that are off and without which these bytes are no component, by their names; none when
/// features are not what is wrong with them.
pub(crate) fn missing(component: &[u8]) -> Vec<String> {
    let valid = |features| {
        let mut validator = Validator::new_with_features(features);
        validator.validate_all(component).is_ok()
    };
    let all = WasmFeatures::all();
    let off = all - ALLOWED;
    if !valid(all) {
        return Vec::new();
    }
    let mut features = off.iter_names();
    if let Some((name, _)) = features.find(|(_, feature)| valid(ALLOWED | *feature)) {
        return vec![spelled(name)];
    }
    let needed = off
        .iter_names()
        .filter(|(_, feature)| !valid(all - *feature));
    needed.map(|(name, _)| spelled(name)).collect()
}

/// As proposals are spelled: `CM_ASYNC` is `component-model-async`.
fn spelled(name: &str) -> String {
    let name = name.replace("CM_", "component_model_");
    name.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use crate::engine;
    use crate::imports::CompileError;
    use crate::imports::gate;

    /// What the gate finds missing in a component with this text in it.
    fn found(text: &str) -> Vec<String> {
        let bytes = wat::parse_str(format!("(component {text})")).unwrap();
        match gate(&bytes).unwrap_err() {
            CompileError::Features(names) => names,
            other => panic!("{text}: {other}"),
        }
    }

    /// Whether the compiler would take it, if the gate let it through.
    fn compiles(text: &str) -> bool {
        let engine = wasmtime::Engine::new(&engine::config()).unwrap();
        let bytes = wat::parse_str(format!("(component {text})")).unwrap();
        wasmtime::component::Component::from_binary(&engine, &bytes).is_ok()
    }

    macro_rules! off {
        ($($test:ident: $feature:literal, $text:literal;)+) => {$(
            #[test]
            fn $test() {
                assert_eq!(found($text), [$feature]);
                assert!(!compiles($text), "the compiler takes it");
            }
        )+};
    }

    off! {
        memory64_is_refused: "memory64", "(core module (memory i64 1))";
        threads_are_refused: "threads", "(core module (memory 1 1 shared))";
        atomics_are_refused: "threads",
            "(core module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))";
        tail_calls_are_refused: "tail-call", "(core module (func $f (return_call $f)))";
        relaxed_simd_is_refused: "relaxed-simd",
            "(core module (func (param v128 v128) (result v128)
               (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))";
        page_sizes_are_refused: "custom-page-sizes", "(core module (memory 1 (pagesize 1)))";
        wide_arithmetic_is_refused: "wide-arithmetic",
            "(core module (func (param i64 i64) (result i64 i64)
               (i64.mul_wide_u (local.get 0) (local.get 1))))";
        exceptions_are_refused: "exceptions", "(core module (tag))";
        function_references_are_refused: "function-references",
            "(core module (type $t (func)) (func (param (ref null $t))))";
        host_references_are_refused: "gc-types", "(core module (func (param externref)))";
        async_components_are_refused: "component-model-async", "(type (future u32))";
        error_contexts_are_refused: "component-model-error-context",
            "(core func (canon error-context.drop))";
        lists_of_a_length_are_refused: "component-model-fixed-length-lists", "(type (list u8 4))";
    }

    /// The others come with what they are built on.
    #[test]
    fn features_on_features_are_refused_by_all_their_names() {
        for (feature, text) in [
            ("gc", "(core module (type (struct (field i32))))"),
            ("gc", "(core module (func (param i31ref)))"),
            (
                "stack-switching",
                "(core module (type $f (func)) (type (cont $f)))",
            ),
            (
                "shared-everything-threads",
                "(core module (type (shared (func))))",
            ),
        ] {
            let names = found(text);
            assert!(names.iter().any(|name| name == feature), "{names:?}");
            assert!(!compiles(text), "the compiler takes it: {text}");
        }
    }

    /// Only the gate can refuse this one, see [`super::COMPILED`].
    #[test]
    fn a_second_memory_is_refused() {
        let two = "(core module (memory 1) (memory 1))";
        assert_eq!(found(two), ["multi-memory"]);
        assert!(compiles(two));
        let imported = "(core module (import \"\" \"\" (memory 1)) (memory 1))";
        assert_eq!(found(imported), ["multi-memory"]);
    }

    /// A memory in each of several modules is what every composed component has.
    #[test]
    fn what_is_wrong_otherwise_is_not_put_down_to_a_feature() {
        let sound = "(core module (memory 1)) (core module (memory 1))";
        let refused = |text: &str| gate(&wat::parse_str(text).unwrap()).unwrap_err();
        assert_eq!(
            refused(&format!("(component {sound})")).code(),
            "component-exports"
        );
        let wrong = refused("(component (core module (func (result i32)) (memory i64 1)))");
        assert_eq!(wrong.code(), "component-invalid");
    }
}
