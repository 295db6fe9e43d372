;; Uses handles that nobody gave it.
(import "wasi:io/poll@0.2.6" (instance $poll
  (export "pollable" (type $pollable (sub resource)))
  (export "[method]pollable.ready" (func (param "self" (borrow $pollable)) (result bool)))))
(core func $ready (canon lower (func $poll "[method]pollable.ready")))
(core module $module
  (import "host" "ready" (func $ready (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32) (result i32)
    (drop (call $ready (i32.const 1)))
    (i32.const 512)))
(core instance $main (instantiate $module
  (with "host" (instance (export "ready" (func $ready))))))
