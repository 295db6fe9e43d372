;; Waits for one thing, named six hundred thousand times in one call.
(import "wasi:io/poll@0.2.6" (instance $poll
  (export "pollable" (type $pollable (sub resource)))
  (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
(alias export $poll "pollable" (type $pollable))
(import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock
  (alias outer 1 $pollable (type $p))
  (export "pollable" (type $q (eq $p)))
  (export "subscribe-duration" (func (param "when" u64) (result (own $q))))))
(core module $libc
  (memory (export "memory") 200)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 6553600)))
(core instance $libc (instantiate $libc))
(core func $poll (canon lower (func $poll "poll")
  (memory (core memory $libc "memory")) (realloc (core func $libc "cabi_realloc"))))
(core func $subscribe (canon lower (func $clock "subscribe-duration")))
(core module $module
  (import "libc" "memory" (memory 200))
  (import "host" "poll" (func $poll (param i32 i32 i32)))
  (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
  (export "memory" (memory 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32) (result i32)
    (local $handle i32) (local $at i32)
    (local.set $handle (call $subscribe (i64.const 1)))
    (local.set $at (i32.const 65536))
    (loop $fill
      (i32.store (local.get $at) (local.get $handle))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $fill (i32.lt_u (local.get $at) (i32.const 2465536))))
    (call $poll (i32.const 65536) (i32.const 600000) (i32.const 16))
    (i32.const 512)))
(core instance $main (instantiate $module
  (with "libc" (instance $libc))
  (with "host" (instance
    (export "poll" (func $poll))
    (export "subscribe" (func $subscribe))))))
