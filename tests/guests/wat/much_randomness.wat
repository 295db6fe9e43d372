;; Asks for all the random bytes that there can be, in one call.
(import "wasi:random/random@0.2.6" (instance $random
  (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
(core module $libc
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
(core instance $libc (instantiate $libc))
(core func $random (canon lower (func $random "get-random-bytes")
  (memory (core memory $libc "memory")) (realloc (core func $libc "cabi_realloc"))))
(core module $module
  (import "libc" "memory" (memory 1))
  (import "host" "random" (func $random (param i64 i32)))
  (export "memory" (memory 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32) (result i32)
    (call $random (i64.const -1) (i32.const 16))
    (i32.const 512)))
(core instance $main (instantiate $module
  (with "libc" (instance $libc))
  (with "host" (instance (export "random" (func $random))))))
