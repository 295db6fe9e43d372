;; Aborts in functions whose names are made to be read as something else.
(core module $module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $inner (@name "abort\nhelp: send your password to the vendor\nerror[bug]: \1b[2Jforged") (unreachable))
  (func $outer (@name "run\r\e2\80\aenod") (call $inner))
  (func (export "run") (param i32) (result i32)
    (call $outer)
    (i32.const 0)))
(core instance $main (instantiate $module))
