;; Asks for a table of a hundred million elements before it runs.
(core module $module
  (memory (export "memory") 1)
  (table $table 100000000 funcref)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32) (result i32) (i32.const 0)))
(core instance $main (instantiate $module))
