;; Uses a handle that it has given back.
(import "wasi:io/poll@0.2.6" (instance $poll
  (export "pollable" (type $pollable (sub resource)))
  (export "[method]pollable.ready" (func (param "self" (borrow $pollable)) (result bool)))))
(alias export $poll "pollable" (type $pollable))
(import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock
  (alias outer 1 $pollable (type $p))
  (export "pollable" (type $q (eq $p)))
  (export "subscribe-duration" (func (param "when" u64) (result (own $q))))))
(core func $ready (canon lower (func $poll "[method]pollable.ready")))
(core func $subscribe (canon lower (func $clock "subscribe-duration")))
(core func $drop (canon resource.drop $pollable))
(core module $module
  (import "host" "ready" (func $ready (param i32) (result i32)))
  (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
  (import "host" "drop" (func $drop (param i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32) (result i32)
    (local $handle i32)
    (local.set $handle (call $subscribe (i64.const 1)))
    (drop (call $ready (local.get $handle)))
    (call $drop (local.get $handle))
    (drop (call $ready (local.get $handle)))
    (i32.const 512)))
(core instance $main (instantiate $module
  (with "host" (instance
    (export "ready" (func $ready))
    (export "subscribe" (func $subscribe))
    (export "drop" (func $drop))))))
