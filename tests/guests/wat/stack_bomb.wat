;; Calls itself without end, with nothing of its stack in memory.
(core module $module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $dive (param $depth i64) (result i64)
    (i64.add
      (call $dive (i64.add (local.get $depth) (i64.const 1)))
      (call $dive (i64.mul (local.get $depth) (i64.const 3)))))
  (func (export "run") (param i32) (result i32)
    (i32.wrap_i64 (call $dive (i64.const 0)))))
(core instance $main (instantiate $module))
